package store

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	dbcluster "github.com/seatrial/seatrial/ent/db/cluster"
)

// withdrawnAnswer marks a start command that was taken back before an agent had it.
const withdrawnAnswer = "cancelled"

// CancelExecution ends attempts whose start command was never sent, and those whose agent has been away for long; it asks the agents
// of the others.
func (s *Store) CancelExecution(ctx context.Context, id record.ID, reason string) (record.Effects, error) {
	var wake []cluster.ID
	var after consequences
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		wake = nil
		head, err := s.lockExecution(ctx, tx, id)
		if err != nil {
			return err
		}
		if record.Status(head.Status).Terminal() {
			return fault.New(fault.Conflict, "the execution has ended as %s", head.Status).
				WithHint("There is nothing left to cancel.")
		}
		attempts, err := tx.Attempt.Query().Where(attempt.ExecutionID(id)).Order(attempt.ByID()).
			Select(attempt.FieldID, attempt.FieldOrganizationID, attempt.FieldClusterID, attempt.FieldStatus).All(ctx) // not the assignments
		if err != nil {
			return err
		}
		wake, _, err = s.cancelAttempts(ctx, tx, attempts, ending{status: record.Cancelled, reason: "Cancelled", message: clean(reason)})
		if err != nil {
			return err
		}
		if after, err = s.derive(ctx, tx, head); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "execution", ID: id.String(), Name: head.Workflow})
	})
	if err != nil {
		return record.Effects{}, err
	}
	after.wake = union(wake, after.wake)
	return s.admitAfter(ctx, after), nil
}

// cancelAttempts ends the live ones among attempts that no agent has, or whose agent has been away for long, and asks the agents of
// the others, once. It works on all of them together: there may be a thousand. It returns the clusters whose agents are asked, and
// whether attempts were ended.
func (s *Store) cancelAttempts(ctx context.Context, tx *db.Tx, attempts []*db.Attempt, e ending) (wake []cluster.ID, ended bool, err error) {
	var live []*db.Attempt
	for _, a := range attempts {
		if !record.Status(a.Status).Terminal() {
			live = append(live, a)
		}
	}
	taken, err := s.withdraw(ctx, tx, live)
	if err != nil {
		return nil, false, err
	}
	var free []uuid.UUID
	for _, a := range live {
		if !taken[a.ID] {
			free = append(free, a.ID)
		}
	}
	if err := s.endAttempts(ctx, tx, free, e); err != nil {
		return nil, false, err
	}
	live = slices.DeleteFunc(live, func(a *db.Attempt) bool { return !taken[a.ID] })
	asked, err := askToCancel(ctx, tx, live, e.message)
	if err != nil {
		return nil, false, err
	}
	lost, given, err := s.giveUp(ctx, tx, live, e)
	if err != nil {
		return nil, false, err
	}
	wake = slices.DeleteFunc(asked, func(c cluster.ID) bool { return slices.Contains(lost, c) })
	return wake, len(free) > 0 || given, nil
}

// withdraw takes back the start commands that were never sent, and returns the attempts that an agent may have: those whose command
// was sent. The condition decides the race with the dispatch loop: either it takes a command, or this does.
func (s *Store) withdraw(ctx context.Context, tx *db.Tx, attempts []*db.Attempt) (taken map[uuid.UUID]bool, err error) {
	taken = map[uuid.UUID]bool{}
	for part := range slices.Chunk(attempts, batch) {
		of := agentcommand.And(agentcommand.AttemptIDIn(idsOf(part)...), agentcommand.Kind(string(cluster.Start)))
		if err := tx.AgentCommand.Update().Where(of, agentcommand.State(queued), agentcommand.Tries(0)).SetState(dead).
			SetAnswer(withdrawnAnswer).Exec(ctx); err != nil {
			return nil, err
		}
		rows, err := tx.AgentCommand.Query().Where(of, agentcommand.Not(agentcommand.And(agentcommand.State(dead), agentcommand.Tries(0)))).
			Select(agentcommand.FieldAttemptID).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			taken[row.AttemptID] = true
		}
	}
	return taken, nil
}

