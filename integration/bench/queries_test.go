package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/bus"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
	"github.com/seatrial/seatrial/controlplane/testcase/strips"
	"github.com/seatrial/seatrial/integration/bench/cards"
	"github.com/seatrial/seatrial/integration/harness"
)

const (
	manyExecutions = 1000
	testsOfEach    = 1000
	asked          = 1000 // times that each query is asked: a hundredth of fewer would be one or two that somebody else held up
)

// question is a query with the time that 99 of a hundred may take.
type question struct {
	name   string
	budget time.Duration // none for 0
	ask    func(i int) error
}

// BenchmarkQueries asks a PostgreSQL that has a million results what pages and verdicts ask, and says which answers come in time. The budgets
// hold for a machine that does nothing else.
func BenchmarkQueries(b *testing.B) {
	dsn := harness.Postgres(b)
	w := open(b, dsn)
	pool, err := sql.Open("pgx", dsn+"&seatrial.system=on") // the owner looks at everything
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	empty := size(b, pool)
	ids := w.fill(b)
	if _, err := pool.ExecContext(b.Context(), "VACUUM ANALYZE"); err != nil {
		b.Fatal(err)
	}
	each := float64(size(b, pool)-empty) / manyExecutions / testsOfEach
	b.Logf("%.0f bytes of the database for each result, with its indexes and all that belongs to its execution", each)
	cards.Note(b, cards.Sample{Card: "P15", Metric: "bytes for each case", Arm: cards.Seatrial, Value: each, Unit: "bytes"})
	for b.Loop() {
		w.besidePlain(b, pool, ids)
		for n, q := range w.questions(b, pool, ids) {
			took := make([]time.Duration, asked)
			if q.budget == 0 {
				took = took[:asked/10]
			}
			for i := range took {
				begun := time.Now()
				if err := q.ask(i); err != nil {
					b.Fatalf("%s: %v", q.name, err)
				}
				took[i] = time.Since(begun)
			}
			slices.Sort(took)
			half, most, verdict := took[len(took)/2], took[len(took)*99/100], ""
			if q.budget > 0 {
				verdict = fmt.Sprintf("budget %s: met", q.budget)
				if most > q.budget {
					verdict = fmt.Sprintf("budget %s: missed", q.budget)
				}
			}
			cards.Note(b, cards.Sample{Card: "P12", Metric: "slowest query", Arm: cards.Seatrial, Round: n, Value: ms(most), Unit: "ms"})
			b.Logf("%-55s p50 %8.2f ms  p99 %8.2f ms  %s", q.name, ms(half), ms(most), verdict)
		}
	}
}

// size is how many bytes the database has on its disk.
func size(b *testing.B, pool *sql.DB) (bytes int64) {
	b.Helper()
	if err := pool.QueryRowContext(b.Context(), "SELECT pg_database_size(current_database())").Scan(&bytes); err != nil {
		b.Fatal(err)
	}
	return bytes
}

// plain is what somebody would write by hand for the results of an execution that did not pass.
const plain = `SELECT id, suite, name, outcome, message, duration FROM test_results WHERE execution_id = $1
	AND outcome IN ('failed', 'errored', 'timed_out', 'blocked', 'skipped') ORDER BY id LIMIT 100`

