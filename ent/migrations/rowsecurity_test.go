package migrations_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entgo.io/ent/dialect/sql/schema"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/ent/db/migrate"
	"github.com/seatrial/seatrial/integration/harness"
)

// reviewed are the tables without an organization, each with the reason why that is right.
func reviewed() map[string]string {
	return map[string]string{
		"organizations":    "is the organization: a viewer sees the row with the own id",
		"settings":         "belongs to the instance: the control plane alone reads it",
		"goose_db_version": "is the list of migrations: it says nothing of anybody",
	}
}

// spanning are the unique indexes across organizations, each with the reason why nobody learns anything by one.
func spanning() map[string]string {
	return map[string]string{}
}

const (
	orgA, orgB = "018f0000-0000-7000-8000-00000000000a", "018f0000-0000-7000-8000-00000000000b"
	rowA, rowB = "018f0000-0000-7000-8000-0000000000a1", "018f0000-0000-7000-8000-0000000000b1"
)

// estate is a database of the newest schema with a row of each of two organizations in every table, for roles of three kinds.
type estate struct {
	admin, owner, guest *sql.DB
	tables              []string // with partitions
}

func newEstate(t *testing.T) *estate {
	t.Helper()
	dsn := harness.Postgres(t)
	if err := storetest.Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	e := &estate{admin: pool(t, harness.PostgresAdmin(t, dsn)), owner: pool(t, dsn), guest: pool(t, harness.PostgresUser(t, dsn))}
	exec(t, e.admin, "GRANT USAGE ON SCHEMA public TO PUBLIC")
	exec(t, e.admin, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO PUBLIC")
	e.tables = names(t, e.admin, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname")
	e.admin.SetMaxOpenConns(1) // settings are of a connection
	exec(t, e.admin, "SET session_replication_role = replica")
	for _, table := range migrate.Tables {
		exec(t, e.admin, insert(table, orgA, rowA))
		exec(t, e.admin, insert(table, orgB, rowB))
	}
	exec(t, e.admin, "RESET session_replication_role")
	return e
}

func pool(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func names(t *testing.T, db *sql.DB, query string, args ...any) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%v: %s", err, query)
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

// insert makes a row of a table. Whatever has the type of an id, but for the organization, is the same id: so references of one
// organization hold, and those across organizations are made by another one.
func insert(table *schema.Table, org, id string) string {
	var columns, values []string
	for _, c := range table.Columns {
		if c.Increment {
			continue
		}
		value := "'x'"
		kind := strings.ToLower(c.Type.String())
		switch {
		case table.Name == "organizations" && c.Name == "id", c.Name == "organization_id":
			value = "'" + org + "'"
		case c.Type.Numeric():
			value = "1"
		case kind == "[16]byte" || kind == "uuid.uuid":
			value = "'" + id + "'"
		case kind == "time.time":
			value = "'2026-01-02 03:04:05+00'"
		case kind == "bool":
			value = "false"
		case strings.Contains(kind, "json"):
			value = "'{}'"
		case kind == "string" || kind == "enum" || strings.Contains(kind, "string"):
			value = "'" + id[len(id)-2:] + "'"
		}
		columns, values = append(columns, `"`+c.Name+`"`), append(values, value)
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table.Name, strings.Join(columns, ", "), strings.Join(values, ", "))
}

// TestRowSecurity_EveryTable fails when somebody adds a table that the rules do not cover.
func TestRowSecurity_EveryTable(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	unprotected := names(t, e.admin, `SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid))`)
	for _, table := range unprotected {
		if table != "goose_db_version" {
			t.Errorf("%s is not under forced row level security", table)
		}
	}
	without := names(t, e.admin, `SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'organization_id' AND attnotnull)`)
	for _, table := range without {
		if reviewed()[table] == "" {
			t.Errorf("%s has no organization, and is not on the reviewed list", table)
		}
	}
	for table := range reviewed() {
		if !slices.Contains(without, table) {
			t.Errorf("%s is on the reviewed list without need", table)
		}
	}
	open := names(t, e.admin, `SELECT polrelid::regclass || ': ' || pg_get_expr(polqual, polrelid) FROM pg_policy
WHERE polname <> 'seatrial_organization' OR polcmd <> '*' OR NOT polpermissive OR pg_get_expr(polqual, polrelid) NOT LIKE '%seatrial_system()%'`)
	for _, policy := range open {
		t.Errorf("a policy that nobody has reviewed: %s", policy)
	}
	global := names(t, e.admin, `SELECT i.indexrelid::regclass::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'organization_id'
WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique AND NOT i.indisprimary AND NOT a.attnum = ANY(i.indkey::int[])`)
	for _, index := range global {
		if why := spanning()[index]; why == "" {
			t.Errorf("the unique index %s spans organizations: one could find out what another has", index)
		}
	}
	t.Logf("figures: %d tables and partitions under row level security, %d reviewed without an organization", len(e.tables)-len(unprotected), len(reviewed()))
}

// TestRowSecurity_NobodySeesAnything looks into every table as each role without an organization, and with one of the two.
func TestRowSecurity_NobodySeesAnything(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	tests := map[string]struct {
		db       *sql.DB
		settings string
		want     int // rows of each table with an organization
		reason   string
	}{
		"OwnerWithoutAny": {e.owner, "", 0, "force applies to the owner"},
		"GuestWithoutAny": {e.guest, "", 0, "null denies"},
		"GuestEmpty":      {e.guest, "SET LOCAL seatrial.organization = ''", 0, "what a connection has after a transaction"},
		"OwnerOfOne":      {e.owner, "SET LOCAL seatrial.organization = '" + orgA + "'", 1, "the own row"},
		"GuestOfOne":      {e.guest, "SET LOCAL seatrial.organization = '" + orgB + "'", 1, "the own row"},
		"GuestOfNobody":   {e.guest, "SET LOCAL seatrial.organization = '018f0000-0000-7000-8000-0000000000ff'", 0, "an organization that there is not"},
		"GuestClaimsAll":  {e.guest, "SET LOCAL seatrial.system = 'on'", 0, "the setting is of use to the owner alone"},
		"OwnerForAll":     {e.owner, "SET LOCAL seatrial.system = 'on'", 2, "sweeps"},
		"OwnerMisspelt":   {e.owner, "SET LOCAL seatrial.system = 'true'", 0, "one spelling"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx, err := tc.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback() }()
			if tc.settings != "" {
				if _, err := tx.ExecContext(t.Context(), tc.settings); err != nil {
					t.Fatal(err)
				}
			}
			for _, table := range e.tables {
				if table == "goose_db_version" {
					continue
				}
				var n int
				if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
					t.Fatalf("%s: %v", table, err)
				}
				want := tc.want
				switch {
				case table == "settings" && want == 1:
					want = 0
				case strings.HasPrefix(table, "test_results_") && n == 0:
					continue // the rows are in another partition
				}
				if n != want {
					t.Errorf("%s shows %d rows, want %d: %s", table, n, want, tc.reason)
				}
			}
		})
	}
}

