// Package testcase is the record of tests over time: what became of each in every execution, what that says of it, and which are in
// quarantine.
package testcase

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/breakpoint"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
)

// Case is a test. Its key is the same in every execution, environment and browser.
type Case struct {
	Key      string
	Workflow string
	Name     string // suites and name as they were last, joined by results.Separator
}

// Run is the result of a test in one execution.
type Run struct {
	Result      uuid.UUID // its id, which begins with when it was made
	Execution   execution.ID
	At          time.Time // when the result came in
	Environment string
	Variant     string
	Outcome     results.Outcome
	Earlier     []results.Outcome // of tries that the tool made before, oldest first
	Duration    time.Duration
	Message     string
	Fingerprint string
	Commit      string
	Subject     string // what was under test, as one text; empty when it was not observed
	Storm       bool   // so much failed in its execution that this says nothing of the test
}

// MaxStrip is how many outcomes a strip has at most.
const MaxStrip = 64

// Strip is the latest outcomes of a test in an environment.
type Strip struct {
	Key         string
	Environment string
	Letters
}

// Standing is how the tests of a workflow have done lately, over all its environments.
type Standing struct {
	Tests   int // that have a strip: a test in two environments is one
	Healthy int // of them, whose latest outcome in each environment does not speak against them
	Worst   []Named
}

// Named is a strip with the name of its test.
type Named struct {
	Strip
	Name string // suites and name as they were last, joined by results.Separator
}

// Mark is one outcome of a strip.
type Mark struct {
	Outcome results.Outcome
	Retried bool // the tool had tried before
}

// Swept is what a sweep of old results has done.
type Swept struct {
	Months  int   // partitions made
	Dropped int   // partitions that are gone
	Results int64 // deleted one by one
	Strips  int64 // of tests that have not run for long
}

// Quarantine lets a test run without its failures counting against a release, until it is mended or the time is over.
type Quarantine struct {
	ID        string
	Test      string // key
	Name      string
	Owner     string // who is to mend it
	Reason    string
	Ticket    string
	Actor     string
	CreatedAt time.Time
	Until     time.Time
	EndedBy   string
	EndedAt   time.Time // zero unless somebody ended it
}

// Ask asks for a quarantine.
type Ask struct {
	Test   string // key
	Owner  string // who is to mend it; empty for the viewer
	Reason string
	Ticket string
	For    time.Duration // 0 for MaxQuarantine
}

// MaxQuarantine is how long a test may be in quarantine at a time: nothing is forgotten there.
const MaxQuarantine = 30 * 24 * time.Hour

// Active reports whether a quarantine counts at a time.
func (q Quarantine) Active(at time.Time) bool { return q.EndedAt.IsZero() && at.Before(q.Until) }

// History is how a test has behaved.
type History struct {
	Case
	Runs  []Run // newest first
	Score flaky.Score
	// Since is when it began to fail, in the order of its executions: zero values when it does not fail now.
	Since Since
	// Cost is how much time a week its failures waste, by the median of what it takes.
	Cost       time.Duration
	Quarantine *Quarantine // nil unless it is in one
}

// Since is when a test changed for the worse.
type Since struct {
	InARow   int  // failures at the end
	Run      Run  // the first of them
	LastPass Run  // the one before; zero when it never passed in the window
	Sure     bool // the rate of failures has changed there beyond doubt
}

// Judge makes the history of a test of its runs, whatever their order.
func Judge(c Case, runs []Run, now time.Time) History {
	h := History{Case: c, Runs: slices.SortedStableFunc(slices.Values(runs), func(a, b Run) int { return b.At.Compare(a.At) })}
	var recorded []flaky.Recorded
	storms := map[string]bool{}
	for _, r := range slices.Backward(h.Runs) {
		storms[r.Execution.String()] = storms[r.Execution.String()] || r.Storm
		for _, outcome := range append(slices.Clone(r.Earlier), r.Outcome) {
			recorded = append(recorded, flaky.Recorded{At: r.At, Protected: true, Attempt: flaky.Attempt{
				Variant: r.Environment + " " + r.Variant, Subject: subjectOf(r), Execution: r.Execution.String(), Outcome: outcome,
			}})
		}
	}
	attempts := flaky.Window(recorded, now, storms)
	h.Score = flaky.Of(attempts)
	h.Since = since(h.Runs)
	h.Cost = flaky.CostPerWeek(h.Score.Rate, perWeek(h.Runs, now), median(h.Runs))
	return h
}

// subjectOf groups what was tested, by images and commit. Where neither is known it is its execution's own: nobody knows whether it was the
// same as another.
func subjectOf(r Run) string {
	return cmp.Or(r.Subject+r.Commit, "execution "+r.Execution.String())
}

// since looks for the beginning of the failures at the end.
func since(newest []Run) Since {
	var told []Run // conclusive ones, oldest first
	var failed []bool
	for _, r := range slices.Backward(newest) {
		if r.Outcome.Conclusive() && !r.Storm {
			told, failed = append(told, r), append(failed, r.Outcome.Bad())
		}
	}
	plain := breakpoint.Plain(failed)
	if plain.InARow == 0 {
		return Since{}
	}
	s := Since{InARow: plain.InARow, Run: told[plain.FirstFail]}
	if plain.LastPass >= 0 {
		s.LastPass = told[plain.LastPass]
	}
	splits := breakpoint.Find(failed)
	s.Sure = len(splits) > 0 && splits[len(splits)-1].At == plain.FirstFail
	return s
}

// perWeek is how often a test runs, by the runs of the window.
func perWeek(newest []Run, now time.Time) float64 {
	n := 0
	for _, r := range newest {
		if now.Sub(r.At) <= flaky.Span {
			n++
		}
	}
	return float64(n) * float64(7*24*time.Hour) / float64(flaky.Span)
}

func median(runs []Run) time.Duration {
	if len(runs) == 0 {
		return 0
	}
	all := make([]time.Duration, len(runs))
	for i, r := range runs {
		all[i] = r.Duration
	}
	slices.Sort(all)
	return all[len(all)/2]
}
