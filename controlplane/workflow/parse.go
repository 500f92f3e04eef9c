package workflow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

// MaxSource is the largest document in bytes.
const MaxSource = 1 << 20

// Parse reads a workflow. The error is a *fault.Error with every fault of the document in Places: Invalid, or Unsupported when
// the document is right but uses what this version cannot do yet. The name of the file is for messages only.
func Parse(file string, src []byte) (*Document, error) {
	r := &reader{}
	doc := &Document{}
	if root := r.load(src); root != nil {
		r.document(node{root, ""}, doc)
		r.checkTemplates(doc)
	}
	if len(r.places) > 0 {
		return nil, r.error(file)
	}
	canonical, err := json.Marshal(doc)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "encode the document")
	}
	sum := sha256.Sum256(canonical)
	doc.Digest = hex.EncodeToString(sum[:])
	return doc, nil
}

func (r *reader) error(file string) error {
	kind := fault.Invalid
	if r.unsupported == len(r.places) {
		kind = fault.Unsupported
	}
	if file == "" {
		file = "the workflow"
	}
	first := r.places[0]
	message := fmt.Sprintf("%s has %d faults", file, len(r.places))
	if len(r.places) == 1 {
		message = strings.Join(strings.Fields(position(file, first)+" "+first.Field+" "+first.Message), " ")
	}
	return &fault.Error{Kind: kind, Field: first.Field, Message: message, Places: r.places}
}

func position(file string, p fault.Place) string {
	switch {
	case p.Line == 0:
		return file + ":"
	case p.Column == 0:
		return fmt.Sprintf("%s:%d:", file, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d:", file, p.Line, p.Column)
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

func (r *reader) document(at node, doc *Document) {
	seen := map[string]bool{}
	need := func(name string, read func(node)) func(node) {
		return func(n node) { seen[name] = true; read(n) }
	}
	before := len(r.places)
	r.object(at, fields{
		"apiVersion": need("apiVersion", r.checked(&doc.APIVersion, oneOf(APIVersion))),
		"kind":       need("kind", func(n node) { r.kind(n, doc) }),
		"metadata":   need("metadata", func(n node) { r.metadata(n, &doc.Metadata) }),
		"spec":       need("spec", func(n node) { r.spec(n, &doc.Spec) }),
	}, "status")
	if at.Kind != yaml.MappingNode && len(r.places) > before {
		return
	}
	for _, name := range []string{"apiVersion", "kind", "metadata", "spec"} {
		if !seen[name] {
			r.fault(at.under(name), "is missing")
		}
	}
}

func (r *reader) kind(at node, doc *Document) {
	s, ok := r.text(at)
	if !ok {
		return
	}
	switch s {
	case Kind:
		doc.Kind = s
	case "TestWorkflowTemplate", "TestExecution", "Schedule", "Trigger", "Environment", "ReadinessPolicy", "Webhook":
		r.later(at, s)
	default:
		r.fault(at, "must be %s, not %q", Kind, shorten(s))
	}
}

func (r *reader) metadata(at node, m *Metadata) {
	named := false
	r.object(at, fields{
		"name":        func(n node) { named = true; r.checked(&m.Name, isLabel)(n) },
		"labels":      r.stringMap(&m.Labels, isQualifiedName, isLabelValue),
		"annotations": r.stringMap(&m.Annotations, isQualifiedName, anything),
	})
	if !named {
		r.fault(at.under("name"), "is missing")
	}
}

// checkTemplates checks every expression against the parameters that the document declares.
func (r *reader) checkTemplates(doc *Document) {
	if len(r.templates) == 0 {
		return
	}
	compiler, err := expr.New(variables(doc.Spec.Params))
	if err != nil {
		r.fault(node{}, "%v", err)
		return
	}
	for _, t := range r.templates {
		_, err := compiler.Compile(t.text, t.where)
		var bad *expr.Error
		if !errors.As(err, &bad) {
			continue
		}
		for _, f := range bad.Faults {
			before := len(r.places)
			r.fault(t.line(f.Offset), "%s", f.Message)
			if f.Unsupported {
				r.unsupported += len(r.places) - before
			}
		}
	}
}

// line returns the place of an offset in a template; in a literal block it is its own line.
func (t template) line(offset int) node {
	if t.at.Style&yaml.LiteralStyle == 0 {
		return t.at
	}
	place := *t.at.Node
	place.Line += 1 + strings.Count(t.text[:offset], "\n")
	place.Column = 0
	return node{&place, t.at.path}
}

// variables are what expressions may use beside env.
func variables(params Params) map[string]expr.Type {
	vars := map[string]expr.Type{
		"execution.id": expr.String, "workflow.name": expr.String, "environment.name": expr.String,
		"environment.namespace": expr.String, "cluster.name": expr.String,
	}
	for _, p := range params {
		vars["params."+p.Name] = p.Type
	}
	return vars
}
