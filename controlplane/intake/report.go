package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format"
	"github.com/seatrial/seatrial/controlplane/results/identity"
)

// read parses a stored report, grades it and returns its results; of an artifact there are none. The grade is that of the bytes
// alone: what the exit code of the step says of all its reports together, the store judges when it knows them.
func (i *Intake) read(ctx context.Context, f *execution.File, scope identity.Scope) ([]execution.TestResult, error) {
	if f.Kind != execution.FileReport {
		return nil, nil
	}
	body, err := i.blobs.Open(ctx, f.Blob)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer body.Close() //nolint:errcheck // it was only read
	c := collector{file: f, limits: i.limits, scope: scope, namer: identity.NewNamer()}
	summary, err := c.parse(body)
	var verdict results.Verdict
	switch {
	case errors.Is(err, results.ErrUnreadable):
		verdict = results.UnreadIn(err, results.Circumstances{})
	case err != nil:
		return nil, fmt.Errorf("parse: %w", err)
	default:
		verdict = results.Judge(summary, nil)
	}
	c.close(&verdict)
	f.Grade, f.GradeReason = string(verdict.Grade), cut(strings.Join(verdict.Reasons, " "))
	f.Bad = int64(summary.Listed.Bad) + int64(len(verdict.Synthetic))
	return c.results, c.err
}

// parse reads the cases of a report. What format it is belongs to the identity of its tests, so that is found out first; auto stays
// where no content tells another.
func (c *collector) parse(body io.Reader) (results.Summary, error) {
	name, body, err := format.Resolve(format.Name(c.file.Format), body)
	if err != nil {
		return results.Summary{}, err //nolint:wrapcheck // the caller says what it was about
	}
	c.file.Format, c.scope.Scheme = string(name), string(name)
	b := besides(c.add)
	_, summary, err := format.Parse(name, body, b.add)
	if kept := b.finish(); err == nil {
		err = kept
	}
	return summary, err //nolint:wrapcheck // the caller says what it was about
}
