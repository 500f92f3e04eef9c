package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
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
func (s *Store) createResults(ctx context.Context, tx *db.Tx, of resultsOf, list []execution.TestResult) error {
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
	insert := insertResults
	switch {
	case s.db.Temporary() && len(list) >= stagedFrom:
		insert = stageResults
	case s.db.Locking():
		insert = mergeResults
	}
	order := byKey(list)
	var strips []more
	var beside sync.WaitGroup // they are gathered while the database is busy
	beside.Go(func() { strips = stripsOf(list, order) })
	err := insert(ctx, tx, of, list, order)
	beside.Wait()
	if err != nil || of.superseded {
		return err
	}
	if err := s.addToStrips(ctx, tx, of, strips, list[len(list)-1].ID); err != nil {
		return err
	}
	return s.rememberFailures(ctx, tx, of, list)
}

// byKey is the order of the index of keys: what comes in that order is found beside what came before it.
func byKey(list []execution.TestResult) []int {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(strings.Compare(list[a].Key, list[b].Key), a-b) })
	return order
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

// resultValues appends the values of a result.
func resultValues(to []any, of resultsOf, r execution.TestResult) ([]any, error) {
	text, err := earlierOf(r)
	if err != nil {
		return nil, err
	}
	var earlier any
	if text != nil {
		earlier = text
	}
	return append(to, r.ID.String(), of.at, of.at, of.attempt.OrganizationID.String(), of.attempt.ExecutionID.String(), of.attempt.ID.String(), of.file.ID.String(),
		of.environment, int64(of.file.Step), int64(severity(results.Outcome(r.Outcome), of.superseded)), clean(r.Suite), clean(r.Name), clean(r.File),
		r.Key, clean(r.Variant), r.Fingerprint, earlier, int64(r.Flags), r.Outcome, int64(r.Duration), clean(r.Message), clean(r.Detail)), nil
}

// earlierOf is null for most results: so those that were tried again are found.
func earlierOf(r execution.TestResult) ([]byte, error) {
	if len(r.Earlier) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(r.Earlier)
	if err != nil {
		return nil, fmt.Errorf("encode earlier tries: %w", err)
	}
	return text, nil
}

// columnBatch is how many rows one statement of arrays carries: some MB, whatever their texts.
const columnBatch = 5000

// mergeResults is for PostgreSQL, which takes a column at a time.
func mergeResults(ctx context.Context, tx *db.Tx, of resultsOf, list []execution.TestResult, _ []int) error {
	insert := fmt.Sprintf(`INSERT INTO %s (%s)
SELECT id, $1, $1, $2::uuid, $3::uuid, $4::uuid, $5::uuid, $6, $7, severity, suite, name, source, test_key, variant, fingerprint, earlier, flags, outcome, duration, message, detail
FROM unnest($8::uuid[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::jsonb[], $17::bigint[], $18::text[], $19::bigint[], $20::text[], $21::text[])
 AS r(id, severity, suite, name, source, test_key, variant, fingerprint, earlier, flags, outcome, duration, message, detail)`,
		testresult.Table, strings.Join(resultColumns(), ", "))
	for part := range slices.Chunk(list, columnBatch) {
		c, err := columnsOf(of, part)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, insert, of.at, of.attempt.OrganizationID, of.attempt.ExecutionID, of.attempt.ID, of.file.ID, of.environment,
			int64(of.file.Step), c.ids, c.severities, c.suites, c.names, c.sources, c.keys, c.variants, c.fingerprints, c.earlier, c.flags, c.outcomes,
			c.durations, c.messages, c.details); err != nil {
			return fmt.Errorf("store test results: %w", err)
		}
	}
	return nil
}

// columns are results a column at a time.
type columns struct {
	ids                                                                               []uuid.UUID
	severities, flags, durations                                                      []int64
	suites, names, sources, keys, variants, fingerprints, outcomes, messages, details []string
	earlier                                                                           []*string
}

func columnsOf(of resultsOf, list []execution.TestResult) (c columns, err error) {
	for _, r := range list {
		text, err := earlierOf(r)
		if err != nil {
			return c, err
		}
		var earlier *string
		if text != nil {
			tries := string(text)
			earlier = &tries
		}
		c.ids, c.earlier = append(c.ids, r.ID), append(c.earlier, earlier)
		c.severities = append(c.severities, int64(severity(results.Outcome(r.Outcome), of.superseded)))
		c.flags, c.durations = append(c.flags, int64(r.Flags)), append(c.durations, int64(r.Duration))
		c.suites, c.names, c.sources = append(c.suites, clean(r.Suite)), append(c.names, clean(r.Name)), append(c.sources, clean(r.File))
		c.keys, c.variants, c.fingerprints = append(c.keys, r.Key), append(c.variants, clean(r.Variant)), append(c.fingerprints, r.Fingerprint)
		c.outcomes, c.messages, c.details = append(c.outcomes, r.Outcome), append(c.messages, clean(r.Message)), append(c.details, clean(r.Detail))
	}
	return c, nil
}

// rowsAtOnce is how many results one statement of SQLite stores: more of them are no faster.
const rowsAtOnce = 100

// insertResults is for SQLite: it stores results row by row. The builder of ent would take half of the time.
func insertResults(ctx context.Context, tx *db.Tx, of resultsOf, list []execution.TestResult, _ []int) error {
	columns := resultColumns()
	row := ", (" + strings.TrimPrefix(strings.Repeat(", ?", len(columns)), ", ") + ")"
	head := fmt.Sprintf("INSERT INTO %s (%s) VALUES ", testresult.Table, strings.Join(columns, ", "))
	whole := head + strings.TrimPrefix(strings.Repeat(row, rowsAtOnce), ", ")
	values := make([]any, 0, rowsAtOnce*len(columns))
	for part := range slices.Chunk(list, rowsAtOnce) {
		values = values[:0]
		for _, r := range part {
			var err error
			if values, err = resultValues(values, of, r); err != nil {
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
