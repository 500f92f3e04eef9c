package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/file"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/step"
)

// The exit code of a step speaks of all its reports together, and it travels by another way than they do. It is judged again
// whenever it or one more report becomes known. The caller holds the lock of the execution.

// judgeReport takes one more report of a step into account.
func judgeReport(ctx context.Context, tx *db.Tx, a *db.Attempt, f execution.File) error {
	row, err := tx.Step.Query().Where(step.AttemptID(a.ID), step.Index(f.Step)).Only(ctx)
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound, "the attempt has no step %d", f.Step)
	}
	if err != nil {
		return err
	}
	if f.Bad > 0 {
		if row, err = row.Update().AddReportsBad(f.Bad).Save(ctx); err != nil {
			return err
		}
	}
	return judgeExit(ctx, tx, a, row)
}

// judgeExit brings the reports of a step to what its exit code says of them: either none of them is contradicted by it, or all are
// and the first by path carries the one case that stands for the failure.
func judgeExit(ctx context.Context, tx *db.Tx, a *db.Attempt, row *db.Step) error {
	exit := row.ExitCode
	if row.Status == string(execution.Passed) {
		exit = nil // whatever the code is, the workflow expects it
	}
	verdict := results.JudgeExit(exit, row.ReportsBad)
	reports := []predicate.File{file.AttemptID(row.AttemptID), file.StepIndex(row.Index), file.Kind(string(execution.FileReport))}
	if len(verdict.Synthetic) == 0 {
		if row.ExitResultID == nil {
			return nil
		}
		if err := tx.File.Update().Where(reports...).SetExitReason("").Exec(ctx); err != nil {
			return err
		}
		return withdraw(ctx, tx, a, row)
	}
	first, err := tx.File.Query().Where(reports...).Order(file.ByPath(), file.BySha256()).First(ctx)
	if db.IsNotFound(err) {
		return nil // no report is there to be contradicted
	}
	if err != nil {
		return err
	}
	reason := verdict.Reasons[0]
	if err := tx.File.Update().Where(append(reports, file.ExitReasonNEQ(reason))...).SetExitReason(reason).Exec(ctx); err != nil {
		return err
	}
	return standFor(ctx, tx, a, row, first, verdict.Synthetic[0])
}

// standFor stores the case that stands for the hidden failure with a report, and takes it from where it was before.
func standFor(ctx context.Context, tx *db.Tx, a *db.Attempt, row *db.Step, f *db.File, c results.Case) error {
	if row.ExitResultID != nil {
		now, err := tx.TestResult.Get(ctx, *row.ExitResultID)
		if db.IsNotFound(err) { // it was not kept any longer: nothing has to stand for a failure that old
			return nil
		}
		if err != nil || now.FileID == f.ID {
			return err
		}
		if err := withdraw(ctx, tx, a, row); err != nil {
			return err
		}
	}
	old, err := superseded(ctx, tx, a)
	if err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	err = tx.TestResult.Create().SetID(id).SetOrganizationID(f.OrganizationID).SetExecutionID(f.ExecutionID).SetAttemptID(f.AttemptID).
		SetFileID(f.ID).SetEnvironmentName(f.EnvironmentName).SetStepIndex(f.StepIndex).SetSeverity(severity(c.Outcome, old)).SetSuite("").
		SetName(c.Name).SetSource("").SetOutcome(string(c.Outcome)).SetDuration(0).SetMessage(c.Message).SetDetail("").Exec(ctx)
	if err != nil {
		return err
	}
	if err := row.Update().SetExitResultID(id).Exec(ctx); err != nil {
		return err
	}
	if old {
		return tx.Execution.UpdateOneID(f.ExecutionID).Exec(ctx) // no result came in after the last change of its execution
	}
	return tx.Execution.UpdateOneID(f.ExecutionID).AddTestsErrored(1).Exec(ctx)
}

// withdraw removes the case that stood for a failure.
func withdraw(ctx context.Context, tx *db.Tx, a *db.Attempt, row *db.Step) error {
	gone, err := tx.TestResult.Get(ctx, *row.ExitResultID)
	if db.IsNotFound(err) { // it was not kept any longer
		return row.Update().ClearExitResultID().Exec(ctx)
	}
	if err != nil {
		return err
	}
	if err := tx.TestResult.DeleteOne(gone).Exec(ctx); err != nil {
		return err
	}
	if err := row.Update().ClearExitResultID().Exec(ctx); err != nil {
		return err
	}
	if old, err := superseded(ctx, tx, a); err != nil || old {
		return err
	}
	return tx.Execution.UpdateOneID(gone.ExecutionID).AddTestsErrored(-1).Exec(ctx)
}
