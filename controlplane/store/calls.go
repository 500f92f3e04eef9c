package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/call"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/run"
	"github.com/seatrial/seatrial/ent/db/step"
)

// The calls of a step, see execution.Call. Their rows are made with the report that the step asks for them. A row is open while there
// may be something to decide, and whoever changes what a decision depends on opens it: the end of a child, of the step and of the
// attempt. What is decided is carried out after the transaction by whoever has asked, who has a lease on the step for it; when nothing
// has come of it by then, it is decided anew.

// States of a call.
const (
	callOpen    = "open"
	callWaiting = "waiting" // until something changes
	callClosed  = "closed"
)

// executes decodes what a step executes.
func executes(row *db.Step) (what record.Execute, err error) {
	if err := json.Unmarshal(row.Execute, &what); err != nil {
		return what, fmt.Errorf("read what step %s executes: %w", row.Name, err)
	}
	return what, nil
}

// aboveOf returns the executions above a child of an execution, the execution itself last.
func aboveOf(head *db.Execution, waits bool) ([]record.Above, error) {
	last := record.Above{Execution: head.ID, Workflow: head.Workflow, Waits: waits}
	if head.ParentID == nil {
		return []record.Above{last}, nil
	}
	var parent record.Parent
	if err := json.Unmarshal(head.Parent, &parent); err != nil {
		return nil, fmt.Errorf("read the parent of execution %s: %w", head.ID, err)
	}
	return append(slices.Clone(parent.Above), last), nil
}

// endOfChild tells the call that started an execution how it has ended.
func endOfChild(ctx context.Context, tx *db.Tx, head *db.Execution, now state) error {
	return openCalls(ctx, tx.Call.Update().Where(call.ChildID(head.ID)).SetStatus(string(now.status)).SetMessage(now.message))
}

// callsWithout opens the calls of attempts that have ended, or of one step of an attempt: nobody waits for them any more.
func callsWithout(ctx context.Context, tx *db.Tx, of ...predicate.Call) error {
	return openCalls(ctx, tx.Call.Update().Where(append(of, call.StateNEQ(callClosed))...))
}

func openCalls(ctx context.Context, change *db.CallUpdate) error {
	return change.SetState(callOpen).ClearLeasedUntil().Exec(ctx)
}

// OpenCalls returns steps whose calls are open and that nobody has a lease on, those that wait longest first.
func (s *Store) OpenCalls(ctx context.Context, limit int) ([]record.CallStep, error) {
	var rows []struct {
		OrganizationID uuid.UUID `json:"organization_id"`
		AttemptID      uuid.UUID `json:"attempt_id"`
		StepIndex      int       `json:"step_index"`
	}
	err := s.db.Read().Call.Query().
		Where(call.State(callOpen), call.Or(call.LeasedUntilIsNil(), call.LeasedUntilLTE(s.now()))).
		Order(func(sel *entsql.Selector) { sel.OrderBy("MIN(" + sel.C(call.FieldUpdatedAt) + ")") }).Limit(limit).
		GroupBy(call.FieldOrganizationID, call.FieldAttemptID, call.FieldStepIndex).Scan(tenant.System(ctx), &rows)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]record.CallStep, len(rows))
	for i, row := range rows {
		out[i] = record.CallStep{Organization: row.OrganizationID, Attempt: row.AttemptID, Step: row.StepIndex}
	}
	return out, nil
}

// withoutParams are the columns of calls but the largest one, which is needed only when a call begins.
func withoutParams() []string {
	return slices.DeleteFunc(slices.Clone(call.Columns), func(column string) bool { return column == call.FieldParams })
}

