package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/ent/db"
)

// resultsOf is what all results of a report have in common.
type resultsOf struct {
	attempt     *db.Attempt
	file        execution.File
	environment string
	superseded  bool
}

// createResults stores the results of a report. A report may have a hundred thousand: PostgreSQL takes them by the column.
func (s *Store) createResults(ctx context.Context, tx *db.Tx, of resultsOf, list []execution.TestResult) error {
	if s.db.Locking() {
		return copyResults(ctx, tx, of, list)
	}
	for part := range slices.Chunk(list, batch) {
		rows := make([]*db.TestResultCreate, len(part))
		for i, r := range part {
			rows[i] = tx.TestResult.Create().SetOrganizationID(of.attempt.OrganizationID).SetExecutionID(of.attempt.ExecutionID).
				SetAttemptID(of.attempt.ID).SetFileID(of.file.ID).SetEnvironmentName(of.environment).SetStepIndex(of.file.Step).
				SetSeverity(severity(results.Outcome(r.Outcome), of.superseded)).SetSuite(clean(r.Suite)).SetName(clean(r.Name)).
				SetSource(clean(r.File)).SetTestKey(r.Key).SetVariant(clean(r.Variant)).SetFingerprint(r.Fingerprint).SetFlags(int(r.Flags)).
				SetOutcome(r.Outcome).SetDuration(int64(r.Duration)).SetMessage(clean(r.Message)).SetDetail(clean(r.Detail))
			if len(r.Earlier) > 0 { // null for most: so those that were tried again are found
				rows[i].SetEarlier(r.Earlier)
			}
		}
		if err := tx.TestResult.CreateBulk(rows...).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// columnBatch is how many rows one statement of arrays carries: some MB, whatever their texts.
const columnBatch = 5000

// copyResults stores results with a statement that takes arrays, one for each column. It goes past the privacy rules: the caller has
// proven by the lock on the execution that the attempt is the viewer's.
func copyResults(ctx context.Context, tx *db.Tx, of resultsOf, list []execution.TestResult) error {
	const insert = `INSERT INTO test_results (created_at, updated_at, environment_name, step_index, organization_id, execution_id, attempt_id, file_id,
 id, severity, suite, name, source, test_key, variant, fingerprint, earlier, flags, outcome, duration, message, detail)
SELECT now(), now(), $1, $2, $3::uuid, $4::uuid, $5::uuid, $6::uuid, id, severity, suite, name, source, test_key, variant, fingerprint,
 earlier, flags, outcome, duration, message, detail
FROM unnest($7::text[]::uuid[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[]::jsonb[],
 $16::bigint[], $17::text[], $18::bigint[], $19::text[], $20::text[])
 AS r(id, severity, suite, name, source, test_key, variant, fingerprint, earlier, flags, outcome, duration, message, detail)`
	for part := range slices.Chunk(list, columnBatch) {
		c, err := columnsOf(part, of.superseded)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, insert, of.environment, of.file.Step, of.attempt.OrganizationID.String(), of.attempt.ExecutionID.String(),
			of.attempt.ID.String(), of.file.ID.String(), c.id, c.severity, c.suite, c.name, c.source, c.key, c.variant, c.fingerprint, c.earlier,
			c.flags, c.outcome, c.duration, c.message, c.detail); err != nil {
			return fmt.Errorf("store test results: %w", err)
		}
	}
	return nil
}

// columns are results turned by a quarter.
type columns struct {
	id, suite, name, source, key, variant, fingerprint, outcome, message, detail []string
	earlier                                                                      []*string // JSON; nil for none
	severity, flags, duration                                                    []int64
}

func columnsOf(list []execution.TestResult, superseded bool) (c columns, err error) {
	for _, r := range list {
		id := r.ID
		if id == uuid.Nil {
			if id, err = uuid.NewV7(); err != nil {
				return c, fmt.Errorf("id of test result: %w", err)
			}
		}
		var earlier *string
		if len(r.Earlier) > 0 {
			text, err := json.Marshal(r.Earlier)
			if err != nil {
				return c, fmt.Errorf("encode earlier tries: %w", err)
			}
			earlier = new(string)
			*earlier = string(text)
		}
		c.id, c.severity = append(c.id, id.String()), append(c.severity, int64(severity(results.Outcome(r.Outcome), superseded)))
		c.suite, c.name, c.source = append(c.suite, clean(r.Suite)), append(c.name, clean(r.Name)), append(c.source, clean(r.File))
		c.key, c.variant, c.fingerprint = append(c.key, r.Key), append(c.variant, clean(r.Variant)), append(c.fingerprint, r.Fingerprint)
		c.earlier, c.flags, c.outcome = append(c.earlier, earlier), append(c.flags, int64(r.Flags)), append(c.outcome, r.Outcome)
		c.duration = append(c.duration, int64(r.Duration))
		c.message, c.detail = append(c.message, clean(r.Message)), append(c.detail, clean(r.Detail))
	}
	return c, nil
}
