package expr

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Want is what an expression has to give.
type Want int

// What an expression may have to give.
const (
	Printable Want = iota // a string, number or boolean
	Condition             // true or false
	Count                 // a whole number
	Items                 // a list
)

// check returns what is wrong with the type of an expression, or "".
func (w Want) check(t *cel.Type) string {
	if t.IsExactType(cel.DynType) {
		return "" // known late
	}
	switch w {
	case Condition:
		if !t.IsExactType(cel.BoolType) {
			return "the expression gives a " + t.String() + ", not true or false"
		}
	case Count:
		if !t.IsExactType(cel.IntType) {
			return "the expression gives a " + t.String() + ", not a whole number"
		}
	case Items:
		if t.Kind() != cel.ListKind {
			return "the expression gives a " + t.String() + ", not a list"
		}
	case Printable:
		scalar := []*cel.Type{cel.StringType, cel.IntType, cel.UintType, cel.DoubleType, cel.BoolType}
		if !slices.ContainsFunc(scalar, t.IsExactType) {
			return "the expression gives a " + t.String() + "; only strings, numbers and booleans can be put into text"
		}
	}
	return ""
}

// Value is a checked expression that stands alone.
type Value struct {
	compiled
	c *Compiler
}

// CompileValue checks a template that is one expression and nothing else. The braces may be left out.
func (c *Compiler) CompileValue(template string, where Where, want Want) (*Value, error) {
	parts, bad := split(template)
	if bad != nil {
		return nil, bad
	}
	if len(parts) == 1 && !parts[0].expr {
		parts[0].expr = true
	}
	if len(parts) > 1 {
		parts = slices.DeleteFunc(parts, func(p part) bool { return !p.expr && strings.TrimSpace(p.text) == "" })
	}
	if len(parts) != 1 || !parts[0].expr {
		return nil, fail(0, "must be one expression, without text around it")
	}
	done, faults := c.expression(parts[0], where, want)
	if len(faults) > 0 {
		return nil, &Error{Faults: faults}
	}
	return &Value{done, c}, nil
}

// Uses names what the expression uses; see Template.Uses.
func (v *Value) Uses() []string { return slices.Compact(slices.Sorted(slices.Values(v.uses()))) }

// Eval returns the value: a string, int64, float64, bool, or a []any of those.
func (v *Value) Eval(values map[string]any) (any, error) { return v.value(values) }

// ForPod returns the expression for the runner, with the values of the control plane's variables written into it.
func (v *Value) ForPod(values map[string]any) (string, error) {
	text, err := v.c.forPod(v.text, values)
	if err != nil {
		return "", fail(v.offset, "expression %q: %v", strings.TrimSpace(v.text), err)
	}
	return text, nil
}

// AsksStatus reports whether the expression asks how the steps before ended: by always(), failed(), passed() or cancelled().
func (v *Value) AsksStatus() bool {
	return slices.ContainsFunc(v.refs, func(r reference) bool { return r.call && isStatusFunction(r.path[0]) })
}

func items(v ref.Val) ([]any, bool) {
	list, ok := v.(traits.Lister)
	if !ok {
		return nil, false
	}
	all := []any{}
	for it := list.Iterator(); it.HasNext().Value() == true; {
		all = append(all, it.Next().Value())
	}
	return all, true
}
