package bench_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// shape is how much there is.
type shape struct {
	executions int
	flows      int // at most 200
	clusters   int
	bigTests   int // of one workflow
	days       int // over which the executions are spread
	releases   int
	entries    int // of each list that grows: audit, events, deliveries, firings
}

// filler copies the seeds within the database, as its superuser: triggers and row level security would only check what was checked when the
// seeds were made. What it leaves is what the program would have left, but for three things: copies of the assignments that agents were
// sent, which no page reads, are empty; copies of reports share their bytes; and the chain of the audit log does not hold.
type filler struct {
	tb    testing.TB
	db    *sql.Conn
	owner string // role that owns the tables
	said  time.Time
}

func newFiller(tb testing.TB, admin string) *filler {
	tb.Helper()
	pool, err := sql.Open("pgx", admin)
	ok(tb, err)
	tb.Cleanup(func() { _ = pool.Close() })
	conn, err := pool.Conn(tb.Context())
	ok(tb, err)
	f := &filler{tb: tb, db: conn, said: time.Now()}
	for _, statement := range []string{
		"SET session_replication_role = replica", "SET work_mem = '256MB'", "SET maintenance_work_mem = '1GB'", "SET synchronous_commit = off",
		`CREATE FUNCTION pg_temp.child(of uuid, seed uuid) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ -- of the same moment
  SELECT (substr(of::text, 1, 13) || '-7' || substr(h, 1, 3) || '-8' || substr(h, 4, 3) || '-' || substr(h, 7, 12))::uuid FROM (SELECT md5(of::text || seed::text) AS h) AS of_both
$$`,
		`CREATE FUNCTION pg_temp.first_id(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008' || repeat('0', 15))::uuid
$$`,
	} {
		f.do(statement)
	}
	f.one(&f.owner, "SELECT tableowner FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'executions'")
	return f
}

func (f *filler) do(statement string, args ...any) {
	f.tb.Helper()
	if _, err := f.db.ExecContext(f.tb.Context(), statement, args...); err != nil {
		f.tb.Fatalf("%v\n%s", err, statement)
	}
}

func (f *filler) one(into any, query string, args ...any) {
	f.tb.Helper()
	if err := f.db.QueryRowContext(f.tb.Context(), query, args...).Scan(into); err != nil {
		f.tb.Fatalf("%v\n%s", err, query)
	}
}

func (f *filler) list(query string, args ...any) (out []string) {
	f.tb.Helper()
	rows, err := f.db.QueryContext(f.tb.Context(), query, args...)
	ok(f.tb, err)
	defer rows.Close()
	for rows.Next() {
		var text string
		ok(f.tb, rows.Scan(&text))
		out = append(out, text)
	}
	ok(f.tb, rows.Err())
	return out
}

// say tells how far it is.
func (f *filler) say(format string, args ...any) {
	f.tb.Logf("%6.1f s  %s", time.Since(f.said).Seconds(), fmt.Sprintf(format, args...))
	f.said = time.Now()
}

// copied are the tables that belong to an execution, each after what its rows refer to.
func copiedTables() []string {
	return []string{"executions", "runs", "attempts", "steps", "log_streams", "log_chunks", "files", "agent_commands"}
}

// all multiplies the seeds.
func (f *filler) all(s *seeds) {
	// The starts were answered by no agent.
	f.do("UPDATE agent_commands SET state = 'done' WHERE attempt_id IN (SELECT id FROM attempts WHERE finished_at IS NOT NULL)")
	f.clones(s)
	f.bind()
	months := f.months()
	indexes := map[string][]string{}
	for _, table := range append(copiedTables(), "test_results") {
		f.ofSeeds(table)
	}
	for _, table := range copiedTables() {
		indexes[table] = f.dropIndexes(table)
	}
	for _, m := range months {
		for _, table := range copiedTables() {
			f.multiply(table, table, m.where())
		}
		f.month(m)
	}
	f.say("executions and results are copied")
	for _, table := range copiedTables() {
		for _, index := range indexes[table] {
			f.do(index)
		}
	}
	f.say("indexes are made")
	f.strips()
	f.say("strips are made")
	f.around(s)
	f.do("VACUUM ANALYZE")
	f.say("the rest is there, and everything is analyzed")
}

