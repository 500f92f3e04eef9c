package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/testresult"
	"github.com/seatrial/seatrial/ent/db/teststrip"
)

// A strip is the latest outcomes of a test in an environment, a letter each, newest first. It changes in the transaction that stores the
// results, so it never says anything else than they do, and it is read where to count them would take too long.

// more is what one report adds to the strip of a test.
type more struct {
	key     string
	letters []byte // newest first
}

func (m more) unreliable() bool { return testcase.Letters(m.letters).Unreliable() }

// stripsOf gathers what a report adds, in the order of keys. One report may have a test more than once, such as in two browsers.
func stripsOf(list []execution.TestResult, order []int) []more {
	letters := make([]byte, len(list)) // of all, so that each test has no allocation of its own
	out := make([]more, 0, len(order))
	for _, i := range order {
		key := list[i].Key
		if key == "" {
			continue // it stands for something else than a test
		}
		letters[i] = testcase.Letter(results.Outcome(list[i].Outcome), len(list[i].Earlier) > 0)
		if n := len(out); n > 0 && out[n-1].key == key {
			out[n-1].letters = append(letters[i:i+1:i+1], out[n-1].letters[:min(len(out[n-1].letters), testcase.MaxStrip-1)]...)
			continue
		}
		out = append(out, more{key, letters[i : i+1 : i+1]})
	}
	return out
}

// addToStrips puts the results of a report, the last of which has an id, before what the strips of their tests have.
func (s *Store) addToStrips(ctx context.Context, tx *db.Tx, of resultsOf, list []more, last uuid.UUID) error {
	if err := s.lockStrips(ctx, tx, of.attempt.OrganizationID, of.workflow, of.environment); err != nil {
		return fmt.Errorf("lock strips: %w", err)
	}
	at := of.at
	if last.Version() == timed {
		at = timeOfID(last)
	}
	add := insertStrips
	if s.db.Locking() {
		add = mergeStrips
	}
	for part := range slices.Chunk(list, columnBatch) {
		if err := add(ctx, tx, of, at, part); err != nil {
			return fmt.Errorf("update strips: %w", err)
		}
	}
	return nil
}

// columnBatch is how many rows one statement of arrays carries: some MB, whatever their texts.
const columnBatch = 5000

// onConflict puts new outcomes before old ones, of which testcase.MaxStrip stay.
func onConflict() string {
	return ` ON CONFLICT (organization_id, test_key, environment_name) DO UPDATE SET
 outcomes = substr(excluded.outcomes || s.outcomes, 1, ` + strconv.Itoa(testcase.MaxStrip) + `), last_execution_id = excluded.last_execution_id,
 last_at = excluded.last_at, workflow = excluded.workflow, unreliable_at = coalesce(excluded.unreliable_at, s.unreliable_at)`
}

// mergeStrips is for PostgreSQL, which takes a column at a time. To look for a conflict at each row needs no plan that could be a bad one.
func mergeStrips(ctx context.Context, tx *db.Tx, of resultsOf, at time.Time, list []more) error {
	keys, outcomes, unreliable := make([]string, len(list)), make([]string, len(list)), make([]bool, len(list))
	for i, m := range list {
		keys[i], outcomes[i], unreliable[i] = m.key, string(m.letters), m.unreliable()
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO test_strips AS s (organization_id, environment_name, workflow, last_execution_id, last_at, test_key, outcomes, unreliable_at)
SELECT $1::uuid, $2, $3, $4::uuid, $5::timestamptz, key, letters, CASE WHEN unreliable THEN $5::timestamptz END
FROM unnest($6::text[], $7::text[], $8::bool[]) AS r(key, letters, unreliable)`+onConflict(),
		of.attempt.OrganizationID.String(), of.environment, of.workflow, of.attempt.ExecutionID.String(), at, keys, outcomes, unreliable)
	return err //nolint:wrapcheck // the caller says what it was about
}

// lockStrips makes those wait for each other that change strips of one workflow in one environment: two reports of the same tests would
// otherwise take their rows in different orders. SQLite has one writer.
func (s *Store) lockStrips(ctx context.Context, tx *db.Tx, organization uuid.UUID, workflow, environment string) error {
	if !s.db.Locking() {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", strings.Join([]string{"strips", organization.String(), workflow, environment}, "\x1f"))
	return err //nolint:wrapcheck // the caller says what it was about
}

// insertStrips is for SQLite.
func insertStrips(ctx context.Context, tx *db.Tx, of resultsOf, at time.Time, list []more) error {
	const columns = 8
	for part := range slices.Chunk(list, rowsAtOnce) {
		values := make([]any, 0, len(part)*columns)
		for _, m := range part {
			var unreliable any
			if m.unreliable() {
				unreliable = at
			}
			values = append(values, of.attempt.OrganizationID.String(), of.environment, of.workflow, of.attempt.ExecutionID.String(), at, m.key,
				string(m.letters), unreliable)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO test_strips AS s (organization_id, environment_name, workflow, last_execution_id, last_at, test_key, outcomes, unreliable_at)
VALUES `+strings.TrimPrefix(strings.Repeat(", (?, ?, ?, ?, ?, ?, ?, ?)", len(part)), ", ")+onConflict(), values...); err != nil {
			return err //nolint:wrapcheck // the caller says what it was about
		}
	}
	return nil
}

