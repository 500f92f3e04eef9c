package store_test

import (
	"database/sql"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/integration/harness"
)

// TestPostgreSQL_Months proves that results of a month for which no partition was made in time are taken all the same, that they move when
// it is made, and that two replicas which sweep at once do not stand in each other's way.
func TestPostgreSQL_Months(t *testing.T) {
	t.Parallel()
	dsn := harness.Postgres(t)
	var stores []*store.Store
	var clock func() time.Time
	s, agent, _, next := storetest.Attempts(t, func(t *testing.T, given func() time.Time) storetest.Store {
		t.Helper()
		clock = given
		stores = append(stores, open(t, dsn, func() time.Time { return clock() }))
		return stores[0]
	})
	later := time.Now().UTC().AddDate(1, 0, 0)
	_, attempt := next()
	report := execution.File{Attempt: attempt, Step: 1, Kind: execution.FileReport, Path: "a.xml", SHA256: "aa", Grade: "consistent", Format: "junit", Blob: "b"}
	if _, err := s.SaveFile(agent, report, []execution.TestResult{{ID: idAt(later), Key: "k", Outcome: "passed"}}); err != nil {
		t.Fatal(err)
	}
	pool, err := sql.Open("pgx", harness.PostgresAdmin(t, dsn))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	where := func() (name string) {
		t.Helper()
		if err := pool.QueryRowContext(t.Context(), "SELECT tableoid::regclass::text FROM test_results").Scan(&name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	if got := where(); got != "test_results_rest" {
		t.Fatalf("it is in %s", got)
	}
	clock = func() time.Time { return later }
	stores = append(stores, open(t, dsn, func() time.Time { return later }))
	made, failed := make(chan int, len(stores)), make(chan error, len(stores))
	for _, replica := range stores {
		go func() {
			swept, err := replica.SweepResults(tenant.System(t.Context()), 0)
			failed <- err
			made <- swept.Months
		}()
	}
	total := 0
	for range stores {
		if err := <-failed; err != nil {
			t.Error(err)
		}
		total += <-made
	}
	if want := "test_results_" + later.Format("2006_01"); where() != want || total != 4 {
		t.Errorf("it is in %s, want %s; %d partitions made", where(), want, total)
	}
	var plan []string
	rows, err := pool.QueryContext(t.Context(), "EXPLAIN SELECT * FROM test_results WHERE execution_id = gen_random_uuid() AND id >= '"+idAt(later).String()+"' AND id < '"+idAt(later.Add(time.Hour)).String()+"'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, line)
	}
	if text := strings.Join(plan, "\n"); rows.Err() != nil || strings.Contains(text, "before") {
		t.Errorf("a query of a time looks into other months:\n%s, %v", text, rows.Err())
	}
}

// idAt makes an id of a time.
func idAt(at time.Time) uuid.UUID {
	id := uuid.Must(uuid.NewV7())
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	return id
}

// TestPostgreSQL_ManyMonths proves that results which are kept for all time are kept in few partitions, and that none of them is lost.
func TestPostgreSQL_ManyMonths(t *testing.T) {
	t.Parallel()
	dsn := harness.Postgres(t)
	first := time.Date(2030, 1, 10, 0, 0, 0, 0, time.UTC)
	var now time.Time // zero until the fixture is made
	s, agent, _, next := storetest.Attempts(t, func(t *testing.T, given func() time.Time) storetest.Store {
		t.Helper()
		return open(t, dsn, func() time.Time {
			if now.IsZero() {
				return given()
			}
			return now
		})
	})
	const years = 4
	_, attempt := next()
	report := execution.File{Attempt: attempt, Step: 1, Kind: execution.FileReport, Path: "a.xml", SHA256: "aa", Grade: "consistent", Format: "junit", Blob: "b"}
	var list []execution.TestResult
	for i := range 12 * years {
		list = append(list, execution.TestResult{ID: idAt(first.AddDate(0, i, 0)), Key: "k", Outcome: "passed"})
	}
	if _, err := s.SaveFile(agent, report, list); err != nil {
		t.Fatal(err)
	}
	for i := range 12 * years {
		now = first.AddDate(0, i, 0)
		if i%4 > 0 && i < 12*years-1 {
			continue // a sweep makes the months ahead
		}
		if _, err := s.SweepResults(tenant.System(t.Context()), 0); err != nil {
			t.Fatal(err)
		}
	}
	pool, err := sql.Open("pgx", harness.PostgresAdmin(t, dsn))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var partitions, rows, rest, named int
	if err := pool.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM pg_inherits WHERE inhparent = 'test_results'::regclass), (SELECT count(*) FROM test_results),
 (SELECT count(*) FROM test_results_rest), (SELECT count(*) FROM pg_inherits WHERE inhrelid::regclass::text LIKE 'test_results_to_203____')`).Scan(&partitions, &rows, &rest, &named); err != nil {
		t.Fatal(err)
	}
	if partitions != 37 || rows != len(list) || rest != 0 || named == 0 {
		t.Errorf("%d partitions, %d results of %d, %d in the rest, %d merged", partitions, rows, len(list), rest, named)
	}
}
