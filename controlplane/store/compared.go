package store

import (
	"context"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/execution/compare"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/run"
	"github.com/seatrial/seatrial/ent/db/testresult"
)

// casePage is how many results are held twice at a time, as rows and as cases.
const casePage = 20_000

// Cases returns what the reports of an execution say, without what lost attempts said. Messages and details stay where they are.
func (s *Store) Cases(ctx context.Context, id record.ID, limit int) ([]compare.Case, error) {
	head, err := s.db.Read().Execution.Query().Where(execution.ID(id)).Select(execution.FieldID, execution.FieldUpdatedAt).Only(ctx)
	if err != nil {
		return nil, missing(err, "execution", id)
	}
	var out []compare.Case
	var last *db.TestResult
	for len(out) < limit {
		q := s.db.Read().TestResult.Query().Where(resultsIn(head), testresult.SeverityLT(supersededSeverity)).
			Order(testresult.BySeverity(), testresult.ByID()).Limit(min(casePage, limit-len(out)))
		if last != nil {
			severity, after := last.Severity, last.ID
			q = q.Where(func(sel *entsql.Selector) {
				sel.Where(entsql.CompositeGT([]string{sel.C(testresult.FieldSeverity), sel.C(testresult.FieldID)}, severity, after))
			})
		}
		rows, err := q.Select(testresult.FieldID, testresult.FieldSeverity, testresult.FieldAttemptID, testresult.FieldTestKey, testresult.FieldSuite,
			testresult.FieldName, testresult.FieldVariant, testresult.FieldOutcome, testresult.FieldEarlier, testresult.FieldFingerprint,
			testresult.FieldDuration).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		for _, row := range rows {
			out = append(out, caseOf(row))
		}
		if len(rows) < casePage {
			break
		}
		last = rows[len(rows)-1]
	}
	return out, nil
}

func caseOf(row *db.TestResult) compare.Case {
	return compare.Case{
		ID: row.ID, Attempt: row.AttemptID, Key: row.TestKey, Title: resultRecord(row).Title(), Variant: row.Variant,
		Outcome: results.Outcome(row.Outcome), Earlier: row.Earlier, Fingerprint: row.Fingerprint, Duration: time.Duration(row.Duration),
	}
}

// Messages returns the messages of results by their ids.
func (s *Store) Messages(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	out := make(map[uuid.UUID]string, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := s.db.Read().TestResult.Query().Where(testresult.IDIn(ids...)).Select(testresult.FieldID, testresult.FieldMessage).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	for _, row := range rows {
		out[row.ID] = row.Message
	}
	return out, nil
}

// Past returns the executions of a workflow before another, newest first, with their runs but without attempts.
func (s *Store) Past(ctx context.Context, workflow string, before record.ID, limit int) ([]record.Execution, error) {
	rows, err := s.db.Read().Execution.Query().Where(execution.Workflow(workflow), execution.IDLT(before)).
		Order(execution.ByID(entsql.OrderDesc())).Limit(limit).All(ctx)
	if err != nil || len(rows) == 0 {
		return nil, database.Fault(err)
	}
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	runs, err := s.db.Read().Run.Query().Where(run.ExecutionIDIn(ids...)).Order(run.ByOrdinal()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	of := map[uuid.UUID][]record.Run{}
	for _, r := range runs {
		of[r.ExecutionID] = append(of[r.ExecutionID], runRecord(r, nil))
	}
	out := make([]record.Execution, len(rows))
	for i, row := range rows {
		out[i] = executionRecord(row, of[row.ID])
	}
	return out, nil
}
