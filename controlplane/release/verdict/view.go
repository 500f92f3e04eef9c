package verdict

import (
	"time"

	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

// Cell and result as rules see them. The names are part of the language of policies.

type ruleCell struct {
	Environment string            `cel:"environment"`
	Suite       string            `cel:"suite"`
	Labels      map[string]string `cel:"labels"`
	Required    int64             `cel:"required"` // tests
	// NeverRan counts the required tests that lack evidence: that never ran, were blocked, or lost to the infrastructure; r.outcome
	// still says which. To a release they are the same, and a rule that forgets one of them must not let it pass.
	NeverRan   int64 `cel:"never_ran"`
	Running    int64 `cel:"running"`
	Passed     int64 `cel:"passed"`
	Failed     int64 `cel:"failed"` // waived ones left out, or a waiver could not help where a rule counts
	Flaky      int64 `cel:"flaky"`  // waived ones left out
	Skipped    int64 `cel:"skipped"`
	Blocked    int64 `cel:"blocked"`
	InfraError int64 `cel:"infra_error"`

	Results []*ruleResult `cel:"results"`
}

type ruleResult struct {
	Test           string    `cel:"test"` // key
	Name           string    `cel:"name"`
	Variant        string    `cel:"variant"`
	Labels         []string  `cel:"labels"`
	Required       bool      `cel:"required"`
	Outcome        string    `cel:"outcome"` // the verdict over its attempts
	SubjectOK      bool      `cel:"subject_ok"`
	FinishedAt     time.Time `cel:"finished_at"`
	Waived         bool      `cel:"waived"`
	Quarantined    bool      `cel:"quarantined"`
	Attempts       int64     `cel:"attempts"`
	ExpectedFail   bool      `cel:"expected_fail"`
	UnexpectedPass bool      `cel:"unexpected_pass"`
	Synthetic      bool      `cel:"synthetic"`
}

// view returns the cell as a rule sees it; waived says which of its results are.
func (c cell) view(now time.Time, waived func(i int) bool) *ruleCell {
	v := c.frame()
	v.NeverRan = int64(c.unproven())
	v.Results = make([]*ruleResult, 0, len(c.results))
	for i, r := range c.results {
		v.add(r, now, waived(i))
	}
	return v
}

// only returns the cell as if it had one result.
func (c cell) only(i int, now time.Time, waived bool) *ruleCell {
	v := c.frame()
	if c.results[i].unproven() {
		v.NeverRan = 1
	}
	v.add(c.results[i], now, waived)
	return v
}

func (c cell) frame() *ruleCell {
	return &ruleCell{Environment: c.environment, Suite: c.suite, Labels: c.labels, Required: int64(c.required)}
}

func (c *ruleCell) add(r result, now time.Time, waived bool) {
	if count := c.total(r.Verdict); count != nil && !waived {
		*count++
	}
	c.Results = append(c.Results, &ruleResult{
		Test: r.Test, Name: r.Name, Variant: r.Variant, Labels: r.Labels, Required: r.Required, Outcome: string(r.Verdict),
		SubjectOK: r.SubjectOK, FinishedAt: r.seenAt(now), Waived: waived, Quarantined: r.quarantined, Attempts: int64(r.Attempts),
		ExpectedFail: r.ExpectedFail, UnexpectedPass: r.UnexpectedPass, Synthetic: r.Synthetic,
	})
}

// seenAt is the time that a rule sees. What is running is not stale: it is incomplete, which is for another rule to say. What has no
// time is as old as times get in CEL's arithmetic, in which a difference to the year 1 is an error and not a long time. What ended after
// now did so by a clock that is wrong, and is no fresher than what ends now.
func (r result) seenAt(now time.Time) time.Time {
	switch {
	case r.FinishedAt.After(now):
		return now
	case !r.FinishedAt.IsZero():
		return r.FinishedAt
	case r.Verdict == tests.Running:
		return now
	}
	return time.Unix(0, 0).UTC()
}

// total returns the count of a verdict, nil for that of never_ran, which counts tests and not results.
func (c *ruleCell) total(v tests.Verdict) *int64 {
	switch v {
	case tests.Passed:
		return &c.Passed
	case tests.Failed:
		return &c.Failed
	case tests.Flaky:
		return &c.Flaky
	case tests.Skipped:
		return &c.Skipped
	case tests.Blocked:
		return &c.Blocked
	case tests.InfraError:
		return &c.InfraError
	case tests.Running:
		return &c.Running
	case tests.NeverRan:
	}
	return nil
}
