package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/testresult"
)

// resultsOf is what all results of a report have in common.
type resultsOf struct {
	attempt     *db.Attempt
	file        execution.File
	environment string
	workflow    string
	superseded  bool
	at          time.Time
}

// createResults stores the results of a report with what is read of them later. A report may have a hundred thousand. It goes past the
// privacy rules: the caller has proven by the lock on the execution that the attempt is the viewer's.
func (s *Store) createResults(ctx context.Context, tx *db.Tx, into *database.Bulk, of resultsOf, list []execution.TestResult) error {
	if len(list) == 0 {
		return nil
	}
	for i := range list {
		if list[i].ID != uuid.Nil {
			continue
		}
		var err error
		if list[i].ID, err = uuid.NewV7(); err != nil {
			return fmt.Errorf("id of test result: %w", err)
		}
	}
	var strips []more
	var beside sync.WaitGroup // they are put in order while the database is busy
	beside.Go(func() { strips = stripsOf(list) })
	var err error
	if into != nil {
		err = into.Copy(ctx, testresult.Table, resultColumns(), &copied{of: of, list: list})
	} else {
		err = insertResults(ctx, tx, of, list)
	}
	beside.Wait()
	if err != nil || of.superseded {
		return err
	}
	return s.addToStrips(ctx, tx, of, strips, list[len(list)-1].ID)
}

// resultColumns are the columns of a result in the order of resultValues.
func resultColumns() []string {
	return []string{
		testresult.FieldID, testresult.FieldCreatedAt, testresult.FieldUpdatedAt, testresult.FieldOrganizationID, testresult.FieldExecutionID,
		testresult.FieldAttemptID, testresult.FieldFileID, testresult.FieldEnvironmentName, testresult.FieldStepIndex, testresult.FieldSeverity,
		testresult.FieldSuite, testresult.FieldName, testresult.FieldSource, testresult.FieldTestKey, testresult.FieldVariant,
		testresult.FieldFingerprint, testresult.FieldEarlier, testresult.FieldFlags, testresult.FieldOutcome, testresult.FieldDuration,
		testresult.FieldMessage, testresult.FieldDetail,
	}
}

// resultValues appends the values of a result. Each id is written as the database wants it.
func resultValues(to []any, of resultsOf, r execution.TestResult, id func(uuid.UUID) any) ([]any, error) {
	var earlier any // null for most: so those that were tried again are found
	if len(r.Earlier) > 0 {
		text, err := json.Marshal(r.Earlier)
		if err != nil {
			return nil, fmt.Errorf("encode earlier tries: %w", err)
		}
		earlier = text
	}
	return append(to, id(r.ID), of.at, of.at, id(of.attempt.OrganizationID), id(of.attempt.ExecutionID), id(of.attempt.ID), id(of.file.ID),
		of.environment, int64(of.file.Step), int64(severity(results.Outcome(r.Outcome), of.superseded)), clean(r.Suite), clean(r.Name), clean(r.File),
		r.Key, clean(r.Variant), r.Fingerprint, earlier, int64(r.Flags), r.Outcome, int64(r.Duration), clean(r.Message), clean(r.Detail)), nil
}

// copied hands results to COPY one by one.
type copied struct {
	of   resultsOf
	list []execution.TestResult
	next int
	row  []any
}

// Next goes on to the next result.
func (c *copied) Next() bool {
	c.next++
	return c.next <= len(c.list)
}

// Values returns the current result. It is good until the next one.
func (c *copied) Values() (row []any, err error) {
	c.row, err = resultValues(c.row[:0], c.of, c.list[c.next-1], func(id uuid.UUID) any { return pgtype.UUID{Bytes: id, Valid: true} })
	return c.row, err
}

// Err is always nil: what can fail, fails in Values.
func (c *copied) Err() error { return nil }

// rowsAtOnce is how many results one statement of SQLite stores: more of them are no faster.
const rowsAtOnce = 100

// insertResults stores results row by row. The builder of ent would take half of the time.
func insertResults(ctx context.Context, tx *db.Tx, of resultsOf, list []execution.TestResult) error {
	columns := resultColumns()
	row := ", (" + strings.TrimPrefix(strings.Repeat(", ?", len(columns)), ", ") + ")"
	head := fmt.Sprintf("INSERT INTO %s (%s) VALUES ", testresult.Table, strings.Join(columns, ", "))
	whole := head + strings.TrimPrefix(strings.Repeat(row, rowsAtOnce), ", ")
	values := make([]any, 0, rowsAtOnce*len(columns))
	for part := range slices.Chunk(list, rowsAtOnce) {
		values = values[:0]
		for _, r := range part {
			var err error
			if values, err = resultValues(values, of, r, func(id uuid.UUID) any { return id.String() }); err != nil {
				return err
			}
		}
		insert := whole
		if len(part) < rowsAtOnce {
			insert = head + strings.TrimPrefix(strings.Repeat(row, len(part)), ", ")
		}
		if _, err := tx.ExecContext(ctx, insert, values...); err != nil {
			return fmt.Errorf("store test results: %w", err)
		}
	}
	return nil
}