// linkChild makes an execution the one that a call has led to, in the transaction that creates it. It is refused when the call has led
// to another one, when nobody waits for it any more, or when it could never go on.
func (s *Store) linkChild(ctx context.Context, tx *db.Tx, n record.New) error {
	p := n.Execution.Parent
	row, err := locked(s, tx.Call.Query().Where(call.ID(p.Call))).Only(ctx)
	if err != nil {
		return err
	}
	alive, err := tx.Step.Query().Where(step.AttemptID(row.AttemptID), step.Index(row.StepIndex), step.StatusNotIn(terminal()...),
		step.HasAttemptWith(attempt.StatusNotIn(terminal()...))).Exist(ctx)
	if err != nil {
		return err
	}
	if !alive || row.ChildID != nil || row.Status != string(record.Queued) {
		return fault.New(fault.Conflict, "the step does not wait for it any more")
	}
	if below, err := tx.Execution.Query().Where(execution.RootID(p.Root())).Count(ctx); err != nil {
		return err
	} else if below >= record.MaxDescendants {
		return fault.New(fault.Exhausted, "%d executions have been started below execution %s, which is the limit", below, p.Root())
	}
	if err := refuseCircle(ctx, tx, n); err != nil {
		return err
	}
	return openCalls(ctx, tx.Call.Update().Where(call.ID(row.ID)).SetChildID(n.Execution.ID))
}

// refuseCircle refuses an execution that would wait for a place in a concurrency group while executions that wait for it hold all places.
func refuseCircle(ctx context.Context, tx *db.Tx, n record.New) error {
	above := n.Execution.Parent.Waiting()
	if len(above) == 0 {
		return nil
	}
	for _, r := range n.Runs {
		if r.Group.Name == "" {
			continue
		}
		held, err := tx.Run.Query().Where(run.ExecutionIDIn(above...), run.ConcurrencyGroup(r.Group.Name), run.AdmittedAtNotNil(),
			run.StatusIn(live()...)).Count(ctx)
		if err != nil {
			return err
		}
		if held >= r.Group.Limit {
			return fault.New(fault.Conflict, "its concurrency group %s is held by an execution that waits for it", r.Group.Name).
				WithHint("Give the two workflows different groups, or do not wait for it (execute.wait).")
		}
	}
	return nil
}

// CallFailed stores why a call cannot begin, unless it has.
func (s *Store) CallFailed(ctx context.Context, id uuid.UUID, problem string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return openCalls(ctx, tx.Call.Update().Where(call.ID(id), call.ChildIDIsNil(), call.Status(string(record.Queued))).
			SetStatus(string(record.Errored)).SetMessage(clean(problem)))
	})
}

func callRecord(row *db.Call) record.Call {
	out := record.Call{ID: row.ID, Workflow: row.Workflow, Status: record.Status(row.Status), Message: row.Message}
	if row.ChildID != nil {
		out.Execution = *row.ChildID
	}
	return out
}

// callsOf returns the calls of attempts by attempt and step, as they stand now.
func (s *Store) callsOf(ctx context.Context, attempts []uuid.UUID) (map[callKey][]record.Call, error) {
	var rows []*db.Call
	for part := range slices.Chunk(attempts, batch) {
		some, err := s.db.Read().Call.Query().Where(call.AttemptIDIn(part...)).Order(call.ByOrdinal()).Select(withoutParams()...).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		rows = append(rows, some...)
	}
	var live []uuid.UUID
	for _, row := range rows {
		if row.ChildID != nil && !record.Status(row.Status).Terminal() {
			live = append(live, *row.ChildID)
		}
	}
	now := map[uuid.UUID]record.Status{}
	for part := range slices.Chunk(live, batch) {
		heads, err := s.db.Read().Execution.Query().Where(execution.IDIn(part...)).Select(execution.FieldID, execution.FieldStatus).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		for _, head := range heads {
			now[head.ID] = record.Status(head.Status)
		}
	}
	out := map[callKey][]record.Call{}
	for _, row := range rows {
		c := callRecord(row)
		if status, ok := now[c.Execution]; ok {
			c.Status = status
		}
		key := callKey{row.AttemptID, row.StepIndex}
		out[key] = append(out[key], c)
	}
	return out, nil
}

type callKey struct {
	attempt uuid.UUID
	step    int
}