// besidePlain asks for the results of an execution that did not pass, in turns with the plain query.
func (w *world) besidePlain(b *testing.B, pool *sql.DB, ids []execution.ID) {
	b.Helper()
	ctx := tenant.WithViewer(b.Context(), w.member)
	arms := map[string]func(id execution.ID) error{
		cards.Seatrial: func(id execution.ID) error {
			_, _, err := w.store.Results(ctx, id, []string{"failed", "errored", "timed_out", "blocked", "skipped"}, 100, "")
			return err
		},
		cards.Plain: func(id execution.ID) error { return drain(pool.QueryContext(ctx, plain, id)) },
	}
	for round := range asked {
		for name, ask := range arms {
			begun := time.Now()
			if err := ask(ids[round*7%len(ids)]); err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			cards.Note(b, cards.Sample{Card: "P12", Metric: "query", Arm: name, Round: round, Value: ms(time.Since(begun)), Unit: "ms"})
		}
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// fill stores a million results: a thousand executions of a thousand tests, one in fifty of which fails now and then.
func (w *world) fill(b *testing.B) []execution.ID {
	b.Helper()
	ctx := tenant.WithViewer(b.Context(), w.agent)
	ids := make([]execution.ID, manyExecutions)
	for e := range ids {
		id, attempt := w.attempt(b)
		list := make([]execution.TestResult, testsOfEach)
		for t := range list {
			list[t] = execution.TestResult{Suite: fmt.Sprintf("suite %d", t/100), Name: fmt.Sprintf("adds item %d of a page", t), Key: key(t), Outcome: "passed", Duration: time.Millisecond}
			if t%50 == 0 && (e+t)%7 < 3 {
				list[t].Outcome, list[t].Message, list[t].Fingerprint = "failed", "expected 3 to equal 4", "fp1:0ea3fa8bb01d974c"
			}
		}
		file := execution.File{Attempt: attempt, Kind: execution.FileReport, Path: "junit.xml", SHA256: "aa", Grade: "consistent", Format: "junit", Blob: "b"}
		if _, err := w.store.SaveFile(ctx, file, list); err != nil {
			b.Fatal(err)
		}
		ids[e] = id
	}
	return ids
}

func key(t int) string { return fmt.Sprintf("%032x", uint64(t+1)*0x9e3779b97f4a7c15) }

// questions are what is asked most often.
func (w *world) questions(b *testing.B, pool *sql.DB, ids []execution.ID) []question {
	b.Helper()
	ctx := tenant.WithViewer(b.Context(), w.member)
	shown := board.New(w.store, bus.NewLocal(), slog.New(slog.DiscardHandler), nil)
	fortnight := time.Now().Add(-flaky.Span)
	return []question{
		{"last 100 results of a test", 9 * time.Millisecond, func(i int) error {
			_, err := w.store.TestRuns(ctx, []string{key(i % testsOfEach)}, time.Time{}, 100)
			return err
		}},
		{"results of one execution that did not pass", 3600 * time.Microsecond, func(i int) error {
			_, _, err := w.store.Results(ctx, ids[i%len(ids)], []string{"failed", "errored", "timed_out", "blocked", "skipped"}, 100, "")
			return err
		}},
		{"outcomes of 10 executions, counted", 34 * time.Millisecond, func(i int) error {
			var some []string
			for j := range 10 {
				some = append(some, "'"+ids[(i*10+j)%len(ids)].String()+"'")
			}
			return drain(pool.QueryContext(ctx, "SELECT execution_id, outcome, count(*) FROM test_results WHERE execution_id IN ("+strings.Join(some, ", ")+") GROUP BY 1, 2"))
		}},
		{"worst 50 tests of a workflow over two weeks", 75 * time.Millisecond, func(int) error {
			_, err := w.store.UnreliableTests(ctx, w.flow.Name, fortnight, 50)
			return err
		}},
		{"strips of 1,000 tests", 3100 * time.Microsecond, func(int) error {
			_, err := w.store.Strips(ctx, w.flow.Name, w.env.Name)
			return err
		}},
		{"update of 1,000 strips", 15 * time.Millisecond, func(int) error { return updateStrips(ctx, pool) }},
		{"the whole board of unreliable tests", 0, func(int) error {
			_, err := shown.Unreliable(ctx, "")
			return err
		}},
	}
}

// updateStrips adds an outcome to all strips, as the report of an execution of all tests does.
func updateStrips(ctx context.Context, pool *sql.DB) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	bodies := map[string]string{}
	rows, err := tx.QueryContext(ctx, "SELECT id, body FROM strip_blocks")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, body string
		if err := rows.Scan(&id, &body); err != nil {
			return err
		}
		bodies[id] = body
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for id, body := range bodies {
		var keys []string
		for e := range strips.All(body) {
			keys = append(keys, e.Key)
		}
		body, oldest, err := strips.Edit(body, keys, func(_ int, e strips.Entry) strips.Entry { return e.With("p", time.Now()) })
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE strip_blocks SET body = $1, oldest_at = $2 WHERE id = $3", body, oldest, id); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
