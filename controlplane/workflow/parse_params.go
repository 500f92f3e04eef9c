package workflow

import (
	"math"
	"regexp"
	"slices"

	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

const (
	maxParams = 100
	maxEnum   = 100
)

func (r *reader) params(at node, into *Params) {
	for i, e := range r.mapping(at) {
		if i == maxParams {
			r.fault(e.value, "a workflow has at most %d parameters", maxParams)
			return
		}
		if wrong := isParamName(e.key); wrong != "" {
			r.fault(e.value, "%s", wrong)
			continue
		}
		p := r.param(e.value)
		p.Name = e.key
		*into = append(*into, p)
	}
}

// param reads a declaration. Default and enum wait for the type, which may stand behind them.
func (r *reader) param(at node) Param {
	p := Param{Type: expr.String}
	typed := false
	var defaultValue, enum, minimum, maximum, pattern, required *node
	keep := func(into **node) func(node) { return func(n node) { *into = &n } }
	r.object(at, fields{
		"type": func(n node) {
			typed = true
			var s string
			r.checked(&s, oneOf("string", "integer", "number", "boolean"))(n)
			p.Type = expr.Type(s)
		},
		"description": r.checked(&p.Description, anything),
		"default":     keep(&defaultValue), "enum": keep(&enum), "pattern": keep(&pattern), "required": keep(&required),
		"minimum": keep(&minimum), "maximum": keep(&maximum),
	})
	if !typed {
		r.fault(at.under("type"), "is missing: string, integer, number or boolean")
	}
	if p.Type == "" || !typed {
		return Param{Type: expr.String}
	}
	r.bound(minimum, &p, &p.Minimum)
	r.bound(maximum, &p, &p.Maximum)
	if p.Minimum != nil && p.Maximum != nil && *p.Minimum > *p.Maximum {
		r.fault(*minimum, "is more than maximum")
	}
	r.pattern(pattern, &p)
	r.enum(enum, &p)
	r.defaultValue(defaultValue, required, &p)
	return p
}

func (r *reader) bound(at *node, p *Param, into **float64) {
	if at == nil {
		return
	}
	if p.Type != expr.Integer && p.Type != expr.Number {
		r.fault(*at, "is for type integer or number, not %s", p.Type)
		return
	}
	if v, ok := r.typed(*at, expr.Number); ok {
		f, _ := number(v)
		*into = &f
	}
}

func (r *reader) pattern(at *node, p *Param) {
	if at == nil {
		return
	}
	if p.Type != expr.String {
		r.fault(*at, "is for type string, not %s", p.Type)
		return
	}
	s, ok := r.text(*at)
	if !ok {
		return
	}
	if _, err := regexp.Compile(s); err != nil {
		r.fault(*at, "is not a regular expression (RE2): %v", err)
		return
	}
	p.Pattern = s
}

func (r *reader) enum(at *node, p *Param) {
	if at == nil {
		return
	}
	var values []any
	r.listOf(*at, maxEnum, func(_ int, item node) {
		v, ok := r.typed(item, p.Type)
		if !ok {
			return
		}
		if wrong := p.check(v); wrong != "" {
			r.fault(item, "%s", wrong)
		}
		if slices.Contains(values, v) {
			r.fault(item, "is listed twice")
		}
		values = append(values, v)
	})
	if len(values) == 0 {
		r.fault(*at, "is empty")
	}
	p.Enum = values
}

func (r *reader) defaultValue(at, required *node, p *Param) {
	if required != nil {
		r.booleanPtr(&p.Required)(*required)
	}
	if at == nil {
		return
	}
	v, ok := r.typed(*at, p.Type)
	if !ok {
		return
	}
	if wrong := p.check(v); wrong != "" {
		r.fault(*at, "%s", wrong)
	}
	if p.Required != nil && *p.Required {
		r.fault(*required, "required: true and a default exclude each other")
	}
	p.Default = v
}

// typed reads a value of a parameter's type.
func (r *reader) typed(at node, t expr.Type) (any, bool) {
	switch t {
	case expr.Integer:
		var i int64
		before := len(r.places)
		r.integer(&i, math.MinInt64, math.MaxInt64)(at)
		return i, len(r.places) == before
	case expr.Number:
		n, ok := r.scalar(at, "a number", "!!int", "!!float")
		if !ok {
			return nil, false
		}
		var f float64
		if err := n.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			r.fault(at, "must be a finite number")
			return nil, false
		}
		return f, true
	case expr.Boolean:
		var b bool
		before := len(r.places)
		r.boolean(&b)(at)
		return b, len(r.places) == before
	case expr.String:
	}
	s, ok := r.text(at)
	return s, ok
}
