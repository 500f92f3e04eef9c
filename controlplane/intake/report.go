package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format"
)

// read parses a stored report, grades it and returns its results; of an artifact there are none. The grade is that of the bytes
// alone: what the exit code of the step says of all its reports together, the store judges when it knows them.
func (i *Intake) read(ctx context.Context, f *execution.File) ([]execution.TestResult, error) {
	if f.Kind != execution.FileReport {
		return nil, nil
	}
	body, err := i.blobs.Open(ctx, f.Blob)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer body.Close() //nolint:errcheck // it was only read
	c := collector{file: f, limits: i.limits}
	name, summary, err := format.Parse(format.Name(f.Format), body, c.add)
	var verdict results.Verdict
	switch {
	case errors.Is(err, results.ErrUnreadable):
		verdict = results.UnreadIn(err, results.Circumstances{})
	case err != nil:
		return nil, fmt.Errorf("parse: %w", err)
	default:
		verdict = results.Judge(summary, nil)
	}
	if name != "" { // auto stays where no content told another
		f.Format = string(name)
	}
	c.close(&verdict)
	f.Grade, f.GradeReason = string(verdict.Grade), cut(strings.Join(verdict.Reasons, " "))
	f.Bad = int64(summary.Listed.Bad) + int64(len(verdict.Synthetic))
	return c.results, c.err
}
