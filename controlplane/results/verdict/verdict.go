// Package verdict says what all attempts at one test, in one variant and on one subject, amount to.
package verdict

import (
	"slices"

	"github.com/seatrial/seatrial/controlplane/results"
)

// Verdict is on a test, a variant and a subject, over all attempts of all executions.
type Verdict string

// The verdicts.
const (
	Running    Verdict = "running"
	Flaky      Verdict = "flaky" // it passed and failed on the same subject
	Failed     Verdict = "failed"
	Passed     Verdict = "passed"
	Skipped    Verdict = "skipped"
	Blocked    Verdict = "blocked"
	InfraError Verdict = "infra_error" // no evidence
	NeverRan   Verdict = "never_ran"   // in the catalog, without an attempt
)

// Attempt is one try of a test.
type Attempt struct {
	Outcome        results.Outcome
	Running        bool // there is no outcome yet
	ExpectedFail   bool
	UnexpectedPass bool
	Synthetic      bool
	FromRetry      bool // not the first of its execution
}

// Override is a decision of people about a test. It stands beside the verdict and never replaces it.
type Override string

// The overrides.
const (
	None        Override = ""
	Waived      Override = "waived"
	Quarantined Override = "quarantined"
)

// Result is a verdict with what stands beside it.
type Result struct {
	Verdict        Verdict
	Override       Override
	ExpectedFail   bool // of one of the attempts
	UnexpectedPass bool
	Synthetic      bool // only synthetic attempts speak
}

// Of returns the verdict. The order of the attempts does not matter.
func Of(attempts []Attempt, o Override) Result {
	r := Result{Verdict: NeverRan, Override: o, Synthetic: len(attempts) > 0}
	passed, failed := false, false
	best := rank(NeverRan)
	for _, a := range attempts {
		r.ExpectedFail = r.ExpectedFail || a.ExpectedFail
		r.UnexpectedPass = r.UnexpectedPass || a.UnexpectedPass
		r.Synthetic = r.Synthetic && a.Synthetic
		v := single(a)
		passed, failed = passed || v == Passed, failed || v == Failed
		if n := rank(v); n < best {
			best, r.Verdict = n, v
		}
	}
	if passed && failed && r.Verdict != Running {
		r.Verdict = Flaky
	}
	return r
}

func single(a Attempt) Verdict {
	switch {
	case a.Running:
		return Running
	case a.Outcome.Bad():
		return Failed
	}
	switch a.Outcome {
	case results.Passed:
		return Passed
	case results.Skipped:
		return Skipped
	case results.Blocked:
		return Blocked
	default: // cancelled ones are no evidence either
		return InfraError
	}
}

// rank orders verdicts by precedence.
func rank(v Verdict) int {
	return slices.Index([]Verdict{Running, Flaky, Failed, Passed, Skipped, Blocked, InfraError, NeverRan}, v)
}

// Attempts returns the tries that one case of a report stands for, oldest first.
func Attempts(c results.Case) []Attempt {
	all := make([]Attempt, 0, len(c.Earlier)+1)
	for i, o := range c.Earlier {
		all = append(all, Attempt{Outcome: o, FromRetry: i > 0})
	}
	return append(all, Attempt{
		Outcome: c.Outcome, ExpectedFail: c.ExpectedFail, UnexpectedPass: c.UnexpectedPass, Synthetic: c.Synthetic, FromRetry: len(c.Earlier) > 0,
	})
}
