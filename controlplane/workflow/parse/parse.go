package parse

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/say"
)

// MaxSource is the largest document in bytes.
const MaxSource = 1 << 20

// Result is a document that was read.
type Result struct {
	Kind   string
	Value  any           // pointer to the type of the kind; meaningless when there are faults
	Faults []fault.Place // in the order of the document
	Uses   []Use
}

// Workflow returns the workflow or template, nil when the document is of another kind or has faults.
func (r Result) Workflow() *document.Document {
	doc, ok := r.Value.(*document.Document)
	if !ok || len(r.Faults) > 0 {
		return nil
	}
	return doc
}

// At returns the place where a field is written: its own, that of what is in it, or that of what it is missing from.
func (r Result) At(path string) fault.Place {
	out := fault.Place{Field: path}
	for top := path; top != ""; top = top[:max(0, strings.LastIndexAny(top, ".["))] {
		for _, u := range r.Uses {
			rest, under := strings.CutPrefix(u.Place.Field, top)
			if under && (rest == "" || rest[0] == '.' || rest[0] == '[') {
				out.Line, out.Column = u.Place.Line, u.Place.Column
				return out
			}
		}
	}
	return out
}

// Use is a field that the document sets, or a name that one of its expressions uses.
type Use struct {
	Place fault.Place // without a message
	// What is used: the path of the field without indexes, such as "spec.steps[].if", followed by "=" and the value where only
	// certain values are allowed; or "${{ name }}".
	What string
}

// kinds are the types of the documents by their kind.
func kinds() map[string]reflect.Type {
	return map[string]reflect.Type{
		document.Workflow: reflect.TypeFor[document.Document](), document.TemplateKind: reflect.TypeFor[document.Document](),
		document.ScheduleKind: reflect.TypeFor[document.ScheduleDocument](), document.TriggerKind: reflect.TypeFor[document.TriggerDocument](),
		document.EnvironmentKind:     reflect.TypeFor[document.EnvironmentDocument](),
		document.ReadinessPolicyKind: reflect.TypeFor[document.ReadinessPolicyDocument](),
		document.WebhookKind:         reflect.TypeFor[document.WebhookDocument](),
		document.TestExecutionKind:   reflect.TypeFor[document.TestExecutionDocument](),
	}
}

// Kinds are the kinds of documents that can be read, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds())) }

// TypeOf returns the Go type of a kind, nil when there is none.
func TypeOf(kind string) reflect.Type { return kinds()[kind] }

// Read reads one document.
func Read(src []byte) Result {
	r := &reader{given: map[string]node{}}
	var out Result
	if root := r.load(src); root != nil {
		out = r.document(node{root, ""})
	}
	slices.SortStableFunc(r.places, func(a, b fault.Place) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	out.Faults, out.Uses = r.places, r.uses
	if doc, ok := out.Value.(interface{ Seal() error }); ok && len(out.Faults) == 0 {
		if err := doc.Seal(); err != nil {
			r.fault(node{}, "%v", err)
			out.Faults = r.places
		}
	}
	return out
}

// load returns the one document of src.
func (r *reader) load(src []byte) *yaml.Node {
	if len(src) > MaxSource {
		r.fault(node{}, "the document has %d bytes; the limit is %d", len(src), MaxSource)
		return nil
	}
	var root *yaml.Node
	for dec := yaml.NewDecoder(bytes.NewReader(src)); ; {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.syntax(err)
			return nil
		}
		if len(doc.Content) != 1 || doc.Content[0].ShortTag() == "!!null" {
			continue // "---" without anything after it
		}
		if root != nil {
			r.fault(node{doc.Content[0], ""}, "there is more than one document; apply one workflow at a time")
			return nil
		}
		root = doc.Content[0]
	}
	if root == nil {
		r.fault(node{}, "the document is empty")
	}
	return root
}

var reSyntax = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

func (r *reader) syntax(err error) {
	at, text := &yaml.Node{}, err.Error()
	if m := reSyntax.FindStringSubmatch(text); m != nil {
		text = m[2]
		at.Line, _ = strconv.Atoi(m[1]) // empty or too many digits: unknown
	}
	r.fault(node{at, ""}, "is not valid YAML: %s", text)
}

// document reads the root, as the type that its kind says. Without a kind it is read as a workflow, for the other faults.
func (r *reader) document(at node) Result {
	kind, known := r.kind(at)
	if !known {
		return Result{Kind: kind}
	}
	t := TypeOf(kind)
	if t == nil {
		t = TypeOf(document.Workflow)
	}
	v := reflect.New(t)
	r.value(at, v.Elem(), document.Options{})
	if doc, ok := v.Interface().(*document.Document); ok && at.Kind == yaml.MappingNode {
		r.finish(doc)
	} else if !ok {
		r.checkStarts()
	}
	return Result{Kind: kind, Value: v.Interface()}
}

// kind finds the kind before anything else is read. It is known unless it is a text that names no kind of ours.
func (r *reader) kind(root node) (kind string, known bool) {
	if root.Kind != yaml.MappingNode {
		return "", true
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Value != "kind" || value.Kind != yaml.ScalarNode || value.ShortTag() != "!!str" {
			continue
		}
		if TypeOf(value.Value) == nil {
			r.fault(node{value, "kind"}, "must be one of %s, not %q%s", strings.Join(Kinds(), ", "), say.Shorten(value.Value),
				say.DidYouMean(value.Value, Kinds()))
			return value.Value, false
		}
		return value.Value, true
	}
	return "", true
}

// Head decodes what a document says of itself into a struct with YAML tags, and leaves the rest alone. The line is that of the error, from 1.
func Head(src []byte, into any) (line int, err error) {
	var root yaml.Node
	err = yaml.Unmarshal(src, &root)
	if err == nil {
		err = root.Decode(into)
	}
	if err == nil {
		return 0, nil
	}
	line, message := 1, err.Error()
	if m := reSyntax.FindStringSubmatch(strings.SplitN(message, "\n", 2)[0]); m != nil {
		message = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	return line, errors.New("is not valid YAML: " + message) //nolint:err113 // a sentence about a place
}
