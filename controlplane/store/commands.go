package store

import (
	"context"
	"slices"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/cluster"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/predicate"
)

// maxSmall bounds the commands of one call that start nothing.
const maxSmall = 500

// TakeCommands marks commands as sent and returns them. Those that an earlier session sent are due at once: whoever they were
// sent to is gone, and a duplicate does no harm. A session that is not the newest gets nothing.
func (s *Store) TakeCommands(ctx context.Context, epoch int64, limit int, resend, expiry time.Duration) ([]record.Command, error) {
	v, err := agent(ctx)
	if err != nil {
		return nil, err
	}
	var out []record.Command
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		out = nil
		mine, err := tx.Cluster.Query().Where(cluster.ID(v.Cluster), cluster.SessionEpoch(epoch)).Only(ctx)
		if db.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		now := s.now()
		due := agentcommand.And(agentcommand.ClusterID(v.Cluster), agentcommand.Or(
			waiting(now.Add(-resend)), agentcommand.And(agentcommand.State(sent), agentcommand.SentEpochLT(epoch))))
		rows, err := s.due(ctx, tx, maxSmall, due, agentcommand.KindNEQ(string(record.Start)), agentcommand.Turn(0)) // they take no turns
		if err != nil {
			return err
		}
		starts, err := s.dueStarts(ctx, tx, mine, due, limit)
		if err != nil {
			return err
		}
		rows = append(rows, starts...)
		out, err = markSent(ctx, tx, rows, epoch, now, now.Add(expiry))
		return err
	})
	return out, err
}

// dueStarts returns the start commands that an agent is to have now: those that it may have already, which hold their place, and as many
// more as may begin.
func (s *Store) dueStarts(ctx context.Context, tx *db.Tx, c *db.Cluster, due predicate.AgentCommand, limit int) (starts []*db.AgentCommand, err error) {
	if limit == 0 {
		return nil, nil
	}
	may := agentcommand.And(due, agentcommand.Kind(string(record.Start)), agentcommand.Not(cancelled()), ofActive())
	if starts, err = s.due(ctx, tx, limit, may, agentcommand.State(sent), ofLive()); err != nil {
		return nil, err
	}
	room, err := s.room(ctx, tx, c, limit-len(starts))
	if err != nil || room == 0 {
		return starts, err
	}
	more, err := s.due(ctx, tx, room, may, agentcommand.State(queued))
	return append(starts, more...), err
}

// ofLive selects commands whose attempt has not ended: a start whose answer was lost must not begin again what is over.
func ofLive() predicate.AgentCommand {
	return agentcommand.HasAttemptWith(attempt.StatusIn(live()...))
}

// cancelled selects commands whose attempt is to be cancelled. Its start is not sent again: that could create the Job after the agent
// has forgotten the cancellation.
func cancelled() predicate.AgentCommand {
	return func(sel *entsql.Selector) {
		other := entsql.Table(agentcommand.Table).As("other")
		sel.Where(entsql.Exists(entsql.Select(other.C(agentcommand.FieldID)).From(other).Where(entsql.And(
			entsql.ColumnsEQ(other.C(agentcommand.FieldAttemptID), sel.C(agentcommand.FieldAttemptID)),
			entsql.EQ(other.C(agentcommand.FieldKind), string(record.Cancel))))))
	}
}

// waiting selects commands that nobody has answered.
func waiting(sentBefore time.Time) predicate.AgentCommand {
	return agentcommand.Or(agentcommand.State(queued), agentcommand.And(agentcommand.State(sent), agentcommand.SentAtLTE(sentBefore)))
}

// WaitingCommands returns the clusters that have something to send. Each is asked for one command that fits: there may be a hundred
// thousand that wait.
func (s *Store) WaitingCommands(ctx context.Context, ids []record.ID, resend time.Duration) ([]record.ID, error) {
	start, unanswered := agentcommand.Kind(string(record.Start)), agentcommand.And(agentcommand.State(sent), agentcommand.SentAtLTE(s.now().Add(-resend)))
	may := agentcommand.Not(cancelled())
	var out []record.ID
	for part := range slices.Chunk(ids, batch) {
		some, err := s.db.Read().Cluster.Query().Where(cluster.IDIn(part...), cluster.Or(
			withCommand(agentcommand.State(queued), agentcommand.Turn(0), agentcommand.KindNEQ(string(record.Start))),
			withCommand(unanswered, agentcommand.Turn(0), agentcommand.KindNEQ(string(record.Start))),
			cluster.And(cluster.HasOrganizationWith(organization.State(string(tenant.Active))), cluster.Or(
				cluster.And(cluster.DrainedAtIsNil(), withCommand(inQueue(), may)),
				withCommand(unanswered, start, may, ofLive()))))).IDs(tenant.System(ctx))
		if err != nil {
			return nil, database.Fault(err)
		}
		out = append(out, some...)
	}
	return out, nil
}

// due skips rows that another replica is taking at this moment.
func (s *Store) due(ctx context.Context, tx *db.Tx, limit int, where ...predicate.AgentCommand) ([]*db.AgentCommand, error) {
	return locked(s, tx.AgentCommand.Query().Where(where...).Order(agentcommand.ByTurn(), agentcommand.ByID()).Limit(limit),
		entsql.WithLockAction(entsql.SkipLocked)).All(ctx)
}

