package viewfake

import (
	"context"
	"slices"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ui/web/view"
)

// Put adds an execution as the newest, or replaces the one with its id, and tells those who listen.
func (w *World) Put(e execution.Execution) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.executions, func(o execution.Execution) bool { return o.ID == e.ID })
	if i < 0 {
		w.executions = slices.Insert(w.executions, 0, e)
	} else {
		w.executions[i] = e
	}
	w.wake(execution.Topic(w.Member.Viewer.Organization, e.ID))
}

// Executions lists newest first.
func (w *World) Executions(ctx context.Context, q view.ExecutionQuery) ([]execution.Execution, string, error) {
	if err := w.allowed(ctx); err != nil {
		return nil, "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []execution.Execution
	for _, e := range w.executions {
		if (q.Workflow == "" || q.Workflow == e.Workflow) && (q.Status == "" || q.Status == e.Status) {
			list = append(list, e)
		}
	}
	part, next := page(list, q.Size, q.After)
	return part, next, nil
}

// LastExecutions returns the newest of each.
func (w *World) LastExecutions(ctx context.Context, workflows []string) (map[string]execution.Execution, error) {
	out := map[string]execution.Execution{}
	for _, name := range workflows {
		list, _, err := w.Executions(ctx, view.ExecutionQuery{Workflow: name, Size: 1})
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			out[name] = list[0]
		}
	}
	return out, nil
}

// Execution returns one.
func (w *World) Execution(ctx context.Context, id execution.ID) (execution.Execution, error) {
	if err := w.allowed(ctx); err != nil {
		return execution.Execution{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.executions, func(e execution.Execution) bool { return e.ID == id })
	if i < 0 {
		return execution.Execution{}, fault.New(fault.NotFound, "no such execution")
	}
	return w.executions[i], nil
}

// Results lists the tests as they were given.
func (w *World) Results(ctx context.Context, id execution.ID, size int, after string) ([]execution.TestResult, string, error) {
	if err := w.allowed(ctx); err != nil {
		return nil, "", err
	}
	part, next := page(w.Tests[id], size, after)
	return part, next, nil
}

// Run adds a queued execution. The same key returns the same one.
func (w *World) Run(ctx context.Context, r execution.Request) (execution.ID, error) {
	if err := w.allowed(ctx); err != nil {
		return execution.ID{}, err
	}
	if w.RunErr != nil {
		return execution.ID{}, w.RunErr
	}
	w.mu.Lock()
	known, ok := w.keys[r.IdempotencyKey]
	w.requests = append(w.requests, r)
	w.mu.Unlock()
	if ok {
		return known, nil
	}
	e := execution.Execution{
		ID: ID(r.Workflow + r.IdempotencyKey), Workflow: r.Workflow, Revision: 1, Status: execution.Queued,
		Params: r.Params, Trigger: r.Trigger, Actor: r.Actor, CreatedAt: w.Now(),
	}
	for _, place := range r.Environments {
		e.Runs = append(e.Runs, execution.Run{Environment: place, Cluster: "eu-1", Status: execution.Queued})
	}
	w.Put(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys[r.IdempotencyKey] = e.ID
	return e.ID, nil
}

// Cancel ends an execution.
func (w *World) Cancel(ctx context.Context, id execution.ID, reason string) error {
	e, err := w.Execution(ctx, id)
	if err != nil {
		return err
	}
	if e.Status.Terminal() {
		return fault.New(fault.Conflict, "the execution has ended already").WithHint("Nothing is left to cancel.")
	}
	e.Status, e.FinishedAt, e.Message = execution.Cancelled, w.Now(), reason
	w.Put(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancelled = append(w.cancelled, reason)
	return nil
}

// Rerun adds a queued execution with the runs of one that has ended, or those that did not pass.
func (w *World) Rerun(ctx context.Context, id execution.ID, again execution.Again) (execution.ID, error) {
	e, err := w.Execution(ctx, id)
	if err != nil {
		return id, err
	}
	runs := e.Runs
	if again.Failed {
		runs = e.Unpassed()
	}
	if !e.Status.Terminal() || len(runs) == 0 {
		return id, fault.New(fault.Conflict, "the execution has not ended, or nothing of it has failed")
	}
	r := execution.Request{
		Workflow: e.Workflow, Params: e.Params, IdempotencyKey: again.IdempotencyKey, Trigger: again.Trigger, Actor: w.Member.Viewer.Name,
	}
	r.Only, r.Environments = execution.Cells(runs)
	return w.Run(ctx, r)
}

// Resume has paused steps pass, and their attempts go on.
func (w *World) Resume(ctx context.Context, id execution.ID, which execution.Resume) (int, error) {
	e, err := w.Execution(ctx, id)
	if err != nil {
		return 0, err
	}
	steps := 0
	for i := range e.Runs {
		for k := range e.Runs[i].Attempts {
			steps += resume(&e.Runs[i].Attempts[k], which)
		}
	}
	if steps == 0 {
		return 0, fault.New(fault.Conflict, "no step of the execution waits to be resumed: it is %s", e.Status)
	}
	e.Status = execution.Running
	w.Put(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resumed = append(w.resumed, which)
	return steps, nil
}

func resume(a *execution.Attempt, which execution.Resume) (steps int) {
	for i, s := range a.Steps {
		if s.Status == execution.Paused && (which.Step == "" || which.Step == s.Name) {
			a.Steps[i].Status, a.Steps[i].Reason = execution.Passed, which.Reason
			a.Status = execution.Running
			steps++
		}
	}
	return steps
}

// Resumed returns which steps were resumed.
func (w *World) Resumed() []execution.Resume {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.resumed)
}

// Asked returns what was asked of the world: runs, cancellations, enrolments.
func (w *World) Asked() (runs []execution.Request, cancels []string, enrolments []view.Enrollment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests), slices.Clone(w.cancelled), slices.Clone(w.enrolled)
}
