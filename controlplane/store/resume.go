package store

import (
	"context"
	"slices"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/step"
)

// ResumeExecution asks the agents to let steps go on that wait for a person.
func (s *Store) ResumeExecution(ctx context.Context, id record.ID, which record.Resume) (steps int, wake []cluster.ID, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		steps, wake = 0, nil
		head, err := s.lockExecution(ctx, tx, id)
		if err != nil {
			return err
		}
		if record.Status(head.Status).Terminal() {
			return fault.New(fault.Conflict, "the execution has ended as %s", head.Status).WithHint("There is nothing left to resume.")
		}
		waiting, attempts, err := waitingForPerson(ctx, tx, id, which)
		if err != nil {
			return err
		}
		if len(waiting) == 0 {
			return nothingWaits(head, which)
		}
		steps = len(waiting)
		if wake, err = askToResume(ctx, tx, waiting, attempts, clean(which.Reason)); err != nil {
			return err
		}
		audit.Of(ctx).Detail("step", which.Step)
		return s.noted(ctx, tx, audit.Object{Kind: "execution", ID: id.String(), Name: head.Workflow})
	})
	return steps, wake, err
}

// waitingForPerson returns the paused steps that are meant, and their attempts.
func waitingForPerson(ctx context.Context, tx *db.Tx, id record.ID, which record.Resume) ([]*db.Step, map[uuid.UUID]*db.Attempt, error) {
	// The step decides: an agent that was restarted knows of a running pod before the runner has told it of the pause.
	of := []predicate.Attempt{attempt.ExecutionID(id), attempt.StatusNotIn(terminal()...)}
	if which.Run != uuid.Nil {
		of = append(of, attempt.RunID(which.Run))
	}
	rows, err := tx.Attempt.Query().Where(of...).
		Select(attempt.FieldID, attempt.FieldOrganizationID, attempt.FieldClusterID, attempt.FieldRunID).All(ctx) // not the assignments
	if err != nil {
		return nil, nil, err
	}
	attempts := map[uuid.UUID]*db.Attempt{}
	for _, a := range rows {
		attempts[a.ID] = a
	}
	var out []*db.Step
	for part := range slices.Chunk(rows, batch) {
		waiting := []predicate.Step{step.AttemptIDIn(idsOf(part)...), step.Status(string(record.Paused))}
		if which.Step != "" {
			waiting = append(waiting, step.Name(which.Step))
		}
		found, err := tx.Step.Query().Where(waiting...).Order(step.ByID()).All(ctx)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, found...)
	}
	return out, attempts, nil
}

func nothingWaits(head *db.Execution, which record.Resume) error {
	what := "no step of the execution"
	if which.Step != "" {
		what = "no step " + which.Step + " of the execution"
	}
	if which.Run != uuid.Nil {
		what += " waits in that run"
	} else {
		what += " waits"
	}
	return fault.New(fault.Conflict, "%s to be resumed: it is %s", what, head.Status).
		WithHint("Only a step with pause waits for a person, and only once its turn has come.")
}

// askToResume queues the command for those steps that have none yet, and returns the clusters of all.
func askToResume(
	ctx context.Context, tx *db.Tx, steps []*db.Step, attempts map[uuid.UUID]*db.Attempt, reason string,
) (wake []cluster.ID, err error) {
	for part := range slices.Chunk(steps, batch) {
		ids := make([]uuid.UUID, len(part))
		for i, st := range part {
			ids[i] = st.AttemptID
		}
		rows, err := tx.AgentCommand.Query().Where(agentcommand.AttemptIDIn(ids...), agentcommand.Kind(string(cluster.Resume))).
			Select(agentcommand.FieldAttemptID, agentcommand.FieldStep).All(ctx)
		if err != nil {
			return nil, err
		}
		if err := tx.AgentCommand.Update().Where(agentcommand.AttemptIDIn(ids...), agentcommand.Kind(string(cluster.Resume)),
			agentcommand.State(dead), stillWaits()).SetState(queued).Exec(ctx); err != nil {
			return nil, err // an agent that did not know the command may have been upgraded
		}
		var more []*db.AgentCommandCreate
		for _, st := range part {
			a := attempts[st.AttemptID]
			wake = union(wake, []cluster.ID{a.ClusterID})
			if slices.ContainsFunc(rows, func(c *db.AgentCommand) bool { return c.AttemptID == a.ID && c.Step == st.Index }) {
				continue
			}
			more = append(more, tx.AgentCommand.Create().SetOrganizationID(a.OrganizationID).SetClusterID(a.ClusterID).SetAttemptID(a.ID).
				SetKind(string(cluster.Resume)).SetStep(st.Index).SetReason(reason))
		}
		if err := tx.AgentCommand.CreateBulk(more...).Exec(ctx); err != nil {
			return nil, err
		}
	}
	return wake, nil
}

// resumeAgain sends those commands to resume once more whose step still waits: the agent that took them was restarted, perhaps, before
// it had told the runner, or did not know the command and has been upgraded.
func (s *Store) resumeAgain(ctx context.Context, v tenant.Viewer, present []uuid.UUID) error {
	for part := range slices.Chunk(present, batch) {
		lost := agentcommand.And(agentcommand.ClusterID(v.Cluster), agentcommand.Kind(string(cluster.Resume)), agentcommand.StateIn(done, dead),
			agentcommand.AttemptIDIn(part...), stillWaits())
		some, err := s.db.Read().AgentCommand.Query().Where(lost).Exist(ctx)
		if err != nil {
			return err
		}
		if !some {
			continue
		}
		if err := s.db.Write(ctx, func(tx *db.Tx) error {
			return tx.AgentCommand.Update().Where(lost).SetState(queued).Exec(ctx)
		}); err != nil {
			return err
		}
	}
	return nil
}

// stillWaits selects commands whose step is paused, or runs and executes other workflows: such a step runs until it is told to go on.
func stillWaits() predicate.AgentCommand {
	return func(sel *entsql.Selector) {
		of := entsql.Table(step.Table).As("waiting")
		sel.Where(entsql.Exists(entsql.Select(of.C(step.FieldID)).From(of).Where(entsql.And(
			entsql.ColumnsEQ(of.C(step.FieldAttemptID), sel.C(agentcommand.FieldAttemptID)),
			entsql.ColumnsEQ(of.C(step.FieldIndex), sel.C(agentcommand.FieldStep)),
			entsql.Or(entsql.EQ(of.C(step.FieldStatus), string(record.Paused)),
				entsql.And(entsql.EQ(of.C(step.FieldStatus), string(record.Running)), entsql.NotNull(of.C(step.FieldExecute))))))))
	}
}
