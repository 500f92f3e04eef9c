package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/bus"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/dispatch"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/integration/harness"
)

const (
	dueAtOnce   = 10_000
	before      = 2_000 // executions of the past
	startedGoal = 30 * time.Second
	impatience  = 200 * time.Millisecond // between two runs that a person asks for
)

const plainFlow = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: smoke}
spec:
  params: {mode: {type: string, default: fast}}
  container: {image: registry.example.test/tests:1.2}
  steps:
    - {name: install, run: npm ci}
    - {name: test, run: "npx playwright test --grep=${{ params.mode }}", reports: [{format: junit, paths: [r.xml]}]}
`

// BenchmarkSchedules has ten thousand schedules due in the same minute on one PostgreSQL, with one replica that starts them, and somebody
// who runs a workflow by hand again and again meanwhile. It prints how late the executions were accepted, and how long that person waited
// for an answer, beside what the same takes when nothing is due.
func BenchmarkSchedules(b *testing.B) {
	var offset atomic.Int64 // of the clock
	clock := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	dsn := harness.Postgres(b)
	open(b, dsn) // with an environment
	records, err := store.Open(b.Context(), dsn, store.WithClock(clock))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = records.Close() })
	m, err := records.MembersByEmail(b.Context(), "a@example.test")
	if err != nil {
		b.Fatal(err)
	}
	ctx := tenant.WithViewer(b.Context(), tenant.Viewer{Kind: tenant.KindMember, Organization: m[0].Organization, Team: m[0].Team, Name: "a", Role: m[0].Role})
	if _, _, _, err := records.ApplyWorkflow(ctx, workflow.Record{Name: "smoke", Digest: "d2", Source: plainFlow}, ""); err != nil {
		b.Fatal(err)
	}
	run := dispatch.New(dispatch.Config{
		Store: records, Bus: bus.NewLocal(), Log: slog.New(slog.DiscardHandler), Clock: clock, Topics: dispatch.Topics{Agent: cluster.Topic, Execution: execution.Topic},
	})
	service := schedule.New(records, func() schedule.Starter { return starter.New(starter.Remembering(records), run.Remembering()) }, slog.New(slog.DiscardHandler), clock)
	due := clock().Add(24 * time.Hour).Truncate(time.Hour).UTC()
	spec := document.ScheduleSpec{
		Schedule: document.Schedule{Cron: fmt.Sprintf("0 %d * * *", due.Hour())}, Start: document.Start{Workflows: []document.StartRef{{Name: "smoke"}}},
	}
	for i := range dueAtOnce {
		if _, _, _, err := records.ApplySchedule(ctx, schedule.Record{Name: fmt.Sprintf("s-%05d", i), Digest: "d", Spec: spec}, ""); err != nil {
			b.Fatal(err)
		}
	}
	history(ctx, b, run, dsn)
	b.Logf("%d schedules are stored, and %d executions from before", dueAtOnce, before)
	calm := impatient(ctx, b, run, func(done func()) {
		time.AfterFunc(3*time.Second, done)
	})
	for b.Loop() {
		next := due
		if offset.Load() != 0 {
			next = clock().Truncate(time.Hour).UTC().Add(24 * time.Hour) // the same hour of the next day
			next = time.Date(next.Year(), next.Month(), next.Day(), due.Hour(), 0, 0, 0, time.UTC)
		}
		offset.Store(int64(time.Until(next)))
		var took time.Duration
		waits := impatient(ctx, b, run, func(done func()) {
			begun := time.Now()
			if _, err := service.Sweep(b.Context()); err != nil {
				b.Error(err)
			}
			took = time.Since(begun)
			done()
		})
		late := lateness(ctx, b, service, next)
		verdict := "met"
		if late[len(late)-1] > startedGoal || took > startedGoal {
			verdict = "missed"
		}
		b.Logf("%d executions accepted in %s; after their due time p50 %s, p99 %s, last %s; goal of %s: %s", len(late), took.Round(time.Millisecond),
			half(late), most(late), late[len(late)-1].Round(time.Millisecond), startedGoal, verdict)
		b.Logf("a run by hand meanwhile: p50 %s, p99 %s, worst %s of %d; with nothing due: p50 %s, p99 %s", half(waits), most(waits), waits[len(waits)-1], len(waits), half(calm), most(calm))
		b.ReportMetric(most(late).Seconds(), "p99_late_s")
		b.ReportMetric(ms(most(waits)), "p99_by_hand_ms")
	}
}

// history stores executions, as whoever has ten thousand schedules has them. On tables that were empty a moment ago PostgreSQL goes on with
// the plans that it made for them, for foreign keys too, which read whole tables, until it analyzes them by itself: within a minute, in which
// nothing else would be measured here.
func history(ctx context.Context, b *testing.B, run *dispatch.Dispatcher, dsn string) {
	b.Helper()
	for range before {
		if _, _, err := run.Start(ctx, execution.Request{Workflow: "smoke", Trigger: "web"}); err != nil {
			b.Fatal(err)
		}
	}
	pool, err := sql.Open("pgx", dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.ExecContext(b.Context(), "VACUUM ANALYZE"); err != nil {
		b.Fatal(err)
	}
}

func half(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2].Round(time.Millisecond) }

func most(sorted []time.Duration) time.Duration {
	return sorted[len(sorted)*99/100].Round(time.Millisecond)
}

// impatient runs the workflow by hand again and again until something else is done, and returns how long each took to be accepted.
func impatient(ctx context.Context, b *testing.B, run *dispatch.Dispatcher, until func(done func())) []time.Duration {
	b.Helper()
	over := make(chan struct{})
	go until(func() { close(over) })
	tick := time.NewTicker(impatience)
	defer tick.Stop()
	var waits []time.Duration
	for {
		begun := time.Now()
		if _, _, err := run.Start(ctx, execution.Request{Workflow: "smoke", Trigger: "web"}); err != nil {
			b.Fatal(err)
		}
		waits = append(waits, time.Since(begun))
		select {
		case <-over:
			slices.Sort(waits)
			return waits
		case <-tick.C:
		}
	}
}

// lateness is how long after the due time each schedule has started its execution.
func lateness(ctx context.Context, b *testing.B, service *schedule.Service, due time.Time) (late []time.Duration) {
	b.Helper()
	for after := ""; ; {
		list, next, err := service.List(ctx, 1000, after)
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range list {
			if r.Last == nil || r.Last.State != schedule.Started || !r.Last.Due.Equal(due) || len(r.Last.Starts) != 1 {
				b.Fatalf("%s: %+v", r.Name, r.Last)
			}
			late = append(late, r.Last.FiredAt.Sub(due))
		}
		if after = next; after == "" {
			slices.Sort(late)
			return late
		}
	}
}
