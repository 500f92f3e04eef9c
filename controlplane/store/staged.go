package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/testresult"
)

// stagedFrom is how many results are worth a temporary table, which costs some rows of the catalog.
const stagedFrom = 2000

// staged is the temporary table of the results of one report.
const staged = "staged_results"

// stagedColumns are what tells the results of a report apart, with their types.
func stagedColumns() (names, types []string) {
	for _, c := range [][2]string{
		{testresult.FieldID, "uuid"},
		{testresult.FieldSeverity, "bigint"},
		{testresult.FieldSuite, "text"},
		{testresult.FieldName, "text"},
		{testresult.FieldSource, "text"},
		{testresult.FieldTestKey, "text"},
		{testresult.FieldVariant, "text"},
		{testresult.FieldFingerprint, "text"},
		{testresult.FieldEarlier, "jsonb"},
		{testresult.FieldFlags, "bigint"},
		{testresult.FieldOutcome, "text"},
		{testresult.FieldDuration, "bigint"},
		{testresult.FieldMessage, "text"},
		{testresult.FieldDetail, "text"},
	} {
		names, types = append(names, c[0]), append(types, c[0]+" "+c[1])
	}
	return names, types
}

// stageResults is for large reports on PostgreSQL. They come by COPY, which reads while it is written to, in a table of the transaction's own,
// because row level security forbids it to go where they belong; from there they go in one statement, in the order of their keys.
func stageResults(ctx context.Context, tx *db.Tx, of resultsOf, list []execution.TestResult, order []int) error {
	names, types := stagedColumns()
	if _, err := tx.ExecContext(ctx, "CREATE TEMPORARY TABLE "+staged+" ("+strings.Join(types, ", ")+") ON COMMIT DROP"); err != nil {
		return fmt.Errorf("make a table for results: %w", err)
	}
	if err := database.Copy(ctx, tx, staged, names, &staging{of: of, list: list, order: order}); err != nil {
		return fmt.Errorf("stage test results: %w", err)
	}
	columns := strings.Join(names, ", ")
	move := fmt.Sprintf(`INSERT INTO %s (%s, %s, %s, %s, %s, %s, %s, %s, %s)
SELECT $1, $1, $2::uuid, $3::uuid, $4::uuid, $5::uuid, $6, $7, %s FROM %s`, testresult.Table,
		testresult.FieldCreatedAt, testresult.FieldUpdatedAt, testresult.FieldOrganizationID, testresult.FieldExecutionID, testresult.FieldAttemptID,
		testresult.FieldFileID, testresult.FieldEnvironmentName, testresult.FieldStepIndex, columns, columns, staged)
	if _, err := tx.ExecContext(ctx, move, of.at, of.attempt.OrganizationID, of.attempt.ExecutionID, of.attempt.ID, of.file.ID, of.environment,
		int64(of.file.Step)); err != nil {
		return fmt.Errorf("store test results: %w", err)
	}
	return nil
}

// staging hands results to COPY one by one.
type staging struct {
	of    resultsOf
	list  []execution.TestResult
	order []int
	next  int
	row   []any
}

// Next goes on to the next result.
func (s *staging) Next() bool {
	s.next++
	return s.next <= len(s.order)
}

// Values returns the current result. It is good until the next one.
func (s *staging) Values() ([]any, error) {
	r := s.list[s.order[s.next-1]]
	earlier, err := earlierOf(r)
	s.row = append(s.row[:0], idOf(r.ID), int64(severity(results.Outcome(r.Outcome), s.of.superseded)), clean(r.Suite), clean(r.Name), clean(r.File),
		r.Key, clean(r.Variant), r.Fingerprint, earlier, int64(r.Flags), r.Outcome, int64(r.Duration), clean(r.Message), clean(r.Detail))
	return s.row, err
}

func idOf(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

// Err is always nil: what can fail, fails in Values.
func (s *staging) Err() error { return nil }
