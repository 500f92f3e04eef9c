package flaky_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
)

// history reads groups as the specification writes them: one execution per group, each on another subject.
func history(groups string) (all []flaky.Attempt) {
	n := 0
	for part := range strings.SplitSeq(groups, " · ") {
		times := 1
		if count, rest, ok := strings.Cut(part, "×"); ok {
			_, _ = fmt.Sscan(count, &times)
			part = rest
		}
		for range times {
			n++
			for _, l := range part {
				o := map[rune]results.Outcome{'P': results.Passed, 'F': results.Failed, 'I': results.InfraError}[l]
				all = append(all, flaky.Attempt{Subject: fmt.Sprint(n), Execution: fmt.Sprint(n), Outcome: o})
			}
		}
	}
	return all
}

func TestOf_Golden(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		groups string
		want   flaky.Score
	}{
		"T1": {"FP · P · PPP · FF · PFP · IP", flaky.Score{Class: flaky.Flaky, N: 10, K: 2, D: 2, B: 2, Rate: 0.2, Low: 0.056682, High: 0.509838}},
		"T2": {"98×P · FP", flaky.Score{Class: flaky.Suspect, N: 100, K: 1, D: 1, Rate: 0.01, Low: 0.001767, High: 0.054486}},
		"T3": {"10×P", flaky.Score{Class: flaky.Healthy, N: 10, High: 0.277533}},
		"T4": {"6×P · FF · F · FFF", flaky.Score{Class: flaky.Broken, N: 6, B: 6, High: 0.390334}},
		"T5": {"3×P", flaky.Score{Class: flaky.Unknown, N: 3, High: 0.561497}},
		"T6": {"5×F · 5×P", flaky.Score{Class: flaky.Healthy, N: 5, B: 5, High: 0.434482}},
		"T7": {"P · F · P · F · P · F · P · F · P · F", flaky.Score{Class: flaky.Healthy, N: 5, B: 5, High: 0.434482, Alternating: true}},
		"T8": {"PFPFPFPFPF", flaky.Score{Class: flaky.Flaky, N: 10, K: 5, D: 1, Rate: 0.5, Low: 0.236593, High: 0.763407}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := flaky.Of(history(tc.groups))
			got.Transitions = 0
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateApprox(0, 5e-7)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.groups, diff)
			}
		})
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in     []flaky.Attempt
		class  flaky.Class
		n, b   int
		reason string
	}{
		"Variants": {[]flaky.Attempt{{Variant: "a", Subject: "s", Execution: "1", Outcome: results.Passed}, {Variant: "b", Subject: "s", Execution: "1", Outcome: results.Failed}}, flaky.Unknown, 1, 1, "a browser that fails is no flake"},
		"OneFails": {[]flaky.Attempt{{Subject: "s", Execution: "1", Outcome: results.Failed}, {Subject: "s", Execution: "2", Outcome: results.Passed}}, flaky.Flaky, 2, 0, "little history, but it is seen"},
		"Timeout":  {[]flaky.Attempt{{Subject: "s", Execution: "1", Outcome: results.TimedOut}, {Subject: "s", Execution: "2", Outcome: results.Errored}, {Subject: "s", Execution: "3", Outcome: results.Failed}}, flaky.Unknown, 0, 3, "first match: too little history"},
		"None":     {nil, flaky.Unknown, 0, 0, "nothing is known"},
		"Skipped":  {[]flaky.Attempt{{Subject: "s", Outcome: results.Skipped}, {Subject: "s", Outcome: results.Blocked}}, flaky.Unknown, 0, 0, "no evidence"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s := flaky.Of(tc.in); s.Class != tc.class || s.N != tc.n || s.B != tc.b {
				t.Errorf("%+v: %s", s, tc.reason)
			}
		})
	}
}

func TestWilson_Golden(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		k, n      int
		low, high float64
	}{{0, 10, 0, 0.277533}, {1, 10, 0.017876, 0.404150}, {3, 50, 0.020615, 0.162171}, {10, 100, 0.055229, 0.174366}, {0, 0, 0, 1}} {
		if low, high := flaky.Wilson(tc.k, tc.n); math.Abs(low-tc.low) > 5e-7 || math.Abs(high-tc.high) > 5e-7 {
			t.Errorf("%d/%d: %f, %f", tc.k, tc.n, low, high)
		}
	}
}

func TestCleanAttempts_Golden(t *testing.T) {
	t.Parallel()
	for p, want := range map[float64]int{0.05: 59, 0.10: 29, 0.02: 149, 0.01: 299} {
		if got := flaky.CleanAttempts(p); got != want {
			t.Errorf("p = %g: %d, want %d", p, got, want)
		}
	}
}

func TestRecovered(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	tests := map[string]struct {
		clean  int
		since  time.Duration
		want   bool
		reason string
	}{
		"Enough": {59, time.Hour, true, "statistics"}, "Almost": {58, time.Hour, false, "one is missing"},
		"Week": {20, 7 * day, true, "time"}, "Seldom": {19, 30 * day, false, "too few in any time"}, "Young": {20, 6 * day, false, "too soon"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := flaky.Recovered(tc.clean, tc.since); got != tc.want {
				t.Errorf("%t: %s", got, tc.reason)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC)
	at := func(age time.Duration, execution string, o results.Outcome, protected bool) flaky.Recorded {
		return flaky.Recorded{Attempt: flaky.Attempt{Execution: execution, Outcome: o}, At: now.Add(-age), Protected: protected}
	}
	got := flaky.Window([]flaky.Recorded{
		at(time.Hour, "late", results.Failed, true), at(2*time.Hour, "early", results.Passed, true),
		at(15*24*time.Hour, "old", results.Failed, true), at(time.Hour, "branch", results.Failed, false),
		at(time.Hour, "storm", results.Failed, true), at(time.Hour, "infra", results.InfraError, true), at(-time.Hour, "future", results.Failed, true),
	}, now, map[string]bool{"storm": true})
	want := []flaky.Attempt{{Execution: "early", Outcome: results.Passed}, {Execution: "late", Outcome: results.Failed}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var many []flaky.Recorded
	for i := range 300 {
		many = append(many, at(time.Duration(i)*time.Minute, fmt.Sprint(i), results.Passed, true))
	}
	if got := flaky.Window(many, now, nil); len(got) != 200 || got[199].Execution != "0" {
		t.Errorf("%d attempts, the last of %v", len(got), got[len(got)-1])
	}
}

func TestStorm(t *testing.T) {
	t.Parallel()
	if !flaky.Storm(10, 8) || flaky.Storm(10, 7) || flaky.Storm(9, 9) {
		t.Error("at least 10 cases, at least 80 % of them")
	}
}

func TestCostPerWeek(t *testing.T) {
	t.Parallel()
	if got := flaky.CostPerWeek(0.1, 50, 2*time.Minute); got.Round(time.Second) != 10*time.Minute {
		t.Errorf("%s", got)
	}
}
