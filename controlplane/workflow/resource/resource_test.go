package resource_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/controlplane/workflow/resource"
)

var update = flag.Bool("update", false, "write the definitions into the chart")

// chart is where the agent's chart has the definitions.
const chart = "../../../charts/agent/files/resources"

func TestDefinition_Chart(t *testing.T) {
	t.Parallel()
	var files []string
	for _, kind := range resource.Kinds() {
		got, err := resource.Definition(kind)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(chart, kind.Plural+".yaml")
		files = append(files, file)
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil { //nolint:gosec // part of the source
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: run go test -update: %s", file, diff)
		}
	}
	there, err := filepath.Glob(chart + "/*.yaml")
	slices.Sort(files)
	if err != nil || !slices.Equal(there, files) {
		t.Errorf("the chart has %v, %v", there, err)
	}
}

// TestKinds holds that every kind of document is a custom resource, and that nobody else's short names are taken.
func TestKinds(t *testing.T) {
	t.Parallel()
	// Those of Testkube and of Kubernetes itself.
	taken := []string{"tw", "twt", "twe", "ts", "tt", "te", "sa", "sc", "ev", "svc", "sts", "no", "ns"}
	var names []string
	for _, kind := range resource.Kinds() {
		names = append(names, kind.Name)
		if slices.Contains(taken, kind.Short) {
			t.Errorf("%s takes %s", kind.Name, kind.Short)
		}
		taken = append(taken, kind.Short)
	}
	slices.Sort(names)
	if want := parse.Kinds(); !slices.Equal(names, want) {
		t.Errorf("there are resources of %v, and documents of %v", names, want)
	}
}

// TestDefinition_Structural holds the rules of structural schemas that the API server would refuse a definition for.
func TestDefinition_Structural(t *testing.T) {
	t.Parallel()
	for _, kind := range resource.Kinds() {
		raw, err := resource.Definition(kind)
		if err != nil {
			t.Fatal(err)
		}
		var def struct {
			Spec struct {
				Versions []struct {
					Schema struct {
						OpenAPIV3Schema map[string]any `json:"openAPIV3Schema"`
					} `json:"schema"`
				} `json:"versions"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal(raw, &def); err != nil {
			t.Fatal(err)
		}
		for _, fault := range faults(def.Spec.Versions[0].Schema.OpenAPIV3Schema, kind.Name) {
			t.Error(fault)
		}
	}
}

// faults says what of a schema is not structural.
func faults(s map[string]any, path string) (out []string) {
	for name := range s {
		if strings.HasPrefix(name, "$") || slices.Contains([]string{"anyOf", "oneOf", "allOf", "not", "propertyNames", "definitions", "default"}, name) {
			out = append(out, path+" has "+name)
		}
	}
	kind, _ := s["type"].(string)
	if kind == "" && s["x-kubernetes-int-or-string"] == nil && s["x-kubernetes-preserve-unknown-fields"] == nil {
		out = append(out, path+" has no type")
	}
	properties, _ := s["properties"].(map[string]any)
	additional, free := s["additionalProperties"].(map[string]any)
	if free && properties != nil {
		out = append(out, path+" has named and free fields")
	}
	if description, ok := s["description"].(string); path != "" && ok && description == "" {
		out = append(out, path+" says nothing")
	}
	for name, p := range properties {
		field, ok := p.(map[string]any)
		if !ok {
			return append(out, fmt.Sprintf("%s.%s is a %T", path, name, p))
		}
		out = append(out, faults(field, path+"."+name)...)
	}
	if free {
		out = append(out, faults(additional, path+".NAME")...)
	}
	if items, ok := s["items"].(map[string]any); ok {
		out = append(out, faults(items, path+"[]")...)
	}
	return out
}
