package verdict_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/verdict"
)

func attempts(letters string) []verdict.Attempt {
	of := map[rune]verdict.Attempt{
		'P': {Outcome: results.Passed}, 'F': {Outcome: results.Failed}, 'E': {Outcome: results.Errored}, 'T': {Outcome: results.TimedOut},
		'S': {Outcome: results.Skipped}, 'B': {Outcome: results.Blocked}, 'I': {Outcome: results.InfraError}, 'C': {Outcome: results.Cancelled},
		'R': {Running: true}, 'x': {Outcome: results.Passed, ExpectedFail: true}, 'X': {Outcome: results.Failed, UnexpectedPass: true},
		'l': {Outcome: results.Passed, UnexpectedPass: true},
	}
	var all []verdict.Attempt
	for _, l := range letters {
		all = append(all, of[l])
	}
	return all
}

func TestOf_Golden(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		want   verdict.Verdict
		reason string
	}{
		"P": {verdict.Passed, "one pass"}, "F": {verdict.Failed, "one failure"},
		"FP": {verdict.Flaky, "fail and pass on the same subject"}, "PF": {verdict.Flaky, "order does not matter"},
		"TP": {verdict.Flaky, "a timeout is a failure"}, "FF": {verdict.Failed, "twice"}, "EP": {verdict.Flaky, "an error is a failure"},
		"x": {verdict.Passed, "failed as expected"}, "X": {verdict.Failed, "strict"}, "l": {verdict.Passed, "lenient"},
		"S": {verdict.Skipped, "skipped"}, "SP": {verdict.Passed, "ran once"}, "SF": {verdict.Failed, "ran once"},
		"B": {verdict.Blocked, "blocked"}, "I": {verdict.InfraError, "no evidence"}, "IP": {verdict.Passed, "infrastructure is no failure"},
		"IF": {verdict.Failed, "infrastructure is no excuse"}, "": {verdict.NeverRan, "in the catalog"}, "FPR": {verdict.Running, "not over"},
		"R": {verdict.Running, "not over"}, "C": {verdict.InfraError, "no evidence"}, "BS": {verdict.Skipped, "precedence"},
		"SBIC": {verdict.Skipped, "precedence"}, "IB": {verdict.Blocked, "precedence"}, "xF": {verdict.Flaky, "an expected failure is a pass"},
	}
	for letters, tc := range tests {
		t.Run(letters, func(t *testing.T) {
			t.Parallel()
			all := attempts(letters)
			for range 2 {
				if got := verdict.Of(all, verdict.None); got.Verdict != tc.want {
					t.Errorf("%s, want %s: %s", got.Verdict, tc.want, tc.reason)
				}
				slices.Reverse(all)
			}
		})
	}
}

func TestOf_Flags(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in     []verdict.Attempt
		over   verdict.Override
		want   verdict.Result
		reason string
	}{
		"Expected":    {attempts("x"), verdict.None, verdict.Result{Verdict: verdict.Passed, ExpectedFail: true}, "the flag stays visible"},
		"Unexpected":  {attempts("l"), verdict.None, verdict.Result{Verdict: verdict.Passed, UnexpectedPass: true}, "the flag stays visible"},
		"Waived":      {attempts("F"), verdict.Waived, verdict.Result{Verdict: verdict.Failed, Override: verdict.Waived}, "never replaced"},
		"Quarantined": {attempts("FP"), verdict.Quarantined, verdict.Result{Verdict: verdict.Flaky, Override: verdict.Quarantined}, "never replaced"},
		"Synthetic":   {[]verdict.Attempt{{Outcome: results.Errored, Synthetic: true}}, verdict.None, verdict.Result{Verdict: verdict.Failed, Synthetic: true}, "made by us"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, verdict.Of(tc.in, tc.over)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	got := verdict.Attempts(results.Case{Outcome: results.Passed, Earlier: []results.Outcome{results.Failed, results.TimedOut}})
	want := []verdict.Attempt{{Outcome: results.Failed}, {Outcome: results.TimedOut, FromRetry: true}, {Outcome: results.Passed, FromRetry: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v := verdict.Of(got, verdict.None).Verdict; v != verdict.Flaky {
		t.Errorf("%s: a retry in the tool is not hidden", v)
	}
}
