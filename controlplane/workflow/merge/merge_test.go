package merge_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/merge"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

var update = flag.Bool("update", false, "write the golden files")

func read(t *testing.T, src string) *parse.Result {
	t.Helper()
	r := parse.Read([]byte(src))
	if len(r.Faults) > 0 {
		t.Fatalf("%+v\n%s", r.Faults, src)
	}
	return &r
}

// load reads a rule: documents behind each other, the workflow last.
func load(t *testing.T, file string) (*parse.Result, merge.Templates) {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc *parse.Result
	templates := map[string]*parse.Result{}
	for text := range strings.SplitSeq(string(src), "\n---\n") {
		doc = read(t, text)
		templates[doc.Workflow().Metadata.Name] = doc
	}
	return doc, func(name string) *parse.Result { return templates[name] }
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
			before := doc.Workflow().Digest
			merged, faults, err := merge.Apply(doc, find)
			if err != nil || len(faults) > 0 {
				t.Fatalf("%v %+v", err, faults)
			}
			got, err := document.YAML(merged.Workflow())
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden.yaml", got)
			if err := doc.Workflow().Seal(); err != nil || doc.Workflow().Digest != before {
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

func TestApply_Faults(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: seatrial.dev/v1\nkind: "
	templates := map[string]*parse.Result{}
	for name, spec := range map[string]string{
		"typed": "{params: {n: {type: integer, maximum: 3}, s: {type: string, default: x}}, container: {image: a}}",
		"loop":  "{use: [{template: loop}]}",
		"step":  "{container: {image: a}, steps: [{name: same, run: x}]}",
		"cell":  "\n  container: {image: a}\n  steps:\n    - name: cell\n      run: ${{ matrix.nope }}\n",
		"outer": "{use: [{template: cell}]}",
		"bare":  "{steps: [{run: x}]}",
		"image": "{container: {image: a}}",
	} {
		templates[name] = read(t, head+"TestWorkflowTemplate\nmetadata: {name: "+name+"}\nspec: "+spec+"\n")
	}
	tests := map[string]struct {
		use, template string
		entry, line   int
		field, says   string
		reason        string
	}{
		"NoTemplate":  {"[{template: nope}]", "", 0, 4, "spec.use[0]", "no template", "a typo"},
		"NoSuchParam": {"[{template: typed, with: {n: 1, m: 2}}]", "", 0, 4, "spec.use[0].with.m", "no such parameter", "a typo must not be ignored"},
		"Required":    {"[{template: typed}]", "", 0, 4, "spec.use[0].with.n", "is required", "no guessing"},
		"Type":        {"[{template: typed, with: {n: many}}]", "", 0, 4, "spec.use[0].with.n", "not an integer", "typed"},
		"Range":       {"[{template: typed, with: {n: 4}}]", "", 0, 4, "spec.use[0].with.n", "more than the maximum", "the template's own rule"},
		"Loop":        {"[{template: image}, {template: loop}]", "loop", 1, 4, "spec.use[0]", "uses itself", "it would never end"},
		"Names":       {"[{template: step}]", "", 0, 4, "spec.steps[0]", "same", "names are addresses; the second one of them is the workflow's"},
		"Matrix":      {"[{template: image}, {template: cell}]", "cell", 1, 8, "spec.steps[0].run", "no matrix", "no document has such an axis"},
		"Nested":      {"[{template: image}, {template: outer}]", "cell", 1, 8, "spec.steps[0].run", "no matrix", "the place is that of the innermost"},
		"Image":       {"[{template: bare}]", "bare", 0, 4, "spec.steps[0]", "has no image", "nobody brings one"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := "{name: same, run: x, image: b}"
			doc := read(t, head+"TestWorkflow\nmetadata: {name: w}\nspec: {use: "+tc.use+", steps: ["+own+"]}\n")
			_, faults, err := merge.Apply(doc, func(name string) *parse.Result { return templates[name] })
			if err != nil || len(faults) == 0 {
				t.Fatalf("faults = %v, %v; want %q: %s", faults, err, tc.says, tc.reason)
			}
			f := faults[0]
			if f.Template != tc.template || f.Use != tc.entry || f.Place.Field != tc.field || f.Place.Line != tc.line || !strings.Contains(f.Place.Message, tc.says) {
				t.Errorf("fault = %+v, want %q at %s, line %d, of %q by entry %d: %s", f, tc.says, tc.field, tc.line, tc.template, tc.entry, tc.reason)
			}
		})
	}
}

// TestApply_StepsWithoutNames proves that the names which steps get by themselves do not collide.
func TestApply_StepsWithoutNames(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: seatrial.dev/v1\nkind: "
	template := read(t, head+"TestWorkflowTemplate\nmetadata: {name: node}\nspec: {container: {image: a}, steps: [{run: npm ci}]}\n")
	doc := read(t, head+"TestWorkflow\nmetadata: {name: w}\nspec: {use: [{template: node}], steps: [{run: npm test}]}\n")
	merged, faults, err := merge.Apply(doc, func(string) *parse.Result { return template })
	if err != nil || len(faults) > 0 {
		t.Fatalf("%v %v", faults, err)
	}
	steps := merged.Workflow().Spec.Steps
	if steps[0].Name != "node-step-1" || steps[1].Name != "step-1" {
		t.Errorf("steps are named %q and %q", steps[0].Name, steps[1].Name)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	doc, find := load(t, "testdata/nested.yaml")
	if got := merge.Missing(doc, find); len(got) != 0 {
		t.Errorf("%v are there", got)
	}
	none := func(string) *parse.Result { return nil }
	if got := merge.Missing(doc, none); len(got) != 1 || got[0] != "outer" {
		t.Errorf("%v, want outer", got)
	}
}
