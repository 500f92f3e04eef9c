package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/junit"
)

const formatJUnit = "junit"

// read parses a stored report, grades it and returns its results; of an artifact there are none.
func (i *Intake) read(ctx context.Context, f *execution.File, exit *int) ([]execution.TestResult, error) {
	if f.Kind != execution.FileReport {
		return nil, nil
	}
	body, err := i.blobs.Open(ctx, f.Blob)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer body.Close() //nolint:errcheck // it was only read
	c := collector{file: f, limits: i.limits}
	summary, err := junit.Parse(body, c.add)
	var verdict results.Verdict
	switch {
	case errors.Is(err, results.ErrUnreadable):
		verdict = unread(err)
	case err != nil:
		return nil, fmt.Errorf("parse: %w", err)
	default:
		verdict = results.Judge(summary, exit)
	}
	c.close(&verdict)
	for _, made := range verdict.Synthetic {
		c.keep(made)
	}
	f.Grade, f.GradeReason = string(verdict.Grade), cut(strings.Join(verdict.Reasons, " "))
	return c.results, c.err
}

// unread is the verdict on a report that could not be read to its end. One errored case stands for what it holds, so that the
// execution cannot look as if all its tests were known.
func unread(err error) results.Verdict {
	v := results.Unread(err)
	v.Synthetic = append(v.Synthetic, results.Case{
		Name: "«unreadable report»", Outcome: results.Errored, Message: err.Error(), Synthetic: true,
	})
	return v
}

// collector keeps the results of one report within bounds.
type collector struct {
	file    *execution.File
	limits  Limits
	results []execution.TestResult
	detail  int           // bytes kept so far
	dropped results.Tally // cases beyond the limit
	bare    int           // cases whose details were dropped
	err     error
}

// add is called for every case of the report. The limit drops cases, never the count of them.
func (c *collector) add(one results.Case) error {
	if len(c.results) >= c.limits.Cases {
		c.dropped.Add(one.Outcome)
		return nil
	}
	c.keep(one)
	return c.err
}

func (c *collector) keep(one results.Case) {
	id, err := uuid.NewV7()
	if err != nil {
		c.err = fmt.Errorf("id of test result: %w", err)
		return
	}
	detail := cutTo(one.Detail, results.MaxDetail)
	if c.detail += len(detail); c.detail > c.limits.Detail {
		c.detail -= len(detail)
		detail = ""
		c.bare++
	}
	suite := one.Suite
	if suite == "" {
		suite = one.Class
	}
	c.results = append(c.results, execution.TestResult{
		ID: id, Attempt: c.file.Attempt, Step: c.file.Step, Suite: cut(suite), Name: cut(one.Name), File: cut(one.File),
		Outcome: string(one.Outcome), Duration: max(0, one.Duration), Message: cut(one.Message), Detail: detail,
	})
}

// close states in the verdict what the limits dropped. A failure that was dropped stands as an errored case.
func (c *collector) close(v *results.Verdict) {
	if c.bare > 0 {
		v.Reasons = append(v.Reasons, fmt.Sprintf("The details of %d cases were too long to keep; the report file has them.", c.bare))
	}
	if c.dropped.Total == 0 {
		return
	}
	v.Reasons = append(v.Reasons, fmt.Sprintf("%d cases beyond the first %d are only in the report file.", c.dropped.Total, c.limits.Cases))
	if v.Grade == results.Consistent {
		v.Grade = results.Lossy
	}
	if bad := c.dropped.Bad(); bad > 0 {
		v.Synthetic = append(v.Synthetic, results.Case{
			Name: "«failures not kept»", Outcome: results.Errored, Synthetic: true,
			Message: fmt.Sprintf("%d failures are beyond the first %d cases", bad, c.limits.Cases),
		})
	}
}
