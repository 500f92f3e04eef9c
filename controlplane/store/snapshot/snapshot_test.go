package snapshot_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/store/snapshot"
	"github.com/seatrial/seatrial/integration/harness"
)

func dsns(t *testing.T) map[string][2]string {
	t.Helper()
	return map[string][2]string{
		"SQLite":     {"sqlite:" + filepath.Join(t.TempDir(), "a b.db"), "sqlite:" + filepath.Join(t.TempDir(), "deeper", "b.db")},
		"PostgreSQL": {harness.Postgres(t), harness.Postgres(t)},
	}
}

func of(t *testing.T, dsn string) snapshot.Database {
	t.Helper()
	d, err := snapshot.Of(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// open makes the tables of this version.
func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	d, err := database.Open(t.Context(), dsn, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return raw(t, dsn)
}

func raw(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	driver := "pgx"
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestDatabase copies a database that two tables of are always changed together, and finds them together in the copy.
func TestDatabase(t *testing.T) {
	t.Parallel()
	for name, dsn := range dsns(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := of(t, dsn[0]), of(t, dsn[1])
			db := open(t, dsn[0])
			for _, statement := range []string{"CREATE TABLE one (n INT)", "CREATE TABLE two (n INT)"} {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			ctx, stop := context.WithCancel(t.Context())
			var writer sync.WaitGroup
			begun := make(chan struct{})
			writer.Go(func() { write(ctx, t, db, begun) })
			<-begun
			file := filepath.Join(t.TempDir(), "copy")
			schema, err := from.Snapshot(t.Context(), file)
			stop()
			writer.Wait()
			if latest, missing := to.Latest(); err != nil || missing != nil || schema != latest {
				t.Fatalf("schema %d of %d, %v, %v", schema, latest, err, missing)
			}
			if err := to.Empty(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := to.Load(t.Context(), file); err != nil {
				t.Fatal(err)
			}
			var one, two int
			if err := raw(t, dsn[1]).QueryRowContext(t.Context(), "SELECT (SELECT COUNT(*) FROM one), (SELECT COUNT(*) FROM two)").Scan(&one, &two); err != nil || one == 0 || one != two {
				t.Errorf("%d and %d rows, %v", one, two, err)
			}
			if err := to.Empty(t.Context()); !fault.Is(err, fault.Conflict) {
				t.Errorf("a full database: %v", err)
			}
			if err := to.Load(t.Context(), file); err == nil {
				t.Error("loaded over what is there")
			}
		})
	}
}

// write adds to both tables at once until it is stopped.
func write(ctx context.Context, t *testing.T, db *sql.DB, begun chan<- struct{}) {
	t.Helper()
	for i := 0; ctx.Err() == nil; i++ {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Error(err)
			return
		}
		for _, statement := range []string{"INSERT INTO one VALUES (1)", "INSERT INTO two VALUES (1)"} {
			if _, err := tx.ExecContext(t.Context(), statement); err != nil {
				t.Error(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		if i == 20 {
			close(begun)
		}
	}
}

func TestDatabase_Load_Damaged(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 999)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dsn := range dsns(t) {
		to := of(t, dsn[1])
		if err := to.Load(t.Context(), file); err == nil {
			t.Errorf("%s: loaded", name)
		}
		if err := to.Empty(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDatabase_Tools: a password is not on the command line of a tool, and one that is missing is named with what to do.
func TestDatabase_Tools(t *testing.T) {
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	script := "#!/bin/sh\necho \"$@\" >" + seen + "\necho \"$PGPASSWORD\" >>" + seen + "\n"
	if err := os.WriteFile(filepath.Join(dir, "pg_restore"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/bin:/usr/bin")
	to := of(t, "postgres://ada:hunter2@db.example:6543/x?sslmode=require&statement_cache_capacity=0&options=-c%20a%3Db")
	if err := to.Load(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	arguments, password, _ := strings.Cut(string(text), "\n")
	if strings.Contains(arguments, "hunter2") || !strings.Contains(arguments, "--no-comments") || strings.TrimSpace(password) != "hunter2" ||
		!strings.Contains(arguments, "postgres://ada@db.example:6543/x?options=-c%20a%3Db%20-c%20seatrial.system%3Don&sslmode=require ") {
		t.Errorf("%s\n%s", arguments, password)
	}
	t.Setenv("PATH", t.TempDir())
	if err := to.Load(t.Context(), "f"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "pg_restore") {
		t.Errorf("without the tool: %v", err)
	}
}

// TestDatabase_Tools_Unknown: a tool that is older than a parameter says so in words that help.
func TestDatabase_Tools_Unknown(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho 'pg_restore: error: invalid URI query parameter: \"servicefile\"' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "pg_restore"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/bin:/usr/bin")
	err := of(t, "postgres://ada@db.example/x?servicefile=f").Load(t.Context(), "f")
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "servicefile") {
		t.Errorf("%v", err)
	}
}

// TestPostgres_Settings: what an address sets at the server, and the tools do not know as a parameter, is set for them, too.
func TestPostgres_Settings(t *testing.T) {
	t.Parallel()
	dsn := harness.Postgres(t)
	open(t, dsn)
	file := filepath.Join(t.TempDir(), "records")
	for _, more := range []string{"statement_timeout=600000", "TimeZone=Europe%2FBerlin&lock_timeout=60000", "search_path=%22a%20b%22%2Cpublic", "default_query_exec_mode=exec&sslmode=disable"} {
		sep := "?"
		if strings.Contains(dsn, "?") {
			sep = "&"
		}
		if _, err := of(t, dsn+sep+more).Snapshot(t.Context(), file); err != nil {
			t.Errorf("%s: %v", more, err)
		}
	}
}

// TestPostgres_Empty_Extension: what an extension has brought is nobody's.
func TestPostgres_Empty_Extension(t *testing.T) {
	t.Parallel()
	dsn := harness.Postgres(t)
	if _, err := raw(t, harness.PostgresAdmin(t, dsn)).ExecContext(t.Context(), "CREATE EXTENSION pg_stat_statements"); err != nil {
		t.Skip("the server has no such extension: ", err)
	}
	if err := of(t, dsn).Empty(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "sqlite:", "mysql://x", "postgres://%zz", "postgres://a@b/c?no%20setting=1"} {
		if _, err := snapshot.Of(dsn); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", dsn, err)
		}
	}
}
