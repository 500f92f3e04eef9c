package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/call"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/step"
)

// SettleCalls decides about the calls of a step.
func (s *Store) SettleCalls(ctx context.Context, of record.CallStep) (out record.Settled, err error) {
	ctx = insider(ctx, of.Organization)
	found, err := s.db.Read().Attempt.Query().Where(attempt.ID(of.Attempt)).Select(attempt.FieldID, attempt.FieldExecutionID).Only(ctx)
	if err != nil {
		return out, database.Fault(err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		out = record.Settled{}
		head, err := s.lockExecution(ctx, tx, found.ExecutionID)
		if err != nil {
			return err
		}
		q := settling{tx: tx, head: head, now: s.now()}
		if err := q.read(ctx, of); err != nil || len(q.rows) == 0 {
			return err
		}
		var state string
		if out, state, err = q.settle(ctx); err != nil || state == callWaiting {
			return err
		}
		return q.set(ctx, state)
	})
	return out, err
}

// settling is a decision about the calls of one step, in a transaction that holds the lock of the execution.
type settling struct {
	tx      *db.Tx
	head    *db.Execution
	now     time.Time
	attempt *db.Attempt
	step    *db.Step
	what    record.Execute
	rows    []*db.Call
	calls   []record.Call
}

// read first takes the rows for itself: what changes them from now on comes after the decision and opens them again. When another
// replica was faster there are none.
func (q *settling) read(ctx context.Context, of record.CallStep) (err error) {
	mine := []predicate.Call{call.AttemptID(of.Attempt), call.StepIndex(of.Step)}
	taken, err := q.tx.Call.Update().Where(append(mine, call.State(callOpen), call.Or(call.LeasedUntilIsNil(), call.LeasedUntilLTE(q.now)))...).
		SetState(callWaiting).ClearLeasedUntil().Save(ctx)
	if err != nil || taken == 0 {
		return err
	}
	q.attempt, err = q.tx.Attempt.Query().Where(attempt.ID(of.Attempt)).WithRun().
		Select(attempt.FieldID, attempt.FieldOrganizationID, attempt.FieldRunID, attempt.FieldClusterID, attempt.FieldStatus).Only(ctx)
	if err != nil {
		return err
	}
	if q.step, err = q.tx.Step.Query().Where(step.AttemptID(of.Attempt), step.Index(of.Step)).Only(ctx); err != nil {
		return err
	}
	if q.what, err = executes(q.step); err != nil {
		return err
	}
	q.rows, err = q.tx.Call.Query().Where(mine...).Order(call.ByOrdinal()).Select(withoutParams()...).All(ctx)
	for _, row := range q.rows {
		q.calls = append(q.calls, callRecord(row))
	}
	return err
}

// settle returns what is to be done, and the state that the calls have then.
func (q *settling) settle(ctx context.Context) (out record.Settled, state string, err error) {
	wait := q.what.Wait
	switch {
	case record.Status(q.attempt.Status).Terminal() || record.Status(q.step.Status).Terminal():
		if err := q.forgo(ctx); err != nil {
			return out, "", err
		}
		return q.abandon(ctx)
	case !slices.ContainsFunc(q.calls, func(c record.Call) bool { return !c.Over(wait) }):
		status, reason := record.Verdict(q.calls, wait)
		out.Wake, err = q.answer(ctx, status, reason)
		out.Changed = []record.ID{q.head.ID}
		return out, callWaiting, err
	}
	if out.Begin, err = q.begin(ctx); len(out.Begin) > 0 {
		return out, callOpen, err // until they have begun
	}
	return out, callWaiting, err
}

// set brings the calls to a state; open ones are left to whoever has asked for the time of the lease.
func (q *settling) set(ctx context.Context, state string) error {
	change := q.tx.Call.Update().Where(call.AttemptID(q.attempt.ID), call.StepIndex(q.step.Index)).SetState(state)
	if state == callOpen {
		change.SetLeasedUntil(q.now.Add(record.Lease))
	}
	return change.Exec(ctx)
}

// forgo ends the calls that have not begun when nobody waits for them any more.
func (q *settling) forgo(ctx context.Context) error {
	return q.tx.Call.Update().Where(call.AttemptID(q.attempt.ID), call.StepIndex(q.step.Index), call.ChildIDIsNil(),
		call.Status(string(record.Queued))).SetStatus(string(record.Cancelled)).SetMessage("The step ended before its turn had come.").Exec(ctx)
}

// abandon has the children cancelled that nobody waits for any more. Those that nobody ever waited for go on, and those for which
// somebody has a lease are being cancelled already.
func (q *settling) abandon(ctx context.Context) (out record.Settled, state string, err error) {
	var children []uuid.UUID
	leased := false
	for i, c := range q.calls {
		if !q.what.Wait || c.Execution == uuid.Nil || c.Status.Terminal() {
			continue
		}
		if until := q.rows[i].LeasedUntil; until != nil && until.After(q.now) {
			leased = true
			continue
		}
		children = append(children, c.Execution)
	}
	if len(children) > 0 {
		out.Cancel, err = q.tx.Execution.Query().Where(execution.IDIn(children...), execution.StatusNotIn(terminal()...)).
			Order(execution.ByID()).IDs(ctx)
	}
	switch {
	case err != nil:
		return out, "", err
	case len(out.Cancel) > 0:
		return out, callOpen, nil // until they have ended
	case leased:
		return out, callWaiting, nil
	}
	return out, callClosed, nil
}

// answer queues the word that lets the step end.
func (q *settling) answer(ctx context.Context, status record.Status, reason string) ([]cluster.ID, error) {
	kind := agentcommand.Kind(string(cluster.Resume))
	told, err := q.tx.AgentCommand.Query().Where(agentcommand.AttemptID(q.attempt.ID), kind, agentcommand.Step(q.step.Index)).Exist(ctx)
	if err != nil || told {
		return nil, err
	}
	err = q.tx.AgentCommand.Create().SetOrganizationID(q.attempt.OrganizationID).SetClusterID(q.attempt.ClusterID).SetAttemptID(q.attempt.ID).
		SetKind(string(cluster.Resume)).SetStep(q.step.Index).SetReason(clean(reason)).SetVerdict(string(status)).Exec(ctx)
	return []cluster.ID{q.attempt.ClusterID}, err
}

func (q *settling) begin(ctx context.Context) ([]record.Beginning, error) {
	next := record.NextCalls(q.calls, q.what.Parallelism, q.what.Wait)
	if len(next) == 0 {
		return nil, nil
	}
	above, err := aboveOf(q.head, q.what.Wait)
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(next))
	for n, i := range next {
		ids[n] = q.rows[i].ID
	}
	rows, err := q.tx.Call.Query().Where(call.IDIn(ids...)).Order(call.ByOrdinal()).All(ctx)
	if err != nil {
		return nil, err
	}
	application, version, err := namedRelease(ctx, q.tx, q.head.ID)
	if err != nil {
		return nil, err
	}
	var out []record.Beginning
	for _, row := range rows {
		out = append(out, record.Beginning{
			Commit: q.head.Commit, Application: application, Version: version, Call: row.ID, Workflow: row.Workflow, Params: row.Params, Environment: q.attempt.Edges.Run.EnvironmentName,
			Actor: q.head.Actor,
			Parent: record.Parent{
				Execution: q.head.ID, Workflow: q.head.Workflow, Step: q.step.Name, Above: above, Call: row.ID,
			},
		})
	}
	return out, nil
}
