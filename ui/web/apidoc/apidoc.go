// Package apidoc turns the OpenAPI document of the API into what its pages show.
package apidoc

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Service is a service with its methods, in the order of their names.
type Service struct {
	Name    string
	Meaning string
	Methods []Method
	Types   []Type // that its methods take and return, by name
}

// Method is one that is called with a POST to its path.
type Method struct {
	Name     string
	Path     string
	Meaning  string
	Request  string // names of types
	Response string
	Streams  bool
	Example  string // a request as a command line
}

// Type is an object with its fields, or an enumeration with its values.
type Type struct {
	Name    string
	Meaning string
	Fields  []Field
	Values  []string
}

// Field is one of an object.
type Field struct {
	Name    string
	Type    string // as a word
	Refers  string // the name of the type that it is made of; empty for a plain one
	Meaning string
}

type document struct {
	Tags []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"tags"`
	Paths      map[string]struct{ Post operation } `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	Tags        []string `json:"tags"`
	Description string   `json:"description"`
	Streams     bool     `json:"x-streaming"`
	RequestBody body     `json:"requestBody"`
	Responses   struct {
		OK body `json:"200"`
	} `json:"responses"`
}

type body struct {
	Content map[string]struct {
		Schema schema `json:"schema"`
	} `json:"content"`
}

// of is the type of a body, whatever it is encoded as.
func (b body) of() string {
	for _, c := range b.Content {
		return c.Schema.refers()
	}
	return ""
}

type schema struct {
	Type        string            `json:"type"`
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Pattern     string            `json:"pattern"`
	Encoding    string            `json:"contentEncoding"`
	Ref         string            `json:"$ref"`
	Items       *schema           `json:"items"`
	Each        json.RawMessage   `json:"additionalProperties"` // a schema for maps, false for objects
	Properties  map[string]schema `json:"properties"`
	Required    []string          `json:"required"`
	Enum        []string          `json:"enum"`
	MinLength   uint64            `json:"minLength"`
	MaxLength   uint64            `json:"maxLength"`
	Minimum     *float64          `json:"minimum"`
	Maximum     *float64          `json:"maximum"`
	MaxItems    uint64            `json:"maxItems"`
}

const schemas = "#/components/schemas/"

// refers is the name of the type that a schema is, or is a list or a map of.
func (s schema) refers() string {
	if s.Ref != "" {
		return strings.TrimPrefix(s.Ref, schemas)
	}
	if s.Items != nil {
		return s.Items.refers()
	}
	if each, ok := s.each(); ok {
		return each.refers()
	}
	return ""
}

// each is the schema of the values of a map.
func (s schema) each() (schema, bool) {
	var out schema
	if s.Type != "object" || len(s.Each) == 0 || s.Each[0] != '{' || json.Unmarshal(s.Each, &out) != nil {
		return out, false
	}
	return out, true
}

// word says what a value is.
func (s schema) word() string {
	switch {
	case s.Ref != "":
		return strings.TrimPrefix(s.Ref, schemas)
	case s.Items != nil:
		return "list of " + s.Items.word()
	case s.Encoding != "":
		return "bytes in " + s.Encoding
	case s.Format == "date-time":
		return "time, such as 2026-03-01T12:00:00Z"
	case s.Type == "string" && strings.HasSuffix(s.Pattern, "s$"):
		return "duration, such as 90s"
	case s.Format == "int64":
		return "integer of 64 bits, as text"
	}
	if each, ok := s.each(); ok {
		return "map of " + each.word()
	}
	return cmp.Or(s.Type, "anything")
}

// bounds says what a value may be at most.
func (s schema) bounds() string {
	var out []string
	if s.MinLength == 1 {
		out = append(out, "It is needed.")
	}
	if s.MaxLength > 0 {
		out = append(out, fmt.Sprintf("At most %d characters.", s.MaxLength))
	}
	if s.MaxItems > 0 {
		out = append(out, fmt.Sprintf("At most %d.", s.MaxItems))
	}
	if s.Maximum != nil {
		out = append(out, fmt.Sprintf("At most %.0f.", *s.Maximum))
	}
	return strings.Join(out, " ")
}

// Parse reads an OpenAPI document.
func Parse(openAPI []byte) ([]Service, error) {
	var doc document
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		return nil, fmt.Errorf("read the description of the API: %w", err)
	}
	byName := map[string]*Service{}
	for _, tag := range doc.Tags {
		byName[tag.Name] = &Service{Name: tag.Name, Meaning: tag.Description}
	}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		op := doc.Paths[path].Post
		if len(op.Tags) == 0 || byName[op.Tags[0]] == nil {
			return nil, fmt.Errorf("read the description of the API: %s is of no service", path)
		}
		s := byName[op.Tags[0]]
		m := Method{
			Name: path[strings.LastIndex(path, "/")+1:], Path: path, Meaning: op.Description, Request: op.RequestBody.of(), Response: op.Responses.OK.of(), Streams: op.Streams,
		}
		m.Example = example(m, doc.Components.Schemas[m.Request])
		s.Methods = append(s.Methods, m)
	}
	out := make([]Service, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		s := byName[name]
		s.Types = doc.types(s.Methods)
		out = append(out, *s)
	}
	return out, nil
}

// example is a request with the fields that are needed.
func example(m Method, request schema) string {
	if m.Streams {
		return ""
	}
	values := map[string]string{}
	for name, f := range request.Properties {
		if f.MinLength > 0 {
			values[name] = "…"
		}
	}
	text, err := json.Marshal(values)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("curl --json '%s' -H \"Authorization: Bearer $SEATRIAL_TOKEN\" $SEATRIAL_SERVER%s", text, m.Path)
}

// types are those that methods take and return, and what they are made of.
func (d document) types(methods []Method) (out []Type) {
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if name == "" || seen[name] {
			return
		}
		seen[name] = true
		s := d.Components.Schemas[name]
		for _, f := range s.Properties {
			visit(f.refers())
		}
	}
	for _, m := range methods {
		visit(m.Request)
		visit(m.Response)
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		s := d.Components.Schemas[name]
		t := Type{Name: name, Meaning: s.Description, Values: s.Enum}
		for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
			f := s.Properties[field]
			t.Fields = append(t.Fields, Field{
				Name: field, Type: f.word(), Refers: f.refers(), Meaning: strings.TrimSpace(f.Description + " " + f.bounds()),
			})
		}
		out = append(out, t)
	}
	return out
}
