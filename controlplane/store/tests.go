package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/quarantine"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/releaseexecution"
	"github.com/seatrial/seatrial/ent/db/testresult"
)

// UnreliableTests returns the keys of tests that failed, or passed only when they were tried again, since a time.
func (s *Store) UnreliableTests(ctx context.Context, workflow string, since time.Time, limit int) ([]string, error) {
	where := []predicate.TestResult{
		testresult.IDGT(firstID(since)), testresult.TestKeyNEQ(""), testresult.SeverityLT(supersededSeverity),
		testresult.Or(testresult.OutcomeIn(badOutcomes()...), testresult.EarlierNotNil()),
	}
	if workflow != "" {
		where = append(where, testresult.HasExecutionWith(execution.Workflow(workflow)))
	}
	var rows []struct {
		TestKey string `json:"test_key"`
		Count   int    `json:"count"`
	}
	err := s.db.Read().TestResult.Query().Where(where...).GroupBy(testresult.FieldTestKey).Aggregate(db.As(db.Count(), "count")).Scan(ctx, &rows)
	if err != nil {
		return nil, database.Fault(err)
	}
	slices.SortFunc(rows, func(a, b struct {
		TestKey string `json:"test_key"`
		Count   int    `json:"count"`
	},
	) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.TestKey, b.TestKey))
	})
	var keys []string
	for _, row := range rows[:min(len(rows), limit)] {
		keys = append(keys, row.TestKey)
	}
	return keys, nil
}

func badOutcomes() []string {
	var bad []string
	for _, o := range results.Outcomes() {
		if o.Bad() {
			bad = append(bad, string(o))
		}
	}
	return bad
}

// firstID is before every id that was made since a time, which the first bits of an id are.
func firstID(since time.Time) (id uuid.UUID) {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(0, since.UnixMilli())))
	copy(id[:], ms[2:])
	return id
}

// TestRuns returns tests with their latest runs since a time, at most each of every one.
func (s *Store) TestRuns(ctx context.Context, keys []string, since time.Time, each int) ([]board.Known, error) {
	var out []board.Known
	for _, key := range keys {
		rows, err := s.db.Read().TestResult.Query().
			Where(testresult.TestKey(key), testresult.IDGT(firstID(since)), testresult.SeverityLT(supersededSeverity)).
			Order(testresult.ByID(entsql.OrderDesc())).Limit(each).
			Select(slices.DeleteFunc(slices.Clone(testresult.Columns), func(c string) bool { return c == testresult.FieldDetail })...).
			WithExecution(func(q *db.ExecutionQuery) {
				q.Select(execution.FieldID, execution.FieldWorkflow, execution.FieldCommit, execution.FieldTestsPassed, execution.FieldTestsFailed,
					execution.FieldTestsErrored, execution.FieldTestsSkipped)
			}).
			WithAttempt(func(q *db.AttemptQuery) {
				q.Select(attempt.FieldID, attempt.FieldSubjectStart, attempt.FieldSubjectEnd)
			}).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		if len(rows) > 0 {
			out = append(out, knownTest(rows))
		}
	}
	return out, nil
}

// knownTest makes a test of its results, newest first.
func knownTest(rows []*db.TestResult) board.Known {
	newest := rows[0]
	known := board.Known{Case: testcase.Case{Key: newest.TestKey, Workflow: newest.Edges.Execution.Workflow, Name: resultRecord(newest).Title()}}
	for _, row := range rows {
		head := row.Edges.Execution
		run := testcase.Run{
			Execution: row.ExecutionID, At: row.CreatedAt.UTC(), Environment: row.EnvironmentName, Variant: row.Variant,
			Outcome: results.Outcome(row.Outcome), Duration: time.Duration(row.Duration), Message: row.Message, Fingerprint: row.Fingerprint,
			Commit: head.Commit, Subject: subjectText(row.Edges.Attempt),
			Storm: flaky.Storm(head.TestsPassed+head.TestsFailed+head.TestsErrored, head.TestsFailed+head.TestsErrored),
		}
		for _, earlier := range row.Earlier {
			run.Earlier = append(run.Earlier, results.Outcome(earlier))
		}
		known.Runs = append(known.Runs, run)
	}
	return known
}

