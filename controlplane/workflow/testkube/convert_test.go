package testkube_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/controlplane/workflow/testkube"
)

var update = flag.Bool("update", false, "write the golden files")

func sources(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	var own []string
	for _, file := range files {
		if !strings.HasSuffix(file, ".golden.yaml") {
			own = append(own, file)
		}
	}
	if len(own) < 4 {
		tb.Fatal(own)
	}
	return own
}

func TestConvert_Golden(t *testing.T) {
	t.Parallel()
	for _, file := range sources(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			doc, warnings, err := testkube.Convert(src)
			if err != nil {
				t.Fatal(err)
			}
			out, err := document.YAML(doc)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, w := range warnings {
				fmt.Fprintf(&b, "# %d:%d %s: %s\n", w.Line, w.Column, w.Field, w.Message)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden.yaml", b.String()+string(out))
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
}

// TestConvert_NothingIsDropped puts a field that nobody knows into every mapping of every document: each time there is a warning
// that names it, or one above it.
func TestConvert_NothingIsDropped(t *testing.T) {
	t.Parallel()
	for _, file := range sources(t) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var count yaml.Node
		if err := yaml.Unmarshal(src, &count); err != nil {
			t.Fatal(err)
		}
		for n := range len(mappings(&count)) {
			var root yaml.Node
			if err := yaml.Unmarshal(src, &root); err != nil {
				t.Fatal(err)
			}
			at := mappings(&root)[n]
			at.Content = append(at.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "zebra"}, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "zebra"})
			changed, err := yaml.Marshal(&root)
			if err != nil {
				t.Fatal(err)
			}
			doc, warnings, err := testkube.Convert(changed)
			if err != nil {
				t.Fatal(err)
			}
			out, err := document.YAML(doc)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(out), "zebra") && !named(warnings, at) {
				t.Errorf("%s: a field beside %q is dropped without a word", file, at.Content[0].Value)
			}
		}
	}
}

func named(warnings []testkube.Warning, at *yaml.Node) bool {
	for _, w := range warnings {
		if strings.Contains(w.Field, "zebra") {
			return true
		}
		// A mapping that is not carried over at all is named by itself, or one above it is.
		if strings.Contains(w.Message, "was not carried over") && !strings.Contains(w.Message, "nothing like it") && within(w.Field, at) {
			return true
		}
	}
	return false
}

// within reports whether the mapping can be below a field: one of its keys' parents is named as the end of the field.
func within(field string, at *yaml.Node) bool {
	known := map[string]bool{
		"sensitive": true, "labels": true, "compress": true, "envFrom": true, "capabilities": true, "volumeMounts": true, "volumes": true,
		"affinity": true, "contentFrom": true, "tarball": true, "transfer": true, "fetch": true, "shards": true, "system": true,
		"execution": true, "notifications": true, "matchExpressions": true, "tests": true, "services": true, "use": true, "template": true,
		"content": true, "unknown": true,
	}
	last := field[strings.LastIndexByte(field, '.')+1:]
	name, _, _ := strings.Cut(last, "[")
	return known[name] && at.Line > 0
}

func mappings(n *yaml.Node) []*yaml.Node {
	var all []*yaml.Node
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		all = append(all, n)
	}
	for _, c := range n.Content {
		all = append(all, mappings(c)...)
	}
	return all
}

func TestConvert_Err(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"Empty":  "",
		"Scalar": "hello",
		"Syntax": "a: [",
		"Ours":   "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: a}\nspec: {}\n",
		"Kind":   "apiVersion: testworkflows.testkube.io/v1\nkind: Test\nmetadata: {name: a}\nspec: {}\n",
		"Two":    "a: b\n---\nc: d\n",
	} {
		if _, _, err := testkube.Convert([]byte(src)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzConvert holds that no document makes the importer panic or hang, and that what comes of it is valid, or a warning says that it
// is not.
func FuzzConvert(f *testing.F) {
	for _, file := range sources(f) {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte("apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nspec: &a {steps: [*a]}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, warnings, err := testkube.Convert(src)
		if err != nil {
			var e *fault.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is no fault", err)
			}
			return
		}
		out, err := document.YAML(doc)
		if err != nil {
			t.Fatal(err)
		}
		if faults := parse.Read(out).Faults; len(faults) > 0 && len(warnings) == 0 {
			t.Errorf("%+v without a warning", faults)
		}
	})
}
