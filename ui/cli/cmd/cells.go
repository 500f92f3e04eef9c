package cmd

import (
	"context"
	"fmt"
	"slices"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// cellOf names a run among its siblings; a run alone needs no name.
func cellOf(e *apiv1.Execution, r *apiv1.Run) string {
	if len(e.GetRuns()) < 2 {
		return ""
	}
	if r.GetName() == "" {
		return render.Line(r.GetEnvironment())
	}
	return render.Line(r.GetName())
}

// cells names the runs of an execution by the ids of their attempts; a run alone needs no name, and there are none.
type cells map[string]string

func cellsOf(e *apiv1.Execution) cells {
	if len(e.GetRuns()) < 2 {
		return nil
	}
	names := cells{}
	for _, r := range e.GetRuns() {
		for _, a := range r.GetAttempts() {
			names[a.GetId()] = cellOf(e, r)
		}
	}
	return names
}

// header adds a column for the run, where there are several.
func (c cells) header(titles []string) []string { return c.insert(titles, "RUN") }

// row adds the run of an attempt.
func (c cells) row(row []string, attempt string) []string { return c.insert(row, c[attempt]) }

func (c cells) insert(row []string, text string) []string {
	if c == nil {
		return row
	}
	return slices.Insert(row, 1, text)
}

// cells returns those of an execution by its id.
func (a *app) cells(ctx context.Context, cl clients, id string) (cells, error) {
	res, err := cl.executions.GetExecution(ctx, &apiv1.GetExecutionRequest{Id: id})
	if err != nil {
		return nil, err
	}
	return cellsOf(res.GetExecution()), nil
}

// tally says how far the runs of an execution are: "2 of 12 runs ended, 1 failed".
func tally(e *apiv1.Execution) string {
	over, bad := 0, map[apiv1.Status]int{}
	for _, r := range e.GetRuns() {
		if terminal(r.GetStatus()) {
			over++
		}
		if r.GetStatus() > apiv1.Status_STATUS_PASSED {
			bad[r.GetStatus()]++
		}
	}
	text := fmt.Sprintf("%d of %d runs ended", over, len(e.GetRuns()))
	for _, s := range []apiv1.Status{
		apiv1.Status_STATUS_FAILED, apiv1.Status_STATUS_ERRORED, apiv1.Status_STATUS_TIMED_OUT, apiv1.Status_STATUS_CANCELLED,
	} {
		if n := bad[s]; n > 0 {
			text += fmt.Sprintf(", %d %s", n, words(s))
		}
	}
	return text
}

// badRuns lists the runs that did not pass, at most some of them.
func (a *app) badRuns(e *apiv1.Execution) {
	const most = 20
	if len(e.GetRuns()) < 2 {
		return
	}
	a.say("%s", tally(e))
	shown := 0
	for _, r := range e.GetRuns() {
		if r.GetStatus() <= apiv1.Status_STATUS_PASSED || r.GetStatus() == apiv1.Status_STATUS_SKIPPED {
			continue
		}
		if shown++; shown > most {
			a.say("  … and more: seatrial get execution %s", e.GetId())
			return
		}
		line := "  ✕ " + cellOf(e, r) + " " + words(r.GetStatus())
		if n := len(r.GetAttempts()); n > 0 && r.GetAttempts()[n-1].GetMessage() != "" {
			line += ": " + render.Line(r.GetAttempts()[n-1].GetMessage())
		}
		a.say("%s", line)
	}
}
