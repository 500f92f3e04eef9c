package web

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/usage"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/words"
)

// What a page shows of what steps have used: more steps than this are only counted, and only those that took longest are drawn.
const (
	usageRows  = 50
	usageDrawn = 12
	// drawFor is how long the drawings may hold up a page.
	drawFor = 2 * time.Second
)

// usage returns what the steps of an execution have used, in order, and how many more there are. What they used over time is drawn once
// the execution has ended: its page is rendered at every change until then.
func (s *site) usage(ctx context.Context, e execution.Execution, files []execution.File) (rows []pages.Used, more int) {
	for _, a := range slices.Backward(words.Attempts(e)) {
		for _, st := range a.Steps {
			if st.Usage == nil {
				continue
			}
			if len(rows) == usageRows {
				more++
				continue
			}
			rows = append(rows, pages.Used{Attempt: a.ID, Step: st})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, drawFor)
	defer cancel()
	var reading sync.WaitGroup
	for _, i := range longest(rows) {
		row := &rows[i]
		at := slices.IndexFunc(files, func(f execution.File) bool {
			return f.Kind == execution.FileMetrics && f.Attempt == row.Attempt && f.Step == row.Step.Index
		})
		if at < 0 {
			continue
		}
		row.File = &files[at]
		if e.Status.Terminal() {
			reading.Go(func() { row.Samples = s.samples(ctx, files[at]) })
		}
	}
	reading.Wait()
	return rows, more
}

// longest returns which rows are drawn.
func longest(rows []pages.Used) []int {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	took := func(i int) int64 { return int64(rows[i].Step.FinishedAt.Sub(rows[i].Step.StartedAt)) }
	slices.SortStableFunc(order, func(a, b int) int { return int(max(-1, min(1, took(b)-took(a)))) })
	return order[:min(len(order), usageDrawn)]
}

// samples reads a record. One that is not stored any more, or that nobody can read now, is not drawn: the totals are there still.
func (s *site) samples(ctx context.Context, f execution.File) []usage.Sample {
	body, err := s.History.Content(ctx, f)
	if err != nil {
		if !fault.Is(err, fault.NotFound) {
			s.Log.WarnContext(ctx, "record of a step not opened", "file", f.ID, "error", err)
		}
		return nil
	}
	defer func() { _ = body.Close() }()
	list, err := usage.Parse(body)
	if err != nil {
		s.Log.WarnContext(ctx, "record of a step not readable", "file", f.ID, "error", err)
		return nil
	}
	return list
}
