package parse

import (
	"math"
	"reflect"
	"regexp"
	"slices"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/rule"
	"github.com/seatrial/seatrial/controlplane/workflow/say"
)

const (
	maxParams = 100
	maxEnum   = 100
)

func (r *reader) params(at node, into *document.Params) {
	entries, _ := r.mapping(at)
	for i, e := range entries {
		if i == maxParams {
			r.fault(e.value, "a workflow has at most %d parameters", maxParams)
			return
		}
		if wrong := rule.Of("param")(e.key); wrong != "" {
			r.fault(e.value, "%s", wrong)
			continue
		}
		p := r.param(e.value)
		p.Name = e.key
		*into = append(*into, p)
	}
}

// param reads a declaration. Default and enum wait for the type, which may stand behind them.
func (r *reader) param(at node) document.Param {
	p := document.Param{Type: expr.String}
	entries, ok := r.mapping(at)
	if !ok {
		return p
	}
	given := map[string]node{}
	fields := document.Fields(reflect.TypeFor[document.Param]())
	for _, e := range entries {
		if !slices.Contains(names(fields), e.key) {
			r.fault(node{e.at, e.value.path}, "is not a known field%s", say.DidYouMean(e.key, names(fields)))
		} else if e.value.ShortTag() != "!!null" {
			given[e.key] = e.value
			r.note(e.value, document.Options{})
		}
	}
	if !r.paramType(at, given, &p) {
		return p
	}
	if n, ok := given["description"]; ok {
		p.Description, _ = r.text(n)
	}
	r.bound(given["minimum"], &p, &p.Minimum)
	r.bound(given["maximum"], &p, &p.Maximum)
	if p.Minimum != nil && p.Maximum != nil && *p.Minimum > *p.Maximum {
		r.fault(given["minimum"], "is more than maximum")
	}
	r.pattern(given["pattern"], &p)
	r.enum(given["enum"], &p)
	r.defaultValue(given["default"], given["required"], &p)
	return p
}

func (r *reader) paramType(at node, given map[string]node, p *document.Param) bool {
	n, ok := given["type"]
	if !ok {
		r.fault(at.under("type"), "is missing: string, integer, number or boolean")
		return false
	}
	t := r.texts(n, document.Options{Enum: []string{"string", "integer", "number", "boolean"}})
	if t != "" {
		p.Type = expr.Type(t)
	}
	return t != ""
}

func (r *reader) bound(at node, p *document.Param, into **float64) {
	if at.Node == nil {
		return
	}
	if p.Type != expr.Integer && p.Type != expr.Number {
		r.fault(at, "is for type integer or number, not %s", p.Type)
		return
	}
	if v, ok := r.typed(at, expr.Number); ok {
		f, _ := v.(float64)
		*into = &f
	}
}

func (r *reader) pattern(at node, p *document.Param) {
	if at.Node == nil {
		return
	}
	if p.Type != expr.String {
		r.fault(at, "is for type string, not %s", p.Type)
		return
	}
	s, ok := r.text(at)
	if !ok {
		return
	}
	if _, err := regexp.Compile(s); err != nil {
		r.fault(at, "is not a regular expression (RE2): %v", err)
		return
	}
	p.Pattern = s
}

func (r *reader) enum(at node, p *document.Param) {
	if at.Node == nil {
		return
	}
	var values []any
	r.list(at, maxEnum, func(_ int, item node) {
		v, ok := r.typed(item, p.Type)
		if !ok {
			return
		}
		if wrong := p.Check(v); wrong != "" {
			r.fault(item, "%s", wrong)
		}
		if slices.Contains(values, v) {
			r.fault(item, "is listed twice")
		}
		values = append(values, v)
	})
	if len(values) == 0 {
		r.fault(at, "is empty")
	}
	p.Enum = values
}

func (r *reader) defaultValue(at, required node, p *document.Param) {
	if required.Node != nil {
		p.Required = new(bool)
		r.boolean(required, func(b bool) { *p.Required = b })
	}
	if at.Node == nil {
		return
	}
	v, ok := r.typed(at, p.Type)
	if !ok {
		return
	}
	if wrong := p.Check(v); wrong != "" {
		r.fault(at, "%s", wrong)
	}
	if p.Required != nil && *p.Required {
		r.fault(required, "required: true and a default exclude each other")
	}
	p.Default = v
}

// typed reads a value of a parameter's type.
func (r *reader) typed(at node, t expr.Type) (value any, ok bool) {
	switch t {
	case expr.Integer:
		r.integer(at, math.MinInt64, math.MaxInt64, func(i int64) { value, ok = i, true })
	case expr.Number:
		r.number(at, -math.MaxFloat64, math.MaxFloat64, func(f float64) { value, ok = f, true })
	case expr.Boolean:
		r.boolean(at, func(b bool) { value, ok = b, true })
	case expr.String, expr.Any, expr.Texts:
		return r.text(at)
	}
	return value, ok
}
