package schema_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/controlplane/workflow/schema"
)

var update = flag.Bool("update", false, "write the golden files")

func resolved(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	s, err := schema.Schema()
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// instance returns a document as a validator wants it.
func instance(t *testing.T, src []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(src, &v); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func examples(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../testdata/*/*.yaml", "../merge/testdata/*.golden.yaml", "../../../deploy/demo/workflows/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		all = append(all, files...)
	}
	return all
}

func TestSchema_Examples(t *testing.T) {
	t.Parallel()
	r := resolved(t)
	for _, file := range examples(t) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Validate(instance(t, src)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if read := parse.Read(src); len(read.Faults) == 0 {
			canonical, err := json.Marshal(read.Value)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Validate(instance(t, canonical)); err != nil {
				t.Errorf("%s in canonical form: %v", file, err)
			}
		}
	}
}

func TestSchema_Refuses(t *testing.T) {
	t.Parallel()
	r := resolved(t)
	const head = "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: w}\nspec: "
	for name, src := range map[string]string{
		"UnknownField": head + "{steps: [{run: x, comand: y}]}",
		"Type":         head + "{steps: [{run: 1}]}",
		"Enum":         head + "{environments: {mode: all}, steps: [{run: x}]}",
		"Range":        head + "{priority: 101, steps: [{run: x}]}",
		"Missing":      "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nspec: {}",
		"Kind":         strings.Replace(head, "TestWorkflow", "Job", 1) + "{}",
		"Duration":     head + "{timeout: soon}",
		"Matrix":       head + "{matrix: {a: b}}",
		"Expect":       head + "{steps: [{run: x, expect: maybe}]}",
	} {
		if err := r.Validate(instance(t, []byte(src))); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// TestSchema_Parser holds that the parser and the schema know the same fields: the examples use every field, what the parser read
// of them is in the schema, and what is in the schema was read.
func TestSchema_Parser(t *testing.T) {
	t.Parallel()
	s, err := schema.Schema()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../testdata/language/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	read, free := map[string]bool{}, regexp.MustCompile(`^spec\.(services|params)\.[^.]+`)
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		result := parse.Read(src)
		if len(result.Faults) > 0 {
			t.Fatalf("%s: %+v", file, result.Faults)
		}
		def := result.Kind + "Document"
		if strings.HasPrefix(result.Kind, "TestWorkflow") {
			def = "Document"
		}
		for _, use := range result.Uses {
			path := free.ReplaceAllString(use.What, "spec.$1.NAME")
			path = strings.ReplaceAll(path, "spec.teardown[]", "spec.steps[]")
			path = strings.ReplaceAll(path, ".parallel[]", "")
			if !strings.HasPrefix(path, "${{") && !strings.Contains(path, "=") {
				read[def+" "+path] = true
			}
		}
	}
	known := map[string]string{}
	for _, ref := range s.AnyOf {
		def := strings.TrimPrefix(ref.Ref, "#/$defs/")
		walk(s, s.Defs[def], def, def+" ", known)
	}
	used := map[string]bool{}
	for path := range read {
		if known[path] == "" {
			t.Errorf("the parser read %s, which the schema does not have", path)
		}
		used[known[path]] = true
	}
	for path, field := range known {
		if !used[field] {
			t.Errorf("the schema has %s at %s, which no example uses", field, path)
		}
	}
}

// walk collects the paths of all fields with the definitions they are from; steps in steps are the same as steps.
func walk(root, s *jsonschema.Schema, def, path string, known map[string]string) {
	for _, inner := range s.AllOf {
		walk(root, inner, def, path, known)
	}
	if s.Ref != "" {
		def = strings.TrimPrefix(s.Ref, "#/$defs/")
		walk(root, root.Defs[def], def, path, known)
	}
	for name, field := range s.Properties {
		below := path + "." + name
		if strings.HasSuffix(path, " ") {
			below = path + name
		}
		if strings.HasSuffix(path, ".matrix") {
			continue
		}
		below = strings.ReplaceAll(below, "spec.teardown[]", "spec.steps[]")
		known[below] = def + "." + name
		if name != "parallel" {
			walk(root, field, def, below, known)
		}
	}
	if s.Items != nil {
		walk(root, s.Items, def, path+"[]", known)
	}
	if s.AdditionalProperties != nil {
		walk(root, s.AdditionalProperties, def, path+".NAME", known)
	}
}

func TestSchema_Documented(t *testing.T) {
	t.Parallel()
	s, err := schema.Schema()
	if err != nil {
		t.Fatal(err)
	}
	for name, def := range s.Defs {
		for field, f := range def.Properties {
			if f.Description == "" || !strings.HasSuffix(f.Description, ".") {
				t.Errorf("%s.%s has no comment that ends a sentence: %q", name, field, f.Description)
			}
		}
	}
}

func TestJSON_Golden(t *testing.T) {
	t.Parallel()
	got, err := schema.JSON()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/schema.golden.json", got)
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ path, typ, doc, fields, reason string }{
		"Root":     {"", "mapping", "", "apiVersion kind metadata spec", "the workflow itself"},
		"Kind":     {"schedule.spec", "mapping", "When, and what.", "cron timezone catchUp jitter startDeadline workflows environments params suspend", "another kind, embedded fields"},
		"Steps":    {"spec.steps.retry", "mapping", "Tries the step again", "attempts delay backoff", "a list is passed through"},
		"Index":    {"spec.steps[0].retry.attempts", "whole number", "How many tries", "", "an index means nothing"},
		"Map":      {"spec.services.db.ready", "mapping", "When it is ready", "exec tcp http timeout interval", "any name"},
		"Param":    {"spec.params.users.minimum", "number", "Least value", "", "any name"},
		"Params":   {"spec.params", "mapping of names", "Typed inputs", "NAME", "a free name"},
		"Matrix":   {"spec.matrix.browser", "list of texts, numbers or booleans", "Values of one axis", "", "any name"},
		"Expect":   {"spec.steps.expect", "success, failure, any, or a mapping", "How the command has to end.", "exitCodes", "two forms"},
		"Parallel": {"spec.steps.parallel.run", "text", "Script for /bin/sh -e", "", "steps of steps"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := schema.Explain(tc.path)
			if err != nil {
				t.Fatal(err)
			}
			var fields []string
			for _, f := range e.Fields {
				fields = append(fields, f.Path)
			}
			if e.Type != tc.typ || !strings.HasPrefix(e.Doc, tc.doc) || strings.Join(fields, " ") != tc.fields {
				t.Errorf("%+v, fields %v: %s", e, fields, tc.reason)
			}
		})
	}
}

func TestExplain_Err(t *testing.T) {
	t.Parallel()
	_, err := schema.Explain("spec.steps.rety")
	var f *fault.Error
	if !errors.As(err, &f) || !strings.Contains(f.Message, `did you mean "retry"?`) || !strings.Contains(f.Hint, "continueOnError") {
		t.Errorf("%v", err)
	}
	if _, err := schema.Explain("spec.timeout.x"); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v: a text has no fields", err)
	}
}
