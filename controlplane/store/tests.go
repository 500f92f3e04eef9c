package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
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
	"github.com/seatrial/seatrial/ent/db/unreliabletest"
)

// UnreliableTests returns the keys of tests that failed, or passed only when they were tried again, since a time: those that did so most
// often among their latest runs first.
func (s *Store) UnreliableTests(ctx context.Context, workflow string, since time.Time, limit int) ([]string, error) {
	query := s.db.Read().UnreliableTest.Query().Where(unreliabletest.LastAtGTE(since))
	if workflow != "" {
		query = query.Where(unreliabletest.Workflow(workflow))
	}
	type count struct {
		TestKey string `json:"test_key"`
		Count   int    `json:"count"`
	}
	var rows []count
	if err := query.GroupBy(unreliabletest.FieldTestKey).Aggregate(db.As(db.Sum(unreliabletest.FieldOutcomes), "count")).Scan(ctx, &rows); err != nil {
		return nil, database.Fault(err)
	}
	slices.SortFunc(rows, func(a, b count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.TestKey, b.TestKey))
	})
	var keys []string
	for _, row := range rows[:min(len(rows), limit)] {
		keys = append(keys, row.TestKey)
	}
	return keys, nil
}

// TestRuns returns tests with their latest runs since a time, at most each of every one. However many tests there are, it asks as often.
func (s *Store) TestRuns(ctx context.Context, keys []string, since time.Time, each int) ([]board.Known, error) {
	return s.LaterRuns(ctx, allSince(keys, since), each)
}

// LaterRuns returns tests with their latest runs since a time that is each one's own, at most each of every one.
func (s *Store) LaterRuns(ctx context.Context, asked []board.Later, each int) ([]board.Known, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	q := s.db.Read().TestResult.Query()
	if len(asked) == 1 { // the index has them in order
		q = q.Where(testresult.TestKey(asked[0].Key), testresult.IDGTE(firstID(asked[0].Since)), testresult.SeverityLT(supersededSeverity)).Limit(each)
	} else {
		v, _ := tenant.FromContext(ctx) // without one the rules of privacy refuse the query
		q = q.Where(latestRuns(v.Organization, asked, each, ""))
	}
	rows, err := q.Order(testresult.ByID(entsql.OrderDesc())).
		Select(slices.DeleteFunc(slices.Clone(testresult.Columns), func(c string) bool { return c == testresult.FieldDetail })...).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	b := behind{executions: map[uuid.UUID]*db.Execution{}, attempts: map[uuid.UUID]*db.Attempt{}}
	byKey := map[string][]*db.TestResult{}
	for _, row := range rows {
		byKey[row.TestKey] = append(byKey[row.TestKey], row)
		b.executions[row.ExecutionID], b.attempts[row.AttemptID] = nil, nil
	}
	if err := s.fill(ctx, b); err != nil {
		return nil, database.Fault(err)
	}
	var out []board.Known
	for _, a := range asked {
		if known, ok := knownTest(byKey[a.Key], b); ok {
			out = append(out, known)
		}
	}
	return out, nil
}

// allSince asks for the runs of tests since one time.
func allSince(keys []string, since time.Time) []board.Later {
	asked := make([]board.Later, len(keys))
	for i, key := range keys {
		asked[i] = board.Later{Key: key, Since: since}
	}
	return asked
}

