package store_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/integration/harness"
)

func open(t *testing.T, dsn string, clock func() time.Time, more ...store.Option) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, append(more, store.WithClock(clock), store.WithReissue(storetest.Reissue), store.WithSecrets(storetest.Secrets(t)))...)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// direct is the address of a database for a test that goes past the store, and past row level security.
func direct(t *testing.T, driver, dsn string) string {
	t.Helper()
	if driver == "pgx" {
		return harness.PostgresAdmin(t, dsn)
	}
	return strings.TrimPrefix(dsn, "sqlite:")
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, clock func() time.Time) storetest.Store {
		t.Helper()
		return open(t, storetest.SQLite(t), clock)
	})
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	template := harness.Postgres(t)
	if err := storetest.Migrate(t.Context(), template); err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T, clock func() time.Time) storetest.Store {
		t.Helper()
		return open(t, harness.PostgresCopy(t, template), clock)
	})
}

// TestPostgreSQL_TwoRoles proves that nothing which serves an organization needs the role that sees all of them.
func TestPostgreSQL_TwoRoles(t *testing.T) {
	t.Parallel()
	template := harness.Postgres(t)
	if err := storetest.Migrate(t.Context(), template); err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T, clock func() time.Time) storetest.Store {
		t.Helper()
		owner := harness.PostgresCopy(t, template)
		return open(t, harness.PostgresUser(t, owner), clock, store.WithSystem(owner))
	})
}

// TestOpen_Unguarded proves that a role is told of which sees through row level security, and no other.
func TestOpen_Unguarded(t *testing.T) {
	t.Parallel()
	owner := harness.Postgres(t)
	if s := open(t, owner, time.Now); s.Unguarded() != "" {
		t.Errorf("the owner is held to be unguarded: %s", s.Unguarded())
	}
	if s := open(t, harness.PostgresUser(t, owner), time.Now, store.WithSystem(owner)); s.Unguarded() != "" {
		t.Errorf("a plain role is held to be unguarded: %s", s.Unguarded())
	}
	if s := open(t, harness.PostgresAdmin(t, owner), time.Now); s.Unguarded() == "" {
		t.Error("nothing is said of a superuser")
	}
}

// TestAuditEntries_AppendOnly proves that the database itself keeps the audit log, whoever writes to it.
func TestAuditEntries_AppendOnly(t *testing.T) {
	t.Parallel()
	postgres := harness.Postgres(t)
	lite := storetest.SQLite(t)
	for driver, dsn := range map[string]string{"pgx": postgres, "sqlite": lite} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			s := open(t, dsn, time.Now)
			org := uuid.New()
			if err := s.AppendAudit(t.Context(), audit.Entry{Organization: org, Action: "X", Outcome: audit.Done}); err != nil {
				t.Fatal(err)
			}
			raw, err := sql.Open(driver, direct(t, driver, dsn))
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			statements := []string{"UPDATE audit_entries SET action = 'Y'", "DELETE FROM audit_entries"}
			if driver == "pgx" {
				statements = append(statements, "TRUNCATE audit_entries")
			}
			for _, statement := range statements {
				if _, err := raw.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "append-only") {
					t.Errorf("%s: %v", statement, err)
				}
			}
		})
	}
}
