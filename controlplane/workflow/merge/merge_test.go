package merge_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/merge"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

var update = flag.Bool("update", false, "write the golden files")

func read(t *testing.T, src string) *document.Document {
	t.Helper()
	r := parse.Read([]byte(src))
	if len(r.Faults) > 0 {
		t.Fatalf("%+v\n%s", r.Faults, src)
	}
	return r.Workflow()
}

// load reads a rule: documents behind each other, the workflow last.
func load(t *testing.T, file string) (*document.Document, merge.Templates) {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc *document.Document
	templates := map[string]*document.Document{}
	for text := range strings.SplitSeq(string(src), "\n---\n") {
		doc = read(t, text)
		templates[doc.Metadata.Name] = doc
	}
	return doc, func(name string) *document.Document { return templates[name] }
}

// TestApply_Golden holds one rule of the package comment with each file.
func TestApply_Golden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for rule := range strings.SplitSeq(string(rules), "//   - ") {
		name, _, found := strings.Cut(rule, ":")
		if _, err := os.Stat("testdata/" + name + ".yaml"); found && name != "names" && !strings.Contains(name, "\n") && err != nil {
			t.Errorf("the rule %q has no golden file", name)
		}
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".golden.yaml") {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			doc, find := load(t, file)
			before := doc.Digest
			merged, err := merge.Apply(doc, find)
			if err != nil {
				var f *fault.Error
				_ = errors.As(err, &f)
				t.Fatalf("%v %+v", err, f.Places)
			}
			got, err := document.YAML(merged)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden.yaml", got)
			if err := doc.Seal(); err != nil || doc.Digest != before {
				t.Errorf("merging changed the workflow itself: %v", err)
			}
		})
	}
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

func TestApply_Err(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: seatrial.dev/v1\nkind: "
	templates := map[string]*document.Document{}
	for name, spec := range map[string]string{
		"typed": "{params: {n: {type: integer, maximum: 3}, s: {type: string, default: x}}, container: {image: a}}",
		"loop":  "{use: [{template: loop}]}",
		"step":  "{container: {image: a}, steps: [{name: same, run: x}]}",
	} {
		templates[name] = read(t, head+"TestWorkflowTemplate\nmetadata: {name: "+name+"}\nspec: "+spec+"\n")
	}
	tests := map[string]struct{ use, field, says, reason string }{
		"NoTemplate":  {"[{template: nope}]", "spec.use[0]", "no template", "a typo"},
		"NoSuchParam": {"[{template: typed, with: {n: 1, m: 2}}]", "spec.use[0].with.m", "no such parameter", "a typo must not be ignored"},
		"Required":    {"[{template: typed}]", "spec.use[0].with.n", "is required", "no guessing"},
		"Type":        {"[{template: typed, with: {n: many}}]", "spec.use[0].with.n", "not an integer", "typed"},
		"Range":       {"[{template: typed, with: {n: 4}}]", "spec.use[0].with.n", "more than the maximum", "the template's own rule"},
		"Loop":        {"[{template: loop}]", "spec.use[0] of template loop", "uses itself", "it would never end"},
		"Names":       {"[{template: step}]", "spec.steps[1]", "steps[0] already", "names are addresses"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := read(t, head+"TestWorkflow\nmetadata: {name: w}\nspec: {use: "+tc.use+", steps: [{name: same, run: x, image: b}]}\n")
			_, err := merge.Apply(doc, func(name string) *document.Document { return templates[name] })
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Places[0].Field != tc.field || !strings.Contains(f.Places[0].Message, tc.says) {
				t.Errorf("err = %v, want %q at %s: %s", err, tc.says, tc.field, tc.reason)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	doc, find := load(t, "testdata/nested.yaml")
	if got := merge.Missing(doc, find); len(got) != 0 {
		t.Errorf("%v are there", got)
	}
	none := func(string) *document.Document { return nil }
	if got := merge.Missing(doc, none); len(got) != 1 || got[0] != "outer" {
		t.Errorf("%v, want outer", got)
	}
}
