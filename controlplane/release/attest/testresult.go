package attest

import (
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Result is what a suite amounts to, in the words of the test-result predicate.
type Result string

// The results. A suite of which a test never ran is FAILED, since the predicate knows no word for missing evidence and nobody must
// take it for a pass; what was skipped, flaky or waived makes it WARNED.
const (
	ResultPassed Result = "PASSED" // every required test passed
	ResultWarned Result = "WARNED"
	ResultFailed Result = "FAILED"
)

// MaxNames is how many names a statement lists. Of a larger suite it lists what failed and what was warned of, and leaves the rest
// to the file with the full result.
const MaxNames = 2_000

// fullResult is the name of that file in the configuration.
const fullResult = "full result"

// TestRun is one suite in one environment, as all executions against the same subject show it: the input of a test-result statement.
type TestRun struct {
	Executions  []string // their ids; at least one
	Suite       string
	Environment string
	TimeCreated time.Time // of the statement
	URL         string    // of a page that shows them; may be empty

	Definitions []Resource // the workflow revisions that ran: name and sha256; at least one
	// Full is where the full result is: sha256, and downloadLocation unless it is in the same bundle. It is needed with more than
	// MaxNames tests.
	Full Resource

	// Names of the required tests by verdict, and of others that speak against the subject. Flaky and waived ones are warned of.
	Passed, Warned, Failed, Skipped, NeverRan []string
}

// TestResult is the predicate https://in-toto.io/attestation/test-result/v0.1 with our extension.
type TestResult struct {
	Result        Result        `json:"result"`
	Configuration []Resource    `json:"configuration"` // the workflow revisions; then the full result when names are left out
	URL           string        `json:"url,omitempty"`
	PassedTests   []string      `json:"passedTests,omitempty"`
	WarnedTests   []string      `json:"warnedTests,omitempty"`
	FailedTests   []string      `json:"failedTests,omitempty"`
	Extension     TestExtension `json:"https://seatrial.dev/attestations/test-result/v1"`
}

// TestExtension is what the predicate has no place for. It adds to the other members and changes the meaning of none.
type TestExtension struct {
	Executions    []string  `json:"executions"`
	Suite         string    `json:"suite"`
	Environment   string    `json:"environment"`
	TimeCreated   time.Time `json:"timeCreated"`
	Counts        Counts    `json:"counts"`
	NamesLeftOut  bool      `json:"namesLeftOut"` // only failed and warned tests are listed
	SkippedTests  []string  `json:"skippedTests,omitempty"`
	NeverRanTests []string  `json:"neverRanTests,omitempty"`
}

// Counts are the tests by verdict, be they listed or not.
type Counts struct {
	Passed   int `json:"passed"`
	Warned   int `json:"warned"`
	Failed   int `json:"failed"`
	Skipped  int `json:"skipped"`
	NeverRan int `json:"neverRan"`
}

func (c Counts) total() int { return c.Passed + c.Warned + c.Failed + c.Skipped + c.NeverRan }

func (c Counts) result() Result {
	switch {
	case c.Failed > 0 || c.NeverRan > 0 || c.Passed+c.Warned == 0:
		return ResultFailed
	case c.Warned > 0 || c.Skipped > 0:
		return ResultWarned
	}
	return ResultPassed
}

// NewTestResult returns the statement on one suite in one environment. The subject is what was under test: images and, when it is
// known, the commit. A test that is listed twice is Invalid, since it would have two verdicts.
func NewTestResult(subject []Resource, run TestRun) (Statement, error) {
	if err := run.check(); err != nil {
		return Statement{}, err
	}
	counts := Counts{len(run.Passed), len(run.Warned), len(run.Failed), len(run.Skipped), len(run.NeverRan)}
	p := TestResult{
		Result: counts.result(), Configuration: sorted(run.Definitions), URL: run.URL,
		WarnedTests: names(run.Warned), FailedTests: names(run.Failed),
		Extension: TestExtension{
			Executions: slices.Sorted(slices.Values(run.Executions)), Suite: run.Suite, Environment: run.Environment,
			TimeCreated: run.TimeCreated.UTC(), Counts: counts,
		},
	}
	if counts.total() > MaxNames {
		full := run.Full
		full.Name = fullResult
		p.Configuration = append(p.Configuration, full)
		p.Extension.NamesLeftOut = true
	} else {
		p.PassedTests = names(run.Passed)
		p.Extension.SkippedTests, p.Extension.NeverRanTests = names(run.Skipped), names(run.NeverRan)
	}
	return newStatement(subject, TestResultType, p)
}

// names puts the names of tests in order.
func names(tests []string) []string { return slices.Sorted(slices.Values(tests)) }

func (t TestRun) check() error {
	switch {
	case len(t.Executions) == 0 || slices.Contains(t.Executions, "") || t.Suite == "" || t.Environment == "":
		return fault.New(fault.Invalid, "a test result names its executions, suite and environment: one is missing")
	case len(t.Definitions) == 0:
		return fault.New(fault.Invalid, "a test result does not say which revision of the workflow ran").WithField("definitions")
	case t.TimeCreated.IsZero():
		return fault.New(fault.Invalid, "a test result does not say when it was made").WithField("timeCreated")
	}
	for i, d := range t.Definitions {
		if err := d.checkDigest(); err != nil {
			return err.WithField(fmt.Sprintf("definitions[%d].digest", i))
		}
	}
	all := slices.Sorted(slices.Values(slices.Concat(t.Passed, t.Warned, t.Failed, t.Skipped, t.NeverRan)))
	for i, name := range all {
		if name == "" || (i > 0 && name == all[i-1]) {
			return fault.New(fault.Invalid, "test %q has no name, or more than one verdict", name)
		}
	}
	if len(all) > MaxNames && t.Full.checkDigest() != nil {
		return fault.New(fault.Invalid, "%d tests are too many to list, and the digest of the full result is missing", len(all)).
			WithField("full.digest")
	}
	return nil
}

// TestResult reads the predicate. It is Invalid when the statement is of another type, or when the result is not what its own counts
// say. A test result of another tool has no extension, and only its result is checked.
func (s Statement) TestResult() (TestResult, error) {
	var p TestResult
	if err := s.predicate(TestResultType, &p); err != nil {
		return TestResult{}, err
	}
	switch p.Result {
	case ResultPassed, ResultWarned, ResultFailed:
	default:
		return TestResult{}, fault.New(fault.Invalid, "result %.40q is none of a test-result predicate", p.Result).WithField("result")
	}
	if e := p.Extension; len(e.Executions) > 0 && (e.Counts.result() != p.Result || !p.counted()) {
		return TestResult{}, fault.New(fault.Invalid, "%s is not what the tests of %s in %s amount to", p.Result, e.Suite, e.Environment).
			WithField("result")
	}
	return p, nil
}

// counted reports whether the lists have as many names as the counts say.
func (p TestResult) counted() bool {
	c := p.Extension.Counts
	listed := c.Warned == len(p.WarnedTests) && c.Failed == len(p.FailedTests)
	if p.Extension.NamesLeftOut {
		return listed
	}
	return listed && c.Passed == len(p.PassedTests) && c.Skipped == len(p.Extension.SkippedTests) && c.NeverRan == len(p.Extension.NeverRanTests)
}

// String returns suite and environment, for sentences.
func (p TestResult) String() string {
	if len(p.Extension.Executions) == 0 {
		return "a test result of another tool"
	}
	return fmt.Sprintf("the test result of %s in %s", p.Extension.Suite, p.Extension.Environment)
}
