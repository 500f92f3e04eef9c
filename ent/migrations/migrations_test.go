package migrations

import (
	"database/sql"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/seatrial/seatrial/controlplane/testcase/strips"
)

// TestApply_KeepsRows brings a database with a row in every table from each earlier version to the newest: nothing is lost, and every
// reference still holds. SQLite is the delicate one, where some changes make a table anew.
func TestApply_KeepsRows(t *testing.T) {
	t.Parallel()
	scripts, err := fs.Sub(files, SQLite.Folder())
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(scripts, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for version := 1; version < len(names); version++ {
		t.Run(names[version-1], func(t *testing.T) {
			t.Parallel()
			db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "db")+"?_pragma=foreign_keys(1)")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			upTo(t, db, scripts, version)
			before := fill(t, db)
			if err := Apply(t.Context(), db, SQLite); err != nil {
				t.Fatal(err)
			}
			for _, table := range before {
				if heir, ok := moved[table]; ok {
					table = heir
				}
				var n int
				if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 1 {
					t.Errorf("table %s has %d rows afterwards, %v", table, n, err)
				}
			}
			broken, err := db.QueryContext(t.Context(), "PRAGMA foreign_key_check")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = broken.Close() }()
			if broken.Next() || broken.Err() != nil {
				t.Errorf("references are broken, %v", broken.Err())
			}
		})
	}
}

// moved are tables whose rows are in others since.
var moved = map[string]string{"test_strips": "strip_blocks"}

// TestApply_StripsInBlocks proves that what is known of tests moves into blocks as package strips reads them.
func TestApply_StripsInBlocks(t *testing.T) {
	t.Parallel()
	scripts, err := fs.Sub(files, SQLite.Folder())
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(scripts, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "db")+"?_pragma=foreign_keys(0)&_time_format=sqlite")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	upTo(t, db, scripts, slices.IndexFunc(names, func(name string) bool { return strings.HasSuffix(name, "_strips_in_blocks.sql") }))
	last, bad := time.Date(2026, 3, 1, 10, 0, 7, 900_000_000, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, of := range []struct {
		key, letters string
		bad          any
	}{{"ab", "pFf", bad}, {"aa", "p", nil}, {"b", "s", nil}} {
		if _, err := db.ExecContext(t.Context(), `INSERT INTO test_strips (organization_id, test_key, environment_name, workflow, outcomes, last_execution_id, last_at, unreliable_at)
VALUES ('o', ?, 'e', 'w', ?, 'x', ?, ?)`, of.key, of.letters, last, of.bad); err != nil {
			t.Fatal(err)
		}
	}
	if err := Apply(t.Context(), db, SQLite); err != nil {
		t.Fatal(err)
	}
	var body string
	if err := db.QueryRowContext(t.Context(), "SELECT body FROM strip_blocks WHERE workflow = 'w' AND environment_name = 'e' AND prefix = 'a'").Scan(&body); err != nil {
		t.Fatal(err)
	}
	var got []strips.Entry
	for e, err := range strips.All(body) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	last = last.Truncate(time.Second)
	if want := []strips.Entry{{Key: "aa", Letters: "p", Last: last}, {Key: "ab", Letters: "pFf", Last: last, Unreliable: bad}}; !slices.Equal(got, want) {
		t.Errorf("entries %+v", got)
	}
	var key string
	var outcomes int
	if err := db.QueryRowContext(t.Context(), "SELECT test_key, outcomes FROM unreliable_tests").Scan(&key, &outcomes); err != nil || key != "ab" || outcomes != 2 {
		t.Errorf("unreliable %s with %d outcomes, %v", key, outcomes, err)
	}
}

func upTo(t *testing.T, db *sql.DB, scripts fs.FS, count int) {
	t.Helper()
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, scripts, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	for range count {
		if _, err := provider.UpByOne(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// fill puts a row into every table. All have the same id, so that every reference finds its row.
func fill(t *testing.T, db *sql.DB) (tables []string) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), "PRAGMA defer_foreign_keys = on"); err != nil {
		t.Fatal(err)
	}
	for _, table := range column(t, tx, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'") {
		names := column(t, tx, fmt.Sprintf("SELECT name FROM pragma_table_info('%s') ORDER BY cid", table))
		types := column(t, tx, fmt.Sprintf("SELECT type FROM pragma_table_info('%s') ORDER BY cid", table))
		values := make([]string, len(names))
		for i, kind := range types {
			switch strings.ToLower(kind) {
			case "uuid":
				values[i] = "'018f0000-0000-7000-8000-000000000001'"
			case "datetime":
				values[i] = "'2026-01-02 03:04:05+00:00'"
			case "json":
				values[i] = "'{}'"
			case "text", "varchar":
				values[i] = "'x'"
			case "blob":
				values[i] = "x'00'"
			default:
				values[i] = "1"
			}
		}
		insert := fmt.Sprintf("INSERT INTO %s (`%s`) VALUES (%s)", table, strings.Join(names, "`, `"), strings.Join(values, ", "))
		if _, err := tx.ExecContext(t.Context(), insert); err != nil {
			t.Fatalf("%s: %v", insert, err)
		}
		tables = append(tables, table)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return tables
}

func column(t *testing.T, tx *sql.Tx, query string) (out []string) {
	t.Helper()
	rows, err := tx.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return out
}
