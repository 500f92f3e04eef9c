package dispatch

import (
	"context"
	"fmt"
	"slices"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/expand"
)

// Rerun starts the workflow of an execution that has ended again, as it is in the catalog now: the same runs, or those alone that did not
// pass, with the same parameters, and as evidence for the same release. Beside the errors of Start it is fault.Conflict when nothing is
// there to run again, and fault.Invalid when the workflow does not have such runs any more.
func (d *Dispatcher) Rerun(ctx context.Context, id execution.ID, again execution.Again) (e execution.Execution, existed bool, err error) {
	if _, err := tenant.Require(ctx, tenant.ScopeRun); err != nil {
		return e, false, err
	}
	old, err := d.store.Execution(ctx, id)
	if err != nil {
		return e, false, fmt.Errorf("load execution %s: %w", id, err)
	}
	if !old.Status.Terminal() {
		return e, false, fault.New(fault.Conflict, "the execution has not ended: it is %s", old.Status).WithHint("Wait for its end, or cancel it first.")
	}
	runs := old.Runs
	if again.Failed {
		if runs = old.Unpassed(); len(runs) == 0 {
			return e, false, fault.New(fault.Conflict, "every run of the execution has passed").WithHint("Run all of it again.")
		}
	}
	req := execution.Request{
		Workflow: old.Workflow, Params: old.Params, IdempotencyKey: again.IdempotencyKey, Trigger: again.Trigger, Commit: old.Commit,
	}
	req.Only, req.Environments = execution.Cells(runs)
	if req.Application, req.Version, err = d.store.ReleaseOf(ctx, id); err != nil {
		return e, false, fmt.Errorf("release of execution %s: %w", id, err)
	}
	return d.Start(ctx, req)
}

// only returns those of the runs that are asked for, in their order; all when nothing is asked for.
func only(runs []expand.Run, asked []execution.Cell) ([]expand.Run, error) {
	if len(asked) == 0 {
		return runs, nil
	}
	var out []expand.Run
	for _, r := range runs {
		if slices.ContainsFunc(asked, cell(r).Is) {
			out = append(out, r)
		}
	}
	if len(out) < len(asked) {
		return nil, fault.New(fault.Invalid, "the workflow has changed: of the %d runs asked for it has %d", len(asked), len(out)).
			WithField("only").WithHint("Run the workflow anew, as it is now.")
	}
	return out, nil
}

func cell(r expand.Run) execution.Cell {
	return execution.Cell{Environment: r.Environment, Matrix: texts(r.Matrix), Shard: int(r.Shard), Shards: int(r.Shards)}
}
