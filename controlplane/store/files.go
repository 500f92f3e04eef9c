package store

import (
	"context"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/attempt"
	executions "github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/file"
	"github.com/seatrial/seatrial/ent/db/step"
	"github.com/seatrial/seatrial/ent/db/testresult"
)

// severity sorts results: what needs a person first, what no longer counts last.
func severity(o results.Outcome, superseded bool) int {
	base := 1 // it should have run
	switch {
	case o.Bad():
		base = 0
	case o == results.Passed:
		base = 3
	case o == results.Skipped:
		base = 2
	}
	if superseded {
		base += supersededSeverity
	}
	return base
}

// SaveFile stores a file's record with the results read from it.
func (s *Store) SaveFile(ctx context.Context, f execution.File, list []execution.TestResult) (existed bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		a, head, err := s.lockAttempt(ctx, tx, f.Attempt)
		if err != nil {
			return err
		}
		// The lock on the execution makes this check safe: nobody else stores a file of it now.
		existed, err = tx.File.Query().Where(file.AttemptID(a.ID), file.Kind(string(f.Kind)), file.Path(clean(f.Path)), file.Sha256(f.SHA256)).Exist(ctx)
		if err != nil || existed {
			return err
		}
		r, err := a.QueryRun().Only(ctx)
		if err != nil {
			return err
		}
		if f.ID == uuid.Nil {
			if f.ID, err = uuid.NewV7(); err != nil {
				return err
			}
		}
		if err := createFile(ctx, tx, a, r.EnvironmentName, f); err != nil {
			return err
		}
		old, err := superseded(ctx, tx, a)
		if err != nil {
			return err
		}
		if err := s.createResults(ctx, tx, resultsOf{a, f, r.EnvironmentName, head.Workflow, old, time.Now().UTC().Truncate(time.Microsecond)}, list); err != nil {
			return err
		}
		if err := addCounts(ctx, head, list, old); err != nil {
			return err
		}
		if f.Kind != execution.FileReport {
			return nil
		}
		if err := judgeReport(ctx, tx, a, f); err != nil {
			return err
		}
		_, err = s.evidenceFor(ctx, tx, head, "A report of "+head.Workflow+" came in.")
		return err
	})
	return existed, err
}

func createFile(ctx context.Context, tx *db.Tx, a *db.Attempt, environment string, f execution.File) error {
	return tx.File.Create().SetID(f.ID).SetOrganizationID(a.OrganizationID).SetExecutionID(a.ExecutionID).SetAttemptID(a.ID).
		SetEnvironmentName(environment).SetStepIndex(f.Step).SetKind(string(f.Kind)).SetPath(clean(f.Path)).SetSize(f.Size).
		SetSha256(f.SHA256).SetContentType(clean(f.ContentType)).SetFormat(f.Format).SetGrade(f.Grade).
		SetGradeReason(clean(f.GradeReason)).SetBlob(f.Blob).SetEncoding(f.Encoding).SetStoredSize(f.StoredSize).SetStoredSha256(f.StoredSum).
		Exec(ctx)
}

// addCounts counts results at their execution, which is changed even by those that no longer count: its last change is not before any of
// its results.
func addCounts(ctx context.Context, head *db.Execution, list []execution.TestResult, superseded bool) error {
	if len(list) == 0 {
		return nil
	}
	if superseded {
		return head.Update().Exec(ctx)
	}
	var n results.Tally
	for _, r := range list {
		n.Add(results.Outcome(r.Outcome))
	}
	return head.Update().AddTestsPassed(n.Passed).AddTestsFailed(n.Failed).AddTestsErrored(n.Errored).AddTestsSkipped(n.Skipped).Exec(ctx)
}

// StepWorkflow returns the name of the workflow that a step of an attempt of the calling agent belongs to.
func (s *Store) StepWorkflow(ctx context.Context, id execution.AttemptID, index int) (string, error) {
	if _, err := agent(ctx); err != nil {
		return "", err
	}
	if err := s.mustHaveStep(ctx, id, index); err != nil {
		return "", err
	}
	name, err := s.db.Read().Attempt.Query().Where(attempt.ID(id)).QueryExecution().Select(executions.FieldWorkflow).String(ctx)
	return name, database.Fault(err)
}

// mustHaveStep finds a step of an attempt that the viewer may see: steps name no cluster, attempts do.
func (s *Store) mustHaveStep(ctx context.Context, id uuid.UUID, index int) error {
	if _, err := s.db.Read().Attempt.Query().Where(attempt.ID(id)).OnlyID(ctx); err != nil {
		return database.Fault(err)
	}
	exists, err := s.db.Read().Step.Query().Where(step.AttemptID(id), step.Index(index)).Exist(ctx)
	if err == nil && !exists {
		return fault.New(fault.NotFound, "the attempt has no step %d", index)
	}
	return database.Fault(err)
}

// resultPlace is where a page of results ended.
type resultPlace struct {
	Severity int
	ID       uuid.UUID
}

// Results lists worst first, and within as the reports list them.
func (s *Store) Results(ctx context.Context, id execution.ID, outcomes []string, size int, after string) (list []execution.TestResult, next string, err error) {
	place, more, err := decodeCursor[resultPlace](after)
	if err != nil {
		return nil, "", err
	}
	head, err := s.db.Read().Execution.Query().Where(executions.ID(id)).Select(executions.FieldID, executions.FieldUpdatedAt).Only(ctx)
	if err != nil {
		return nil, "", missing(err, "execution", id)
	}
	size = pageSize(size)
	q := s.db.Read().TestResult.Query().Where(resultsIn(head)).Limit(size+1).
		Order(testresult.BySeverity(), testresult.ByID()) // the order of an index: however many there are, a page is read alone
	if len(outcomes) > 0 {
		q = q.Where(testresult.OutcomeIn(outcomes...))
	}
	if more {
		q = q.Where(func(sel *entsql.Selector) {
			sel.Where(entsql.CompositeGT([]string{sel.C(testresult.FieldSeverity), sel.C(testresult.FieldID)}, place.Severity, place.ID))
		})
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, "", database.Fault(err)
	}
	rows, next, err = cut(rows, size, func(r *db.TestResult) resultPlace { return resultPlace{r.Severity, r.ID} })
	for _, r := range rows {
		list = append(list, resultRecord(r))
	}
	return list, next, err
}

// Files lists the files of an execution.
func (s *Store) Files(ctx context.Context, id execution.ID) ([]execution.File, error) {
	if err := s.mustSee(ctx, id); err != nil {
		return nil, err
	}
	rows, err := s.db.Read().File.Query().Where(file.ExecutionID(id)).Order(file.ByStepIndex(), file.ByPath(), file.ByID()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]execution.File, len(rows))
	for i, row := range rows {
		out[i] = fileRecord(row)
	}
	return out, nil
}

// File returns one file's record.
func (s *Store) File(ctx context.Context, id uuid.UUID) (execution.File, error) {
	row, err := s.db.Read().File.Get(ctx, id)
	if err != nil {
		return execution.File{}, database.Fault(err)
	}
	return fileRecord(row), nil
}
