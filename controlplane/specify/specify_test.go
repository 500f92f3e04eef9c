package specify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/runplan"
	"github.com/seatrial/seatrial/controlplane/specify"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/expand"
	"github.com/seatrial/seatrial/proto/runspec"
)

var update = flag.Bool("update", false, "write the golden files")

func document(t *testing.T, file string) *workflow.Document {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := workflow.Parse(file, src)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestAll holds what is signed of a workflow, and what its signature leaves to others.
func TestAll(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"shop", "single"} {
		s, err := specify.New(document(t, filepath.Join("testdata", name+".yaml")))
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.All()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		for _, note := range s.Notes() {
			fmt.Fprintln(&out, "#", note)
		}
		for i, one := range all {
			fmt.Fprintf(&out, "# %s\n", strings.Join(one.Runs, "; "))
			if i > 0 {
				continue // differs in a value or two
			}
			if err := json.Indent(&out, one.JSON, "", "  "); err != nil {
				t.Fatal(err)
			}
			out.WriteString("\n")
		}
		golden(t, name+".golden", out.Bytes())
	}
}

// TestNew_Refused holds that whatever would let the control plane decide what runs is named, all at once.
func TestNew_Refused(t *testing.T) {
	t.Parallel()
	_, err := specify.New(document(t, "testdata/refused.yaml"))
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid {
		t.Fatalf("got %v", err)
	}
	var out strings.Builder
	for _, p := range f.Places {
		fmt.Fprintf(&out, "%s: %s\n", p.Field, p.Message)
	}
	golden(t, "refused.golden", []byte(out.String()))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
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

// TestRun_Holds compiles every run as the control plane does, with values of parameters and of what starts an execution, and holds the
// assignments against what was signed without any of it.
func TestRun_Holds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		params map[string]string
		wrong  []string // what is refused
		reason string
	}{
		"OKDefaults":  {},
		"OKGiven":     {params: map[string]string{"url": "https://x/$(id)", "mode": "full", "users": "500", "note": "a'; rm -rf /"}, reason: "values are data"},
		"OKLooksLike": {params: map[string]string{"note": "${{ env.TOKEN }}"}, reason: "the control plane escapes it, as the runner would resolve it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := document(t, "testdata/shop.yaml")
			s, err := specify.New(doc)
			if err != nil {
				t.Fatal(err)
			}
			values, err := doc.Spec.Params.Resolve(tc.params)
			if err != nil {
				t.Fatal(err)
			}
			in := workflow.Inputs{
				Params: values, ExecutionID: "0190b0c4-0000-7000-8000-000000000001", Environment: "staging-eu", Namespace: "shop", Cluster: "eu-1",
				Release: workflow.Release{Application: "shop", Version: "1.2"}, Trigger: workflow.Trigger{Kind: "api", Commit: "abc"},
			}
			runs, err := expand.Runs(doc, expand.Input{Values: in.AtTrigger(doc), Environments: []string{"a", "b"}})
			if err != nil || len(runs) != 8 {
				t.Fatalf("%d runs, %v", len(runs), err)
			}
			for _, run := range runs {
				in.Matrix, in.Shard, in.Environment = run.Matrix, workflow.Shard{Index: run.Shard, Count: run.Shards}, run.Environment
				plan, err := workflow.Compile(doc, in)
				if err != nil {
					t.Fatal(err)
				}
				specification, err := s.Run(run)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.wrong, runspec.Compare(specification, runplan.Assignment("a", "shop", plan))); diff != "" {
					t.Errorf("%s (-want +got): %s\n%s", run.Name, diff, tc.reason)
				}
			}
		})
	}
}

// TestNew_LeavesTheDocument holds that the document is not changed: it may be shared.
func TestNew_LeavesTheDocument(t *testing.T) {
	t.Parallel()
	doc := document(t, "testdata/shop.yaml")
	before, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := specify.New(doc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.All(); err != nil {
		t.Fatal(err)
	}
	if after, err := json.Marshal(doc); err != nil || !bytes.Equal(before, after) {
		t.Errorf("it was changed: %v\n%s", err, cmp.Diff(string(before), string(after)))
	}
}

// TestNew_OK holds what may stay as it is: nothing of it is the control plane's to choose.
func TestNew_OK(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]string{
		"Outputs":  "{steps: [{name: a, run: x, image: i, outputs: [v]}, {run: 'echo ${{ steps.a.outputs.v }}', image: i}]}",
		"Matrix":   "{matrix: {v: [a, b]}, steps: [{run: x, image: 'i:${{ matrix.v }}', env: [{name: PATH, value: '/${{ matrix.v }}'}]}]}",
		"Unsigned": "{concurrency: {group: '${{ environment.name }}'}, steps: [{run: x, image: i}]}",
		"Env":      "{params: {p: {type: string}}, steps: [{run: 'echo ${{ env.HOME }}', image: i, if: env.P == 'x', env: [{name: P, value: '${{ params.p }}'}]}]}",
	} {
		doc, err := workflow.Parse(name, []byte("apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: a}\nspec: "+spec))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s, err := specify.New(doc)
		if err == nil {
			_, err = s.All()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