// clones decides of which seed each copy is made, and when it was.
func (f *filler) clones(s *seeds) {
	f.do("CREATE TEMPORARY TABLE seeds (id uuid, flow int, ending int)")
	for _, c := range append(slices.Clone(s.copied), s.bigCopied) {
		f.do("INSERT INTO seeds VALUES ($1, $2, $3)", c.id, c.flow, c.ending)
	}
	var endingOf strings.Builder
	bound := 0
	for i, e := range endings() {
		bound += e.share
		fmt.Fprintf(&endingOf, "WHEN h < %d THEN %d ", bound, i)
	}
	f.do(fmt.Sprintf(`CREATE TEMPORARY TABLE clones AS SELECT pg_temp.child(pg_temp.first_id(at), md5(n::text)::uuid) AS id, at, at - e.created_at AS shift, c.id AS seed
FROM (SELECT n, now() - interval '1 hour' - (interval '%[1]d days' * (%[2]d - n)) / %[2]d AS at, n %% %[3]d AS flow, (hashint4(n) & 2147483647) %% 1000 AS h FROM generate_series(1, %[2]d) AS n) AS g
JOIN seeds AS c ON c.flow = CASE WHEN g.n %% (%[2]d / 20) = 0 THEN %[3]d ELSE g.flow END AND c.ending = CASE WHEN c.flow = %[3]d THEN 0 ELSE CASE %[4]s END END
JOIN executions AS e ON e.id = c.id ORDER BY at`, s.shape.days, s.shape.executions, s.shape.flows, endingOf.String()))
	f.do("CREATE INDEX ON clones (at)")
	f.do("ANALYZE clones")
}

// span is a month of the past.
type span struct {
	name         string
	begin, until time.Time
}

func (m span) where() string {
	return fmt.Sprintf("c.at >= '%s' AND c.at < '%s'", m.begin.Format(time.RFC3339), m.until.Format(time.RFC3339))
}

// months are those in which something was executed.
func (f *filler) months() (out []span) {
	var first time.Time
	f.one(&first, "SELECT min(at) FROM clones")
	first = first.UTC()
	for at := time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, time.UTC); at.Before(time.Now()); at = at.AddDate(0, 1, 0) {
		out = append(out, span{"test_results_" + at.Format("2006_01"), at, at.AddDate(0, 1, 0)})
	}
	return out
}

// dropIndexes drops those that nothing needs while rows are copied, and returns how they are made again.
func (f *filler) dropIndexes(table string) (made []string) {
	made = f.list("SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = $1 AND indexname NOT LIKE '%pkey'", table)
	for _, name := range f.list("SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = $1 AND indexname NOT LIKE '%pkey'", table) {
		f.do(`DROP INDEX "` + name + `"`)
	}
	return made
}

// multiply copies the rows of a table that belong to seeds into another of the same columns. References among copies point at copies, and
// times keep their distance.
func (f *filler) multiply(from, into, where string) {
	var columns, values []string
	for _, c := range f.list("SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position", from) {
		name, kind, _ := strings.Cut(c, " ")
		column, value := `"`+name+`"`, `s."`+name+`"`
		switch {
		case name == "id" && from == "executions", name == "execution_id":
			value = "c.id"
		case name == "id", name == "run_id", name == "attempt_id", name == "file_id", name == "stream_id", name == "exit_result_id":
			value = "pg_temp.child(c.id, " + value + ")"
		case name == "idempotency_key":
			value = "NULL"
		case name == "spec" && from == "attempts":
			value = `''::bytea`
		case kind == "timestamp with time zone":
			value += " + c.shift"
		}
		columns, values = append(columns, column), append(values, value)
	}
	f.do(fmt.Sprintf(`INSERT INTO %q (%s) SELECT %s FROM clones AS c JOIN seeds_of_%s AS s ON s.seed_of = c.seed WHERE %s ORDER BY c.at`,
		into, strings.Join(columns, ", "), strings.Join(values, ", "), from, where))
}

