package schema

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/controlplane/workflow/say"
)

// Explanation is what there is to know of a field.
type Explanation struct {
	Kind     string
	Path     string
	Type     string
	Doc      string
	Required bool
	Default  string
	Allowed  []string
	Min, Max string
	// Where expressions of the field are resolved; empty when it has none.
	Expressions string
	Fields      []Explanation // what is below, with its own Fields left out
}

var reIndex = regexp.MustCompile(`\[[^\]]*\]`)

// Explain describes a field: "spec.steps.retry", or "Schedule.spec.cron" for another kind than a workflow. Indexes are allowed and
// mean nothing. The error is a *fault.Error that says what there is.
func Explain(path string) (Explanation, error) {
	said, err := comments()
	if err != nil {
		return Explanation{}, err
	}
	names := slices.DeleteFunc(strings.Split(reIndex.ReplaceAllString(path, ""), "."), func(s string) bool { return s == "" })
	kind := document.Workflow
	if len(names) > 0 {
		if i := slices.IndexFunc(parse.Kinds(), func(k string) bool { return strings.EqualFold(k, names[0]) }); i >= 0 {
			kind, names = parse.Kinds()[i], names[1:]
		}
	}
	e := explainer{said}
	at := place{t: parse.TypeOf(kind)}
	for i, name := range names {
		next, ok := e.below(at, name)
		if !ok {
			return Explanation{}, e.unknown(kind, names[:i], at, name)
		}
		at = next
	}
	out := e.explain(at)
	out.Kind, out.Path = kind, strings.Join(names, ".")
	for _, p := range e.children(at) {
		child := e.explain(p)
		child.Path = p.name
		out.Fields = append(out.Fields, child)
	}
	return out, nil
}

type explainer struct{ said map[string]string }

type place struct {
	name    string
	t       reflect.Type
	options document.Options
	doc     string
}

func (e explainer) unknown(kind string, above []string, at place, name string) error {
	var names []string
	for _, p := range e.children(at) {
		names = append(names, p.name)
	}
	where := strings.Join(append([]string{kind}, above...), ".")
	if len(names) == 0 {
		return fault.New(fault.Invalid, "%s has no fields", where)
	}
	return fault.New(fault.Invalid, "%s has no field %q%s", where, name, say.DidYouMean(name, names)).WithHint("It has: %s", strings.Join(names, ", "))
}

// below finds a field. Where names are free, every name is one.
func (e explainer) below(at place, name string) (place, bool) {
	children := e.children(at)
	for _, p := range children {
		if p.name == name {
			return p, true
		}
	}
	if len(children) > 0 && children[len(children)-1].name == free {
		p := children[len(children)-1]
		p.name = name
		return p, true
	}
	return place{}, false
}

const free = "NAME" // stands for any name

// children lists what is below a place.
func (e explainer) children(at place) []place {
	t := at.t
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t != reflect.TypeFor[document.Params]() {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[document.Params]():
		return []place{{name: free, t: reflect.TypeFor[document.Param](), doc: e.said["Param"]}}
	case reflect.TypeFor[document.Matrix]():
		return []place{
			{name: "exclude", t: reflect.TypeFor[[]document.Cell](), doc: "Combinations that are left out: those that agree with all that an entry names."},
			{name: "include", t: reflect.TypeFor[[]document.Cell](), doc: "Combinations that are added. An entry names every axis."},
			{name: free, t: reflect.TypeFor[[]any](), options: document.Options{Expr: "items"}, doc: "Values of one axis, or an expression that gives a list."},
		}
	case reflect.TypeFor[document.Expect]():
		return []place{{name: "exitCodes", t: reflect.TypeFor[[]int64](), doc: "The exit codes with which the command may end.", options: document.Options{Min: "0", Max: "255"}}}
	}
	if t.Kind() == reflect.Map && elem(t).Kind() == reflect.Struct {
		return []place{{name: free, t: elem(t), doc: e.said[elem(t).Name()]}}
	}
	if t.Kind() != reflect.Struct || strings.HasSuffix(t.Name(), "OrExpr") {
		return nil
	}
	var all []place
	for _, f := range document.Fields(t) {
		all = append(all, place{f.Name, f.Type, f.Options, e.said[f.Go]})
	}
	return all
}

func elem(t reflect.Type) reflect.Type {
	t = t.Elem()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func (e explainer) explain(p place) Explanation {
	return Explanation{
		Type: nameOf(p.t), Doc: p.doc, Required: p.options.Required, Default: p.options.Default, Allowed: p.options.Enum,
		Min: p.options.Min, Max: p.options.Max, Expressions: expressions(p.options.Expr),
	}
}

func expressions(where string) string {
	return map[string]string{
		"here":    "resolved by the control plane for each run",
		"pod":     "resolved in the pod; what uses neither env, steps nor files, by the control plane",
		"trigger": "resolved when the execution is triggered",
		"if":      "it is one expression, true or false; resolved in the pod",
		"count":   "it may be one expression, resolved when the execution is triggered",
		"items":   "it may be one expression, resolved when the execution is triggered",
	}[where]
}

// nameOf names a type for people.
func nameOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[document.Duration]():
		return "duration, such as 90s or 1h30m"
	case reflect.TypeFor[document.Quantity]():
		return "quantity, such as 500m or 512Mi"
	case reflect.TypeFor[document.FileMode]():
		return "permission bits in octal"
	case reflect.TypeFor[document.Params](), reflect.TypeFor[document.Matrix]():
		return "mapping of names"
	case reflect.TypeFor[document.IntOrExpr]():
		return "whole number or expression"
	case reflect.TypeFor[document.Expect]():
		return "success, failure, any, or a mapping"
	case reflect.TypeFor[document.Cell]():
		return "mapping"
	case reflect.TypeFor[expr.Type]():
		return "text"
	}
	switch t.Kind() { //nolint:exhaustive // the types of package document have no others
	case reflect.Pointer:
		return nameOf(t.Elem())
	case reflect.Slice:
		return "list of " + plural(nameOf(t.Elem()))
	case reflect.Map:
		return "mapping of names to " + plural(nameOf(t.Elem()))
	case reflect.Struct:
		return "mapping"
	case reflect.Bool:
		return "true or false"
	case reflect.Int64:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Interface:
		return "text, number or boolean"
	}
	return "text"
}

func plural(name string) string {
	switch name {
	case "text":
		return "texts"
	case "mapping":
		return "mappings"
	case "whole number":
		return "whole numbers"
	case "quantity, such as 500m or 512Mi":
		return "quantities, such as 500m or 512Mi"
	case "text, number or boolean":
		return "texts, numbers or booleans"
	}
	return name
}
