package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/step"
)

// Reissue makes the assignment of a new attempt out of that of an earlier one.
type Reissue func(spec []byte, id record.AttemptID, number int) (again []byte, digest string, err error)

// WithReissue says how assignments are made anew. Without it nothing is tried anew.
func WithReissue(reissue Reissue) Option { return func(s *Store) { s.reissue = reissue } }

// tryAnew makes the next attempt of a run whose attempt has just ended because the infrastructure was lost, when the workflow allows
// another one and nobody wants it stopped. The run is not over then: it keeps its place among its siblings and in its group. The
// caller holds the lock of the execution; the attempt carries its assignment.
func (s *Store) tryAnew(ctx context.Context, tx *db.Tx, a *db.Attempt, head *db.Execution) error {
	if s.reissue == nil || !record.Lost(record.Status(a.Status), a.Reason) {
		return nil
	}
	r, err := tx.Run.Get(ctx, a.RunID)
	if err != nil || a.Number > r.Retries {
		return err
	}
	stopped, err := tx.AgentCommand.Query().Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Cancel))).Exist(ctx)
	if err != nil || stopped {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	spec, digest, err := s.reissue(a.Spec, id, a.Number+1)
	if err != nil {
		return fmt.Errorf("assignment of attempt %d: %w", a.Number+1, err)
	}
	message := fmt.Sprintf("Attempt %d of at most %d: the one before ended as %s.", a.Number+1, r.Retries+1, a.Reason)
	if err := tx.Attempt.Create().SetID(id).SetOrganizationID(a.OrganizationID).SetExecutionID(a.ExecutionID).SetRunID(a.RunID).
		SetClusterID(a.ClusterID).SetNumber(a.Number + 1).SetStatus(string(record.Queued)).SetReason("Retry").SetMessage(clean(message)).
		SetSpec(spec).SetSpecDigest(digest).Exec(ctx); err != nil {
		return err
	}
	rows, err := tx.Step.Query().Where(step.AttemptID(a.ID)).Order(step.ByIndex()).All(ctx)
	if err != nil {
		return err
	}
	steps := make([]*db.StepCreate, len(rows))
	for i, row := range rows {
		steps[i] = tx.Step.Create().SetOrganizationID(a.OrganizationID).SetAttemptID(id).SetIndex(row.Index).SetName(row.Name).
			SetStatus(string(record.Waiting))
	}
	if err := tx.Step.CreateBulk(steps...).Exec(ctx); err != nil {
		return err
	}
	return startCommand(tx, a.OrganizationID, a.ClusterID, id, turnOf(head)).Exec(ctx)
}
