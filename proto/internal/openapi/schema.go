package main

import (
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// object is an object of JSON, whose fields are written in the order of their names.
type object map[string]any

const reference = "#/components/schemas/"

// builder collects the schemas that are referred to.
type builder struct{ schemas map[string]object }

// with adds a text unless it is empty.
func with(o object, name, text string) object {
	if text != "" {
		o[name] = text
	}
	return o
}

// comment is the leading comment of something as one paragraph each.
func comment(c protogen.CommentSet) string {
	text := strings.TrimSpace(strings.ReplaceAll("\n"+string(c.Leading), "\n ", "\n"))
	return strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, "\n\n", "\x00"), "\n", " "), "\x00", "\n\n")
}

// message returns a reference to the schema of a message, which it makes when it is met first.
func (b *builder) message(m *protogen.Message) object {
	if known := wellKnown(m.Desc.FullName()); known != nil {
		return known
	}
	name := string(m.Desc.Name())
	if _, ok := b.schemas[name]; !ok {
		properties := object{}
		schema := object{"type": "object", "properties": properties, "additionalProperties": false}
		b.schemas[name] = with(schema, "description", comment(m.Comments)) // before its fields: a message may hold itself
		for _, f := range m.Fields {
			properties[f.Desc.JSONName()] = b.field(f)
		}
	}
	return object{"$ref": reference + name}
}

// wellKnown are the messages that JSON has another form for (https://protobuf.dev/programming-guides/json).
func wellKnown(name protoreflect.FullName) object {
	switch name {
	case "google.protobuf.Timestamp":
		return object{"type": "string", "format": "date-time"}
	case "google.protobuf.Duration":
		return object{"type": "string", "pattern": `^-?[0-9]+(\.[0-9]{1,9})?s$`}
	case "google.protobuf.Struct":
		return object{"type": "object"}
	case "google.protobuf.Value":
		return object{}
	}
	return nil
}

func (b *builder) field(f *protogen.Field) object {
	var out object
	switch {
	case f.Desc.IsMap():
		out = object{"type": "object", "additionalProperties": b.single(f.Message.Fields[1])}
	case f.Desc.IsList():
		out = object{"type": "array", "items": b.single(f)}
	default:
		out = b.single(f)
	}
	said := comment(f.Comments)
	if rules, ok := proto.GetExtension(f.Desc.Options(), validate.E_Field).(*validate.FieldRules); ok && rules != nil {
		bound(out, rules)
	}
	return with(out, "description", said)
}

// single is the schema of one value of a field.
func (b *builder) single(f *protogen.Field) object {
	switch f.Desc.Kind() {
	case protoreflect.BoolKind:
		return object{"type": "boolean"}
	case protoreflect.StringKind:
		return object{"type": "string"}
	case protoreflect.BytesKind:
		return object{"type": "string", "contentEncoding": "base64"}
	case protoreflect.EnumKind:
		return b.enum(f.Enum)
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return b.message(f.Message)
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return object{"type": "number"}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind, protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return object{"type": "integer", "format": "int32"}
	default: // 64 bits, which JSON has as text
		return object{"type": "string", "format": "int64"}
	}
}

func (b *builder) enum(e *protogen.Enum) object {
	name := string(e.Desc.Name())
	if _, ok := b.schemas[name]; !ok {
		values := make([]string, len(e.Values))
		for i, v := range e.Values {
			values[i] = string(v.Desc.Name())
		}
		b.schemas[name] = with(object{"type": "string", "enum": values}, "description", comment(e.Comments))
	}
	return object{"$ref": reference + name}
}

// bound adds what requests are checked for, as far as a schema says it.
func bound(to object, r *validate.FieldRules) {
	if s := r.GetString(); s != nil {
		if s.HasMinLen() {
			to["minLength"] = s.GetMinLen()
		}
		if s.HasMaxLen() {
			to["maxLength"] = s.GetMaxLen()
		}
		with(to, "pattern", s.GetPattern())
		if s.GetUuid() && r.GetIgnore() == validate.Ignore_IGNORE_UNSPECIFIED {
			to["format"] = "uuid"
		}
	}
	if i := r.GetInt32(); i != nil {
		if i.HasGte() {
			to["minimum"] = i.GetGte()
		}
		if i.HasLte() {
			to["maximum"] = i.GetLte()
		}
	}
	if l := r.GetRepeated(); l != nil {
		if l.HasMinItems() {
			to["minItems"] = l.GetMinItems()
		}
		if l.HasMaxItems() {
			to["maxItems"] = l.GetMaxItems()
		}
	}
}
