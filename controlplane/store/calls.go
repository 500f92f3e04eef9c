package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/call"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/run"
	"github.com/seatrial/seatrial/ent/db/step"
	"github.com/seatrial/seatrial/ent/db/workflow"
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

// makeCalls stores what a step asks for, once. It reports whether it did.
func makeCalls(ctx context.Context, tx *db.Tx, a *db.Attempt, row *db.Step, params []map[string]string) (bool, error) {
	var what record.Execute
	if err := json.Unmarshal(row.Execute, &what); err != nil {
		return false, fmt.Errorf("read what step %s executes: %w", row.Name, err)
	}
	there, err := tx.Call.Query().Where(call.AttemptID(a.ID), call.StepIndex(row.Index)).Exist(ctx)
	if err != nil || there {
		return false, err
	}
	ctx = insider(ctx, a.OrganizationID) // an agent sees no workflows
	asked, err := askedFor(ctx, tx, a, what, params)
	if err != nil {
		return false, err
	}
	begun, err := begunBefore(ctx, tx, a, row.Index, what.Wait)
	if err != nil {
		return false, err
	}
	rows := make([]*db.CallCreate, len(asked))
	for i, c := range asked {
		rows[i] = tx.Call.Create().SetOrganizationID(a.OrganizationID).SetExecutionID(a.ExecutionID).SetAttemptID(a.ID).SetStepIndex(row.Index).
			SetOrdinal(i).SetWorkflow(c.workflow).SetParams(c.params).SetStatus(string(record.Queued)).SetMessage(clean(c.problem))
		if c.problem != "" {
			rows[i].SetStatus(string(record.Errored))
		}
		if child := begun.take(i, c); child != uuid.Nil {
			rows[i].SetChildID(child)
		}
	}
	return true, tx.Call.CreateBulk(rows...).Exec(ctx)
}

// begunCalls are those of earlier attempts that have begun.
type begunCalls []*db.Call

// begunBefore returns what the step has started in earlier attempts of the run and nobody waits for: it goes on, and is not started
// again.
func begunBefore(ctx context.Context, tx *db.Tx, a *db.Attempt, index int, wait bool) (begunCalls, error) {
	if wait || a.Number == 1 {
		return nil, nil
	}
	return tx.Call.Query().Where(call.StepIndex(index), call.ChildIDNotNil(),
		call.HasAttemptWith(attempt.RunID(a.RunID), attempt.NumberLT(a.Number))).Order(call.ByOrdinal()).All(ctx)
}

// take returns what was started for the same call, and does so once: at its place, or elsewhere when a selector finds more by now.
func (b *begunCalls) take(ordinal int, c asked) uuid.UUID {
	same := func(row *db.Call) bool { return row.Workflow == c.workflow && maps.Equal(row.Params, c.params) }
	i := slices.IndexFunc(*b, func(row *db.Call) bool { return row.Ordinal == ordinal && same(row) })
	if i < 0 {
		i = slices.IndexFunc(*b, same)
	}
	if i < 0 {
		return uuid.Nil
	}
	child := *(*b)[i].ChildID
	// a third attempt finds those of the first twice
	*b = slices.DeleteFunc(*b, func(row *db.Call) bool { return *row.ChildID == child })
	return child
}

// asked is a call that is to be stored, or why there is none.
type asked struct {
	workflow string
	params   map[string]string
	problem  string
}

// askedFor returns the calls of a step: of the workflow that is stored, not of what the agent says, comes what is executed. A selector
// means neither what is named beside it or found before it, nor the workflow itself and those that execute it.
func askedFor(ctx context.Context, tx *db.Tx, a *db.Attempt, what record.Execute, params []map[string]string) (list []asked, err error) {
	find := finder{tx: tx}
	for i, callee := range what.Callees {
		values := map[string]string{}
		if i < len(params) {
			for name, value := range params[i] {
				values[clean(name)] = clean(value)
			}
		}
		if callee.Name != "" {
			list = append(list, asked{workflow: callee.Name, params: values})
			continue
		}
		names, err := find.names(ctx, a, what, callee.Selector)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			list = append(list, asked{problem: "no other workflow has the labels " + labelsText(callee.Selector)})
		}
		for _, name := range names {
			list = append(list, asked{workflow: name, params: values})
		}
	}
	if n := len(list); n > record.MaxCalls {
		problem := fmt.Sprintf("the step executes %d workflows, and at most %d are possible: narrow its selectors", n, record.MaxCalls)
		return []asked{{problem: problem}}, nil
	}
	return list, nil
}

// finder finds workflows by their labels, reading all of them once.
type finder struct {
	tx   *db.Tx
	all  []*db.Workflow
	left map[string]bool // out: named, found or above
}

func (f *finder) names(ctx context.Context, a *db.Attempt, what record.Execute, selector map[string]string) (names []string, err error) {
	if f.left == nil {
		if err := f.read(ctx, a, what); err != nil {
			return nil, err
		}
	}
	for _, w := range f.all {
		if !f.left[w.Name] && has(w.Labels, selector) {
			f.left[w.Name] = true
			names = append(names, w.Name)
		}
	}
	return names, nil
}

func (f *finder) read(ctx context.Context, a *db.Attempt, what record.Execute) (err error) {
	f.left = map[string]bool{}
	for _, callee := range what.Callees {
		f.left[callee.Name] = true
	}
	head, err := f.tx.Execution.Query().Where(execution.ID(a.ExecutionID)).Select(execution.FieldWorkflow, execution.FieldParentID, execution.FieldParent).Only(ctx)
	if err != nil {
		return err
	}
	above, err := aboveOf(head, what.Wait)
	if err != nil {
		return err
	}
	for _, one := range above {
		f.left[one.Workflow] = true
	}
	f.all, err = f.tx.Workflow.Query().Select(workflow.FieldName, workflow.FieldLabels).Order(workflow.ByName()).All(ctx)
	return err
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

func has(labels, selector map[string]string) bool {
	for key, value := range selector {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	return true
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
	if err := json.Unmarshal(q.step.Execute, &q.what); err != nil {
		return fmt.Errorf("read what step %s executes: %w", q.step.Name, err)
	}
	q.rows, err = q.tx.Call.Query().Where(mine...).Order(call.ByOrdinal()).Select(withoutParams()...).All(ctx)
	for _, row := range q.rows {
		q.calls = append(q.calls, callRecord(row))
	}
	return err
}

// withoutParams are the columns of calls but the largest one, which is needed only when a call begins.
func withoutParams() []string {
	return slices.DeleteFunc(slices.Clone(call.Columns), func(column string) bool { return column == call.FieldParams })
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
	var out []record.Beginning
	for _, row := range rows {
		out = append(out, record.Beginning{
			Call: row.ID, Workflow: row.Workflow, Params: row.Params, Environment: q.attempt.Edges.Run.EnvironmentName,
			Actor: q.head.Actor,
			Parent: record.Parent{
				Execution: q.head.ID, Workflow: q.head.Workflow, Step: q.step.Name, Above: above, Call: row.ID,
			},
		})
	}
	return out, nil
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

// labelsText writes labels as people do.
func labelsText(labels map[string]string) string {
	var parts []string
	for key, value := range labels {
		parts = append(parts, key+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