// Strips returns the latest outcomes of all tests of a workflow in an environment, or in all of them, by key. The database hands them out as
// one text for each environment: a thousand rows would take longer to be read than to be found.
func (s *Store) Strips(ctx context.Context, workflow, environment string) ([]testcase.Strip, error) {
	query := s.db.Read().TestStrip.Query().Where(teststrip.Workflow(workflow))
	if environment != "" {
		query = query.Where(teststrip.EnvironmentName(environment))
	}
	var rows []struct {
		EnvironmentName string `json:"environment_name"`
		Strips          string `json:"strips"`
	}
	err := query.GroupBy(teststrip.FieldEnvironmentName).Aggregate(func(sel *entsql.Selector) string {
		return entsql.As("string_agg("+sel.C(teststrip.FieldOutcomes)+" || ' ' || "+sel.C(teststrip.FieldTestKey)+", '\n')", "strips")
	}).Scan(ctx, &rows)
	if err != nil {
		return nil, database.Fault(err)
	}
	var out []testcase.Strip
	for _, row := range rows {
		for line := range strings.SplitSeq(row.Strips, "\n") {
			letters, key, _ := strings.Cut(line, " ")
			out = append(out, testcase.Strip{Key: key, Environment: row.EnvironmentName, Letters: testcase.Letters(letters)})
		}
	}
	slices.SortFunc(out, func(a, b testcase.Strip) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Environment, b.Environment))
	})
	return out, nil
}

// stripSpan is how far it is looked back for the outcomes of a strip that is made anew.
const stripSpan = 90 * 24 * time.Hour

// remakeStrips makes the strips of some tests of a workflow in an environment anew of their results: when some of those no longer count.
func (s *Store) remakeStrips(ctx context.Context, tx *db.Tx, head *db.Execution, environment string, keys []string) error {
	if err := s.lockStrips(ctx, tx, head.OrganizationID, head.Workflow, environment); err != nil {
		return err
	}
	for part := range slices.Chunk(keys, batch) {
		rows, err := tx.TestResult.Query().
			Where(latestRuns(head.OrganizationID, part, s.now().Add(-stripSpan), testcase.MaxStrip, environment)).
			Order(testresult.ByID(entsql.OrderDesc())).
			Select(testresult.FieldID, testresult.FieldTestKey, testresult.FieldOutcome, testresult.FieldEarlier, testresult.FieldExecutionID, testresult.FieldCreatedAt).All(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.TestStrip.Delete().Where(teststrip.TestKeyIn(part...), teststrip.EnvironmentName(environment)).Exec(ctx); err != nil {
			return err
		}
		byKey := map[string]*db.TestStripCreate{}
		for _, row := range rows {
			letter := testcase.Letter(results.Outcome(row.Outcome), row.Earlier != nil)
			c := byKey[row.TestKey]
			if c == nil {
				c = tx.TestStrip.Create().SetOrganizationID(head.OrganizationID).SetTestKey(row.TestKey).SetEnvironmentName(environment).
					SetWorkflow(head.Workflow).SetOutcomes("").SetLastExecutionID(row.ExecutionID).SetLastAt(row.CreatedAt)
				byKey[row.TestKey] = c
			}
			known, _ := c.Mutation().Outcomes()
			c.SetOutcomes(known + string(letter))
			if _, told := c.Mutation().UnreliableAt(); !told && testcase.Letters([]byte{letter}).Unreliable() {
				c.SetUnreliableAt(row.CreatedAt)
			}
		}
		if err := tx.TestStrip.CreateBulk(slices.Collect(maps.Values(byKey))...).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
