package workflow

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
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

// fields maps the name of a field to what reads it.
type fields map[string]func(node)

// template is a text with expressions that is checked once all parameters are known.
type template struct {
	at    node
	text  string
	where expr.Where
}

// reader walks a document and collects its faults.
type reader struct {
	places      []fault.Place
	unsupported int // of places, those that are known to the language
	nodes       int
	depth       int
	templates   []template
}

func (r *reader) fault(at node, format string, args ...any) {
	if len(r.places) == maxFaults {
		return
	}
	p := fault.Place{Field: at.path, Message: fmt.Sprintf(format, args...)}
	if at.Node != nil {
		p.Line, p.Column = at.Line, at.Column
	}
	r.places = append(r.places, p)
}

func (r *reader) later(at node, what string) {
	before := len(r.places)
	r.fault(at, "%s is not supported yet", what)
	r.unsupported += len(r.places) - before
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
	value node
}

// mapping returns the entries of a mapping with string keys, each once.
func (r *reader) mapping(at node) []entry {
	at, ok := r.resolve(at)
	if !ok || at.ShortTag() == "!!null" {
		return nil
	}
	if at.Kind != yaml.MappingNode {
		r.fault(at, "must be a mapping, not %s", describe(at.Node))
		return nil
	}
	var entries []entry
	seen := map[string]bool{}
	for i := 0; i+1 < len(at.Content); i += 2 {
		key := at.Content[i]
		value := at.child(key.Value, at.Content[i+1])
		switch {
		case key.ShortTag() == "!!merge":
			r.later(node{key, at.path}, `"<<" (merging of mappings)`)
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
			r.fault(node{key, at.path}, "a key must be a string, not %s; put it in quotes", describe(key))
		case seen[key.Value]:
			r.fault(node{key, value.path}, "is given twice")
		default:
			seen[key.Value] = true
			entries = append(entries, entry{key.Value, value})
		}
	}
	return entries
}

// object reads a mapping with known fields. Fields of the language that are not built yet are named in later.
func (r *reader) object(at node, known fields, later ...string) {
	if r.depth++; r.depth > maxDepth {
		r.fault(at, "is nested deeper than %d", maxDepth)
	}
	defer func() { r.depth-- }()
	if r.depth > maxDepth {
		return
	}
	for _, e := range r.mapping(at) {
		read, ok := known[e.key]
		switch {
		case ok && e.value.ShortTag() == "!!null": // as if it were not there
		case ok:
			read(e.value)
		case slices.Contains(later, e.key):
			r.later(e.value, e.key)
		default:
			names := append(sortedKeys(known), later...)
			r.fault(e.value, "is not a known field%s", didYouMean(e.key, names))
		}
	}
}

// list reads a sequence.
func (r *reader) list(at node, each func(i int, item node)) {
	r.listOf(at, math.MaxInt, each)
}

// listOf reads a sequence of at most limit items.
func (r *reader) listOf(at node, limit int, each func(i int, item node)) {
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

// checked returns a reader of a string that must satisfy check, which returns what is wrong or "".
func (r *reader) checked(into *string, check func(string) string) func(node) {
	return func(at node) {
		s, ok := r.text(at)
		if !ok {
			return
		}
		if wrong := check(s); wrong != "" {
			r.fault(at, "%s", wrong)
			return
		}
		*into = s
	}
}

// template returns a reader of a text with expressions. What check says of texts without expressions is known now; the others
// are checked when they are compiled.
func (r *reader) template(into *string, where expr.Where, check func(string) string) func(node) {
	return func(at node) {
		s, ok := r.text(at)
		if !ok {
			return
		}
		*into = s
		if !expr.IsPlain(s) {
			r.templates = append(r.templates, template{at, s, where})
			return
		}
		if wrong := check(s); wrong != "" {
			r.fault(at, "%s", wrong)
		}
	}
}

func (r *reader) templateList(into *[]string, where expr.Where, check func(string) string) func(node) {
	return func(at node) {
		r.list(at, func(_ int, item node) {
			var s string
			r.template(&s, where, check)(item)
			*into = append(*into, s)
		})
	}
}

func (r *reader) integer(into *int64, low, high int64) func(node) {
	return func(at node) {
		at, ok := r.scalar(at, "an integer", "!!int")
		if !ok {
			return
		}
		if err := at.Decode(into); err != nil || *into < low || *into > high {
			r.fault(at, "must be an integer from %d to %d", low, high)
		}
	}
}

func (r *reader) count(into **int64) func(node) {
	return func(at node) {
		*into = new(int64)
		r.integer(*into, 0, math.MaxInt32)(at)
	}
}

func (r *reader) boolean(into *bool) func(node) {
	return func(at node) {
		if at, ok := r.scalar(at, "true or false", "!!bool"); ok {
			*into = strings.EqualFold(at.Value, "true")
		}
	}
}

func (r *reader) booleanPtr(into **bool) func(node) {
	return func(at node) {
		*into = new(bool)
		r.boolean(*into)(at)
	}
}

const maxTimeout = 7 * 24 * time.Hour

func (r *reader) duration(into *Duration) func(node) {
	return func(at node) {
		s, ok := r.text(at)
		if !ok {
			return
		}
		d, err := time.ParseDuration(s)
		switch {
		case err != nil:
			r.fault(at, `must be a duration such as "90s", "30m" or "1h30m", not %q`, s)
		case d < time.Second || d > maxTimeout:
			r.fault(at, "must be from 1s to %s", "168h")
		default:
			*into = Duration(d)
		}
	}
}

// stringMap reads a mapping of strings whose keys and values must satisfy checks.
func (r *reader) stringMap(into *map[string]string, key, value func(string) string) func(node) {
	return func(at node) {
		for _, e := range r.mapping(at) {
			s, ok := r.text(e.value)
			if !ok {
				continue
			}
			wrong := key(e.key)
			if wrong == "" {
				wrong = value(s)
			}
			if wrong != "" {
				r.fault(e.value, "%s", wrong)
				continue
			}
			if *into == nil {
				*into = map[string]string{}
			}
			(*into)[e.key] = s
		}
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
		return fmt.Sprintf("%q", shorten(n.Value))
	}
	return "a value of type " + n.ShortTag()
}

func shorten(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
