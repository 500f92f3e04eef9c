package store_test

import (
	"bytes"
	"database/sql"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/secretbox"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/integration/harness"
)

// TestSettings_Sealed goes the life of secrets: stored in plain text by an earlier version, encrypted at the start, exchanged between rows
// by an intruder, encrypted anew with another key.
func TestSettings_Sealed(t *testing.T) {
	t.Parallel()
	for driver, dsn := range map[string]string{"pgx": harness.Postgres(t), "sqlite": storetest.SQLite(t)} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			oldKey, newKey := "old:"+strings.Repeat("A", 43)+"=", "new:"+strings.Repeat("B", 42)+"A="
			with := func(keys string) *store.Store {
				ring, err := secretbox.Parse(keys)
				if err != nil {
					t.Fatal(err)
				}
				s, err := store.Open(t.Context(), dsn, store.WithSecrets(secretbox.New(ring)))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			}
			s := with(oldKey)
			raw, err := sql.Open(driver, direct(t, driver, dsn))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = raw.Close() })
			do := func(statement string) {
				t.Helper()
				if _, err := raw.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			for _, id := range []string{"a", "b"} {
				do("INSERT INTO settings (id, created_at, value) VALUES ('" + id + "', '2026-03-01 12:00:00+00:00', CAST('plain " + id + "' AS " + map[string]string{"pgx": "bytea", "sqlite": "blob"}[driver] + "))")
			}
			if _, err := s.SettingOrCreate(t.Context(), "a", []byte("x")); !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "plain text") {
				t.Errorf("plain text is read: %v", err)
			}
			if n, err := s.SealSettings(t.Context()); err != nil || n != 2 {
				t.Fatalf("%d, %v", n, err)
			}
			if n, err := s.SealSettings(t.Context()); err != nil || n != 0 {
				t.Errorf("encrypted twice: %d, %v", n, err)
			}
			holds := func(s *store.Store, id string) {
				t.Helper()
				if got, err := s.SettingOrCreate(t.Context(), id, []byte("x")); err != nil || string(got) != "plain "+id {
					t.Errorf("%s: %q, %v", id, got, err)
				}
				var stored []byte
				if err := raw.QueryRowContext(t.Context(), "SELECT value FROM settings WHERE id = '"+id+"'").Scan(&stored); err != nil || bytes.Contains(stored, []byte("plain")) {
					t.Errorf("%s is stored as %q, %v", id, stored, err)
				}
			}
			holds(s, "a")
			both := with(newKey + "," + oldKey)
			if n, err := both.RenewSettings(t.Context()); err != nil || n != 2 {
				t.Fatalf("%d, %v", n, err)
			}
			holds(with(newKey), "b")
			if _, err := s.SettingOrCreate(t.Context(), "b", []byte("x")); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), `"new"`) {
				t.Errorf("a key is missing: %v", err)
			}
			do("UPDATE settings SET value = (SELECT value FROM settings WHERE id = 'b') WHERE id = 'a'")
			if _, err := both.SettingOrCreate(t.Context(), "a", []byte("x")); !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "moved") {
				t.Errorf("a value of another row is read: %v", err)
			}
		})
	}
}
