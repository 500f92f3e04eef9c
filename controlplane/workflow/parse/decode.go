package parse

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/rule"
	"github.com/seatrial/seatrial/controlplane/workflow/say"
)

// where returns the place in which the expressions of a field are resolved; ok is false when there are none.
func where(o document.Options) (expr.Where, bool) {
	switch o.Expr {
	case "here":
		return expr.Here, true
	case "pod":
		return expr.InPod, true
	case "trigger":
		return expr.AtTrigger, true
	}
	return 0, false
}

// value reads a node into a Go value as its type and the options of its field say.
func (r *reader) value(at node, v reflect.Value, o document.Options) {
	if r.custom(at, v, o) {
		return
	}
	switch v.Kind() { //nolint:exhaustive // the types of package document have no others
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(at, v.Elem(), o)
	case reflect.Struct:
		r.object(at, v)
	case reflect.Slice:
		r.slice(at, v, o)
	case reflect.Map:
		r.mapOf(at, v, o)
	case reflect.String:
		v.SetString(r.texts(at, o))
	case reflect.Bool:
		r.boolean(at, v.SetBool)
	case reflect.Int64:
		low, high := bounds(o)
		r.integer(at, int64(low), int64(high), v.SetInt)
	case reflect.Float64:
		low, high := bounds(o)
		r.number(at, low, high, v.SetFloat)
	}
}

// custom reads the types with a form of their own.
func (r *reader) custom(at node, v reflect.Value, o document.Options) bool {
	switch into := v.Addr().Interface().(type) {
	case *document.Params:
		r.params(at, into)
	case *document.Matrix:
		r.matrix(at, into)
	case *document.Expect:
		r.expect(at, into)
	case *document.IntOrExpr:
		r.intOrExpr(at, into, o)
	case *document.FileMode:
		*into = r.mode(at)
	case *document.Duration:
		r.duration(at, into, o)
	case *document.Quantity:
		r.quantity(at, into)
	case *any:
		r.anyScalar(at, into, o)
	default:
		return false
	}
	return true
}

// object reads a mapping into a struct.
func (r *reader) object(at node, v reflect.Value) {
	if r.depth++; r.depth > maxDepth {
		r.fault(at, "is nested deeper than %d", maxDepth)
	}
	defer func() { r.depth-- }()
	if r.depth > maxDepth {
		return
	}
	entries, ok := r.mapping(at)
	if !ok {
		return
	}
	fields := document.Fields(v.Type())
	seen := map[string]bool{}
	for _, e := range entries {
		i := slices.IndexFunc(fields, func(f document.Field) bool { return f.Name == e.key })
		switch {
		case i < 0:
			r.fault(node{e.at, e.value.path}, "is not a known field%s", say.DidYouMean(e.key, names(fields)))
		case e.value.ShortTag() == "!!null": // as if it were not there
		default:
			seen[e.key] = true
			r.note(e.value, fields[i].Options)
			r.value(e.value, v.FieldByIndex(fields[i].Index), fields[i].Options)
		}
	}
	for _, f := range fields {
		if f.Options.Required && !seen[f.Name] {
			r.fault(at.under(f.Name), "is missing%s", hint(f))
		}
	}
	r.after(at, v.Addr().Interface())
}

func hint(f document.Field) string {
	if len(f.Options.Enum) > 1 {
		return ": one of " + strings.Join(f.Options.Enum, ", ")
	}
	if f.Name == "content" {
		return `; write content: "" for an empty file`
	}
	return ""
}

func names(fields []document.Field) []string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.Name
	}
	return all
}

func (r *reader) slice(at node, v reflect.Value, o document.Options) {
	limit := math.MaxInt
	if n, err := strconv.Atoi(o.Max); err == nil {
		limit = n
	}
	o.Max = ""
	before := len(r.places)
	r.list(at, limit, func(_ int, item node) {
		one := reflect.New(v.Type().Elem()).Elem()
		r.value(item, one, o)
		v.Set(reflect.Append(v, one))
	})
	if o.Required && v.Len() == 0 && len(r.places) == before {
		r.fault(at, "is empty")
	}
}

