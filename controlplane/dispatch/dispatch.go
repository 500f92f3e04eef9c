package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

const (
	maxKey    = 200 // bytes of an idempotency key
	maxReason = 500 // bytes of what a person says about a cancellation or a resumption
)

// Topics name what hints are published on.
type Topics struct {
	Agent     func(org tenant.ID, c cluster.ID) string
	Execution func(org tenant.ID, id execution.ID) string
}

// Config is what a Dispatcher is made of. Clock, NewID and MaxSpecs may be left out.
type Config struct {
	Store  Store
	Bus    Bus
	Topics Topics
	Log    *slog.Logger
	Clock  func() time.Time
	NewID  func() (uuid.UUID, error) // sorts by time: UUIDv7
	// MaxSpecs is how many bytes the assignments of one execution have together at most.
	MaxSpecs int
}

// Dispatcher starts, resumes and cancels executions. It holds no state of its own: everything is in the store when a call returns.
type Dispatcher struct {
	store  Store
	bus    Bus
	topics Topics
	log    *slog.Logger
	now    func() time.Time
	newID  func() (uuid.UUID, error)

	maxSpecs int
	loaded   *shelf // of one that remembers
}

// New returns a Dispatcher.
func New(c Config) *Dispatcher {
	d := &Dispatcher{
		store: c.Store, bus: c.Bus, topics: c.Topics, log: c.Log.With("component", "dispatch"), now: c.Clock, newID: c.NewID,
		maxSpecs: cmp.Or(c.MaxSpecs, maxSpecs),
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.newID == nil {
		d.newID = uuid.NewV7
	}
	return d
}

// Start accepts an execution: it is stored together with the commands that start its runs, or not at all. With an idempotency key
// that was used before it returns the earlier execution and existed is true. Errors are faults: Forbidden without the scope to
// run, NotFound, and Invalid for parameters or an environment that do not fit.
func (d *Dispatcher) Start(ctx context.Context, req execution.Request) (e execution.Execution, existed bool, err error) {
	viewer, err := tenant.Require(ctx, tenant.ScopeRun)
	if err != nil {
		return e, false, err
	}
	if len(req.IdempotencyKey) > maxKey {
		return e, false, fault.New(fault.Invalid, "the idempotency key is longer than %d bytes", maxKey).WithField("idempotency_key")
	}
	n, err := d.prepare(ctx, viewer, req)
	if err != nil {
		return e, false, err
	}
	if err := d.admit(ctx, len(n.Runs)); err != nil {
		return e, false, err
	}
	id, existed, err := d.store.CreateExecution(ctx, n)
	if err != nil {
		return e, false, fmt.Errorf("store execution of %s: %w", req.Workflow, err)
	}
	if existed {
		e, err = d.store.Execution(ctx, id)
		if err != nil {
			return e, true, fmt.Errorf("load execution %s: %w", id, err)
		}
		return e, true, nil
	}
	effects := execution.Effects{Wake: clusters(n.Runs), Changed: []execution.ID{id}}
	if grouped(n.Runs) {
		admitted, err := d.store.Admit(ctx, id)
		admitted.Undecided = err // it is accepted: to answer with a failure would have it started twice
		effects.Add(admitted)
	}
	d.tell(ctx, viewer.Organization, effects)
	d.log.InfoContext(ctx, "execution accepted", "execution", id, "workflow", req.Workflow, "runs", len(n.Runs),
		"trigger", n.Execution.Trigger)
	return accepted(n), false, nil
}

// admit returns fault.Exhausted when the organization has no room for more runs.
func (d *Dispatcher) admit(ctx context.Context, runs int) error {
	quota, err := d.store.Quota(ctx)
	if err != nil {
		return fmt.Errorf("read quotas: %w", err)
	}
	if quota.Queued == 0 && quota.LogBytes == 0 {
		return nil
	}
	use, err := d.store.Use(ctx)
	if err != nil {
		return fmt.Errorf("read what is used: %w", err)
	}
	return quota.Admit(use, runs) //nolint:wrapcheck // a fault that speaks for itself
}

// Cancel asks for the end of an execution. Cancelling what has ended is fault.Conflict.
func (d *Dispatcher) Cancel(ctx context.Context, id execution.ID, reason string) error {
	viewer, err := tenant.Require(ctx, tenant.ScopeRun)
	if err != nil {
		return err
	}
	switch {
	case reason == "":
		reason = "Cancelled by " + viewer.Name + "."
	case len(reason) > maxReason:
		return fault.New(fault.Invalid, "the reason is longer than %d bytes", maxReason).WithField("reason")
	}
	if err := d.mayStop(ctx, viewer, id); err != nil {
		return err
	}
	return d.end(ctx, viewer, id, reason)
}

// end cancels an execution, whoever may.
func (d *Dispatcher) end(ctx context.Context, viewer tenant.Viewer, id execution.ID, reason string) error {
	effects, err := d.store.CancelExecution(ctx, id, reason)
	if err != nil {
		return fmt.Errorf("cancel execution %s: %w", id, err)
	}
	d.tell(ctx, viewer.Organization, effects)
	d.log.InfoContext(ctx, "execution cancelled", "execution", id, "actor", viewer.Name)
	return nil
}

// Resume has the steps of an execution go on that wait for a person, and returns how many they are. When none waits it is
// fault.Conflict.
func (d *Dispatcher) Resume(ctx context.Context, id execution.ID, which execution.Resume) (steps int, err error) {
	viewer, err := tenant.Require(ctx, tenant.ScopeRun)
	if err != nil {
		return 0, err
	}
	if len(which.Reason) > maxReason {
		return 0, fault.New(fault.Invalid, "the comment is longer than %d bytes", maxReason).WithField("comment")
	}
	if err := d.mayStop(ctx, viewer, id); err != nil {
		return 0, err
	}
	said := "Resumed by " + viewer.Name + "."
	if which.Reason != "" {
		said = "Resumed by " + viewer.Name + ": " + which.Reason
	}
	which.Reason = said
	steps, wake, err := d.store.ResumeExecution(ctx, id, which)
	if err != nil {
		return 0, fmt.Errorf("resume execution %s: %w", id, err)
	}
	for _, c := range wake {
		d.bus.Publish(ctx, d.topics.Agent(viewer.Organization, c))
	}
	d.log.InfoContext(ctx, "execution resumed", "execution", id, "steps", steps, "actor", viewer.Name)
	return steps, nil
}

// mayStop returns fault.Forbidden unless the viewer acts for the team whose workflow it is, or has started the execution: whoever may run what
// another team shares may end it, too. A token has to be for the workflow.
func (d *Dispatcher) mayStop(ctx context.Context, viewer tenant.Viewer, id execution.ID) error {
	e, err := d.store.Execution(ctx, id)
	if err != nil {
		return fmt.Errorf("load execution %s: %w", id, err)
	}
	if err := viewer.Workflow(e.Workflow); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	if e.Actor != "" && (e.Actor == viewer.Name || e.Actor == viewer.Person()) {
		return nil
	}
	w, err := d.store.Workflow(ctx, e.Workflow)
	if err != nil {
		return fmt.Errorf("load workflow %s: %w", e.Workflow, err)
	}
	if !viewer.Acts(w.TeamID) {
		return fault.New(fault.Forbidden, "the workflow %s belongs to the team %s, which %s is not in, and %s has started this execution", w.Name, w.Team, viewer.Name, or(e.Actor, "somebody else")).
			WithHint("Ask a maintainer of the team %s.", w.Team)
	}
	return nil
}

// tell wakes those who have something to do or to show.
func (d *Dispatcher) tell(ctx context.Context, org tenant.ID, effects execution.Effects) {
	if effects.Undecided != nil {
		d.log.ErrorContext(ctx, "concurrency groups not decided", "organization", org, "error", effects.Undecided)
	}
	for _, c := range effects.Wake {
		d.bus.Publish(ctx, d.topics.Agent(org, c))
	}
	for _, id := range effects.Changed {
		d.bus.Publish(ctx, d.topics.Execution(org, id))
	}
	if len(effects.Changed) > 0 {
		d.bus.Publish(ctx, execution.ChangesTopic(org))
	}
	if effects.Calls {
		d.bus.Publish(ctx, execution.CallsTopic)
	}
	if effects.Judge {
		d.bus.Publish(ctx, execution.EvidenceTopic)
	}
}

func grouped(runs []execution.NewRun) bool {
	return slices.ContainsFunc(runs, func(r execution.NewRun) bool { return r.Group.Name != "" })
}

func steps(plan *workflow.Plan) []execution.Step {
	out := make([]execution.Step, len(plan.Steps))
	for i, s := range plan.Steps {
		out[i] = execution.Step{Index: s.Index, Name: s.Name, Status: execution.Waiting, Execute: callees(s.Execute)}
	}
	return out
}

func callees(p *workflow.PlanExecute) *execution.Execute {
	if p == nil {
		return nil
	}
	out := &execution.Execute{Parallelism: p.Parallelism, Wait: p.Wait}
	for _, c := range p.Calls {
		out.Callees = append(out.Callees, execution.Callee{Name: c.Name, Selector: c.Selector})
	}
	return out
}

func services(plan *workflow.Plan) []execution.Service {
	var out []execution.Service
	for _, s := range plan.Services {
		out = append(out, execution.Service{Name: s.Name, Status: execution.ServiceWaiting, LogWithheld: s.Secretive()})
	}
	return out
}

// accepted is the execution as it was stored: reading it again would only add a way to fail after it has succeeded.
func accepted(n execution.New) execution.Execution {
	e := n.Execution
	for _, r := range n.Runs {
		e.Runs = append(e.Runs, execution.Run{
			ID: r.ID, Name: r.Name, Matrix: r.Matrix, Shard: r.Shard, Shards: r.Shards,
			Environment: r.Environment.Name, Cluster: r.Environment.ClusterName, Namespace: r.Environment.Namespace, Group: r.Group.Name,
			Retries:  r.Retries,
			Status:   execution.Queued,
			Attempts: []execution.Attempt{{ID: r.AttemptID, Number: 1, Status: execution.Queued, Steps: r.Steps, Services: r.Services}},
		})
	}
	return e
}

func clusters(runs []execution.NewRun) []cluster.ID {
	var ids []cluster.ID
	for _, r := range runs {
		if !slices.Contains(ids, r.Environment.ClusterID) {
			ids = append(ids, r.Environment.ClusterID)
		}
	}
	return ids
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
