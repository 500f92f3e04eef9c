package expand_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expand"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

var update = flag.Bool("update", false, "write the golden files")

func workflow(t *testing.T, spec string) *document.Document {
	t.Helper()
	read := parse.Read([]byte("apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: w}\nspec: {container: {image: a}, steps: [{run: x}], " + spec + "}\n"))
	if len(read.Faults) > 0 {
		t.Fatalf("%+v", read.Faults)
	}
	return read.Workflow()
}

func names(runs []expand.Run) string {
	all := make([]string, len(runs))
	for i, r := range runs {
		all[i] = r.Name
	}
	return strings.Join(all, "; ")
}

func TestRuns(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec         string
		environments []string
		want, reason string
	}{
		"Alone":              {"timeout: 3m", nil, "", "one run without a name"},
		"Each":               {"timeout: 3m", []string{"us", "eu"}, "us; eu", "in the order of the environments"},
		"TwoByTwo":           {"matrix: {locale: [en, de], browser: [firefox, chromium]}", nil, "browser=firefox, locale=en; browser=firefox, locale=de; browser=chromium, locale=en; browser=chromium, locale=de", "axes by name, values as written"},
		"Exclude":            {"matrix: {locale: [en, de], browser: [firefox, chromium], exclude: [{browser: firefox, locale: de}]}", nil, "browser=firefox, locale=en; browser=chromium, locale=en; browser=chromium, locale=de", "2×2 with one excluded"},
		"ExcludeAll":         {"matrix: {locale: [en, de], browser: [firefox, chromium], exclude: [{browser: firefox}]}", nil, "browser=chromium, locale=en; browser=chromium, locale=de", "a part excludes all that agree"},
		"Include":            {"matrix: {a: [1, 2], include: [{a: 3}, {a: 1}]}", nil, "a=1; a=2; a=3", "behind the others, none twice"},
		"IncludeOnly":        {"matrix: {include: [{a: 1, b: x}, {a: 2, b: y}]}", nil, "a=1, b=x; a=2, b=y", "a list of cells"},
		"ExcludeThenInclude": {"matrix: {a: [1, 2], exclude: [{a: 1}], include: [{a: 1}]}", nil, "a=2; a=1", "include comes last"},
		"Types":              {"matrix: {a: [1, 1.5, true, x]}", nil, "a=1; a=1.5; a=true; a=x", "as people write them"},
		"Shards":             {"shards: {count: 3}", nil, "shard 1/3; shard 2/3; shard 3/3", "from one"},
		"ShardsExpr":         {"params: {n: {type: integer, default: 1}}, shards: {count: '${{ params.n * 2 }}'}", nil, "shard 1/2; shard 2/2", "a number of the trigger"},
		"AxisExprNames":      {"params: {n: {type: integer}}, matrix: {a: '${{ fromJSON(\"[1, \\\"1\\\", true, \\\"true\\\"]\") }}'}", nil, "a=1; a=true", "no two runs have one name"},
		"AxisExpr":           {"params: {n: {type: integer}}, matrix: {a: '${{ [\"x\", \"y\", \"x\"] }}'}", nil, "a=x; a=y", "each value once"},
		"All":                {"matrix: {a: [1, 2]}, shards: {count: 2}", []string{"eu", "us"}, "eu, a=1, shard 1/2; eu, a=1, shard 2/2; eu, a=2, shard 1/2; eu, a=2, shard 2/2; us, a=1, shard 1/2; us, a=1, shard 2/2; us, a=2, shard 1/2; us, a=2, shard 2/2", "everything at once"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := expand.Input{Values: map[string]any{"params.n": int64(1)}, Environments: tc.environments}
			runs, err := expand.Runs(workflow(t, tc.spec), in)
			if err != nil || names(runs) != tc.want {
				t.Errorf("%q, %v; want %q: %s", names(runs), err, tc.want, tc.reason)
			}
			seen := map[string]bool{}
			for _, r := range runs {
				if seen[r.Environment+r.Name] {
					t.Errorf("%q is there twice", r.Name)
				}
				seen[r.Environment+r.Name] = true
			}
		})
	}
}

func TestRuns_Golden(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("../testdata/language/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	runs, err := expand.Runs(parse.Read(src).Workflow(), expand.Input{
		Values:       map[string]any{"params.mode": "full", "params.browsers": `["chromium", "firefox"]`},
		Environments: []string{"staging-eu"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(runs, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/everything.golden.json"
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Error(diff)
	}
}

func TestRuns_Err(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ spec, field, says, reason string }{
		"Everything":  {"matrix: {a: [1], exclude: [{a: 1}]}", "spec.matrix", "no runs", "a missing run never counts as passed"},
		"TooMany":     {"matrix: {a: [1,2,3,4,5,6,7,8,9,10], b: [1,2,3,4,5,6,7,8,9,10]}, shards: {count: 100}", "spec.matrix", "10000 runs", "bounded"},
		"ShardsRange": {"shards: {count: '${{ params.n - 1 }}'}", "spec.shards.count", "1 to 100", "no runs"},
		"AxisEmpty":   {"matrix: {a: '${{ [1].filter(x, x > 1) }}'}", "spec.matrix.a", "no list", "no runs"},
		"AxisNested":  {"matrix: {a: '${{ [[1]] }}'}", "spec.matrix.a", "must be a string", "no name"},
		"AxisNUL":     {"matrix: {a: '${{ [\"x\\u0000y\"] }}'}", "spec.matrix.a", "one line", "no database takes it"},
		"AxisLong":    {"matrix: {a: '${{ [params.long] }}'}", "spec.matrix.a", "253 bytes", "it is in every name and message"},
		"AxisError":   {"matrix: {a: '${{ fromJSON(params.s) }}'}", "spec.matrix.a", "fromJSON()", "not JSON"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := workflow(t, "params: {n: {type: integer}, s: {type: string}, long: {type: string}}, "+tc.spec)
			_, err := expand.Runs(doc, expand.Input{Values: map[string]any{"params.n": int64(1), "params.s": "{", "params.long": strings.Repeat("x", 254)}})
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("err = %v, want %q at %s: %s", err, tc.says, tc.field, tc.reason)
			}
		})
	}
}