// askToCancel queues the command for those attempts that have none yet, and returns their clusters.
func askToCancel(ctx context.Context, tx *db.Tx, attempts []*db.Attempt, reason string) (asked []cluster.ID, err error) {
	for part := range slices.Chunk(attempts, batch) {
		rows, err := tx.AgentCommand.Query().
			Where(agentcommand.AttemptIDIn(idsOf(part)...), agentcommand.Kind(string(cluster.Cancel))).
			Select(agentcommand.FieldAttemptID).All(ctx)
		if err != nil {
			return nil, err
		}
		var more []*db.AgentCommandCreate
		for _, a := range part {
			if slices.ContainsFunc(rows, func(c *db.AgentCommand) bool { return c.AttemptID == a.ID }) {
				continue
			}
			more = append(more, tx.AgentCommand.Create().SetOrganizationID(a.OrganizationID).SetClusterID(a.ClusterID).SetAttemptID(a.ID).
				SetKind(string(cluster.Cancel)).SetReason(reason))
			asked = union(asked, []cluster.ID{a.ClusterID})
		}
		if err := tx.AgentCommand.CreateBulk(more...).Exec(ctx); err != nil {
			return nil, err
		}
	}
	return asked, nil
}

// giveUp ends the attempts whose agent has been away for long, and returns its clusters. The command stays: should the agent come
// back, it stops what still runs there.
//
// The place of such a run in a concurrency group is free from then on, although its Job may still run: a cluster that was taken down for
// good would otherwise hold the group for ever, and nobody can tell the two apart from here.
func (s *Store) giveUp(ctx context.Context, tx *db.Tx, attempts []*db.Attempt, e ending) (lost []cluster.ID, ended bool, err error) {
	byCluster := map[cluster.ID][]uuid.UUID{}
	for _, a := range attempts {
		byCluster[a.ClusterID] = append(byCluster[a.ClusterID], a.ID)
	}
	for id, ids := range byCluster {
		row, err := tx.Cluster.Query().Where(dbcluster.ID(id)).Only(ctx)
		if err != nil {
			return nil, false, err
		}
		c := s.clusterRecord(row)
		if !c.Lost(s.clock()) {
			continue
		}
		lost = append(lost, id)
		gone := ending{status: e.status, reason: cluster.ReasonGivenUp, message: c.GaveUp(e.message)}
		if err := s.endAttempts(ctx, tx, ids, gone); err != nil {
			return nil, false, err
		}
	}
	return lost, len(lost) > 0, nil
}

func idsOf(attempts []*db.Attempt) []uuid.UUID {
	ids := make([]uuid.UUID, len(attempts))
	for i, a := range attempts {
		ids[i] = a.ID
	}
	return ids
}

// withdrawCancelled ends an attempt that is to be cancelled and whose agent has created nothing for it. It reports whether that was
// so. Should there be a Job after all, the next inventory shows it and Reconcile has it cancelled.
func (s *Store) withdrawCancelled(ctx context.Context, tx *db.Tx, a *db.Attempt, head *db.Execution) (withdrawn bool, after consequences, err error) {
	asked, err := tx.AgentCommand.Query().Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Cancel))).Only(ctx)
	if db.IsNotFound(err) {
		return false, after, nil
	}
	if err != nil {
		return false, after, err
	}
	n, err := tx.AgentCommand.Update().
		Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Start)), agentcommand.StateIn(queued, sent)).
		SetState(dead).SetAnswer(withdrawnAnswer).Save(ctx)
	if err != nil || n == 0 || record.Status(a.Status).Terminal() {
		return n > 0, after, err
	}
	if err := s.endAttempts(ctx, tx, []uuid.UUID{a.ID}, ending{status: record.Cancelled, reason: "Cancelled", message: asked.Reason}); err != nil {
		return false, after, err
	}
	after, err = s.derive(ctx, tx, head)
	return true, after, err
}
