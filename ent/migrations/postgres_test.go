package migrations_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	"github.com/pressly/goose/v3"

	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/strips"
	"github.com/seatrial/seatrial/ent/migrations"
	"github.com/seatrial/seatrial/integration/harness"
)

// beforeMonths is the version after which results are kept by month.
const beforeMonths = 20261130002644

// TestApply_ResultsByMonth proves that results which a database has are there afterwards, with the strips of their tests, and that new ones
// are taken. One of them has an id of the far future.
func TestApply_ResultsByMonth(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("pgx", harness.PostgresAdmin(t, harness.Postgres(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	scripts, err := fs.Sub(os.DirFS("."), migrations.Postgres.Folder())
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, scripts, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), beforeMonths); err != nil {
		t.Fatal(err)
	}
	// What results refer to is of no matter here.
	db.SetMaxOpenConns(1) // settings are of a connection
	exec(t, db, "SET session_replication_role = replica")
	exec(t, db, `INSERT INTO executions (id, created_at, updated_at, organization_id, status, revision_id, workflow, revision_number, digest, trigger, actor)
VALUES ('018f0000-0000-7000-8000-000000000001', now(), now(), '018f0000-0000-7000-8000-000000000002', 'passed', '018f0000-0000-7000-8000-000000000003', 'smoke', 1, 'd', 'api', 'a')`)
	insert := func(id, outcome, earlier string) {
		t.Helper()
		exec(t, db, fmt.Sprintf(`INSERT INTO test_results (id, created_at, updated_at, environment_name, step_index, severity, suite, name, source, test_key, outcome,
 duration, message, detail, organization_id, execution_id, attempt_id, file_id, earlier) VALUES ('%s', now(), now(), 'staging', 0, 3, '', 'n', '', 'k', '%s',
 1, '', '', '018f0000-0000-7000-8000-000000000002', '018f0000-0000-7000-8000-000000000001', gen_random_uuid(), gen_random_uuid(), %s)`, id, outcome, earlier))
	}
	insert("018f0000-0000-7000-8000-00000000000a", "failed", "NULL")
	insert("018f0000-0000-7000-8000-00000000000b", "passed", `'["failed"]'`)
	insert("f18f0000-0000-7000-8000-00000000000c", "passed", "NULL")
	if err := migrations.Apply(t.Context(), db, migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	insert("018f0000-0000-7000-8000-00000000000d", "passed", "NULL")
	var total, before int
	var body string
	if err := db.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM test_results), (SELECT count(*) FROM test_results_before), body
FROM strip_blocks JOIN unreliable_tests USING (workflow, environment_name) WHERE prefix = 'k' AND environment_name = 'staging' AND workflow = 'smoke' AND outcomes = 2`).Scan(&total, &before, &body); err != nil {
		t.Fatal(err)
	}
	var letters testcase.Letters
	for e, err := range strips.All(body) {
		if err != nil || e.Key != "k" || e.Last.IsZero() || !e.Last.Equal(e.Unreliable) {
			t.Errorf("entry %+v, %v", e, err)
		}
		letters += e.Letters
	}
	if total != 4 || before != 3 || letters != "pPf" {
		t.Errorf("%d results, %d of them in the partition of before, strip %q", total, before, letters)
	}
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
		t.Fatalf("%v: %s", err, statement)
	}
}
