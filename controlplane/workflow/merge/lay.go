package merge

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// layer is a spec, and where its fields are written, by their paths. A field that is not listed is written where the one above it is.
type layer struct {
	spec document.Spec
	from map[string]origin
}

// origin is where a field is written.
type origin struct {
	template string // empty for the document that is built
	field    string
	use      int // the entry of the document's spec.use by which it comes
}

func (l layer) origin(path string) origin {
	for top := path; top != ""; top = top[:max(0, strings.LastIndexAny(top, ".["))] {
		if o, ok := l.from[top]; ok {
			o.field += path[len(top):]
			return o
		}
	}
	return origin{field: path}
}

// lay returns the lower layer with the upper one upon it. Neither is changed.
func lay(lower, upper layer) layer {
	y := laying{lower: lower, upper: upper, out: layer{from: map[string]origin{}}}
	y.structs("spec", reflect.ValueOf(&y.out.spec).Elem(), reflect.ValueOf(lower.spec), reflect.ValueOf(upper.spec))
	return y.out
}

type laying struct{ lower, upper, out layer }

// structs merges field by field, as the merge tag of each says.
func (y *laying) structs(path string, out, lower, upper reflect.Value) {
	for i := range out.NumField() {
		tag := out.Type().Field(i).Tag
		name, _, _ := strings.Cut(tag.Get("json"), ",")
		field, how := path+"."+name, tag.Get("merge")
		o, l, u := out.Field(i), lower.Field(i), upper.Field(i)
		switch {
		case how == "own":
			o.Set(u)
			y.out.from[field] = y.upper.origin(field)
		case how == "append":
			o.Set(y.joined(field, part{l, y.lower}, part{u, y.upper}))
		case how == "prepend":
			o.Set(y.joined(field, part{u, y.upper}, part{l, y.lower}))
		case strings.HasPrefix(how, "by="):
			o.Set(y.named(field, part{l, y.lower}, part{u, y.upper}))
		case how == "whole":
			o.Set(y.either(field, l, u))
		default:
			y.merged(field, o, l, u)
		}
	}
}

// merged merges by the kind of the value.
func (y *laying) merged(path string, out, lower, upper reflect.Value) {
	if m, ok := out.Addr().Interface().(*document.Matrix); ok {
		*m = y.matrices(path, lower.Interface(), upper.Interface())
		return
	}
	switch out.Kind() {
	case reflect.Struct:
		y.structs(path, out, lower, upper)
	case reflect.Pointer:
		if lower.IsNil() || upper.IsNil() || out.Type().Elem().Kind() != reflect.Struct {
			out.Set(y.either(path, lower, upper))
			return
		}
		out.Set(reflect.New(out.Type().Elem()))
		y.structs(path, out.Elem(), lower.Elem(), upper.Elem())
	case reflect.Map:
		y.mappings(path, out, lower, upper)
	default:
		out.Set(y.either(path, lower, upper))
	}
}

func (y *laying) either(path string, lower, upper reflect.Value) reflect.Value {
	if upper.IsZero() {
		y.out.from[path] = y.lower.origin(path)
		return lower
	}
	y.out.from[path] = y.upper.origin(path)
	return upper
}

func (y *laying) mappings(path string, out, lower, upper reflect.Value) {
	if lower.Len()+upper.Len() == 0 {
		return
	}
	out.Set(reflect.MakeMap(out.Type()))
	for _, p := range []part{{lower, y.lower}, {upper, y.upper}} {
		for it := p.MapRange(); it.Next(); {
			field, value := path+"."+it.Key().String(), it.Value()
			if before := out.MapIndex(it.Key()); before.IsValid() && value.Kind() == reflect.Struct {
				both := reflect.New(value.Type()).Elem()
				y.structs(field, both, before, value)
				value = both
			} else {
				y.out.from[field] = p.of.origin(field)
			}
			out.SetMapIndex(it.Key(), value)
		}
	}
}

// part is a value with the layer that it is of.
type part struct {
	reflect.Value
	of layer
}

func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// joined returns the items of two lists; equal ones are there once, but for steps, which have names of their own.
func (y *laying) joined(path string, first, second part) reflect.Value {
	out := reflect.Zero(first.Type())
	for _, list := range []part{first, second} {
		for i := range list.Len() {
			if item := list.Index(i); list.Type() == reflect.TypeFor[[]document.Step]() || !contains(out, item) {
				y.out.from[at(path, out.Len())] = list.of.origin(at(path, i))
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
func (y *laying) named(path string, lower, upper part) reflect.Value {
	out := reflect.Zero(lower.Type())
	index := map[string]int{}
	for _, list := range []part{lower, upper} {
		for i := range list.Len() {
			item := list.Index(i)
			name := item.Field(0).String()
			place, known := index[name]
			if !known {
				place = out.Len()
				index[name] = place
				out = reflect.Append(out, item)
			}
			out.Index(place).Set(item)
			y.out.from[at(path, place)] = list.of.origin(at(path, i))
		}
	}
	return out
}

func (y *laying) matrices(path string, lower, upper any) document.Matrix {
	var out document.Matrix
	for _, p := range []struct {
		m  any
		of layer
	}{{lower, y.lower}, {upper, y.upper}} {
		m, _ := p.m.(document.Matrix)
		for i := range m.Exclude {
			y.out.from[at(path+".exclude", len(out.Exclude)+i)] = p.of.origin(at(path+".exclude", i))
		}
		for i := range m.Include {
			y.out.from[at(path+".include", len(out.Include)+i)] = p.of.origin(at(path+".include", i))
		}
		out.Exclude, out.Include = append(out.Exclude, m.Exclude...), append(out.Include, m.Include...)
		for name, axis := range m.Axes {
			if out.Axes == nil {
				out.Axes = map[string]document.Axis{}
			}
			out.Axes[name] = axis
			y.out.from[path+"."+name] = p.of.origin(path + "." + name)
		}
	}
	return out
}
