package intake

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/fingerprint"
	"github.com/seatrial/seatrial/controlplane/results/identity"
)

// collector keeps the results of one report within bounds: so many cases, and so many bytes of all their texts together.
type collector struct {
	file    *execution.File
	scope   identity.Scope
	namer   *identity.Namer
	limits  Limits
	results []execution.TestResult
	texts   int           // bytes kept so far
	dropped results.Tally // cases that are not kept
	bare    int           // cases kept without some of their texts
	err     error
}

// add is called for every case of the report. The limits drop cases, never the count of them.
func (c *collector) add(one results.Case) error {
	test := identity.Of(c.scope, one)
	if len(c.results) >= c.limits.Cases || c.texts+c.cost(one, suite(test)) > c.limits.Texts {
		c.dropped.Add(one.Outcome)
		return nil
	}
	c.keep(one, test)
	return c.err
}

// suite names the group of a test: with what its class adds, without which two tests of one name look alike.
func suite(test identity.Test) string { return cut(strings.Join(test.Suites, results.Separator)) }

// cost is what the name of a case takes. Neighbours share the names of their suite and file.
func (c *collector) cost(one results.Case, suite string) int {
	last := c.last()
	n := len(cut(one.Name)) + len(cut(one.Variant))
	if suite != last.Suite {
		n += len(suite)
	}
	if f := cut(one.File); f != last.File {
		n += len(f)
	}
	return n
}

func (c *collector) last() execution.TestResult {
	if len(c.results) == 0 {
		return execution.TestResult{}
	}
	return c.results[len(c.results)-1]
}

// keep keeps a case with its name, whatever that takes, and with its message and detail where there is room.
func (c *collector) keep(one results.Case, test identity.Test) {
	id, err := uuid.NewV7()
	if err != nil {
		c.err = fmt.Errorf("id of test result: %w", err)
		return
	}
	c.texts += c.cost(one, suite(test))
	last := c.last()
	message, whole := c.afford(cut(one.Message))
	detail, all := c.afford(cutTo(one.Detail, results.MaxDetail))
	if !whole || !all {
		c.bare++
	}
	_, key, duplicate := c.namer.Name(test, identity.Variant{"variant": one.Variant}.Hash())
	c.results = append(c.results, execution.TestResult{
		ID: id, Attempt: c.file.Attempt, Step: c.file.Step, Suite: own(suite(test), last.Suite), Name: strings.Clone(cut(one.Name)),
		File: own(cut(one.File), last.File), Key: key.String(), Variant: own(cut(one.Variant), last.Variant), Fingerprint: fingerprint.OfCase(one),
		Earlier: outcomes(one.Earlier), Flags: flags(one, duplicate), Outcome: string(one.Outcome), Duration: max(0, one.Duration),
		Message: message, Detail: detail,
	})
}

const maxEarlier = 100 // tries of one case that are kept; more of them say no more

func outcomes(of []results.Outcome) []string {
	var out []string
	for _, o := range of[:min(len(of), maxEarlier)] {
		out = append(out, string(o))
	}
	return out
}

func flags(one results.Case, duplicate bool) execution.Flag {
	var f execution.Flag
	for _, one := range [...]struct {
		flag execution.Flag
		set  bool
	}{
		{execution.ExpectedFail, one.ExpectedFail},
		{execution.UnexpectedPass, one.UnexpectedPass},
		{execution.Synthetic, one.Synthetic},
		{execution.DuplicateName, duplicate},
	} {
		if one.set {
			f |= one.flag
		}
	}
	return f
}

// afford keeps a text when there is room for it.
func (c *collector) afford(text string) (kept string, ok bool) {
	if c.texts+len(text) > c.limits.Texts {
		return "", text == ""
	}
	c.texts += len(text)
	return strings.Clone(text), true
}

// own returns a text without what it was cut from: the same as before when it is equal.
func own(text, before string) string {
	if text == before {
		return before
	}
	return strings.Clone(text)
}

// close states in the verdict what the limits dropped, first, because reasons are cut at their end, and keeps the cases that stand for
// what the report does not list. A failure that was dropped stands as an errored case.
func (c *collector) close(v *results.Verdict) {
	var reasons []string
	if c.dropped.Total > 0 {
		reasons = append(reasons, fmt.Sprintf("%d cases beyond the first %d are only in the report file.", c.dropped.Total, len(c.results)))
		if v.Grade == results.Consistent {
			v.Grade = results.Lossy
		}
	}
	if bad := c.dropped.Bad(); bad > 0 {
		v.Synthetic = append(v.Synthetic, results.Case{
			Name: "«failures not kept»", Outcome: results.Errored, Synthetic: true,
			Message: fmt.Sprintf("%d failures are beyond the first %d cases", bad, len(c.results)),
		})
	}
	for _, made := range v.Synthetic {
		c.keep(made, identity.Of(c.scope, made))
	}
	if c.bare > 0 {
		reasons = append(reasons, fmt.Sprintf("Messages or details of %d cases were left out, because all texts together may have %d bytes; the report file has them.",
			c.bare, c.limits.Texts))
	}
	v.Reasons = append(reasons, v.Reasons...)
}
