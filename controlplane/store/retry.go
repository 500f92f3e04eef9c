package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/service"
	"github.com/seatrial/seatrial/ent/db/step"
	"github.com/seatrial/seatrial/ent/db/testresult"
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
	if over, err := answered(ctx, tx, a); err != nil || over {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	spec, digest, err := s.reissue(a.Spec, id, a.Number+1)
	if err != nil { // the end of this attempt is stored all the same
		return a.Update().SetNotes(mergeNotes(a.Notes, []string{"The run could not be tried anew: " + err.Error()})).Exec(ctx)
	}
	message := fmt.Sprintf("Attempt %d of at most %d: the one before ended as %s.", a.Number+1, r.Retries+1, a.Reason)
	if err := tx.Attempt.Create().SetID(id).SetOrganizationID(a.OrganizationID).SetExecutionID(a.ExecutionID).SetRunID(a.RunID).
		SetClusterID(a.ClusterID).SetNumber(a.Number + 1).SetStatus(string(record.Queued)).SetReason(reasonRetry).SetMessage(clean(message)).
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
		if row.Execute != nil {
			steps[i].SetExecute(row.Execute)
		}
	}
	if err := tx.Step.CreateBulk(steps...).Exec(ctx); err != nil {
		return err
	}
	if err := newServicesOf(ctx, tx, a, id); err != nil {
		return err
	}
	if err := s.supersede(ctx, tx, a, head); err != nil {
		return err
	}
	turns, err := turnsOf(ctx, tx, head, []*db.Attempt{a})
	if err != nil {
		return err
	}
	return startCommand(tx, a.OrganizationID, a.ClusterID, id, turns[a.RunID]).Exec(ctx)
}

// answered reports whether there is nothing to try anew for: somebody wants the attempt stopped, or a test had failed before the loss.
func answered(ctx context.Context, tx *db.Tx, a *db.Attempt) (bool, error) {
	stopped, err := tx.AgentCommand.Query().Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Cancel))).Exist(ctx)
	if err != nil || stopped {
		return stopped, err
	}
	return tx.Step.Query().Where(step.AttemptID(a.ID), step.Allowed(false),
		step.StatusIn(string(record.Failed), string(record.TimedOut))).Exist(ctx)
}

// newServicesOf gives a new attempt the services of the one before.
func newServicesOf(ctx context.Context, tx *db.Tx, a *db.Attempt, id record.AttemptID) error {
	rows, err := tx.Service.Query().Where(service.AttemptID(a.ID)).Order(service.ByOrdinal()).All(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	list := make([]*db.ServiceCreate, len(rows))
	for i, row := range rows {
		list[i] = tx.Service.Create().SetOrganizationID(a.OrganizationID).SetAttemptID(id).SetOrdinal(row.Ordinal).SetName(row.Name).
			SetStatus(string(record.ServiceWaiting)).SetLogWithheld(row.LogWithheld)
	}
	return tx.Service.CreateBulk(list...).Exec(ctx)
}

// supersededSeverity is what the severity of results grows by once another attempt has taken the place of theirs: they stay, behind all
// others.
const supersededSeverity = 100

// supersede takes the results of an attempt out of the counts of its execution.
func (s *Store) supersede(ctx context.Context, tx *db.Tx, a *db.Attempt, head *db.Execution) error {
	var counts []struct {
		Outcome string `json:"outcome"`
		Count   int    `json:"count"`
	}
	mine := testresult.And(resultsIn(head), testresult.AttemptID(a.ID))
	if err := tx.TestResult.Query().Where(mine).GroupBy(testresult.FieldOutcome).Aggregate(db.Count()).Scan(ctx, &counts); err != nil {
		return err
	}
	if len(counts) == 0 {
		return nil
	}
	var n results.Tally
	for _, c := range counts {
		for range c.Count {
			n.Add(results.Outcome(c.Outcome))
		}
	}
	if err := tx.TestResult.Update().Where(mine).AddSeverity(supersededSeverity).Exec(ctx); err != nil {
		return err
	}
	var told []struct {
		TestKey         string `json:"test_key"`
		EnvironmentName string `json:"environment_name"`
	}
	if err := tx.TestResult.Query().Where(mine, testresult.TestKeyNEQ("")).Unique(true).
		Select(testresult.FieldTestKey, testresult.FieldEnvironmentName).Scan(ctx, &told); err != nil {
		return err
	}
	keys := map[string][]string{}
	for _, t := range told {
		keys[t.EnvironmentName] = append(keys[t.EnvironmentName], t.TestKey)
	}
	for environment, list := range keys { // one: an attempt is of one environment
		if err := s.remakeStrips(ctx, tx, head, environment, list); err != nil {
			return err
		}
	}
	return tx.Execution.UpdateOneID(a.ExecutionID).AddTestsPassed(-n.Passed).AddTestsFailed(-n.Failed).AddTestsErrored(-n.Errored).
		AddTestsSkipped(-n.Skipped).Exec(ctx)
}

// superseded reports whether another attempt has taken the place of this one. The caller holds the lock of the execution.
func superseded(ctx context.Context, tx *db.Tx, a *db.Attempt) (bool, error) {
	return tx.Attempt.Query().Where(attempt.RunID(a.RunID), attempt.NumberGT(a.Number)).Exist(ctx)
}
