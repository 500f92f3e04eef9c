package merge

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

// substitute returns a copy of a spec in which variables of expressions are replaced by other expressions.
func substitute(spec document.Spec, by map[string]string) (document.Spec, error) {
	s := substitution{by: by}
	out := s.value(reflect.ValueOf(spec), "")
	copied, _ := out.Interface().(document.Spec)
	copied.Matrix = s.matrix(copied.Matrix)
	return copied, s.err
}

type substitution struct {
	by  map[string]string
	err error // the first one
}

func (s *substitution) text(text, where string) string {
	if where == "if" && expr.IsPlain(text) && text != "" {
		text = "${{ " + text + " }}"
	}
	out, err := expr.Substitute(text, s.by)
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("expression %q: %w", text, err)
	}
	return out
}

// value copies a value; texts of fields with expressions are replaced on the way.
func (s *substitution) value(v reflect.Value, where string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() { //nolint:exhaustive // the rest holds no texts
	case reflect.String:
		if where != "" {
			out.SetString(s.text(v.String(), where))
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			break
		}
		inner := s.value(v.Elem(), where)
		if v.Kind() == reflect.Pointer {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(inner)
		} else {
			out.Set(inner)
		}
	case reflect.Slice:
		if v.IsNil() {
			break
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(s.value(v.Index(i), where))
		}
	case reflect.Map:
		if v.IsNil() {
			break
		}
		out.Set(reflect.MakeMap(v.Type()))
		for it := v.MapRange(); it.Next(); {
			out.SetMapIndex(it.Key(), s.value(it.Value(), where))
		}
	case reflect.Struct:
		s.fields(out, v)
	}
	return out
}

func (s *substitution) fields(out, v reflect.Value) {
	if n, ok := v.Interface().(document.IntOrExpr); ok {
		n.Expr = s.text(n.Expr, "count")
		if i, err := strconv.ParseInt(n.Expr, 10, 64); err == nil {
			n = document.IntOrExpr{Int: i}
		}
		out.Set(reflect.ValueOf(n))
		return
	}
	for i := range v.NumField() {
		where := ""
		for opt := range strings.SplitSeq(v.Type().Field(i).Tag.Get("rule"), ",") {
			if name, ok := strings.CutPrefix(opt, "expr="); ok {
				where = name
			}
		}
		out.Field(i).Set(s.value(v.Field(i), where))
	}
}

func (s *substitution) matrix(m document.Matrix) document.Matrix {
	m.Axes = maps.Clone(m.Axes)
	for name, axis := range m.Axes {
		axis.Expr = s.text(axis.Expr, "items")
		m.Axes[name] = axis
	}
	return m
}
