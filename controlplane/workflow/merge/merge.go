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
type Templates func(name string) *parse.Result

// Fault is what is wrong with a document and its templates, at the place where it is written.
type Fault struct {
	Template string // whose place it is; empty for the document itself
	Use      int    // the entry of the document's spec.use by which the template comes
	Place    fault.Place
}

// Missing lists the templates that a document needs and that are not there, sorted.
func Missing(read *parse.Result, find Templates) []string {
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
				visit(t.Workflow())
			} else {
				missing = append(missing, use.Template)
			}
		}
	}
	visit(read.Workflow())
	slices.Sort(missing)
	return missing
}

// Apply returns a document with its templates merged, checked anew. A template is built upon those that it uses in the same way. The
// document and the templates have no faults of their own; err says that something cannot be encoded.
func Apply(read *parse.Result, find Templates) (merged parse.Result, faults []Fault, err error) {
	doc := read.Workflow()
	if len(doc.Spec.Use) == 0 {
		return *read, nil, nil
	}
	m := merger{root: read, find: find}
	built := m.build(read, origin{}, nil)
	if len(m.faults) > 0 {
		return merged, m.faults, nil
	}
	whole := *doc
	whole.Spec = built.spec
	raw, err := json.Marshal(&whole)
	if err != nil {
		return merged, nil, fault.Wrap(fault.Internal, err, "encode "+doc.Metadata.Name)
	}
	merged = parse.Read(raw)
	for _, place := range merged.Faults {
		m.fault(built.origin(place.Field), "%s (with its templates merged)", place.Message)
	}
	return merged, m.faults, nil
}

type merger struct {
	root   *parse.Result
	find   Templates
	faults []Fault
}

// fault adds one at the place where a field is written.
func (m *merger) fault(of origin, format string, args ...any) {
	read := m.root
	if of.template != "" {
		read = m.find(of.template)
	}
	place := read.At(of.field)
	place.Message = fmt.Sprintf(format, args...)
	m.faults = append(m.faults, Fault{Template: of.template, Use: of.use, Place: place})
}

// build returns the layer of a document with its templates under it. The chain names the templates on the way to it; own says who
// it is.
func (m *merger) build(read *parse.Result, own origin, chain []string) layer {
	doc := read.Workflow()
	var base layer
	for i, use := range doc.Spec.Use {
		field, of := own, own
		field.field = fmt.Sprintf("spec.use[%d]", i)
		of.template = use.Template
		if len(chain) == 0 {
			field.use, of.use = i, i
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
			filled := m.build(t, of, append(slices.Clone(chain), use.Template))
			filled.spec = m.fill(field, t.Workflow().Spec.Params, use, filled.spec)
			base = lay(base, filled)
		}
	}
	own.field = "spec"
	out := lay(base, layer{doc.Spec, map[string]origin{"spec": own}})
	out.spec.Use = nil
	return out
}

// fill puts the values of with, and the defaults, in the place of the template's params.
func (m *merger) fill(field origin, params document.Params, use document.Use, spec document.Spec) document.Spec {
	for name := range use.With {
		if !slices.ContainsFunc(params, func(p document.Param) bool { return p.Name == name }) {
			m.fault(field.under("with."+name), "template %s has no such parameter", use.Template)
		}
	}
	by := map[string]string{}
	for _, p := range params {
		value, given := use.With[p.Name]
		text, wrong := argument(p, value, given)
		if wrong != "" {
			m.fault(field.under("with."+p.Name), "%s", wrong)
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

func (o origin) under(name string) origin {
	o.field += "." + name
	return o
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
