package parse_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seatrial/seatrial/controlplane/workflow/expand"
	"github.com/seatrial/seatrial/controlplane/workflow/merge"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// FuzzRead holds that no document makes the parser panic or hang, that every fault has a message, and that the canonical form of a
// document without faults is the same document.
func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"../testdata/*/*.yaml", "../merge/testdata/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal(pattern, err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		read := parse.Read(src)
		for _, p := range read.Faults {
			if p.Message == "" {
				t.Fatalf("%+v says nothing", p)
			}
		}
		if len(read.Faults) > 0 {
			return
		}
		canonical, err := json.Marshal(read.Value)
		if err != nil {
			t.Fatal(err)
		}
		again := parse.Read(canonical)
		if len(again.Faults) > 0 {
			t.Fatalf("%+v in the canonical form %s", again.Faults, canonical)
		}
		if other, err := json.Marshal(again.Value); err != nil || string(other) != string(canonical) {
			t.Fatalf("%v\n%s\n%s", err, canonical, other)
		}
		if read.Workflow() != nil {
			use(t, read)
		}
	})
}

// use does with a document what the control plane does.
func use(t *testing.T, read parse.Result) {
	t.Helper()
	doc := read.Workflow()
	values := map[string]any{}
	for _, p := range doc.Spec.Params {
		values["params."+p.Name] = p.Zero()
	}
	if _, err := expand.Runs(doc, expand.Input{Values: values}); err != nil && err.Error() == "" {
		t.Error("an error without a text")
	}
	// All that it uses is the document itself: whatever is merged, every fault has words.
	_, faults, err := merge.Apply(&read, func(string) *parse.Result { return &read })
	if err != nil && err.Error() == "" || slices.ContainsFunc(faults, func(f merge.Fault) bool { return f.Place.Message == "" }) {
		t.Error("an error without a text")
	}
}