// ofSeeds keeps the rows of a table that belong to seeds apart from those that are copied from them.
func (f *filler) ofSeeds(table string) {
	of := map[string]string{
		"executions": "ON s.id = c.id", "steps": "ON a.execution_id = c.id JOIN steps AS s ON s.attempt_id = a.id",
		"log_streams":    "ON a.execution_id = c.id JOIN log_streams AS s ON s.attempt_id = a.id",
		"agent_commands": "ON a.execution_id = c.id JOIN agent_commands AS s ON s.attempt_id = a.id",
		"log_chunks":     "ON a.execution_id = c.id JOIN log_streams AS l ON l.attempt_id = a.id JOIN log_chunks AS s ON s.stream_id = l.id",
	}[table]
	from := "attempts AS a"
	switch {
	case of == "":
		of, from = "ON s.execution_id = c.id", table+" AS s"
	case table == "executions":
		from = table + " AS s"
	}
	f.do(fmt.Sprintf("CREATE TEMPORARY TABLE seeds_of_%s AS SELECT s.*, c.id AS seed_of FROM seeds AS c JOIN %s %s", table, from, of))
	f.do("CREATE INDEX ON seeds_of_" + table + " (seed_of)")
	f.do("ANALYZE seeds_of_" + table)
}

// bind gives the partition of all that was before the bounds of this month: what the program has stored so far is in it, and the months of
// the past get partitions of their own, as they have where the program has run for long.
func (f *filler) bind() {
	now := time.Now().UTC()
	begin := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	f.do("ALTER TABLE test_results DETACH PARTITION test_results_before")
	f.do(fmt.Sprintf("ALTER TABLE test_results ATTACH PARTITION test_results_before FOR VALUES FROM ('%s') TO ('%s')", pgID(begin), pgID(begin.AddDate(0, 1, 0))))
}

// month fills a month with results, as the last statements of the program's own makeMonth make it.
func (f *filler) month(m span) {
	if m.until.After(time.Now()) {
		f.multiply("test_results", "test_results_before", m.where())
		return
	}
	f.do("CREATE TABLE " + m.name + " (LIKE test_results INCLUDING DEFAULTS)")
	f.do("ALTER TABLE " + m.name + " OWNER TO " + f.owner)
	f.multiply("test_results", m.name, m.where())
	f.do("SELECT seatrial_protect('" + m.name + "')")
	f.do(fmt.Sprintf("ALTER TABLE test_results ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')", m.name, pgID(m.begin), pgID(m.until)))
}

// pgID is the first id of a moment.
func pgID(at time.Time) string {
	var id uuid.UUID
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id.String()
}

// strips makes those of all tests anew, as a migration made them once.
func (f *filler) strips() {
	f.do("DROP TABLE IF EXISTS made_strips")
	f.do(`CREATE TEMPORARY TABLE made_strips AS SELECT organization_id, test_key, environment_name, max(workflow) AS workflow, string_agg(letter, '' ORDER BY id DESC) AS outcomes,
  max(created_at) AS last_at, max(created_at) FILTER (WHERE letter NOT IN ('p', 's', 'b', 'i', 'c')) AS unreliable_at
FROM (SELECT r.id, r.organization_id, r.test_key, r.environment_name, r.created_at, e.workflow,
    CASE WHEN r.earlier IS NULL THEN substr(r.outcome, 1, 1) ELSE upper(substr(r.outcome, 1, 1)) END AS letter,
    row_number() OVER (PARTITION BY r.test_key, r.environment_name ORDER BY r.id DESC) AS n
  FROM test_results AS r JOIN executions AS e ON e.id = r.execution_id WHERE r.test_key <> '' AND r.severity < 100
    AND r.created_at > now() - interval '90 days') AS latest
WHERE n <= 64 GROUP BY organization_id, test_key, environment_name`)
	f.do("TRUNCATE strip_blocks, unreliable_tests")
	f.do(`INSERT INTO strip_blocks (organization_id, workflow, environment_name, prefix, body, oldest_at)
SELECT organization_id, workflow, environment_name, left(test_key, 1),
  string_agg(test_key || ' ' || to_hex(extract(epoch FROM last_at)::bigint) || ' ' || to_hex(coalesce(extract(epoch FROM unreliable_at), 0)::bigint) || ' ' || outcomes || chr(10), '' ORDER BY test_key COLLATE "C"), min(last_at)
FROM made_strips GROUP BY organization_id, workflow, environment_name, left(test_key, 1)`)
	f.do(`INSERT INTO unreliable_tests (organization_id, test_key, environment_name, workflow, outcomes, last_at)
SELECT organization_id, test_key, environment_name, workflow, length(translate(outcomes, 'psbic', '')), unreliable_at FROM made_strips WHERE unreliable_at IS NOT NULL`)
}

// count tells how much there is.
func (f *filler) count() (executions, results int) {
	f.one(&executions, "SELECT count(*) FROM executions")
	f.one(&results, "SELECT count(*) FROM test_results")
	return executions, results
}
