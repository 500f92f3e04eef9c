package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/cluster"
)

const (
	jobDeleted   = "JobDeleted"
	deletedLive  = "The Job was deleted while the attempt was under way. Run the workflow again, and see who deletes Jobs in that namespace."
	lostMessage  = "The Job was gone when the agent of the cluster came back after it had been away."
	deletedLater = "The Job was deleted before all of its logs and files had been delivered."
)

// Reconcile compares a whole inventory with the records.
func (s *Store) Reconcile(ctx context.Context, present []execution.AttemptID, grace time.Duration) (r execution.Reconciled, err error) {
	v, err := agent(ctx)
	if err != nil {
		return r, err
	}
	known, err := s.inventoried(ctx, v, present)
	if err != nil {
		return r, err
	}
	asked, err := s.commanded(ctx, v, record.Cancel, present)
	if err != nil {
		return r, err
	}
	released, err := s.commanded(ctx, v, record.Release, present)
	if err != nil {
		return r, err
	}
	for _, id := range present {
		a := known[id]
		switch {
		case a == nil:
			r.Unknown = append(r.Unknown, id)
			continue
		case !a.Delivered && execution.Status(a.Status).Terminal():
			r.Partial = append(r.Partial, id)
		case !a.Delivered:
			r.Open = append(r.Open, id)
		}
		switch {
		case !execution.Status(a.Status).Terminal():
			if asked[id] {
				r.Cancel = append(r.Cancel, id)
			}
		case endedHere(a) && !released[id]:
			// Yet there is a Job: it must not go on, and what it has said is kept.
			r.Cancel = append(r.Cancel, id)
		case a.Delivered:
			r.Release = append(r.Release, id)
		}
	}
	if err := s.endMissing(ctx, v, present, grace, &r.Effects); err != nil {
		return r, err
	}
	if err := s.resumeAgain(ctx, v, present); err != nil {
		return r, database.Fault(err)
	}
	return r, s.endNeverStarted(ctx, v, present, grace, &r.Effects)
}

// endedHere reports whether an attempt was cancelled without its agent: before any agent had it, or while the agent was away.
func endedHere(a *db.Attempt) bool {
	return a.Status == string(execution.Cancelled) && (a.AssignedAt == nil || a.Reason == record.ReasonGivenUp)
}

func (s *Store) inventoried(ctx context.Context, v tenant.Viewer, present []uuid.UUID) (map[uuid.UUID]*db.Attempt, error) {
	out := make(map[uuid.UUID]*db.Attempt, len(present))
	for part := range slices.Chunk(present, batch) {
		rows, err := s.db.Read().Attempt.Query().Where(attempt.IDIn(part...), attempt.ClusterID(v.Cluster)).
			Select(attempt.FieldID, attempt.FieldStatus, attempt.FieldReason, attempt.FieldDelivered, attempt.FieldAssignedAt).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		for _, a := range rows {
			out[a.ID] = a
		}
	}
	return out, nil
}

// commanded tells which of the attempts there is a command of a kind for.
func (s *Store) commanded(ctx context.Context, v tenant.Viewer, kind record.CommandKind, present []uuid.UUID) (map[uuid.UUID]bool, error) {
	out := map[uuid.UUID]bool{}
	for part := range slices.Chunk(present, batch) {
		rows, err := s.db.Read().AgentCommand.Query().
			Where(agentcommand.ClusterID(v.Cluster), agentcommand.Kind(string(kind)), agentcommand.AttemptIDIn(part...)).
			Select(agentcommand.FieldAttemptID).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		for _, c := range rows {
			out[c.AttemptID] = true
		}
	}
	return out, nil
}

