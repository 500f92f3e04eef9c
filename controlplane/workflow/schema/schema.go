package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// Path is where a control plane serves the schema.
const Path = "/schemas/v1/seatrial.json"

// ID is the name of the schema.
const ID = "https://seatrial.dev" + Path

// JSON returns the schema of all kinds of documents. Texts that hold expressions are not described further: the parser checks them.
func JSON() ([]byte, error) {
	s, err := Schema()
	if err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the schema: %w", err)
	}
	return append(out, '\n'), nil
}

// Schema returns the schema of all kinds of documents.
func Schema() (*jsonschema.Schema, error) {
	said, err := comments()
	if err != nil {
		return nil, err
	}
	b := builder{said: said, defs: map[string]*jsonschema.Schema{}}
	root := &jsonschema.Schema{
		ID: ID, Schema: "https://json-schema.org/draft/2020-12/schema", Title: "Seatrial documents, " + document.APIVersion,
	}
	for _, kind := range parse.Kinds() {
		ref := b.of(parse.TypeOf(kind), document.Options{})
		if !slices.ContainsFunc(root.AnyOf, func(s *jsonschema.Schema) bool { return s.Ref == ref.Ref }) {
			root.AnyOf = append(root.AnyOf, ref)
		}
	}
	root.Defs = b.defs
	return root, nil
}

type builder struct {
	said map[string]string
	defs map[string]*jsonschema.Schema
}

// of returns the schema of a type as the options of its field say.
func (b *builder) of(t reflect.Type, o document.Options) *jsonschema.Schema {
	if s := b.custom(t, o); s != nil {
		return s
	}
	low, high := bounds(o)
	switch t.Kind() { //nolint:exhaustive // the types of package document have no others
	case reflect.Pointer:
		return b.of(t.Elem(), o)
	case reflect.Struct:
		return b.object(t)
	case reflect.Slice:
		inner := o
		inner.Max, inner.Required = "", false
		s := &jsonschema.Schema{Type: "array", Items: b.of(t.Elem(), inner), MaxItems: count(o.Max)}
		if o.Required {
			s.MinItems = count("1")
		}
		return s
	case reflect.Map:
		inner := o
		inner.Max, inner.Required = "", false
		s := &jsonschema.Schema{Type: "object", AdditionalProperties: b.of(t.Elem(), inner), MaxProperties: count(o.Max)}
		if pattern := patterns()[o.Keys]; pattern != "" {
			s.PropertyNames = &jsonschema.Schema{Pattern: pattern}
		}
		return s
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Int64:
		return &jsonschema.Schema{Type: "integer", Minimum: low, Maximum: high}
	case reflect.Float64:
		return &jsonschema.Schema{Type: "number", Minimum: low, Maximum: high}
	}
	s := &jsonschema.Schema{Type: "string"}
	for _, word := range o.Enum {
		s.Enum = append(s.Enum, word)
	}
	if o.Expr == "" {
		s.Pattern = patterns()[o.Rule]
	}
	return s
}

// patterns are the rules that a regular expression can say.
func patterns() map[string]string {
	const name = `^[A-Za-z_][A-Za-z0-9_]{0,127}$`
	return map[string]string{
		"label": `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`, "param": name, "output": name, "envName": name, "sha256": `^[0-9a-f]{64}$`,
		"volume": `^[a-z0-9]([-a-z0-9]{0,59}[a-z0-9])?$`, "service": `^[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?$`, "notBlank": `\S`,
	}
}

func bounds(o document.Options) (low, high *float64) {
	if f, err := strconv.ParseFloat(o.Min, 64); err == nil {
		low = &f
	}
	if f, err := strconv.ParseFloat(o.Max, 64); err == nil {
		high = &f
	}
	return low, high
}

func count(text string) *int {
	if n, err := strconv.Atoi(text); err == nil {
		return &n
	}
	return nil
}

