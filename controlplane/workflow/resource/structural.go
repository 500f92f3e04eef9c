package resource

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// Extensions of Kubernetes.
const (
	rules     = "x-kubernetes-validations"
	unknown   = "x-kubernetes-preserve-unknown-fields"
	intOrText = "x-kubernetes-int-or-string"
)

// builder makes structural schemas of JSON Schemas.
type builder struct {
	defs  map[string]*jsonschema.Schema
	above []string // definitions that are being made
}

// of returns the structural form of a schema.
func (b *builder) of(s *jsonschema.Schema) map[string]any {
	out := b.form(s)
	if s.Description != "" {
		out["description"] = s.Description
	}
	return out
}

func (b *builder) form(s *jsonschema.Schema) map[string]any {
	switch {
	case len(s.AllOf) == 1:
		return b.form(s.AllOf[0])
	case s.Ref != "":
		return b.definition(strings.TrimPrefix(s.Ref, "#/$defs/"))
	case len(s.AnyOf) == 2 && s.AnyOf[0].Type == "integer" && s.AnyOf[1].Type == "string", slices.Equal(s.Types, []string{"string", "integer"}):
		return map[string]any{intOrText: true}
	case len(s.AnyOf) > 0, len(s.Types) > 0:
		return map[string]any{unknown: true} // one of several types: the control plane says what is wrong
	case s.Type == "object":
		return b.object(s)
	case s.Type == "array":
		out := map[string]any{"type": "array", "items": b.of(s.Items)}
		limit(out, "minItems", s.MinItems)
		limit(out, "maxItems", s.MaxItems)
		return out
	}
	return scalar(s)
}

func scalar(s *jsonschema.Schema) map[string]any {
	out := map[string]any{"type": s.Type}
	if len(s.Enum) > 0 {
		out["enum"] = s.Enum
	}
	if s.Pattern != "" {
		out["pattern"] = s.Pattern
	}
	if s.Minimum != nil {
		out["minimum"] = *s.Minimum
	}
	if s.Maximum != nil {
		out["maximum"] = *s.Maximum
	}
	if s.Type == "integer" {
		out["format"] = "int64"
	}
	return out
}

func (b *builder) object(s *jsonschema.Schema) map[string]any {
	out := map[string]any{"type": "object"}
	limit(out, "maxProperties", s.MaxProperties)
	free := s.AdditionalProperties != nil && s.AdditionalProperties.Not == nil
	switch {
	case free && len(s.Properties) > 0:
		out[unknown] = true // named and free fields side by side cannot be said
		return out
	case free:
		out["additionalProperties"] = b.of(s.AdditionalProperties)
		return out
	}
	properties := map[string]any{}
	for _, name := range s.PropertyOrder {
		if field := b.of(s.Properties[name]); field["type"] != "" {
			properties[name] = field
		}
	}
	out["properties"] = properties
	var required []any
	for _, name := range s.Required {
		required = append(required, name)
	}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// definition makes a type that others refer to. A type in itself ends there: steps at the same time hold no such steps.
func (b *builder) definition(name string) map[string]any {
	if slices.Contains(b.above, name) && name != step || count(b.above, name) > 1 {
		return map[string]any{"type": ""}
	}
	b.above = append(b.above, name)
	def := b.defs[name]
	out := b.object(def)
	if name == step && count(b.above, step) > 1 {
		if properties, ok := out["properties"].(map[string]any); ok {
			delete(properties, "parallel")
		}
	}
	b.above = b.above[:len(b.above)-1]
	if found := rulesFor(name, def, out); len(found) > 0 {
		out[rules] = append(rulesOf(out), found...)
	}
	return out
}

// step is the one type that holds itself.
const step = "Step"

func count(all []string, name string) (n int) {
	for _, one := range all {
		if one == name {
			n++
		}
	}
	return n
}

func limit(out map[string]any, name string, n *int) {
	if n != nil {
		out[name] = *n
	}
}

// rule is a condition in CEL that the API server checks.
type rule struct{ expression, message string }

func (r rule) schema() map[string]any {
	return map[string]any{"rule": r.expression, "message": r.message}
}

func rulesOf(s map[string]any) []any {
	out, _ := s[rules].([]any)
	return out
}

// rulesFor returns what has to hold between the fields of a type. Those of fields that may be repeated very often are left to the
// control plane: the API server estimates what a rule costs at most.
func rulesFor(name string, def *jsonschema.Schema, made map[string]any) []any {
	var out []any
	for _, fields := range alternatives(name, def) {
		fields = slices.DeleteFunc(fields, func(field string) bool {
			properties, _ := made["properties"].(map[string]any)
			return properties[field] == nil
		})
		terms := make([]string, len(fields))
		for i, field := range fields {
			terms[i] = fmt.Sprintf("(has(self.%s) ? 1 : 0)", field)
		}
		out = append(out, rule{strings.Join(terms, " + ") + " == 1", "exactly one of " + strings.Join(fields, ", ") + " has to be set"}.schema())
	}
	if name == "WebhookSpec" {
		out = append(out, rule{"!has(self.url) || !has(self.format) || !(self.format in ['slack', 'teams'])", "the address of slack and teams is a secret: set it with seatrial webhook set"}.schema())
	}
	if name == "Rule" {
		out = append(out, rule{"self.kind != 'missing' || !has(self.waivable) || !self.waivable", "missing evidence cannot be waived"}.schema())
	}
	return out
}

// alternatives are the fields of a type of which exactly one is set.
func alternatives(name string, def *jsonschema.Schema) [][]string {
	switch name {
	case "Trigger", "TriggerSpec": // every kind of event is a type of its own
		var events []string
		for _, field := range def.PropertyOrder {
			if p := def.Properties[field]; len(p.AllOf) == 1 && p.AllOf[0].Ref != "#/$defs/Environments" {
				events = append(events, field)
			}
		}
		return [][]string{events}
	case step:
		return [][]string{{"run", "command", "pause", "execute", "parallel"}}
	case "Environments":
		return [][]string{{"select", "names"}}
	case "Requirement":
		return [][]string{{"suites", "selector"}}
	case "Probe":
		return [][]string{{"http", "tcp", "condition"}}
	case "StartRef", "WorkflowRef":
		return [][]string{{"name", "selector"}}
	case "Ready":
		return [][]string{{"exec", "tcp", "http"}}
	case "Volume":
		return [][]string{{"emptyDir", "configMap", "secret", "persistentVolumeClaim"}}
	}
	return nil
}
