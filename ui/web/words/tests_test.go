package words_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/ui/web/words"
)

func TestRate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		score          flaky.Score
		rate, interval string
		reason         string
	}{
		"None":    {flaky.Score{High: 1}, "–", "", "nothing is known of a test without an attempt"},
		"Some":    {flaky.Score{K: 3, N: 40, Low: 0.0258, High: 0.1986}, "3 of 40", "3–20 %", "both bounds are told"},
		"Narrow":  {flaky.Score{K: 200, N: 200, Low: 0.998, High: 1}, "200 of 200", "100 %", "equal bounds are told once"},
		"Healthy": {flaky.Score{N: 200, High: 0.0188}, "0 of 200", "0–2 %", "no failure is no proof that there will be none"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if rate, interval := words.Rate(tc.score), words.Interval(tc.score); rate != tc.rate || interval != tc.interval {
				t.Errorf("%q, %q, want %q, %q: %s", rate, interval, tc.rate, tc.interval, tc.reason)
			}
		})
	}
}

// TestBehaviour proves that each class has a sentence of its own.
func TestBehaviour(t *testing.T) {
	t.Parallel()
	seen := map[string]flaky.Class{}
	for _, c := range []flaky.Class{flaky.Unknown, flaky.Broken, flaky.Flaky, flaky.Suspect, flaky.Healthy} {
		if other, ok := seen[words.Behaviour(c)]; ok {
			t.Errorf("%s says the same as %s", c, other)
		}
		seen[words.Behaviour(c)] = c
	}
	if words.Behaviour("") != words.Behaviour(flaky.Unknown) || words.Behaves("") != words.Behaves(flaky.Unknown) || words.Behaves(flaky.Flaky) != "flaky" {
		t.Error("no class is an unknown one")
	}
}

func TestBoard(t *testing.T) {
	t.Parallel()
	of := func(c flaky.Class, cost time.Duration, inside bool) (h testcase.History) {
		h.Score.Class, h.Cost = c, cost
		if inside {
			h.Quarantine = &testcase.Quarantine{}
		}
		return h
	}
	tests := map[string]struct {
		list []testcase.History
		want string
	}{
		"One":     {[]testcase.History{of(flaky.Broken, 0, false)}, "1 test cannot be relied on."},
		"Costly":  {[]testcase.History{of(flaky.Flaky, time.Hour, true), of(flaky.Suspect, time.Minute, false)}, "2 tests cannot be relied on, at the cost of 1 h 1 min a week; 1 is in quarantine."},
		"Healthy": {[]testcase.History{of(flaky.Healthy, 0, true), of(flaky.Unknown, 0, true)}, "0 tests cannot be relied on; 2 are in quarantine."},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := words.Board(tc.list); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestTries(t *testing.T) {
	t.Parallel()
	once := testcase.Run{Outcome: results.InfraError}
	again := testcase.Run{Outcome: results.Passed, Earlier: []results.Outcome{results.Failed, results.TimedOut}}
	if got := words.Tries(once); got != "infrastructure error" {
		t.Errorf("one try: %q", got)
	}
	if got := words.Tries(again); got != "failed, timed out, then passed" {
		t.Errorf("three tries: %q", got)
	}
	if got := words.Strip([]testcase.Run{once, again}); got != "2 runs, oldest left: 1 infrastructure error and 1 passed; 1 tried again." {
		t.Errorf("both: %q", got)
	}
	if got := words.Since(testcase.Since{InARow: 1}) + ", " + words.Since(testcase.Since{InARow: 5}); got != "its last run, 5 runs in a row" {
		t.Errorf("failing: %q", got)
	}
	if got := words.Cost(0) + ", " + words.Cost(150*time.Second); got != "–, 2 min 30 s" {
		t.Errorf("cost: %q", got)
	}
}
