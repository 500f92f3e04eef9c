package apidoc_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/seatrial/seatrial/proto"
	_ "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1" //nolint:depguard // the services, which the document is held against
	"github.com/seatrial/seatrial/ui/web/apidoc"
)

// TestParse_Everything: each method of each service is described, with all fields of what it takes and returns.
func TestParse_Everything(t *testing.T) {
	t.Parallel()
	services, err := apidoc.Parse(proto.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]apidoc.Service{}
	for _, s := range services {
		known[s.Name] = s
	}
	methods := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("seatrial.api.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			d := f.Services().Get(i)
			s := known[string(d.Name())]
			for j := range d.Methods().Len() {
				methods++
				checkMethod(t, s, d.Methods().Get(j))
			}
		}
		return true
	})
	if methods < 100 {
		t.Errorf("%d methods were looked at", methods)
	}
}

func checkMethod(t *testing.T, s apidoc.Service, d protoreflect.MethodDescriptor) {
	t.Helper()
	at := slices.IndexFunc(s.Methods, func(m apidoc.Method) bool { return m.Name == string(d.Name()) })
	if at < 0 {
		t.Errorf("%s is not described", d.FullName())
		return
	}
	m := s.Methods[at]
	if m.Streams != d.IsStreamingServer() || (m.Example == "") != m.Streams || !strings.HasSuffix(m.Path, "/"+m.Name) {
		t.Errorf("%s: %+v", d.FullName(), m)
	}
	for name, message := range map[string]protoreflect.MessageDescriptor{m.Request: d.Input(), m.Response: d.Output()} {
		at := slices.IndexFunc(s.Types, func(x apidoc.Type) bool { return x.Name == name })
		if at < 0 || name != string(message.Name()) {
			t.Errorf("%s: the type %q is not described; want %s", d.FullName(), name, message.Name())
			continue
		}
		for i := range message.Fields().Len() {
			if f := message.Fields().Get(i).JSONName(); !slices.ContainsFunc(s.Types[at].Fields, func(x apidoc.Field) bool { return x.Name == f && x.Type != "" }) {
				t.Errorf("%s: the field %s is not described", name, f)
			}
		}
	}
}

func TestParse_Words(t *testing.T) {
	t.Parallel()
	services, err := apidoc.Parse([]byte(`{"tags": [{"name": "S"}], "paths": {"/p.S/Do": {"post": {"tags": ["S"],
 "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/In"}}}},
 "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Out"}}}}}}}},
 "components": {"schemas": {"Out": {"type": "object"}, "Kind": {"type": "string", "enum": ["A", "B"]}, "In": {"type": "object", "properties": {
 "a": {"type": "string", "minLength": 1, "maxLength": 40, "description": "Name."}, "b": {"type": "array", "items": {"$ref": "#/components/schemas/Kind"}, "maxItems": 3},
 "c": {"type": "object", "additionalProperties": {"type": "string"}}, "d": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$"},
 "e": {"type": "string", "format": "int64"}, "f": {"type": "string", "contentEncoding": "base64"}, "g": {"type": "integer", "maximum": 500}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range services[0].Types[0].Fields {
		got = append(got, strings.TrimSpace(f.Type+". "+f.Meaning))
	}
	want := []string{
		"string. Name. It is needed. At most 40 characters.", "list of Kind. At most 3.", "map of string.", "duration, such as 90s.", "integer of 64 bits, as text.",
		"bytes in base64.", "integer. At most 500.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if want := `curl --json '{"a":"…"}' -H "Authorization: Bearer $SEATRIAL_TOKEN" $SEATRIAL_SERVER/p.S/Do`; services[0].Methods[0].Example != want {
		t.Errorf("example %s", services[0].Methods[0].Example)
	}
	if len(services[0].Types) != 3 || !slices.Equal(services[0].Types[1].Values, []string{"A", "B"}) {
		t.Errorf("types %+v", services[0].Types)
	}
}

func TestParse_Faults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", `{"paths": {"/p.S/Do": {"post": {"tags": ["S"]}}}}`} {
		if _, err := apidoc.Parse([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
