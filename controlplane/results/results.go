// Package results reads the reports that test tools write and says how far each can be trusted.
//
// It is pure: bytes in, cases and a grade out. Reports come from tests and are foreign bytes: whatever they hold, reading them
// is bounded in time and memory and ends with cases or with one clear error.
package results

import "time"

// Outcome is how one test case ended in one attempt.
type Outcome string

// The outcomes.
const (
	Passed     Outcome = "passed"
	Failed     Outcome = "failed"    // an assertion did not hold
	Errored    Outcome = "errored"   // the test itself broke
	TimedOut   Outcome = "timed_out" // its tool stopped it
	Skipped    Outcome = "skipped"
	Blocked    Outcome = "blocked"     // should have run, but something above prevented it: a hook, a serial group, a bail out
	InfraError Outcome = "infra_error" // what it ran on broke: no evidence
	Cancelled  Outcome = "cancelled"   // somebody stopped it: no evidence
)

// Outcomes lists them all, the worst first.
func Outcomes() []Outcome {
	return []Outcome{Failed, Errored, TimedOut, Blocked, InfraError, Cancelled, Skipped, Passed}
}

// Bad reports whether the outcome speaks against the subject.
func (o Outcome) Bad() bool { return o == Failed || o == Errored || o == TimedOut }

// Conclusive reports whether the outcome is evidence for or against the subject at all.
func (o Outcome) Conclusive() bool { return o == Passed || o.Bad() }

// Case is one listed test case.
type Case struct {
	Suite          string // names of the suites around it, joined by " › "
	Class          string
	Name           string
	File           string
	Variant        string // what it ran on, such as a browser: not a part of its identity
	Params         string // what told it apart from others of the name, such as an iteration
	Outcome        Outcome
	Duration       time.Duration
	Message        string    // first line of what went wrong, or why it was skipped
	Detail         string    // the rest, at most MaxDetail bytes
	Earlier        []Outcome // of earlier tries that the tool listed beside the result
	ExpectedFail   bool      // it passed by failing as its author said it would
	UnexpectedPass bool      // it passed although its author said it would fail
	Synthetic      bool      // stands for what the report does not list as a case
}

// Counts are the tests of a report and those of them that failed or errored.
type Counts struct {
	Tests int
	Bad   int
}

// Tally counts listed cases by outcome.
type Tally struct {
	Total, Passed, Failed, Errored, Skipped int
}

// Add counts one more case: a timeout as a failure, and what gives no evidence as skipped.
func (t *Tally) Add(o Outcome) {
	t.Total++
	switch o {
	case Passed:
		t.Passed++
	case Failed, TimedOut:
		t.Failed++
	case Errored:
		t.Errored++
	default:
		t.Skipped++
	}
}

// Bad returns the number of failed and errored cases.
func (t Tally) Bad() int { return t.Failed + t.Errored }

// Suite is what one leaf suite declared of itself against what it listed.
type Suite struct {
	Name      string
	Declared  Counts
	Errors    int // of Declared.Bad, those declared as errors
	Listed    Counts
	SystemErr string // first bytes, kept for suites that list nothing
}

// Summary is what is known of a report after its last byte.
type Summary struct {
	Declared Counts  // over the leaf suites
	Listed   Counts  // cases, and those that carry a failure or error, be they skipped: node's "todo" cases are both
	Observed Tally   // cases by outcome
	Suites   []Suite // leaf suites whose declaration and list disagree

	Contradictions []string // what cannot be right, beyond counts
	Losses         []string // what is known to be missing, beyond counts
}