// TestRowSecurity_ForeignReference proves that no row refers to one of another organization, whoever writes it, and that nobody writes a
// row for another organization.
func TestRowSecurity_ForeignReference(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	refused := 0
	for _, table := range migrate.Tables {
		keys := names(t, e.admin, `SELECT a.attname FROM pg_constraint AS c JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND c.conrelid = $1::regclass AND c.confrelid <> 'organizations'::regclass`, table.Name)
		for _, key := range keys {
			for who, db := range map[string]*sql.DB{"owner": e.owner, "superuser": e.admin} {
				var pg *pgconn.PgError
				err := change(t, db, "SET LOCAL seatrial.system = 'on'", fmt.Sprintf("UPDATE %s SET %s = '%s' WHERE organization_id = '%s'", table.Name, key, rowB, orgA))
				if !errors.As(err, &pg) || pg.Code != "23503" {
					t.Errorf("%s.%s refers to a row of another organization as %s: %v", table.Name, key, who, err)
				}
				refused++
			}
		}
		if !slices.ContainsFunc(table.Columns, func(c *schema.Column) bool { return c.Name == "organization_id" }) {
			continue
		}
		var pg *pgconn.PgError
		err := change(t, e.guest, "SET LOCAL seatrial.organization = '"+orgA+"'", insert(table, orgB, "018f0000-0000-7000-8000-0000000000c1"))
		if !errors.As(err, &pg) || pg.Code != "42501" {
			t.Errorf("%s takes a row for another organization: %v", table.Name, err)
		}
		refused++
	}
	t.Logf("figures: %d writes across organizations, all refused by PostgreSQL", refused)
}

func change(t *testing.T, db *sql.DB, settings, statement string) error {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	_, err = tx.ExecContext(t.Context(), statement)
	return err
}