// custom is the types with a form of their own.
func (b *builder) custom(t reflect.Type, o document.Options) *jsonschema.Schema {
	const braces = `\$\{\{`
	scalar := func() *jsonschema.Schema { return &jsonschema.Schema{Types: []string{"string", "number", "boolean"}} }
	low, high := bounds(o)
	switch t {
	case reflect.TypeFor[document.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`}
	case reflect.TypeFor[document.Quantity]():
		return &jsonschema.Schema{Types: []string{"string", "number"}, Pattern: `^[0-9]+(\.[0-9]+)?([eE][0-9]{1,2}|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$`}
	case reflect.TypeFor[document.FileMode]():
		return &jsonschema.Schema{Types: []string{"string", "integer"}}
	case reflect.TypeFor[expr.Type]():
		return &jsonschema.Schema{Type: "string", Enum: []any{"string", "integer", "number", "boolean"}}
	case reflect.TypeFor[any]():
		return scalar()
	case reflect.TypeFor[document.IntOrExpr]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "integer", Minimum: low, Maximum: high}, {Type: "string", Pattern: braces}}}
	case reflect.TypeFor[document.Expect]():
		codes := &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "integer", Minimum: ptr(0), Maximum: ptr(255)}, MinItems: count("1")}
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Enum: []any{document.Success, document.Failure, document.Either}},
			{
				Type: "object", Properties: map[string]*jsonschema.Schema{"exitCodes": codes}, Required: []string{"exitCodes"},
				AdditionalProperties: never(),
			},
		}}
	case reflect.TypeFor[document.Params]():
		return &jsonschema.Schema{
			Type: "object", AdditionalProperties: b.of(reflect.TypeFor[document.Param](), document.Options{}),
			PropertyNames: &jsonschema.Schema{Pattern: patterns()["param"]}, MaxProperties: count("100"),
		}
	case reflect.TypeFor[document.Matrix]():
		cells := func() *jsonschema.Schema {
			return &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "object", AdditionalProperties: scalar()}}
		}
		return &jsonschema.Schema{
			Type: "object", Properties: map[string]*jsonschema.Schema{"exclude": cells(), "include": cells()},
			AdditionalProperties: &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
				{Type: "array", Items: scalar(), MinItems: count("1")}, {Type: "string", Pattern: braces},
			}},
		}
	}
	return nil
}

func ptr(f float64) *float64 { return &f }

func never() *jsonschema.Schema { return &jsonschema.Schema{Not: &jsonschema.Schema{}} }

// object returns a reference to the definition of a struct.
func (b *builder) object(t reflect.Type) *jsonschema.Schema {
	ref := &jsonschema.Schema{Ref: "#/$defs/" + t.Name()}
	if b.defs[t.Name()] != nil {
		return ref
	}
	s := &jsonschema.Schema{
		Type: "object", Description: b.said[t.Name()], Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: never(),
	}
	b.defs[t.Name()] = s
	for _, f := range document.Fields(t) {
		field := b.of(f.Type, f.Options)
		if field.Ref != "" { // what stands next to a reference counts too, but not everyone reads it
			field = &jsonschema.Schema{AllOf: []*jsonschema.Schema{field}}
		}
		field.Description = b.said[f.Go]
		field.Default = defaultOf(field, f.Options.Default)
		s.Properties[f.Name] = field
		s.PropertyOrder = append(s.PropertyOrder, f.Name)
		if f.Options.Required {
			s.Required = append(s.Required, f.Name)
		}
	}
	return ref
}

// defaultOf returns the default as JSON.
func defaultOf(s *jsonschema.Schema, text string) json.RawMessage {
	if text == "" {
		return nil
	}
	if s.Type == "boolean" || s.Type == "integer" || s.Type == "number" {
		return json.RawMessage(text)
	}
	quoted, _ := json.Marshal(strings.TrimSpace(text)) //nolint:errchkjson // a string
	if s.Type == "array" {
		return json.RawMessage("[" + string(quoted) + "]")
	}
	return quoted
}
