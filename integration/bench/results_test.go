package bench_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seatrial/seatrial/controlplane/blob"
	"github.com/seatrial/seatrial/controlplane/bus"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/intake"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/integration/bench/cards"
	"github.com/seatrial/seatrial/integration/harness"
)

const cases = 100_000

// report is a JUnit file of many cases in suites of a hundred, one in fifty of which fails.
func report() []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0"?><testsuites>`)
	for s := range cases / 100 {
		fmt.Fprintf(&b, `<testsuite name="suite %d" tests="100" failures="2">`, s)
		for c := range 100 {
			fmt.Fprintf(&b, `<testcase classname="shop.cart.Test%d" name="adds item %d of a page" time="0.0%d">`, s, c, c)
			if c%50 == 0 {
				fmt.Fprintf(&b, `<failure message="expected %d to equal 4">cart_test.py:%d: AssertionError</failure>`, c, c)
			}
			b.WriteString("</testcase>")
		}
		b.WriteString("</testsuite>")
	}
	b.WriteString("</testsuites>")
	return b.Bytes()
}

// BenchmarkResults takes a report of a hundred thousand cases from its bytes into the database, as intake does for agents. Beside it, for
// scale, the report is only parsed. Arms take turns; the median of each is printed as cases a second.
func BenchmarkResults(b *testing.B) {
	text := report()
	arms := map[string]func(*testing.B){"parsing alone": func(b *testing.B) {
		b.Helper()
		if _, _, err := format.Parse(format.JUnit, bytes.NewReader(text), func(results.Case) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}}
	for name, dsn := range map[string]string{"PostgreSQL": harness.Postgres(b), "SQLite": "sqlite:" + filepath.Join(b.TempDir(), "seatrial.db")} {
		w := open(b, dsn)
		arms["into "+name] = func(b *testing.B) {
			b.Helper()
			w.take(b, text)
		}
	}
	took := map[string][]time.Duration{}
	var most uint64
	for b.Loop() {
		for name, arm := range arms {
			begun := time.Now()
			arm(b)
			took[name] = append(took[name], time.Since(begun))
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	for i, d := range took["into PostgreSQL"] {
		cards.Note(b, cards.Sample{Card: "P13", Metric: "cases stored", Arm: cards.Seatrial, Round: i, Value: cases / d.Seconds(), Unit: "1/s"})
	}
	for name, all := range took {
		slices.Sort(all)
		b.ReportMetric(cases/all[len(all)/2].Seconds(), strings.ReplaceAll(name, " ", "_")+"_cases/s")
	}
	const goal = 50_000
	all := took["into PostgreSQL"]
	verdict, rate := "met", cases/all[len(all)/2].Seconds()
	if rate < goal {
		verdict = "missed"
	}
	b.Logf("goal of %d cases/s into PostgreSQL: %s by the median, %.0f; the best was %.0f", goal, verdict, rate, cases/all[0].Seconds())
	b.ReportMetric(float64(most)/(1<<20), "heap_MiB")
	b.ReportMetric(float64(len(text))/(1<<20), "report_MiB")
}

// world is a control plane's store with an agent that reports.
type world struct {
	store         *store.Store
	intake        *intake.Intake
	member, agent tenant.Viewer
	flow          workflow.Record
	env           cluster.Environment
}

func open(b *testing.B, dsn string) *world {
	b.Helper()
	s, err := store.Open(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if _, err := s.Bootstrap(b.Context(), tenant.First{
		Organization: "default", Team: "default", Admin: tenant.Member{Email: "a@example.test", PasswordHash: "x", Role: tenant.RoleOwner},
		Token: tenant.Token{Name: "first", Hash: []byte("x"), ExpiresAt: time.Now().Add(time.Hour)},
	}); err != nil {
		b.Fatal(err)
	}
	m, err := s.MembersByEmail(b.Context(), "a@example.test")
	if err != nil {
		b.Fatal(err)
	}
	w := &world{store: s, member: tenant.Viewer{Kind: tenant.KindMember, Organization: m[0].Organization, Team: m[0].Team, Role: m[0].Role}}
	ctx := tenant.WithViewer(b.Context(), w.member)
	c, env, err := s.EnrollCluster(ctx, cluster.Enrolment{Name: "c", Environment: "e", Namespace: "n", TokenHash: []byte("y"), ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	w.env, w.agent = env, tenant.Viewer{Kind: tenant.KindAgent, Organization: c.Organization, Cluster: c.ID, Subject: c.ID}
	if w.flow, _, _, err = s.ApplyWorkflow(ctx, workflow.Record{Name: "smoke", Digest: "d", Source: "kind: TestWorkflow"}, ""); err != nil {
		b.Fatal(err)
	}
	blobs, err := blob.NewDir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	if w.intake, err = intake.New(s, blobs, bus.NewLocal(), slog.New(slog.DiscardHandler), intake.NewHops(prometheus.NewRegistry()), intake.Limits{}); err != nil {
		b.Fatal(err)
	}
	return w
}

// take delivers the report for an execution of its own.
func (w *world) take(b *testing.B, text []byte) {
	b.Helper()
	sum := sha256.Sum256(text)
	_, attempt := w.attempt(b)
	err := w.intake.File(tenant.WithViewer(b.Context(), w.agent), execution.File{
		Attempt: attempt, Kind: execution.FileReport, Path: "junit.xml", Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]),
		ContentType: "application/xml", Format: "auto",
	}, bytes.NewReader(text))
	if err != nil {
		b.Fatal(err)
	}
}

func (w *world) attempt(b *testing.B) (execution.ID, execution.AttemptID) {
	b.Helper()
	n := execution.New{
		Execution:  execution.Execution{ID: newID(b), Workflow: w.flow.Name, Revision: 1, Digest: "d", Status: execution.Queued, Trigger: "api", CreatedAt: time.Now()},
		RevisionID: w.flow.RevisionID,
		Runs:       []execution.NewRun{{ID: newID(b), Environment: w.env, AttemptID: newID(b), Steps: []execution.Step{{Name: "test"}}, Spec: []byte("x"), SpecDigest: "x"}},
	}
	ctx := tenant.WithViewer(context.WithoutCancel(b.Context()), w.member)
	if _, _, err := w.store.CreateExecution(ctx, n); err != nil {
		b.Fatal(err)
	}
	return n.Execution.ID, n.Runs[0].AttemptID
}

func newID(b *testing.B) uuid.UUID {
	b.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		b.Fatal(err)
	}
	return id
}
