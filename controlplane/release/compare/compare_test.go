package compare_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/release/compare"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

// output makes a verdict with one cell of words such as "a:passed", "a/firefox:failed" or "b:passed!", which was on other images.
func output(environment, words string) verdict.Output {
	c := verdict.CellResult{Environment: environment, Suite: "smoke"}
	for word := range strings.FieldsSeq(words) {
		key, is, _ := strings.Cut(word, ":")
		test, variant, _ := strings.Cut(key, "/")
		is, elsewhere := strings.CutSuffix(is, "!")
		c.Results = append(c.Results, verdict.TestResult{
			Test: test, Name: "test " + test, Variant: variant, Verdict: tests.Verdict(is), SubjectOK: !elsewhere && is != "never_ran",
		})
	}
	return verdict.Output{Cells: []verdict.CellResult{c}}
}

// words writes what changed, such as "failing:a/firefox".
func words(c compare.Comparison) string {
	var out []string
	for _, cell := range c.Cells {
		for _, list := range []struct {
			name  string
			tests []compare.Test
		}{{"failing", cell.Failing}, {"flaky", cell.Flaky}, {"passing", cell.Passing}, {"absent", cell.Absent}} {
			for _, t := range list.tests {
				out = append(out, cell.Environment+":"+list.name+":"+strings.Trim(t.Key+"/"+t.Variant, "/"))
			}
		}
	}
	return strings.Join(out, " ")
}

func TestOf_Tests(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ before, after, want, reason string }{
		"Same":          {"a:passed b:failed c:skipped", "a:passed b:failed c:skipped", "", "nothing changed"},
		"Fails":         {"a:passed", "a:failed", "eu:failing:a", "it passed"},
		"FlakyFails":    {"a:flaky", "a:failed", "eu:failing:a", "now it always fails"},
		"NewFails":      {"", "a:failed", "eu:failing:a", "nobody knew it"},
		"Repaired":      {"a:failed", "a:passed", "eu:passing:a", "it failed"},
		"Steady":        {"a:flaky", "a:passed", "eu:passing:a", "it was flaky"},
		"RanAtLast":     {"a:never_ran", "a:passed", "eu:passing:a", "it was required and never ran"},
		"NewPasses":     {"", "a:passed", "", "a new test that passes is no change"},
		"Flaky":         {"a:passed b:failed", "a:flaky b:flaky", "eu:flaky:a eu:flaky:b", "both are both"},
		"Gone":          {"a:passed", "", "eu:absent:a", "it is no longer there"},
		"NeverRan":      {"a:failed", "a:never_ran", "eu:absent:a", "evidence is missing"},
		"Skipped":       {"a:passed", "a:skipped", "eu:absent:a", "a skipped test says nothing"},
		"Blocked":       {"a:passed b:flaky", "a:blocked b:infra_error", "eu:absent:a eu:absent:b", "neither is evidence"},
		"Running":       {"a:passed", "a:running", "", "it is not over"},
		"Silent":        {"a:skipped", "a:never_ran", "", "it said nothing before"},
		"OtherImages":   {"a:passed", "a:passed!", "eu:absent:a", "it passed, but not on the release"},
		"FromElsewhere": {"a:failed!", "a:failed", "eu:failing:a", "the earlier release was never seen to fail"},
		"Variants":      {"a/chrome:passed a/firefox:passed", "a/chrome:passed a/firefox:failed", "eu:failing:a/firefox", "each variant for itself"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := words(compare.Of(output("eu", tc.before), output("eu", tc.after))); got != tc.want {
				t.Errorf("%q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
	if got := words(compare.Of(output("eu", "a:passed"), output("us", "a:failed"))); got != "eu:absent:a us:failing:a" {
		t.Errorf("%q: another environment is another cell", got)
	}
}

func TestOf_Rules(t *testing.T) {
	t.Parallel()
	rule := func(id string, holds, waived bool) verdict.RuleResult {
		return verdict.RuleResult{ID: id, Kind: verdict.Negative, Holds: holds, Waived: waived}
	}
	before := verdict.Output{State: verdict.Ready, Rules: []verdict.RuleResult{
		rule("same", true, false), rule("breaks", true, false), rule("waived", false, false), rule("gone", true, false),
	}}
	after := verdict.Output{State: verdict.NotReady, Rules: []verdict.RuleResult{
		rule("new", true, false), rule("waived", true, true), rule("breaks", false, false), rule("same", true, false),
	}}
	want := compare.Comparison{Before: verdict.Ready, After: verdict.NotReady, Rules: []compare.RuleChange{
		{ID: "new", Kind: verdict.Negative, Before: compare.Absent, After: compare.Holds},
		{ID: "waived", Kind: verdict.Negative, Before: compare.Broken, After: compare.Waived},
		{ID: "breaks", Kind: verdict.Negative, Before: compare.Holds, After: compare.Broken},
		{ID: "gone", Kind: verdict.Negative, Before: compare.Holds, After: compare.Absent},
	}}
	if diff := cmp.Diff(want, compare.Of(before, after)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOf_Order holds that the order of cells and results in the outputs does not matter.
func TestOf_Order(t *testing.T) {
	t.Parallel()
	before, after := output("eu", "a:passed b:passed c:passed"), output("eu", "a:failed b:failed c:failed")
	want := compare.Of(before, after)
	slices.Reverse(after.Cells[0].Results)
	if diff := cmp.Diff(want, compare.Of(before, after)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if names := want.Cells[0].Failing; names[0].Key != "a" || names[2].Key != "c" || names[0].Before != tests.Passed || names[0].After != tests.Failed {
		t.Errorf("%v: sorted by name", names)
	}
}
