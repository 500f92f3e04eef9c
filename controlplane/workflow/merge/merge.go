package merge

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

const maxDepth = 5 // of templates that use templates

// Templates finds a template by its name; it returns nil when there is none.
type Templates func(name string) *document.Document

// Missing lists the templates that a document needs and that are not there, sorted.
func Missing(doc *document.Document, find Templates) []string {
	var missing []string
	seen := map[string]bool{}
	var visit func(d *document.Document)
	visit = func(d *document.Document) {
		for _, use := range d.Spec.Use {
			if seen[use.Template] {
				continue
			}
			seen[use.Template] = true
			if t := find(use.Template); t != nil {
				visit(t)
			} else {
				missing = append(missing, use.Template)
			}
		}
	}
	visit(doc)
	slices.Sort(missing)
	return missing
}

// Apply returns the workflow with its templates merged, checked anew. The error is a *fault.Error with every fault in Places; those
// that show only in the merged document have no line.
func Apply(doc *document.Document, find Templates) (*document.Document, error) {
	if len(doc.Spec.Use) == 0 {
		return doc, nil
	}
	m := merger{find: find}
	spec := m.build(doc, nil)
	if len(m.places) > 0 {
		return nil, parse.Error(doc.Metadata.Name, fault.Invalid, m.places)
	}
	merged := *doc
	merged.Spec = spec
	raw, err := json.Marshal(&merged)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "encode "+doc.Metadata.Name)
	}
	read := parse.Read(raw)
	for i := range read.Faults {
		read.Faults[i].Line, read.Faults[i].Column = 0, 0
		read.Faults[i].Message += " (with its templates merged)"
	}
	if len(read.Faults) > 0 {
		return nil, parse.Error(doc.Metadata.Name, fault.Invalid, read.Faults)
	}
	return read.Workflow(), nil
}

type merger struct {
	find   Templates
	places []fault.Place
}

func (m *merger) fault(field, format string, args ...any) {
	m.places = append(m.places, fault.Place{Field: field, Message: fmt.Sprintf(format, args...)})
}

// build returns the spec of a document with its templates under it. The chain names the templates on the way to it.
func (m *merger) build(doc *document.Document, chain []string) document.Spec {
	var base document.Spec
	for i, use := range doc.Spec.Use {
		field := fmt.Sprintf("spec.use[%d]", i)
		if len(chain) > 0 {
			field += " of template " + chain[len(chain)-1]
		}
		t := m.find(use.Template)
		switch {
		case slices.Contains(chain, use.Template):
			m.fault(field, "template %s uses itself", use.Template)
		case len(chain) == maxDepth:
			m.fault(field, "templates use templates deeper than %d", maxDepth)
		case t == nil:
			m.fault(field, "there is no template %q", use.Template)
		default:
			spec := m.build(t, append(slices.Clone(chain), use.Template))
			base = lay(base, m.fill(field, t.Spec.Params, use, spec))
		}
	}
	spec := lay(base, doc.Spec)
	spec.Use = nil
	return spec
}

// fill puts the values of with, and the defaults, in the place of the template's params.
func (m *merger) fill(field string, params document.Params, use document.Use, spec document.Spec) document.Spec {
	for name := range use.With {
		if !slices.ContainsFunc(params, func(p document.Param) bool { return p.Name == name }) {
			m.fault(field+".with."+name, "template %s has no such parameter", use.Template)
		}
	}
	by := map[string]string{}
	for _, p := range params {
		value, given := use.With[p.Name]
		text, wrong := argument(p, value, given)
		if wrong != "" {
			m.fault(field+".with."+p.Name, "%s", wrong)
			continue
		}
		by["params."+p.Name] = text
	}
	out, err := substitute(spec, by)
	if err != nil {
		m.fault(field, "%v", err)
	}
	return out
}

// argument returns the expression of a parameter's value.
func argument(p document.Param, value any, given bool) (text, wrong string) {
	if !given {
		if p.MustBeGiven() {
			return "", "is required and has no default"
		}
		value = p.Zero()
	} else if s, ok := value.(string); ok && !expr.IsPlain(s) {
		text, err := expr.Join(s)
		if err != nil {
			return "", err.Error()
		}
		return text, "" // its type is checked in the merged document
	} else if value, wrong = p.Typed(value); wrong != "" {
		return "", wrong
	}
	text, err := expr.Literal(value)
	if err != nil {
		return "", err.Error()
	}
	return text, ""
}
