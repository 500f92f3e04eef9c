package parse

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/say"
)

// Limits of a document; they bound what aliases can blow up.
const (
	maxNodes  = 50_000
	maxDepth  = 50
	maxFaults = 200 // nobody reads more at once
)

// node is a place in the document.
type node struct {
	*yaml.Node
	path string
}

func (n node) child(name string, v *yaml.Node) node {
	if n.path != "" {
		name = n.path + "." + name
	}
	return node{v, name}
}

// under returns the node with a path below it, for faults about what is not there.
func (n node) under(name string) node { return n.child(name, n.Node) }

// template is a text with expressions, or one expression, that is checked once all names are known.
type template struct {
	at    node
	text  string
	where expr.Where
	want  expr.Want
	alone bool // it must be one expression
}

// reader walks a document and collects its faults.
type reader struct {
	places    []fault.Place
	nodes     int
	depth     int
	templates []template
	given     map[string]node // field path → what stands there
	uses      []Use
}

func (r *reader) fault(at node, format string, args ...any) {
	if len(r.places) == maxFaults {
		return
	}
	p := at.place()
	p.Message = fmt.Sprintf(format, args...)
	r.places = append(r.places, p)
}

func (n node) place() fault.Place {
	p := fault.Place{Field: n.path}
	if n.Node != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	return p
}

var reIndex = regexp.MustCompile(`\[\d+\]`)

// note records that a field is set.
func (r *reader) note(at node, o document.Options) {
	r.given[at.path] = at
	what := reIndex.ReplaceAllString(at.path, "[]")
	r.uses = append(r.uses, Use{at.place(), what})
	if len(o.Enum) > 0 && at.Kind == yaml.ScalarNode {
		r.uses = append(r.uses, Use{at.place(), what + "=" + at.Value})
	}
}

// has reports whether a field below a node is set.
func (r *reader) has(at node, name string) bool {
	_, ok := r.given[at.child(name, nil).path]
	return ok
}

// resolve follows an alias; ok is false when the document is larger than it looks.
func (r *reader) resolve(at node) (node, bool) {
	if r.nodes++; r.nodes > maxNodes {
		if r.nodes == maxNodes+1 {
			r.fault(at, "the document is larger than %d values; are there aliases of aliases?", maxNodes)
		}
		return at, false
	}
	if at.Kind == yaml.AliasNode {
		at.Node = at.Alias
	}
	return at, true
}

type entry struct {
	key   string
	at    *yaml.Node // of the key
	value node
}

// mapping returns the entries of a mapping with string keys, each once; ok is false when it is none.
func (r *reader) mapping(at node) (entries []entry, ok bool) {
	at, ok = r.resolve(at)
	if !ok || at.ShortTag() == "!!null" {
		return nil, ok
	}
	if at.Kind != yaml.MappingNode {
		r.fault(at, "must be a mapping, not %s", describe(at.Node))
		return nil, false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(at.Content); i += 2 {
		key := at.Content[i]
		value := at.child(key.Value, at.Content[i+1])
		switch {
		case key.ShortTag() == "!!merge":
			r.fault(node{key, at.path}, `"<<" (merging of mappings) is not part of the language; write the fields, or use a template`)
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
			r.fault(node{key, at.path}, "a key must be a string, not %s; put it in quotes", describe(key))
		case seen[key.Value]:
			r.fault(node{key, value.path}, "is given twice")
		default:
			seen[key.Value] = true
			entries = append(entries, entry{key.Value, key, value})
		}
	}
	return entries, true
}

// list reads a sequence of at most limit items.
func (r *reader) list(at node, limit int, each func(i int, item node)) {
	at, ok := r.resolve(at)
	if !ok || at.ShortTag() == "!!null" {
		return
	}
	if at.Kind != yaml.SequenceNode {
		r.fault(at, "must be a list, not %s", describe(at.Node))
		return
	}
	if len(at.Content) > limit {
		r.fault(at, "has %d items; at most %d are allowed", len(at.Content), limit)
		return
	}
	for i, item := range at.Content {
		each(i, node{item, at.path + "[" + strconv.Itoa(i) + "]"})
	}
}

// scalar returns the node of a scalar with one of the tags.
func (r *reader) scalar(at node, want string, tags ...string) (node, bool) {
	at, ok := r.resolve(at)
	if !ok {
		return at, false
	}
	if at.Kind != yaml.ScalarNode || !slices.Contains(tags, at.ShortTag()) {
		hint := ""
		if want == "a string" && at.Kind == yaml.ScalarNode {
			hint = "; put it in quotes"
		}
		r.fault(at, "must be %s, not %s%s", want, describe(at.Node), hint)
		return at, false
	}
	return at, true
}

func (r *reader) text(at node) (string, bool) {
	at, ok := r.scalar(at, "a string", "!!str", "!!timestamp")
	if !ok {
		return "", false
	}
	if strings.ContainsRune(at.Value, 0) {
		r.fault(at, "holds a NUL byte")
		return "", false
	}
	return at.Value, true
}

func (r *reader) integer(at node, low, high int64, set func(int64)) {
	n, ok := r.scalar(at, "an integer", "!!int")
	if !ok {
		return
	}
	var i int64
	if err := n.Decode(&i); err != nil || i < low || i > high {
		r.fault(at, "must be an integer from %d to %d", low, high)
		return
	}
	set(i)
}

func (r *reader) number(at node, low, high float64, set func(float64)) {
	n, ok := r.scalar(at, "a number", "!!int", "!!float")
	if !ok {
		return
	}
	var f float64
	err := n.Decode(&f)
	switch {
	case err != nil || math.IsNaN(f) || math.IsInf(f, 0):
		r.fault(at, "must be a finite number")
	case f < low || f > high:
		r.fault(at, "must be a number from %g to %g", low, high)
	default:
		set(f)
	}
}

func (r *reader) boolean(at node, set func(bool)) {
	if at, ok := r.scalar(at, "true or false", "!!bool"); ok {
		set(strings.EqualFold(at.Value, "true"))
	}
}

// describe says what a node is, for a message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	case yaml.ScalarNode, yaml.DocumentNode:
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the boolean " + n.Value
	case "!!str":
		return fmt.Sprintf("%q", say.Shorten(n.Value))
	}
	return "a value of type " + n.ShortTag()
}
