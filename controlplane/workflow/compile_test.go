package workflow_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results/format"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

var update = flag.Bool("update", false, "write the golden files")

func inputs(t *testing.T, doc *workflow.Document, params map[string]string) workflow.Inputs {
	t.Helper()
	values, err := doc.Spec.Params.Resolve(params)
	if err != nil {
		t.Fatal(err)
	}
	return workflow.Inputs{
		Params: values, ExecutionID: "0190b0c4-0000-7000-8000-000000000001", Environment: "staging-eu", Namespace: "shop", Cluster: "eu-1",
	}
}

func TestCompile_Golden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/compile/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			read := parse.Read(src)
			if len(read.Faults) > 0 {
				t.Fatalf("%+v", read.Faults)
			}
			doc := read.Workflow()
			plan, err := workflow.Compile(doc, inputs(t, doc, nil))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(plan, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden.json", append(got, '\n'))
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

// TestCompile_Shard gives a run its number and what is known of the files, when there are any to share out.
func TestCompile_Shard(t *testing.T) {
	t.Parallel()
	took := map[string]time.Duration{"a.spec.ts": time.Second}
	for name, tc := range map[string]struct {
		shards string
		want   *workflow.PlanShard
	}{
		"Files": {"{count: 3, balance: duration, files: ['**/*.spec.ts']}", &workflow.PlanShard{Index: 2, Count: 3, Files: []string{"**/*.spec.ts"}, Took: took}},
		"None":  {"{count: 3}", nil},
	} {
		doc := mustParse(t, "{shards: "+tc.shards+", steps: [{run: x, image: a}]}")
		in := inputs(t, doc, nil)
		in.Shard, in.Took = workflow.Shard{Index: 2, Count: 3}, took
		plan, err := workflow.Compile(doc, in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, plan.Shard); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCompile_Err(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec   string
		params map[string]string
		field  string
		reason string
	}{
		"ImageOfParam": {
			"{params: {tag: {type: string}}, steps: [{run: x, image: \"a:${{ params.tag }}\"}]}",
			map[string]string{"tag": "1 --privileged"},
			"spec.steps[0].image", "a parameter is checked where it lands",
		},
		"DirOfParam": {
			"{params: {dir: {type: string}}, steps: [{run: x, image: a, workingDir: \"${{ params.dir }}\"}]}",
			map[string]string{"dir": "../.."},
			"spec.steps[0].workingDir", "a parameter cannot leave the workspace",
		},
		"RefOfParam": {
			"{params: {ref: {type: string}}, source: {git: {url: https://g/r, ref: \"${{ params.ref }}\"}}, steps: [{run: x, image: a}]}",
			map[string]string{"ref": "--upload-pack=x"},
			"spec.source.git.ref", "a parameter cannot become an option",
		},
		"Evaluation": {
			"{params: {n: {type: integer}}, steps: [{run: \"${{ 1 / params.n }}\", image: a}]}",
			map[string]string{"n": "0"},
			"spec.steps[0].run", "division by zero",
		},
		"TooLarge": {
			"{params: {s: {type: string}}, container: {image: a}, steps: [" + strings.Repeat("{run: \""+strings.Repeat("${{ params.s }}", 10)+"\"},", 2) + "]}",
			map[string]string{"s": strings.Repeat("x", 60<<10)},
			"spec.steps", "parameters cannot blow up a plan",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := mustParse(t, tc.spec)
			_, err := workflow.Compile(doc, inputs(t, doc, tc.params))
			if !fault.Is(err, fault.Invalid) || places(err)[0].Field != tc.field {
				t.Errorf("err = %v, want invalid at %s: %s", err, tc.field, tc.reason)
			}
		})
	}
}

// TestCompile_SourceIsInert holds that the runner resolves nothing in the command that fetches the source: its parts are values.
func TestCompile_SourceIsInert(t *testing.T) {
	t.Parallel()
	doc := mustParse(t, `{params: {dir: {type: string}}, source: {git: {url: "https://g/r", paths: ["${{ params.dir }}"]}}, steps: [{run: x, image: a}]}`)
	plan, err := workflow.Compile(doc, inputs(t, doc, map[string]string{"dir": "a${{ env.TOKEN }}"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, arg := range plan.Steps[0].Command {
		got, err := expr.ExpandEnv(arg, func(string) (string, bool) { return "resolved", true })
		if err != nil || strings.Contains(got, "resolved") {
			t.Errorf("%q became %q, %v", arg, got, err)
		}
	}
}

// TestCompile_ReportFormats holds that the language has every format that can be read, and that the plan carries its name.
func TestCompile_ReportFormats(t *testing.T) {
	t.Parallel()
	for _, name := range append(format.Names(), format.Auto) {
		doc := mustParse(t, fmt.Sprintf(`{steps: [{run: x, image: a, reports: [{format: %s, paths: [r]}]}]}`, name))
		plan, err := workflow.Compile(doc, inputs(t, doc, nil))
		if err != nil || plan.Steps[0].Reports[0].Format != string(name) {
			t.Errorf("%s: %+v, %v", name, plan, err)
		}
	}
}

// TestCompile_Isolation holds that a secret reaches only the steps that name it.
func TestCompile_Isolation(t *testing.T) {
	t.Parallel()
	doc := mustParse(t, `{container: {image: a}, steps: [
		{run: x, env: [{name: T, valueFrom: {secretKeyRef: {name: one, key: k}}}]},
		{run: x, env: [{name: T, valueFrom: {secretKeyRef: {name: two, key: k}}}]},
		{run: x}]}`)
	plan, err := workflow.Compile(doc, inputs(t, doc, nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Containers) != 1 || len(plan.Containers[0].Env) != 2 {
		t.Fatalf("containers %+v, want one with a variable for each step", plan.Containers)
	}
	for i, want := range []string{"SEATRIAL_ENV_0_T", "SEATRIAL_ENV_1_T", ""} {
		env := plan.Steps[i].Env
		switch {
		case want == "" && len(env) != 0:
			t.Errorf("step %d sees %+v", i, env)
		case want != "" && (len(env) != 1 || env[0].From != want || !env[0].Secret):
			t.Errorf("step %d has %+v, want a secret from %s", i, env, want)
		}
	}
}
