package merge

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// lay returns the lower spec with the upper one upon it. Neither is changed.
func lay(lower, upper document.Spec) document.Spec {
	var out document.Spec
	structs(reflect.ValueOf(&out).Elem(), reflect.ValueOf(lower), reflect.ValueOf(upper))
	return out
}

// structs merges field by field, as the merge tag of each says.
func structs(out, lower, upper reflect.Value) {
	for i := range out.NumField() {
		how := out.Type().Field(i).Tag.Get("merge")
		o, l, u := out.Field(i), lower.Field(i), upper.Field(i)
		switch {
		case how == "own":
			o.Set(u)
		case how == "append":
			o.Set(joined(l, u))
		case how == "prepend":
			o.Set(joined(u, l))
		case strings.HasPrefix(how, "by="):
			o.Set(named(l, u))
		case how == "whole":
			o.Set(either(l, u))
		default:
			merged(o, l, u)
		}
	}
}

// merged merges by the kind of the value.
func merged(out, lower, upper reflect.Value) {
	if m, ok := out.Addr().Interface().(*document.Matrix); ok {
		*m = matrices(lower.Interface(), upper.Interface())
		return
	}
	switch out.Kind() {
	case reflect.Struct:
		structs(out, lower, upper)
	case reflect.Pointer:
		if lower.IsNil() || upper.IsNil() || out.Type().Elem().Kind() != reflect.Struct {
			out.Set(either(lower, upper))
			return
		}
		out.Set(reflect.New(out.Type().Elem()))
		structs(out.Elem(), lower.Elem(), upper.Elem())
	case reflect.Map:
		mappings(out, lower, upper)
	default:
		out.Set(either(lower, upper))
	}
}

func either(lower, upper reflect.Value) reflect.Value {
	if upper.IsZero() {
		return lower
	}
	return upper
}

func mappings(out, lower, upper reflect.Value) {
	if lower.Len()+upper.Len() == 0 {
		return
	}
	out.Set(reflect.MakeMap(out.Type()))
	for _, v := range []reflect.Value{lower, upper} {
		for it := v.MapRange(); it.Next(); {
			value := it.Value()
			if before := out.MapIndex(it.Key()); before.IsValid() && value.Kind() == reflect.Struct {
				both := reflect.New(value.Type()).Elem()
				structs(both, before, value)
				value = both
			}
			out.SetMapIndex(it.Key(), value)
		}
	}
}

// joined returns the items of two lists; equal ones are there once, but for steps, which have names of their own.
func joined(first, second reflect.Value) reflect.Value {
	out := reflect.Zero(first.Type())
	for _, list := range []reflect.Value{first, second} {
		for i := range list.Len() {
			if item := list.Index(i); list.Type() == reflect.TypeFor[[]document.Step]() || !contains(out, item) {
				out = reflect.Append(out, item)
			}
		}
	}
	return out
}

func contains(list, item reflect.Value) bool {
	for i := range list.Len() {
		if reflect.DeepEqual(list.Index(i).Interface(), item.Interface()) {
			return true
		}
	}
	return false
}

// named merges two lists of things whose first field is their name.
func named(lower, upper reflect.Value) reflect.Value {
	out := reflect.Zero(lower.Type())
	index := map[string]int{}
	for _, list := range []reflect.Value{lower, upper} {
		for i := range list.Len() {
			item := list.Index(i)
			name := item.Field(0).String()
			if at, known := index[name]; known {
				out.Index(at).Set(item)
				continue
			}
			index[name] = out.Len()
			out = reflect.Append(out, item)
		}
	}
	return out
}

func matrices(lower, upper any) document.Matrix {
	l, _ := lower.(document.Matrix)
	u, _ := upper.(document.Matrix)
	out := document.Matrix{
		Exclude: slices.Concat(l.Exclude, u.Exclude), Include: slices.Concat(l.Include, u.Include),
	}
	if len(l.Axes)+len(u.Axes) > 0 {
		out.Axes = map[string]document.Axis{}
		maps.Copy(out.Axes, l.Axes)
		maps.Copy(out.Axes, u.Axes)
	}
	return out
}
