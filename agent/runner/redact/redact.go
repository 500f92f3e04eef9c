// Package redact hides secret values in a stream of bytes, wherever the stream is cut into pieces.
//
// Redaction is best effort: a program that transforms a secret in a way not listed at Variants prints it unseen.
package redact

import "slices"

// Mask stands in the output for a run of secret bytes.
const Mask = "***"

// Redactor replaces every byte that belongs to an occurrence of a pattern; a run of such bytes becomes one Mask. It holds back
// only bytes that may still turn out to begin a pattern. The zero value and nil pass everything through.
type Redactor struct {
	nodes []node
	first [256]bool // bytes that leave the root

	at      int32  // state of the automaton
	pending []byte // bytes not decided yet
	marks   []span // covered parts of pending, disjoint and ascending
	masking bool   // the last byte that was decided is covered
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

type span struct{ from, to int }

// New returns a redactor for patterns; empty ones are ignored.
func New(patterns []string) *Redactor {
	r := &Redactor{nodes: []node{{}}}
	for _, p := range patterns {
		r.add(p)
	}
	r.link()
	return r
}

func (r *Redactor) add(pattern string) {
	if pattern == "" {
		return
	}
	at := int32(0)
	for i := range len(pattern) {
		next, ok := r.child(at, pattern[i])
		if !ok {
			next = int32(len(r.nodes)) //nolint:gosec // G115: bounded by the size of the environment
			r.nodes = append(r.nodes, node{depth: r.nodes[at].depth + 1})
			r.nodes[at].edges = append(r.nodes[at].edges, edge{pattern[i], next})
		}
		at = next
	}
	r.nodes[at].match = r.nodes[at].depth
	r.first[pattern[0]] = true
}

// link sets, breadth first, where each state falls back to.
func (r *Redactor) link() {
	queue := []int32{0}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, e := range r.nodes[at].edges {
			if at != 0 {
				r.nodes[e.next].fail = r.step(r.nodes[at].fail, e.b)
			}
			n := &r.nodes[e.next]
			n.match = max(n.match, r.nodes[n.fail].match)
			queue = append(queue, e.next)
		}
	}
}

func (r *Redactor) child(at int32, b byte) (int32, bool) {
	for _, e := range r.nodes[at].edges {
		if e.b == b {
			return e.next, true
		}
	}
	return 0, false
}

func (r *Redactor) step(at int32, b byte) int32 {
	for {
		if next, ok := r.child(at, b); ok {
			return next
		}
		if at == 0 {
			return 0
		}
		at = r.nodes[at].fail
	}
}

// Empty reports whether there is nothing to hide.
func (r *Redactor) Empty() bool { return r == nil || len(r.nodes) < 2 }

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
		if r.first[b] {
			return i
		}
	}
	return len(chunk)
}

func (r *Redactor) depth() int {
	if len(r.nodes) == 0 {
		return 0
	}
	return int(r.nodes[r.at].depth)
}

func (r *Redactor) feed(b byte) {
	r.pending = append(r.pending, b)
	r.at = r.step(r.at, b)
	if n := int(r.nodes[r.at].match); n > 0 {
		r.mark(span{len(r.pending) - n, len(r.pending)})
	}
}

// mark adds a covered part that ends at the end of pending.
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
