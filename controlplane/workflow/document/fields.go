package document

import (
	"reflect"
	"strings"
)

// Options are the rule tag of a field; see the comment of the package.
type Options struct {
	Required   bool
	Rule, Keys string
	Expr       string
	Min, Max   string
	Default    string
	Enum       []string
}

// Field is a field of a type of this package.
type Field struct {
	Name    string // in documents
	Go      string // in Go, after the name of the type that declares it: "Step.Run"
	Index   []int  // for reflect.Value.FieldByIndex
	Type    reflect.Type
	Options Options
}

// Fields lists the fields of a struct, those of embedded structs among them.
func Fields(t reflect.Type) []Field {
	var fields []Field
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			for _, inner := range Fields(f.Type) {
				inner.Index = append([]int{i}, inner.Index...)
				fields = append(fields, inner)
			}
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		fields = append(fields, Field{name, t.Name() + "." + f.Name, []int{i}, f.Type, optionsOf(f.Tag.Get("rule"))})
	}
	return fields
}

func optionsOf(tag string) Options {
	var o Options
	for opt := range strings.SplitSeq(tag, ",") {
		name, value, _ := strings.Cut(opt, "=")
		switch name {
		case "required":
			o.Required = true
		case "rule":
			o.Rule = value
		case "keys":
			o.Keys = value
		case "expr":
			o.Expr = value
		case "min":
			o.Min = value
		case "max":
			o.Max = value
		case "default":
			o.Default = value
		case "enum":
			o.Enum = strings.Split(value, "|")
		}
	}
	return o
}