func markSent(ctx context.Context, tx *db.Tx, rows []*db.AgentCommand, epoch int64, now, expires time.Time) ([]record.Command, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids, attempts := make([]uuid.UUID, len(rows)), make([]uuid.UUID, 0, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
		if row.Kind == string(record.Start) {
			attempts = append(attempts, row.AttemptID)
		}
	}
	if err := tx.AgentCommand.Update().Where(agentcommand.IDIn(ids...)).SetState(sent).SetSentEpoch(epoch).SetSentAt(now).
		SetExpiresAt(expires).AddTries(1).Exec(ctx); err != nil {
		return nil, err
	}
	specs := map[uuid.UUID]*db.Attempt{}
	if len(attempts) > 0 {
		found, err := tx.Attempt.Query().Where(attempt.IDIn(attempts...)).
			Select(attempt.FieldID, attempt.FieldSpec, attempt.FieldSpecDigest).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, a := range found {
			specs[a.ID] = a
		}
	}
	out := make([]record.Command, len(rows))
	for i, row := range rows {
		out[i] = record.Command{
			ID: row.ID, Kind: record.CommandKind(row.Kind), Attempt: row.AttemptID, Step: row.Step, Reason: row.Reason, Verdict: row.Verdict,
			ExpiresAt: expires, Tries: row.Tries + 1,
		}
		if a := specs[row.AttemptID]; a != nil && row.Kind == string(record.Start) {
			out[i].Spec, out[i].SpecDigest = a.Spec, a.SpecDigest
		}
	}
	return out, nil
}

// heldBack puts a start that the agent has not begun back in the queue when its cluster is drained: there nothing begins any more.
func (s *Store) heldBack(ctx context.Context, tx *db.Tx, c *db.AgentCommand, message string) (bool, error) {
	drained, err := tx.Cluster.Query().Where(cluster.ID(c.ClusterID), cluster.DrainedAtNotNil()).Exist(ctx)
	if err != nil || !drained {
		return false, err
	}
	return true, c.Update().SetState(queued).ClearSentAt().SetAnswer(clean(message)).Exec(ctx)
}

// AckCommand stores the agent's answer.
func (s *Store) AckCommand(ctx context.Context, id uuid.UUID, outcome record.Outcome, message string) (execution.Effects, error) {
	v, err := agent(ctx)
	if err != nil {
		return execution.Effects{}, err
	}
	var after consequences
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		after = consequences{}
		c, err := tx.AgentCommand.Query().Where(agentcommand.ID(id), agentcommand.ClusterID(v.Cluster)).Only(ctx)
		if db.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if c.Kind != string(record.Start) { // nothing follows from it for its attempt
			_, err := storeAnswer(ctx, tx, c, outcome, message)
			return err
		}
		a, head, err := s.lockAttempt(ctx, tx, c.AttemptID)
		if err != nil {
			return err
		}
		if comesAgain(outcome) {
			var withdrawn bool
			if withdrawn, after, err = s.withdrawCancelled(ctx, tx, a, head); err != nil || withdrawn {
				return err
			}
			if c.State == sent {
				back, err := s.heldBack(ctx, tx, c, message)
				if err != nil || back {
					return err
				}
			}
		}
		first, err := storeAnswer(ctx, tx, c, outcome, message)
		if err != nil || !first || comesAgain(outcome) {
			return err
		}
		after, err = s.startAnswered(ctx, tx, a, head, outcome, message)
		return err
	})
	if err != nil {
		return execution.Effects{}, err
	}
	return s.admitAfter(ctx, after), nil
}

// comesAgain reports whether a command comes up once more after an answer.
func comesAgain(outcome record.Outcome) bool {
	return outcome == record.Expired || outcome == record.Deferred
}

// storeAnswer stores the answer to a command, and reports whether it is the first: no other counts. A command that is to come again stays as
// sent, so that it comes up after the time for answers: that is the pause between tries.
func storeAnswer(ctx context.Context, tx *db.Tx, c *db.AgentCommand, outcome record.Outcome, message string) (first bool, err error) {
	change := tx.AgentCommand.Update().Where(agentcommand.ID(c.ID)).SetAnswer(clean(message))
	switch {
	case comesAgain(outcome):
	case outcome == record.Rejected:
		change = change.Where(agentcommand.StateIn(queued, sent)).SetState(dead)
	default:
		change = change.Where(agentcommand.StateIn(queued, sent)).SetState(done)
	}
	n, err := change.Save(ctx)
	return n > 0, err
}

func (s *Store) startAnswered(ctx context.Context, tx *db.Tx, a *db.Attempt, head *db.Execution, outcome record.Outcome, message string) (after consequences, err error) {
	status := execution.Status(a.Status)
	switch {
	case status.Terminal():
		return after, nil
	case outcome == record.Rejected:
		if err := s.endAttempts(ctx, tx, []uuid.UUID{a.ID}, ending{status: execution.Errored, reason: "Rejected", message: message}); err != nil {
			return after, err
		}
	default:
		change := a.Update().SetStatus(string(execution.Next(status, execution.Assigned)))
		if a.AssignedAt == nil {
			change.SetAssignedAt(s.now())
		}
		if err := change.Exec(ctx); err != nil {
			return after, err
		}
	}
	return s.derive(ctx, tx, head)
}

// Assignment returns the encoded assignment of an attempt of this agent.
func (s *Store) Assignment(ctx context.Context, id execution.AttemptID) (spec []byte, digest string, err error) {
	v, err := agent(ctx)
	if err != nil {
		return nil, "", err
	}
	a, err := s.db.Read().Attempt.Query().Where(attempt.ID(id), attempt.ClusterID(v.Cluster)).
		Select(attempt.FieldID, attempt.FieldSpec, attempt.FieldSpecDigest).Only(ctx)
	if err != nil {
		return nil, "", database.Fault(err)
	}
	return a.Spec, a.SpecDigest, nil
}
