// Command openapi is a plugin of buf that describes the API as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1), as it is
// spoken in JSON: each method is a POST to its path (https://connectrpc.com/docs/protocol).
package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	protogen.Options{}.Run(func(p *protogen.Plugin) error {
		p.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)
		raw, err := document(p)
		if err != nil {
			return err
		}
		_, err = p.NewGeneratedFile("openapi.json", "").Write(raw)
		return err
	})
}

// document describes all services of the files that are to be generated, and the messages that they use.
func document(p *protogen.Plugin) ([]byte, error) {
	b := builder{schemas: map[string]object{}}
	paths, tags := object{}, []object{}
	for _, f := range p.Files {
		if !f.Generate {
			continue
		}
		for _, s := range f.Services {
			name := string(s.Desc.Name())
			tags = append(tags, with(object{"name": name}, "description", comment(s.Comments)))
			for _, m := range s.Methods {
				paths[fmt.Sprintf("/%s/%s", s.Desc.FullName(), m.Desc.Name())] = object{"post": b.operation(name, m)}
			}
		}
	}
	b.schemas["Fault"] = fault()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(object{
		"openapi": "3.1.1",
		"info": object{
			"title": "Seatrial", "version": "v1",
			"description": "Every method is a POST with a JSON object. Fields that are left out have their zero value; unknown ones are refused. " +
				"Methods that stream answer with frames (https://connectrpc.com/docs/protocol#streaming-rpcs): use a Connect client for those.",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"tags": tags, "paths": paths, "security": []object{{"token": []string{}}},
		"components": object{
			"schemas":         b.schemas,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "An API token, as `seatrial token create` makes one."}},
		},
	})
	return out.Bytes(), err
}

// fault is what every method answers that did not do what it was asked for.
func fault() object {
	return object{
		"type": "object", "description": "What went wrong, where, and what to do.", "required": []string{"code"},
		"properties": object{
			"code": object{
				"type": "string", "description": "Stable; programs go by it.", "enum": []string{
					"canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists", "permission_denied", "resource_exhausted",
					"failed_precondition", "aborted", "out_of_range", "unimplemented", "internal", "unavailable", "data_loss", "unauthenticated",
				},
			},
			"message": object{"type": "string", "description": "For people; it may change."},
			"details": object{"type": "array", "items": object{"type": "object"}, "description": "Of the type seatrial.api.v1.ErrorDetail: the field that is meant, and a hint."},
		},
	}
}

// operation describes a method.
func (b *builder) operation(tag string, m *protogen.Method) object {
	kind := "application/json"
	out := object{"operationId": tag + "_" + string(m.Desc.Name()), "tags": []string{tag}}
	out = with(out, "description", comment(m.Comments))
	if m.Desc.IsStreamingServer() || m.Desc.IsStreamingClient() {
		kind = "application/connect+json"
		out["x-streaming"] = true
	}
	content := func(message *protogen.Message) object { return object{kind: object{"schema": b.message(message)}} }
	out["requestBody"] = object{"required": true, "content": content(m.Input)}
	out["responses"] = object{
		"200":     object{"description": "Done.", "content": content(m.Output)},
		"default": object{"description": "Not done.", "content": object{"application/json": object{"schema": object{"$ref": reference + "Fault"}}}},
	}
	return out
}