func (r *reader) mapOf(at node, v reflect.Value, o document.Options) {
	entries, _ := r.mapping(at)
	if n, err := strconv.Atoi(o.Max); err == nil && len(entries) > n {
		r.fault(at, "has %d entries; at most %d are allowed", len(entries), n)
		return
	}
	o.Max = ""
	for _, e := range entries {
		before := len(r.places)
		if wrong := rule.Of(o.Keys)(e.key); wrong != "" {
			r.fault(e.value, "%s", wrong)
			continue
		}
		one := reflect.New(v.Type().Elem()).Elem()
		r.value(e.value, one, o)
		if len(r.places) > before {
			continue
		}
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.SetMapIndex(reflect.ValueOf(e.key), one)
	}
}

// texts reads a string, with expressions when the field has them. What a rule says of texts with expressions is known only when
// they are resolved.
func (r *reader) texts(at node, o document.Options) string {
	s, ok := r.text(at)
	if !ok {
		return ""
	}
	if o.Expr == "if" {
		r.templates = append(r.templates, template{at: at, text: s, where: expr.If, want: expr.Condition, alone: true})
		return s
	}
	if place, has := where(o); has && !expr.IsPlain(s) {
		r.templates = append(r.templates, template{at: at, text: s, where: place})
		return s
	}
	check := rule.Of(o.Rule)
	if len(o.Enum) > 0 {
		check = rule.OneOf(o.Enum...)
	}
	if wrong := check(s); wrong != "" {
		r.fault(at, "%s", wrong)
		return ""
	}
	return s
}

func bounds(o document.Options) (low, high float64) {
	low, high = 0, math.MaxInt32
	if f, err := strconv.ParseFloat(o.Min, 64); err == nil {
		low = f
	}
	if f, err := strconv.ParseFloat(o.Max, 64); err == nil {
		high = f
	}
	return low, high
}

const maxTimeout = 7 * 24 * time.Hour

func (r *reader) duration(at node, into *document.Duration, o document.Options) {
	s, ok := r.text(at)
	if !ok {
		return
	}
	low, high := time.Second, maxTimeout
	if d, err := time.ParseDuration(o.Min); err == nil {
		low = d
	}
	if d, err := time.ParseDuration(o.Max); err == nil {
		high = d
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		r.fault(at, `must be a duration such as "90s", "30m" or "1h30m", not %q`, say.Shorten(s))
	case d < low || d > high:
		r.fault(at, "must be from %s to %s", short(low), short(high))
	default:
		*into = document.Duration(d)
	}
}

// short writes a duration as people do: 168h, not 168h0m0s.
func short(d time.Duration) string {
	s := d.String()
	s = strings.TrimSuffix(s, "0s")
	if strings.HasSuffix(s, "h0m") {
		return strings.TrimSuffix(s, "0m")
	}
	if s == "" {
		return "0s"
	}
	return s
}

func (r *reader) quantity(at node, into *document.Quantity) {
	value, ok := r.scalar(at, "a quantity", "!!str", "!!int", "!!float")
	if !ok {
		return
	}
	if wrong := rule.Of("quantity")(value.Value); wrong != "" {
		r.fault(at, "%s", wrong)
		return
	}
	*into = document.Quantity(value.Value)
}

// anyScalar reads a string, number or boolean.
func (r *reader) anyScalar(at node, into *any, o document.Options) {
	target, ok := r.resolve(at)
	if !ok {
		return
	}
	if target.Kind != yaml.ScalarNode {
		r.fault(at, "must be a string, a number or a boolean, not %s", describe(target.Node))
		return
	}
	switch target.ShortTag() {
	case "!!int":
		var i int64
		if err := target.Decode(&i); err != nil {
			r.fault(at, "is a number out of range")
		}
		*into = i
	case "!!float":
		r.number(at, -math.MaxFloat64, math.MaxFloat64, func(f float64) { *into = f })
	case "!!bool":
		r.boolean(at, func(b bool) { *into = b })
	default:
		*into = r.texts(at, o)
	}
}
