package document

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/say"
)

// Params are the declared parameters in the order of the document. In JSON they are an object, because their order means nothing.
type Params []Param

// MarshalJSON returns an object with sorted keys.
func (p Params) MarshalJSON() ([]byte, error) {
	byName := make(map[string]Param, len(p))
	for _, param := range p {
		byName[param.Name] = param
	}
	return json.Marshal(byName) //nolint:wrapcheck // strings, numbers and booleans
}

// Param is a typed input. Default and Enum hold string, int64, float64 or bool, as Type says.
type Param struct {
	Name string `json:"-"`
	// Type of the value.
	Type expr.Type `json:"type" rule:"required,enum=string|integer|number|boolean"`
	// What the value is for.
	Description string `json:"description,omitempty"`
	// Value when none is given.
	Default any `json:"default,omitempty"`
	// The values that are allowed.
	Enum []any `json:"enum,omitempty" rule:"max=100"`
	// Least value, for integer and number.
	Minimum *float64 `json:"minimum,omitempty"`
	// Greatest value, for integer and number.
	Maximum *float64 `json:"maximum,omitempty"`
	// Regular expression (RE2) for string; it may match anywhere, as in JSON Schema.
	Pattern string `json:"pattern,omitempty"`
	// Whether a value must be given. Without it, one must be unless there is a default.
	Required *bool `json:"required,omitempty"`
}

const maxParamValue = 64 << 10 // bytes

// Values are the parameters of one execution by name: string, int64, float64 or bool, as declared.
type Values map[string]any

// Strings returns the values as people write them.
func (v Values) Strings() map[string]string {
	out := make(map[string]string, len(v))
	for name, value := range v {
		out[name] = Text(value)
	}
	return out
}

// Text returns a parameter's value as people write it, "" for nil.
func Text(value any) string {
	if value == nil {
		return ""
	}
	text, err := expr.Text(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return text
}

// MustBeGiven reports whether an execution has to bring a value: there is no default and the parameter is not declared optional.
func (p Param) MustBeGiven() bool {
	return p.Default == nil && (p.Required == nil || *p.Required)
}

// Resolve turns the input of an execution into typed values, with defaults for what is not given. An optional parameter without
// a default is the zero value of its type. The error is a *fault.Error that names every parameter at fault.
func (p Params) Resolve(input map[string]string) (Values, error) {
	values := Values{}
	var places []fault.Place
	for _, name := range slices.Sorted(maps.Keys(input)) {
		if !slices.ContainsFunc(p, func(d Param) bool { return d.Name == name }) {
			places = append(places, fault.Place{Field: "params." + name, Message: "the workflow has no such parameter" + p.suggest(name)})
		}
	}
	for _, d := range p {
		text, given := input[d.Name]
		value, wrong := d.value(text, given)
		if wrong != "" {
			places = append(places, fault.Place{Field: "params." + d.Name, Message: wrong})
		}
		values[d.Name] = value
	}
	if len(places) == 0 {
		return values, nil
	}
	texts := make([]string, len(places))
	for i, place := range places {
		texts[i] = place.Field + ": " + place.Message
	}
	return nil, &fault.Error{Kind: fault.Invalid, Field: places[0].Field, Message: strings.Join(texts, "; "), Places: places}
}

func (p Params) suggest(name string) string {
	names := make([]string, len(p))
	for i, d := range p {
		names[i] = d.Name
	}
	if s := say.DidYouMean(name, names); s != "" || len(names) == 0 {
		return s
	}
	return "; it has " + strings.Join(names, ", ")
}

func (p Param) value(text string, given bool) (value any, wrong string) {
	switch {
	case !given && p.Default != nil:
		return p.Default, ""
	case !given && p.MustBeGiven():
		return nil, "is required and has no default"
	case !given:
		return zero(p.Type), ""
	case len(text) > maxParamValue:
		return nil, fmt.Sprintf("is longer than %d bytes", maxParamValue)
	case strings.ContainsRune(text, 0):
		return nil, "holds a NUL byte"
	case !utf8.ValidString(text):
		return nil, "is not valid UTF-8"
	}
	value, wrong = fromText(p.Type, text)
	if wrong == "" {
		wrong = p.Check(value)
	}
	return value, wrong
}

func zero(t expr.Type) any {
	switch t {
	case expr.Integer:
		return int64(0)
	case expr.Number:
		return 0.0
	case expr.Boolean:
		return false
	case expr.String, expr.Any, expr.Texts:
	}
	return ""
}

func fromText(t expr.Type, text string) (value any, wrong string) {
	var err error
	switch t {
	case expr.Integer:
		value, err = strconv.ParseInt(text, 10, 64)
	case expr.Number:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		if value = f; err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
			err = strconv.ErrRange
		}
	case expr.Boolean:
		value = text == "true"
		if text != "true" && text != "false" {
			err = strconv.ErrSyntax
		}
	case expr.String, expr.Any, expr.Texts:
		value = text
	}
	if err != nil {
		return nil, fmt.Sprintf("%q is not %s", say.Shorten(text), article(t))
	}
	return value, ""
}

func article(t expr.Type) string {
	switch t {
	case expr.Integer:
		return "an integer"
	case expr.Boolean:
		return "true or false"
	case expr.String, expr.Number, expr.Any, expr.Texts:
	}
	return "a " + string(t)
}

// Check returns what is wrong with a value of the right type, or "".
func (p Param) Check(value any) string {
	if len(p.Enum) > 0 && !slices.Contains(p.Enum, value) {
		choices := make([]string, len(p.Enum))
		for i, e := range p.Enum {
			choices[i] = Text(e)
		}
		text := Text(value)
		return fmt.Sprintf("%q is not one of %s%s", say.Shorten(text), strings.Join(choices, ", "), say.DidYouMean(text, choices))
	}
	if f, ok := number(value); ok {
		switch {
		case p.Minimum != nil && f < *p.Minimum:
			return fmt.Sprintf("%s is less than the minimum %s", Text(value), Text(*p.Minimum))
		case p.Maximum != nil && f > *p.Maximum:
			return fmt.Sprintf("%s is more than the maximum %s", Text(value), Text(*p.Maximum))
		}
	}
	if s, ok := value.(string); ok && p.Pattern != "" {
		if matched, err := regexp.MatchString(p.Pattern, s); err != nil || !matched {
			return fmt.Sprintf("%q does not match the pattern %s", say.Shorten(s), p.Pattern)
		}
	}
	return ""
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// Zero returns what an execution gets that gives no value: the default, or the zero value of the type.
func (p Param) Zero() any {
	if p.Default != nil {
		return p.Default
	}
	return zero(p.Type)
}

// Typed returns a string, int64, float64 or bool as a value of the parameter, or what is wrong with it.
func (p Param) Typed(value any) (typed any, wrong string) {
	ok := false
	switch v := value.(type) {
	case string:
		ok = p.Type == expr.String
	case bool:
		ok = p.Type == expr.Boolean
	case float64:
		ok = p.Type == expr.Number
	case int64:
		ok = p.Type == expr.Integer
		if p.Type == expr.Number {
			value, ok = float64(v), true
		}
	}
	if !ok {
		return nil, fmt.Sprintf("%q is not %s", say.Shorten(Text(value)), article(p.Type))
	}
	return value, p.Check(value)
}
