package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/call"
	executions "github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/run"
	"github.com/seatrial/seatrial/ent/db/step"
)

// ending is how the control plane itself ends an attempt that will never be heard of again.
type ending struct {
	status          record.Status
	reason, message string
}

// endAttempts ends live attempts without their agents. Nothing more will be delivered.
func (s *Store) endAttempts(ctx context.Context, tx *db.Tx, ids []uuid.UUID, e ending) error {
	for part := range slices.Chunk(ids, batch) {
		if err := tx.Attempt.Update().Where(attempt.IDIn(part...)).SetStatus(string(e.status)).SetReason(e.reason).SetMessage(clean(e.message)).
			SetFinishedAt(s.now()).SetDelivered(true).Exec(ctx); err != nil {
			return err
		}
	}
	if err := endServices(ctx, tx, ids); err != nil {
		return err
	}
	return s.endSteps(ctx, tx, ids, e.status, false)
}

// unheard is the reason of a step that may have run: its attempt ended before anything was heard of it, and whoever ended it does not know.
const unheard = "nothing was heard of the step before the attempt ended"

// endSteps ends the steps that terminal attempts left open: those that never began are skipped, those under way end as the
// attempt did, or as errored when it cannot be told how they went. Unless the runner itself has told the end, a step of which nothing was
// heard may have run: its reason says so.
// Nobody waits for what they have asked for.
func (s *Store) endSteps(ctx context.Context, tx *db.Tx, ids []uuid.UUID, how record.Status, told bool) error {
	underWay := record.Errored
	if how == record.Cancelled || how == record.TimedOut {
		underWay = how
	}
	for part := range slices.Chunk(ids, batch) {
		if err := callsWithout(ctx, tx, call.AttemptIDIn(part...)); err != nil {
			return err
		}
		if err := tx.Step.Update().Where(step.AttemptIDIn(part...), step.Status(string(record.Paused))).
			SetReason("the attempt ended while the step waited for a person").Exec(ctx); err != nil {
			return err
		}
		if err := tx.Step.Update().Where(step.AttemptIDIn(part...), step.StatusIn(string(record.Running), string(record.Paused))).
			SetStatus(string(underWay)).SetFinishedAt(s.now()).Exec(ctx); err != nil {
			return err
		}
		if !told {
			if err := tx.Step.Update().Where(step.AttemptIDIn(part...), step.StatusNotIn(terminal()...), step.HasAttemptWith(attempt.AssignedAtNotNil())).
				SetReason(unheard).Exec(ctx); err != nil {
				return err
			}
		}
		if err := tx.Step.Update().Where(step.AttemptIDIn(part...), step.StatusNotIn(terminal()...)).
			SetStatus(string(record.Skipped)).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// terminal lists the statuses that never change again.
func terminal() []string {
	var out []string
	for _, status := range record.Statuses() {
		if status.Terminal() {
			out = append(out, string(status))
		}
	}
	return out
}

// consequences are what a change of one run has for others.
type consequences struct {
	organization tenant.ID
	execution    record.ID    // that was changed
	wake         []cluster.ID // whose agents have something to do
	calls        bool         // steps have calls to begin or to tell of
	judge        bool         // it is evidence for releases, and says something new
	groups       []string     // concurrency groups in which somebody may begin; see admitAfter
	ended        []cluster.ID // where runs have ended, whose places others may wait for
}

// derive brings the runs of an execution, and the execution, to what their attempts say, and lets the end of a run have its
// consequences for the others. The caller holds the execution's lock, by which its viewer has proven to be of the organization.
func (s *Store) derive(ctx context.Context, tx *db.Tx, head *db.Execution) (after consequences, err error) {
	ctx = insider(ctx, head.OrganizationID)
	after.organization, after.execution = head.OrganizationID, head.ID
	runs, err := tx.Run.Query().Where(run.ExecutionID(head.ID)).Order(run.ByOrdinal()).All(ctx)
	if err != nil {
		return after, err
	}
	attempts, states, err := s.states(ctx, tx, head, runs)
	if err != nil {
		return after, err
	}
	grouped := slices.ContainsFunc(runs, func(r *db.Run) bool { return r.ConcurrencyGroup != "" })
	wake, changed, err := s.moveOn(ctx, tx, head, states, attempts, grouped)
	if err != nil {
		return after, err
	}
	if changed {
		if _, states, err = s.states(ctx, tx, head, runs); err != nil {
			return after, err
		}
	}
	after.wake, after.groups, after.ended = wake, freed(head, runs, states), ended(runs, states)
	if moved(runs, states) {
		if after.judge, err = s.newEvidence(ctx, tx, head, states); err != nil {
			return after, err
		}
	}
	for i, r := range runs {
		if err := states[i].saveRun(ctx, tx, r); err != nil {
			return after, err
		}
	}
	now := stateOfExecution(head, states)
	if head.ParentID != nil && now.status.Terminal() && !record.Status(head.Status).Terminal() {
		if err := endOfChild(ctx, tx, head, now); err != nil {
			return after, err
		}
		after.calls = true
	}
	if now.status.Terminal() && !record.Status(head.Status).Terminal() {
		if err := tellEnd(ctx, tx, head, now); err != nil {
			return after, err
		}
	}
	after.calls = after.calls || head.Calls && now.status.Terminal()
	if now.status.Terminal() && !record.Status(head.Status).Terminal() {
		if err := s.notice(ctx, tx, head.OrganizationID, head.ID, nil, notify.OfExecution, notify.OfTests); err != nil {
			return after, err
		}
	}
	return after, now.saveExecution(ctx, tx, head)
}

// moved reports whether a run has another status now.
func moved(runs []*db.Run, states []state) bool {
	for i, r := range runs {
		if r.Status != string(states[i].status) {
			return true
		}
	}
	return false
}

// freed returns the groups in which the end of a run may let others begin: its own, and with maxParallel those of its siblings.
func freed(head *db.Execution, runs []*db.Run, states []state) []string {
	var groups []string
	for i, r := range runs {
		if r.ConcurrencyGroup != "" && states[i].status.Terminal() && !record.Status(r.Status).Terminal() {
			groups = append(groups, r.ConcurrencyGroup)
		}
	}
	if len(groups) > 0 && head.MaxParallel > 0 {
		for _, r := range runs {
			if waitsStill(r) {
				groups = append(groups, r.ConcurrencyGroup)
			}
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// admitAfter lets begin what waited for the end of a run, once that is stored. What cannot be decided now is left to the sweep.
func (s *Store) admitAfter(ctx context.Context, after consequences) record.Effects {
	effects := record.Effects{Wake: after.wake, Calls: after.calls, Judge: after.judge}
	if after.execution != uuid.Nil {
		effects.Changed = []record.ID{after.execution}
	}
	if len(after.groups) > 0 {
		admitted, err := s.admitGroups(ctx, after.organization, after.groups)
		effects.Add(admitted)
		effects.Undecided = err
	}
	if len(after.ended) > 0 {
		wanting, err := s.wanting(insider(ctx, after.organization), after.organization, after.ended)
		effects.Add(record.Effects{Wake: wanting, Undecided: err})
	}
	return effects
}

// states reads what the attempts of an execution say of its runs, in their order.
func (s *Store) states(ctx context.Context, tx *db.Tx, head *db.Execution, runs []*db.Run) ([]*db.Attempt, []state, error) {
	attempts, err := tx.Attempt.Query().Where(attempt.ExecutionID(head.ID)).Order(attempt.ByNumber(), attempt.ByID()).
		Select(attempt.FieldID, attempt.FieldOrganizationID, attempt.FieldRunID, attempt.FieldClusterID, attempt.FieldStatus,
			attempt.FieldReason, attempt.FieldMessage, attempt.FieldStartedAt, attempt.FieldFinishedAt).All(ctx)
	if err != nil {
		return nil, nil, err
	}
	byRun := make(map[uuid.UUID][]*db.Attempt, len(runs))
	for _, a := range attempts {
		byRun[a.RunID] = append(byRun[a.RunID], a)
	}
	states := make([]state, len(runs))
	for i, r := range runs {
		states[i] = stateOfRun(r, byRun[r.ID])
	}
	return attempts, states, nil
}

// state is what executions and runs take over from what is below them.
type state struct {
	name              string // of the run
	status            record.Status
	reason, message   string
	started, finished *time.Time
}

// stateOfRun is that of its latest attempt; it started with its first.
func stateOfRun(r *db.Run, attempts []*db.Attempt) state {
	out := state{name: r.Name, status: record.Status(r.Status)}
	for _, a := range attempts {
		out = state{r.Name, record.Status(a.Status), a.Reason, a.Message, earliest(out.started, a.StartedAt), a.FinishedAt}
	}
	return out
}

// stateOfExecution folds its runs; reason and message are those of the run that decided, which is named when it has siblings.
func stateOfExecution(head *db.Execution, runs []state) state {
	statuses := make([]record.Status, len(runs))
	for i, r := range runs {
		statuses[i] = r.status
	}
	out := state{status: record.Next(record.Status(head.Status), record.Worst(statuses))}
	for i := range runs {
		out.started = earliest(out.started, runs[i].started)
		if out.status.Terminal() {
			out.finished = latest(out.finished, runs[i].finished)
		}
	}
	if i := slices.IndexFunc(runs, func(r state) bool { return r.status == out.status }); i >= 0 {
		out.reason, out.message = runs[i].reason, runs[i].message
		if runs[i].name != "" && out.message != "" {
			out.message = runs[i].name + ": " + out.message
		}
	}
	return out
}

// saveRun leaves a run alone that is as it was: an execution may have a thousand.
func (st state) saveRun(ctx context.Context, tx *db.Tx, r *db.Run) error {
	if r.Status == string(st.status) && r.Reason == st.reason && r.Message == st.message && same(r.StartedAt, st.started) &&
		same(r.FinishedAt, st.finished) {
		return nil
	}
	return tx.Run.Update().Where(run.ID(r.ID)).SetStatus(string(st.status)).SetReason(st.reason).SetMessage(st.message).
		SetNillableStartedAt(st.started).SetNillableFinishedAt(st.finished).Exec(ctx)
}

// saveExecution changes the execution whether or not it is as it was: what has changed below it is seen by its time of change.
func (st state) saveExecution(ctx context.Context, tx *db.Tx, e *db.Execution) error {
	return tx.Execution.Update().Where(executions.ID(e.ID)).SetStatus(string(st.status)).SetReason(st.reason).SetMessage(st.message).
		SetNillableStartedAt(st.started).SetNillableFinishedAt(st.finished).Exec(ctx)
}

func same(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

func earliest(a, b *time.Time) *time.Time {
	if a == nil || (b != nil && b.Before(*a)) {
		return b
	}
	return a
}

func latest(a, b *time.Time) *time.Time {
	if a == nil || (b != nil && b.After(*a)) {
		return b
	}
	return a
}