// subjectText names what was under test; empty when it was not observed, or another at the end than at the beginning.
func subjectText(a *db.Attempt) string {
	start, end := digestText(subjectRecord(a.SubjectStart)), digestText(subjectRecord(a.SubjectEnd))
	if start != end {
		return ""
	}
	return start
}

func digestText(s *record.Subject) string {
	if !s.Observed() {
		return ""
	}
	var digests []string
	for _, image := range s.Images {
		digests = append(digests, image.Digest)
	}
	slices.Sort(digests)
	return strings.Join(slices.Compact(digests), " ")
}

// Quarantines returns those that are active at a time, newest first.
func (s *Store) Quarantines(ctx context.Context, at time.Time) ([]testcase.Quarantine, error) {
	rows, err := s.db.Read().Quarantine.Query().Where(quarantine.EndedAtIsNil(), quarantine.UntilGT(at)).
		Order(quarantine.ByID(entsql.OrderDesc())).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]testcase.Quarantine, len(rows))
	for i, row := range rows {
		out[i] = testcase.Quarantine{
			ID: row.ID.String(), Test: row.TestKey, Name: row.TestName, Owner: row.Owner, Reason: row.Reason, Ticket: row.Ticket, Actor: row.Actor,
			CreatedAt: row.CreatedAt.UTC(), Until: row.Until.UTC(), EndedBy: row.EndedBy, EndedAt: timeOf(row.EndedAt),
		}
	}
	return out, nil
}

// SaveQuarantine stores a quarantine, ends an earlier one of the same test, and has open releases decided anew.
func (s *Store) SaveQuarantine(ctx context.Context, q testcase.Quarantine) error {
	id, err := uuid.Parse(q.ID)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "id of quarantine")
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := endQuarantines(ctx, tx, q.Test, q.Actor, q.CreatedAt); err != nil {
			return err
		}
		if err := tx.Quarantine.Create().SetID(id).SetTestKey(q.Test).SetTestName(clean(q.Name)).SetOwner(clean(q.Owner)).SetReason(clean(q.Reason)).
			SetTicket(clean(q.Ticket)).SetActor(q.Actor).SetCreatedAt(q.CreatedAt).SetUntil(q.Until).Exec(ctx); err != nil {
			return err
		}
		return s.staleBy(ctx, tx, q.Test, q.Actor+" put "+clean(q.Name)+" into quarantine.")
	})
}

// EndQuarantine ends that of a test.
func (s *Store) EndQuarantine(ctx context.Context, test, by string, at time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := endQuarantines(ctx, tx, test, by, at)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.NotFound, "the test %q is not in quarantine", test)
		}
		return s.staleBy(ctx, tx, test, by+" ended a quarantine.")
	})
}

func endQuarantines(ctx context.Context, tx *db.Tx, test, by string, at time.Time) (int, error) {
	return tx.Quarantine.Update().Where(quarantine.TestKey(test), quarantine.EndedAtIsNil(), quarantine.UntilGT(at)).SetEndedAt(at).SetEndedBy(by).Save(ctx)
}

// staleBy has the releases decided anew for which results of a test are evidence.
func (s *Store) staleBy(ctx context.Context, tx *db.Tx, test, cause string) error {
	ids, err := tx.Release.Query().Where(release.CreatedAtGT(s.now().Add(-openFor)), func(sel *entsql.Selector) {
		links, runs, found := entsql.Table(releaseexecution.Table), entsql.Table(execution.Table), entsql.Table(testresult.Table)
		sel.Where(entsql.In(sel.C(release.FieldID), entsql.Select(links.C(releaseexecution.FieldReleaseID)).From(links).
			Join(runs).OnP(entsql.Or(entsql.ColumnsEQ(links.C(releaseexecution.FieldExecutionID), runs.C(execution.FieldID)),
			entsql.ColumnsEQ(links.C(releaseexecution.FieldExecutionID), runs.C(execution.FieldRootID)))).
			Join(found).On(runs.C(execution.FieldID), found.C(testresult.FieldExecutionID)).
			Where(entsql.EQ(found.C(testresult.FieldTestKey), test))))
	}).IDs(ctx)
	if err != nil {
		return err
	}
	return s.makeStale(ctx, tx, ids, cause)
}
