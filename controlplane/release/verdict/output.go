package verdict

import (
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

// State is the answer.
type State string

// The states, the worst first.
const (
	NotReady         State = "NOT_READY"          // a negative rule is broken, or a rule could not be evaluated
	Incomplete       State = "INCOMPLETE"         // evidence is missing
	ReadyWithWaivers State = "READY_WITH_WAIVERS" // it would not be READY without a waiver
	Ready            State = "READY"
)

// Output is the answer and all of its reasons. Both what is bad and what is missing are listed, whatever the state: a release that is
// NOT_READY may lack evidence, too. Lists are sorted, times are in UTC.
type Output struct {
	State State `json:"state"`
	// Gaps are sentences on what is missing without a rule that says so: no cell, or a cell in which nothing speaks.
	Gaps    []string       `json:"gaps,omitempty"`
	Rules   []RuleResult   `json:"rules"` // every rule, in the order of the policy
	Cells   []CellResult   `json:"cells"` // by environment and suite
	Waivers []WaiverResult `json:"waivers,omitempty"`
}

// RuleResult is what became of a rule.
type RuleResult struct {
	ID          string        `json:"id"`
	Kind        RuleKind      `json:"kind"`
	Waivable    bool          `json:"waivable,omitempty"`
	Description string        `json:"description,omitempty"`
	Holds       bool          `json:"holds"`             // in every cell
	Waived      bool          `json:"waived,omitempty"`  // it would be broken in a cell but for waivers
	Failing     []FailingCell `json:"failing,omitempty"` // by environment and suite
}

// Against reports whether a rule speaks against the release: it is negative and broken, or it could not be evaluated somewhere, whatever
// kind it is of. A broken rule that does not says that evidence is missing.
func (r RuleResult) Against() bool {
	unknown := slices.ContainsFunc(r.Failing, func(f FailingCell) bool { return f.Error != "" })
	return unknown || !r.Holds && r.Kind == Negative
}

// FailingCell is a cell that breaks a rule.
type FailingCell struct {
	Environment string `json:"environment"`
	Suite       string `json:"suite"`
	// Error says why the rule could not be evaluated; "" when it was, and is false.
	Error string `json:"error,omitempty"`
	// Tests at fault, at most MaxAtFault of AtFault, by key and variant. Rules on totals name those that are counted in them. There are
	// none when no test by itself is at fault.
	Tests   []AtFault `json:"tests,omitempty"`
	AtFault int       `json:"atFault"` // how many were found
	// AtLeast says that the rule was not asked about all that it can tell apart, since enough was found or too much asked: more than
	// AtFault may be at fault, also when that is 0.
	AtLeast bool `json:"atLeast,omitempty"`
}

// MaxAtFault is how many tests a broken rule names in a cell. Nobody reads more there, and CellResult has them all.
const MaxAtFault = 20

// AtFault is a test that breaks a rule.
type AtFault struct {
	Test    string        `json:"test"` // key
	Name    string        `json:"name,omitempty"`
	Variant string        `json:"variant,omitempty"`
	Verdict tests.Verdict `json:"verdict"`
}

// CellResult is what is known of a cell. Required counts tests; the other totals count results, those of tests that are not required
// among them, and waived ones as what they are.
type CellResult struct {
	Environment string `json:"environment"`
	Suite       string `json:"suite"`
	Required    int    `json:"required"`
	Passed      int    `json:"passed"`
	Failed      int    `json:"failed"`
	Flaky       int    `json:"flaky"`
	Skipped     int    `json:"skipped"`
	Blocked     int    `json:"blocked"`
	InfraError  int    `json:"infraError"`
	NeverRan    int    `json:"neverRan"` // required tests without any evidence; the rules' cell.never_ran counts more
	Running     int    `json:"running"`
	// Unproven is cell.never_ran of the rules: the required tests that never ran, or of which a variant was blocked or lost to the
	// infrastructure.
	Unproven int `json:"unproven"`
	// Integrity is Contradictory when a report in it hides failures, else Consistent.
	Integrity results.Grade `json:"integrity"`
	Results   []TestResult  `json:"results,omitempty"` // by key and variant
}

// TestResult is the verdict on a test and variant, over all attempts on the release, or over all others when there is none on it.
type TestResult struct {
	Test     string         `json:"test"` // key
	Name     string         `json:"name,omitempty"`
	Labels   []string       `json:"labels,omitempty"`
	Variant  string         `json:"variant,omitempty"`
	Required bool           `json:"required"`
	Verdict  tests.Verdict  `json:"verdict"`
	Override tests.Override `json:"override,omitempty"` // Waived before Quarantined
	// SubjectOK says that the attempts were made on the release, or, of those that are not over, that they may prove to be.
	SubjectOK bool `json:"subjectOK"`
	// FinishedAt is the end of the newest conclusive attempt, else of the newest attempt; zero while there is none.
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	// Fingerprints of its failures, each once. A waiver that is bound to one covers no other.
	Fingerprints   []string `json:"fingerprints,omitempty"`
	Attempts       int      `json:"attempts"`
	Runs           []string `json:"runs,omitempty"`
	ExpectedFail   bool     `json:"expectedFail,omitempty"`
	UnexpectedPass bool     `json:"unexpectedPass,omitempty"`
	Synthetic      bool     `json:"synthetic,omitempty"`
}

// WaiverResult is what became of a waiver.
type WaiverResult struct {
	ID     string `json:"id"`
	Active bool   `json:"active"`
	Why    string `json:"why,omitempty"` // it is not active: the first reason, as a sentence
	// Used says that a rule holds in a cell which it would not without waivers, and that this one covers a result there.
	Used bool `json:"used"`
}