// endMissing ends attempts that have no Job any more. What was assigned less than grace ago may not have been listed yet.
func (s *Store) endMissing(ctx context.Context, v tenant.Viewer, present []uuid.UUID, grace time.Duration, effects *execution.Effects) error {
	before := s.now().Add(-grace)
	candidates, err := s.db.Read().Attempt.Query().
		Where(attempt.ClusterID(v.Cluster), attempt.Delivered(false), attempt.AssignedAtLT(before),
			attempt.Or(attempt.FinishedAtIsNil(), attempt.FinishedAtLT(before))).
		Order(attempt.ByID()).IDs(ctx)
	if err != nil {
		return database.Fault(err)
	}
	for _, id := range candidates {
		if slices.Contains(present, id) {
			continue
		}
		var after consequences
		if err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
			after, err = s.endWithoutJob(ctx, tx, id)
			return err
		}); err != nil {
			return err
		}
		effects.Add(s.admitAfter(ctx, after))
	}
	return nil
}

func (s *Store) endWithoutJob(ctx context.Context, tx *db.Tx, id uuid.UUID) (after consequences, err error) {
	a, head, err := s.lockAttempt(ctx, tx, id)
	if err != nil || a.Delivered {
		return after, err
	}
	if execution.Status(a.Status).Terminal() {
		if err := endServices(ctx, tx, []uuid.UUID{a.ID}); err != nil {
			return after, err
		}
		return after, a.Update().SetDelivered(true).SetNotes(append(a.Notes, deletedLater)).Exec(ctx)
	}
	how := ending{status: execution.Errored, reason: jobDeleted, message: deletedLive}
	if lost, err := s.lostWhileAway(ctx, tx, a); err != nil {
		return after, err
	} else if lost {
		how.reason, how.message = execution.ReasonAgentLost, lostMessage
	}
	if err := s.endAttempts(ctx, tx, []uuid.UUID{a.ID}, how); err != nil {
		return after, err
	}
	a.Status, a.Reason = string(how.status), how.reason
	if err := s.tryAnew(ctx, tx, a, head); err != nil {
		return after, err
	}
	after, err = s.derive(ctx, tx, head)
	if execution.Lost(how.status, how.reason) {
		after.wake = union(after.wake, []record.ID{a.ClusterID}) // a new attempt may be its to start
	}
	return after, err
}

// justBack is how long after the return of an agent its inventory still tells of the time before.
const justBack = time.Minute

// lostWhileAway reports whether the agent came back from a real absence after it had been given the attempt, and tells of the missing Job
// with its first words: nobody watched when the Job went. A session that was merely made anew is none.
func (s *Store) lostWhileAway(ctx context.Context, tx *db.Tx, a *db.Attempt) (bool, error) {
	row, err := tx.Cluster.Query().Where(cluster.ID(a.ClusterID)).Only(ctx)
	if err != nil || row.ReturnedAt == nil || a.AssignedAt == nil {
		return false, err
	}
	return row.ReturnedAt.After(*a.AssignedAt) && s.now().Sub(*row.ReturnedAt) < justBack, nil
}

// endNeverStarted ends attempts that were to be cancelled before the agent had answered their start command, and for which it has
// no Job: the answer, or the command itself, was lost.
func (s *Store) endNeverStarted(ctx context.Context, v tenant.Viewer, present []uuid.UUID, grace time.Duration, effects *execution.Effects) error {
	asked, err := s.db.Read().AgentCommand.Query().
		Where(agentcommand.ClusterID(v.Cluster), agentcommand.Kind(string(record.Cancel)), agentcommand.State(done),
			agentcommand.SentAtLT(s.now().Add(-grace)), agentcommand.HasAttemptWith(attempt.AssignedAtIsNil(), attempt.FinishedAtIsNil())).
		Select(agentcommand.FieldAttemptID).All(ctx)
	if err != nil {
		return database.Fault(err)
	}
	for _, c := range asked {
		if slices.Contains(present, c.AttemptID) {
			continue
		}
		var after consequences
		if err := s.db.Write(ctx, func(tx *db.Tx) error {
			after = consequences{}
			a, head, err := s.lockAttempt(ctx, tx, c.AttemptID)
			if err != nil || a.AssignedAt != nil {
				return err
			}
			_, after, err = s.withdrawCancelled(ctx, tx, a, head)
			return err
		}); err != nil {
			return err
		}
		effects.Add(s.admitAfter(ctx, after))
	}
	return nil
}
