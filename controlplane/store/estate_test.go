package store_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/schema/field"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db/migrate"
	"github.com/seatrial/seatrial/integration/harness"
)

// fill puts a row of an organization into every table. All ids are the organization's, so that each reference finds its row.
func fill(t *testing.T, raw *sql.DB, driver string, org uuid.UUID) {
	t.Helper()
	raw.SetMaxOpenConns(1) // settings are of a connection
	off, on := "SET session_replication_role = replica", "SET session_replication_role = DEFAULT"
	if driver == "sqlite" {
		off, on = "PRAGMA foreign_keys = off", "PRAGMA foreign_keys = on"
	}
	for _, statement := range append(append([]string{off}, rows(driver, org)...), on) {
		if _, err := raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func rows(driver string, org uuid.UUID) (out []string) {
	bytes := map[string]string{"pgx": "bytea", "sqlite": "blob"}[driver]
	for _, table := range migrate.Tables {
		var names, values []string
		for _, c := range table.Columns {
			value := "'x" + org.String() + "'"
			switch {
			case c.Type == field.TypeUUID:
				value = "'" + org.String() + "'"
			case c.Type == field.TypeTime:
				value = "'2026-03-01 12:00:00+00:00'"
			case c.Type == field.TypeJSON:
				value = "'[]'"
			case c.Type == field.TypeBytes:
				value = "CAST('secret" + org.String() + "' AS " + bytes + ")"
			case c.Type == field.TypeBool:
				value = "false"
			case c.Type.Numeric():
				value = fmt.Sprint(int(org[15]))
			}
			if table.Name == "settings" && c.Name == "id" {
				value = "'release/signing-keys/" + org.String() + "'"
			}
			names, values = append(names, `"`+c.Name+`"`), append(values, value)
		}
		out = append(out, fmt.Sprintf(`INSERT INTO "%s" (%s) VALUES (%s)`, table.Name, strings.Join(names, ", "), strings.Join(values, ", ")))
	}
	return out
}

// TestOrganization_ExportAndDelete proves over all tables of the schema, those that are added later as well, that an export has every row
// of an organization and no secret, that a deletion leaves none, and that both leave other organizations alone.
func TestOrganization_ExportAndDelete(t *testing.T) {
	t.Parallel()
	for driver, dsn := range map[string]string{"pgx": harness.Postgres(t), "sqlite": storetest.SQLite(t)} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			s := open(t, dsn, time.Now)
			raw, err := sql.Open(driver, direct(t, driver, dsn))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = raw.Close() })
			gone, stays := uuid.UUID{15: 1}, uuid.UUID{15: 2}
			for _, org := range []uuid.UUID{gone, stays} {
				fill(t, raw, driver, org)
			}
			name := "x" + gone.String()
			exported := map[string]int{}
			err = s.ExportOrganization(t.Context(), gone, func(table string, row json.RawMessage) error {
				exported[table]++
				if !json.Valid(row) || !strings.Contains(string(row), gone.String()) || strings.Contains(string(row), stays.String()) {
					t.Errorf("%s: %s", table, row)
				}
				if strings.Contains(string(row), "password") || (strings.HasSuffix(table, "_tokens") && strings.Contains(string(row), `"hash"`)) {
					t.Errorf("%s opens something: %s", table, row)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.DeleteOrganization(t.Context(), gone, func(string, int64) {}); !fault.Is(err, fault.Conflict) {
				t.Errorf("an organization that is in use was deleted: %v", err)
			}
			if _, err := raw.ExecContext(t.Context(), "UPDATE organizations SET state = 'suspended'"); err != nil {
				t.Fatal(err)
			}
			if _, err := s.SetOrganizationState(t.Context(), name, tenant.Deleting); err != nil {
				t.Fatal(err)
			}
			removed := map[string]int64{}
			if err := s.DeleteOrganization(t.Context(), gone, func(table string, n int64) { removed[table] += n }); err != nil {
				t.Fatal(err)
			}
			for _, table := range migrate.Tables {
				var left int
				if err := raw.QueryRowContext(t.Context(), `SELECT count(*) FROM "`+table.Name+`"`).Scan(&left); err != nil || left != 1 {
					t.Errorf("%s has %d rows, want the one of the other organization: %v", table.Name, left, err)
				}
				if owned := table.HasColumn("organization_id"); owned != (exported[table.Name] == 1) {
					t.Errorf("%s: exported %d, removed %d", table.Name, exported[table.Name], removed[table.Name])
				}
			}
		})
	}
}
