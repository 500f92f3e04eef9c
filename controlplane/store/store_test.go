package store_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/integration/harness"
)

func open(t *testing.T, dsn string, clock func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, store.WithClock(clock), store.WithReissue(storetest.Reissue))
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