// latestRuns is fulfilled by the latest results of each of some tests, each since a time, which the database takes from the end of the index:
// what a test had before costs nothing. That none of them is before the earliest time is said for each test, too: by that alone it is known
// beforehand which months are looked into. Environment may be empty.
func latestRuns(organization uuid.UUID, asked []board.Later, each int, environment string) predicate.TestResult {
	keys, since, pairs, from := make([]string, len(asked)), make([]string, len(asked)), make([][2]string, len(asked)), uuid.Max
	for i, a := range asked {
		id := firstID(a.Since)
		keys[i], since[i], pairs[i] = a.Key, id.String(), [2]string{a.Key, id.String()}
		if bytes.Compare(id[:], from[:]) < 0 {
			from = id
		}
	}
	return func(sel *entsql.Selector) {
		sel.Where(entsql.P(func(b *entsql.Builder) {
			b.Ident(sel.C(testresult.FieldID)).WriteString(" >= ").Arg(from).WriteString(" AND ").Ident(sel.C(testresult.FieldID)).WriteString(" IN (SELECT ")
			one := func(key, since string) {
				b.WriteString("(SELECT id FROM test_results WHERE test_key = " + key + " AND id >= " + since + " AND id >= ").Arg(from).WriteString(" AND severity < ").Arg(supersededSeverity).
					WriteString(" AND organization_id = ").Arg(organization)
				if environment != "" {
					b.WriteString(" AND environment_name = ").Arg(environment)
				}
				b.WriteString(" ORDER BY id DESC LIMIT ").Arg(each).WriteString(")")
			}
			if sel.Dialect() == dialect.Postgres {
				b.WriteString("latest.id FROM unnest(").Arg(keys).WriteString("::text[], ").Arg(since).WriteString("::uuid[]) AS k(key, since) CROSS JOIN LATERAL ")
				one("k.key", "k.since")
				b.WriteString(" AS latest)")
				return
			}
			text, _ := json.Marshal(pairs) //nolint:errchkjson // texts
			b.WriteString("latest.id FROM json_each(").Arg(string(text)).WriteString(") AS k JOIN test_results AS latest ON latest.id IN ")
			one("json_extract(k.value, '$[0]')", "json_extract(k.value, '$[1]')")
			b.WriteString(")")
		}))
	}
}

// behind is what results belong to, by id.
type behind struct {
	executions map[uuid.UUID]*db.Execution
	attempts   map[uuid.UUID]*db.Attempt
}

// fill reads what is still unknown.
func (s *Store) fill(ctx context.Context, b behind) error {
	for part := range slices.Chunk(slices.Collect(maps.Keys(b.executions)), columnBatch) {
		rows, err := s.db.Read().Execution.Query().Where(execution.IDIn(part...)).
			Select(execution.FieldID, execution.FieldWorkflow, execution.FieldCommit, execution.FieldTestsPassed, execution.FieldTestsFailed,
				execution.FieldTestsErrored, execution.FieldTestsSkipped).All(ctx)
		if err != nil {
			return err
		}
		for _, row := range rows {
			b.executions[row.ID] = row
		}
	}
	for part := range slices.Chunk(slices.Collect(maps.Keys(b.attempts)), columnBatch) {
		rows, err := s.db.Read().Attempt.Query().Where(attempt.IDIn(part...)).
			Select(attempt.FieldID, attempt.FieldSubjectStart, attempt.FieldSubjectEnd).All(ctx)
		if err != nil {
			return err
		}
		for _, row := range rows {
			b.attempts[row.ID] = row
		}
	}
	return nil
}

// knownTest makes a test of its results, newest first; ok is false when there are none.
func knownTest(rows []*db.TestResult, b behind) (known board.Known, ok bool) {
	for _, row := range rows {
		head, tried := b.executions[row.ExecutionID], b.attempts[row.AttemptID]
		if head == nil || tried == nil {
			continue // gone since
		}
		if len(known.Runs) == 0 {
			known.Case = testcase.Case{Key: row.TestKey, Workflow: head.Workflow, Name: resultRecord(row).Title()}
		}
		run := testcase.Run{
			Result: row.ID, Execution: row.ExecutionID, At: row.CreatedAt.UTC(), Environment: row.EnvironmentName, Variant: row.Variant,
			Outcome: results.Outcome(row.Outcome), Duration: time.Duration(row.Duration), Message: row.Message, Fingerprint: row.Fingerprint,
			Commit: head.Commit, Subject: subjectText(tried),
			Storm: flaky.Storm(head.TestsPassed+head.TestsFailed+head.TestsErrored, head.TestsFailed+head.TestsErrored),
		}
		for _, earlier := range row.Earlier {
			run.Earlier = append(run.Earlier, results.Outcome(earlier))
		}
		known.Runs = append(known.Runs, run)
	}
	return known, len(known.Runs) > 0
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

// Quarantines returns those that are active now, newest first. It goes by what is stored, not by when: what another replica has made or
// ended counts at once, whatever its clock says.
func (s *Store) Quarantines(ctx context.Context, now time.Time) ([]testcase.Quarantine, error) {
	return s.quarantines(ctx, quarantine.EndedAtIsNil(), quarantine.UntilGT(now))
}

// QuarantinesAt returns those that were active at a time of the past, newest first.
func (s *Store) QuarantinesAt(ctx context.Context, at time.Time) ([]testcase.Quarantine, error) {
	return s.quarantines(ctx, quarantine.CreatedAtLTE(at), quarantine.UntilGT(at), quarantine.Or(quarantine.EndedAtIsNil(), quarantine.EndedAtGT(at)))
}

func (s *Store) quarantines(ctx context.Context, where ...predicate.Quarantine) ([]testcase.Quarantine, error) {
	rows, err := s.db.Read().Quarantine.Query().Where(where...).
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
		if err := mayExcuse(ctx, tx, q.Test); err != nil {
			return err
		}
		if _, err := endQuarantines(ctx, tx, q.Test, q.Actor, q.CreatedAt); err != nil {
			return err
		}
		if err := tx.Quarantine.Create().SetID(id).SetTestKey(q.Test).SetTestName(clean(q.Name)).SetOwner(clean(q.Owner)).SetReason(clean(q.Reason)).
			SetTicket(clean(q.Ticket)).SetActor(q.Actor).SetCreatedAt(q.CreatedAt).SetUntil(q.Until).Exec(ctx); err != nil {
			return err
		}
		if err := s.staleBy(ctx, tx, q.Test, q.Actor+" put "+clean(q.Name)+" into quarantine."); err != nil {
			return err
		}
		audit.Of(ctx).Detail("until", q.Until.UTC().Format(time.RFC3339))
		return s.noted(ctx, tx, audit.Object{Kind: "test", ID: q.Test, Name: q.Name})
	})
}

