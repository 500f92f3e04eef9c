package specify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
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
		forged map[string]any // values that the control plane would never have accepted
		wrong  []string       // what is refused
		reason string
	}{
		"OKDefaults":  {},
		"OKGiven":     {params: map[string]string{"url": "https://x/$(id)", "mode": "full", "users": "500", "note": "a'; rm -rf /"}, reason: "values are data"},
		"OKLooksLike": {params: map[string]string{"note": "${{ env.TOKEN }}"}, reason: "the control plane escapes it, as the runner would resolve it"},
		"ErrForged": {
			forged: map[string]any{"users": int64(9999)}, wrong: []string{`plan.steps[1].env[4].value is "9999" and must be at most 500`},
			reason: "the rule of the parameter is signed",
		},
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
			maps.Copy(values, tc.forged)
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
		"Calls": "{params: {p: {type: string}}, steps: [{name: a, run: x, image: i, outputs: [v], env: [{name: P, value: '${{ params.p }}'}]}, " +
			"{execute: {workflows: [{name: b, params: {run: '${{ steps.a.outputs.v }}', args: '${{ params.p }}', command: '${{ env.P }}'}}]}}]}",
		"Env": "{params: {p: {type: string}}, steps: [{run: 'echo ${{ env.HOME }}', image: i, if: env.P == 'x', env: [{name: P, value: '${{ params.p }}'}]}]}",
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

// TestRun_Around holds that of a value which is chosen in part the rest is signed, with what the document says in it.
func TestRun_Around(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: a}\nspec:\n  params: {env: {type: string, enum: [qa, live]}}\n  matrix: {n: [one]}\n" +
		"  steps: [{run: x, image: i, env: [{name: URL, value: '"
	for template, tc := range map[string]struct {
		honest, evil string
	}{
		"https://${{ params.env }}.shop.internal":                {"https://qa.shop.internal", "https://evil.test/"},
		"${{ matrix.n }}/${{ params.env }}":                      {"one/qa", "two/qa"},
		"${{ params.env }}${{ workflow.name }}":                  {"qaa", "qab"},
		"${{ matrix.n + params.env }}":                           {"oneqa", "${{ env.TOKEN }}"},
		"$${{ x }} ${{ params.env }}":                            {"$${{ x }} qa", "$${{ y }} qa"},
		"https://shop/${{ environment.name }}/${{ params.env }}": {"https://shop/eu-1/live", "https://shop/eu/../live"},
	} {
		doc, err := workflow.Parse("a", []byte(head+template+"'}]}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := specify.New(doc)
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.All()
		if err != nil {
			t.Fatal(err)
		}
		plan, err := workflow.Compile(doc, workflow.Inputs{Params: map[string]any{"env": "qa"}, Matrix: map[string]any{"n": "one"}, Environment: "eu"})
		if err != nil {
			t.Fatal(err)
		}
		a := runplan.Assignment("", "a", plan)
		for value, want := range map[string]bool{a.GetPlan().GetSteps()[0].GetEnv()[0].GetValue(): true, tc.honest: true, tc.evil: false} {
			a.Plan.Steps[0].Env[0].Value = value
			if got := runspec.Compare(all[0].JSON, a); (len(got) == 0) != want {
				t.Errorf("%s: %q: %v", template, value, got)
			}
		}
	}
}

// TestNotes holds what a signature is said to leave to others, and of what nothing has to be said.
func TestNotes(t *testing.T) {
	t.Parallel()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for name, tc := range map[string]struct {
		spec string
		want []string // in each note, in order
	}{
		"Nothing":   {"{source: {git: {url: 'https://g.test/a', ref: " + commit + "}}, steps: [{run: x, image: 'i@sha256:" + strings.Repeat("a", 64) + "'}]}", nil},
		"Longer":    {"{source: {git: {url: 'https://g.test/a', ref: " + strings.Repeat("a", 64) + "}}, steps: [{run: x, image: 'i@sha256:" + strings.Repeat("a", 64) + "'}]}", []string{"is not fetched at a commit"}},
		"Upper":     {"{source: {git: {url: 'https://g.test/a', ref: " + strings.ToUpper(commit) + "}}, steps: [{run: x, image: 'i@sha256:" + strings.Repeat("a", 64) + "'}]}", nil},
		"Variable":  {"{steps: [{run: x, image: 'i@sha256:" + strings.Repeat("a", 64) + "', env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: k}}}]}]}", []string{"the variable A is the value k of the config map c"}},
		"Volume":    {"{pod: {volumes: [{name: v, mountPath: /v, configMap: {name: c}}]}, steps: [{run: x, image: 'i@sha256:" + strings.Repeat("a", 64) + "'}]}", []string{"the volume v is the config map c"}},
		"Container": {"{container: {image: 'i@sha256:" + strings.Repeat("a", 64) + "', env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: k}}}]}, steps: [{run: x}]}", []string{"the variable A is the value k of the config map c"}},
	} {
		doc, err := workflow.Parse(name, []byte("apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: a}\nspec: "+tc.spec))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s, err := specify.New(doc)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := s.Notes()
		if len(got) != len(tc.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, want := range tc.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: got %q, want %q in it", name, got[i], want)
			}
		}
	}
}
