// Package redact hides secret values in a stream of bytes, wherever the stream is cut into pieces.
//
// Redaction is best effort: a program that transforms a secret in a way not listed at Variants prints it unseen.
package redact

import "slices"

// Mask stands in the output for a run of secret bytes.
const Mask = "***"

// Set is what is to be hidden. It does not change, and any number of streams may use it at the same time. Nil hides nothing.
type Set struct {
	nodes []node
	root  [256]int32 // edges of the root; 0 for none
}

// node is a state of the automaton of Aho and Corasick. Edges are sparse: patterns share few prefixes, and tables of 256 entries
// would cost megabytes for a certificate.
type node struct {
	edges []edge
	fail  int32
	depth int32
	match int32 // length of the longest pattern that ends here
}

type edge struct {
	b    byte
	next int32
}

// Compile makes a set of patterns; empty ones are ignored.
func Compile(patterns []string) *Set {
	s := &Set{nodes: []node{{}}}
	for _, p := range patterns {
		s.add(p)
	}
	s.link()
	return s
}

func (s *Set) add(pattern string) {
	at := int32(0)
	for i := range len(pattern) {
		next, ok := s.child(at, pattern[i])
		if !ok {
			next = int32(len(s.nodes)) //nolint:gosec // G115: Variants bounds the patterns
			s.nodes = append(s.nodes, node{depth: s.nodes[at].depth + 1})
			if at == 0 {
				s.root[pattern[i]] = next
			} else {
				s.nodes[at].edges = append(s.nodes[at].edges, edge{pattern[i], next})
			}
		}
		at = next
	}
	s.nodes[at].match = s.nodes[at].depth
}

// link sets, breadth first, where each state falls back to.
func (s *Set) link() {
	var queue []int32
	for _, next := range s.root {
		if next != 0 {
			queue = append(queue, next)
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		s.nodes[at].match = max(s.nodes[at].match, s.nodes[s.nodes[at].fail].match)
		for _, e := range s.nodes[at].edges {
			s.nodes[e.next].fail = s.step(s.nodes[at].fail, e.b)
			queue = append(queue, e.next)
		}
	}
}

func (s *Set) child(at int32, b byte) (int32, bool) {
	if at == 0 {
		return s.root[b], s.root[b] != 0
	}
	for _, e := range s.nodes[at].edges {
		if e.b == b {
			return e.next, true
		}
	}
	return 0, false
}

func (s *Set) step(at int32, b byte) int32 {
	for {
		if next, ok := s.child(at, b); ok {
			return next
		}
		if at == 0 {
			return 0
		}
		at = s.nodes[at].fail
	}
}

// Empty reports whether there is nothing to hide.
func (s *Set) Empty() bool { return s == nil || len(s.nodes) < 2 }

// Stream returns a redactor for a stream of its own.
func (s *Set) Stream() *Redactor { return &Redactor{set: s} }

// String returns a text redacted as a stream of its own.
func (s *Set) String(text string) string { return s.Stream().String(text) }

// Redactor replaces every byte that belongs to an occurrence of a pattern; a run of such bytes becomes one Mask. It holds back
// only bytes that may still turn out to begin a pattern. The zero value and nil pass everything through.
type Redactor struct {
	set *Set

	at      int32  // state of the automaton
	pending []byte // bytes not decided yet
	marks   []span // covered parts of pending, disjoint and ascending
	masking bool   // the last byte that was decided is covered
}

type span struct{ from, to int }

// Use hides from now on what a set has that has more than the one before, in what is held back, too.
func (r *Redactor) Use(s *Set) {
	if r.set == s {
		return
	}
	held, known := r.pending, r.marks
	r.set, r.at, r.pending, r.marks = s, 0, nil, nil
	for _, b := range held {
		r.feed(b)
	}
	// what was covered stays so, also where only its end is held
	all := slices.Concat(r.marks, known)
	slices.SortFunc(all, func(a, b span) int { return a.to - b.to })
	r.marks = nil
	for _, m := range all {
		r.mark(m)
	}
}

// Empty reports whether there is nothing to hide.
func (r *Redactor) Empty() bool { return r == nil || r.set.Empty() }

// Append appends to dst what is decided of the stream after chunk and returns it.
func (r *Redactor) Append(dst, chunk []byte) []byte {
	if r.Empty() {
		return append(dst, chunk...)
	}
	for len(chunk) > 0 {
		if r.at == 0 {
			plain := r.plain(chunk)
			dst = r.settle(dst, len(r.pending))
			if plain > 0 {
				dst = append(dst, chunk[:plain]...)
				r.masking = false
				chunk = chunk[plain:]
				continue
			}
		}
		r.feed(chunk[0])
		chunk = chunk[1:]
	}
	return r.settle(dst, len(r.pending)-r.depth())
}

// Flush appends what was held back and ends the stream; the redactor may be used for another one.
func (r *Redactor) Flush(dst []byte) []byte {
	if r == nil {
		return dst
	}
	dst = r.settle(dst, len(r.pending))
	r.at, r.masking = 0, false
	return dst
}

// Bytes returns b redacted as a stream of its own.
func (r *Redactor) Bytes(b []byte) []byte { return r.Flush(r.Append(nil, b)) }

// String returns s redacted as a stream of its own.
func (r *Redactor) String(s string) string { return string(r.Bytes([]byte(s))) }

// plain returns how many bytes of chunk cannot begin a pattern.
func (r *Redactor) plain(chunk []byte) int {
	for i, b := range chunk {
		if r.set.root[b] != 0 {
			return i
		}
	}
	return len(chunk)
}

func (r *Redactor) depth() int {
	return int(r.set.nodes[r.at].depth)
}

func (r *Redactor) feed(b byte) {
	r.pending = append(r.pending, b)
	r.at = r.set.step(r.at, b)
	if n := int(r.set.nodes[r.at].match); n > 0 {
		r.mark(span{len(r.pending) - n, len(r.pending)})
	}
}

// mark adds a covered part that ends where all others do or behind them.
func (r *Redactor) mark(s span) {
	s.from = max(s.from, 0)
	for len(r.marks) > 0 && r.marks[len(r.marks)-1].to >= s.from {
		s.from = min(s.from, r.marks[len(r.marks)-1].from)
		r.marks = r.marks[:len(r.marks)-1]
	}
	r.marks = append(r.marks, s)
}

// settle writes the first n pending bytes, which no later byte can cover any more.
func (r *Redactor) settle(dst []byte, n int) []byte {
	if n <= 0 {
		return dst
	}
	at := 0
	for len(r.marks) > 0 && r.marks[0].from < n {
		m := &r.marks[0]
		if m.from > at {
			dst = append(dst, r.pending[at:m.from]...)
			r.masking = false
		}
		if !r.masking {
			dst = append(dst, Mask...)
			r.masking = true
		}
		at = min(m.to, n)
		if m.to > n {
			m.from = n
			break
		}
		r.marks = slices.Delete(r.marks, 0, 1)
	}
	if at < n {
		dst = append(dst, r.pending[at:n]...)
		r.masking = false
	}
	for i := range r.marks {
		r.marks[i].from -= n
		r.marks[i].to -= n
	}
	r.pending = append(r.pending[:0], r.pending[n:]...)
	return dst
}