// EndQuarantine ends that of a test.
func (s *Store) EndQuarantine(ctx context.Context, test, by string, at time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := mayExcuse(ctx, tx, test); err != nil {
			return err
		}
		n, err := endQuarantines(ctx, tx, test, by, at)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.NotFound, "the test %q is not in quarantine", test)
		}
		if err := s.staleBy(ctx, tx, test, by+" ended a quarantine."); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "test", ID: test})
	})
}

// mayExcuse returns fault.Forbidden unless the viewer acts for the team whose workflow a test is of: a quarantine decides about the releases
// of others. Of a test that has not run for long nobody knows that, and administrators alone may.
func mayExcuse(ctx context.Context, tx *db.Tx, test string) error {
	if v, _ := tenant.FromContext(ctx); v.Kind == tenant.KindSystem || v.Allows(tenant.ScopeAdmin) {
		return nil
	}
	row, err := tx.TestResult.Query().Where(testresult.TestKey(test)).Order(testresult.ByID(entsql.OrderDesc())).
		QueryExecution().QueryRevision().QueryWorkflow().First(ctx)
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound, "there is no test %q", test)
	}
	if err != nil {
		return err
	}
	return mayChange(ctx, tx, row.TeamID, "workflow "+row.Name)
}

func endQuarantines(ctx context.Context, tx *db.Tx, test, by string, at time.Time) (int, error) {
	return tx.Quarantine.Update().Where(quarantine.TestKey(test), quarantine.EndedAtIsNil(), quarantine.UntilGT(at)).SetEndedAt(at).SetEndedBy(by).Save(ctx)
}

// staleBy has the releases decided anew for which results of a test are evidence.
func (s *Store) staleBy(ctx context.Context, tx *db.Tx, test, cause string) error {
	since := s.now().Add(-2 * openFor) // what a release rests upon is not that much older than itself
	ids, err := tx.Release.Query().Where(release.CreatedAtGT(s.now().Add(-openFor)), func(sel *entsql.Selector) {
		links, runs, found := entsql.Table(releaseexecution.Table), entsql.Table(execution.Table), entsql.Table(testresult.Table)
		sel.Where(entsql.In(sel.C(release.FieldID), entsql.Select(links.C(releaseexecution.FieldReleaseID)).From(links).
			Join(runs).OnP(entsql.Or(entsql.ColumnsEQ(links.C(releaseexecution.FieldExecutionID), runs.C(execution.FieldID)),
			entsql.ColumnsEQ(links.C(releaseexecution.FieldExecutionID), runs.C(execution.FieldRootID)))).
			Join(found).On(runs.C(execution.FieldID), found.C(testresult.FieldExecutionID)).
			Where(entsql.And(entsql.EQ(found.C(testresult.FieldTestKey), test), entsql.GTE(found.C(testresult.FieldID), firstID(since))))))
	}).IDs(ctx)
	if err != nil {
		return err
	}
	return s.makeStale(ctx, tx, ids, cause)
}
