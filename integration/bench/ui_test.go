package bench_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/harness"
)

// What pages are held to.
const (
	clients      = 8
	serverBudget = 100 * time.Millisecond // of 99 of a hundred answers, with that many clients at once
	sizeBudget   = 200 << 10              // bytes of HTML
	paintBudget  = 300 * time.Millisecond // until a browser shows the first content, over loopback
)

var (
	uiExecutions = flag.Int("ui.executions", 1_000_000, "executions of BenchmarkUI; each has ten results")
	uiAsked      = flag.Int("ui.asked", 200, "times that BenchmarkUI asks for each page")
	uiOnly       = flag.String("ui.only", "", "of BenchmarkUI, only pages whose names contain this")
	uiKept       = flag.String("ui.kept", "", "folder for the data of BenchmarkUI, and with it the database ui of the server SEATRIAL_TEST_POSTGRES: filled "+
		"the first time, kept, and measured as it is after that")
)

// shapeOf is how much there is beside so many executions.
func shapeOf(executions int) shape {
	if executions < 100_000 {
		return shape{executions: executions, flows: 20, clusters: 6, bigTests: 200, days: 60, releases: 20, entries: 100}
	}
	return shape{executions: executions, flows: 200, clusters: 20, bigTests: 10_000, days: 365, releases: 300, entries: 100_000}
}

// BenchmarkUI fills a PostgreSQL as a large installation fills it in a year, and asks for every page: how long the server takes while
// several clients ask at once, how large the page is, and how soon a browser shows something.
func BenchmarkUI(b *testing.B) {
	p, s := uiWorld(b, shapeOf(*uiExecutions))
	for b.Loop() {
		measureUI(b, p, s, *uiAsked)
	}
}

// TestUI goes the same way with little data: what the benchmark would ask for exists, and every page has a row.
func TestUI(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills a database")
	}
	p, s := uiWorld(t, shapeOf(2000))
	for _, r := range measureUI(t, p, s, 2*clients) {
		if r.bytes > sizeBudget {
			t.Errorf("%s has %d bytes of HTML, more than %d", r.name, r.bytes, sizeBudget)
		}
	}
}

// uiWorld returns a running program with its data.
func uiWorld(tb testing.TB, sh shape) (*program, *seeds) {
	tb.Helper()
	owner, dir := "", *uiKept
	if dir == "" {
		dir = tb.TempDir()
		roomFor(tb, sh, os.TempDir())
		owner = harness.Postgres(tb)
	} else {
		owner = harness.PostgresNamed(tb, "ui")
	}
	user, admin := harness.PostgresUser(tb, owner), harness.PostgresAdmin(tb, owner)
	s, known := &seeds{}, filepath.Join(dir, "bench.json")
	if text, err := os.ReadFile(known); err == nil {
		ok(tb, json.Unmarshal(text, s))
	} else {
		p, stop := start(tb, filepath.Join(dir, "data"), user, owner)
		maker := newSeeder(tb, p, user, owner)
		begun := time.Now()
		s = maker.all(sh)
		maker.surround(s)
		_ = maker.store.Close()
		stop()
		tb.Logf("%6.1f s  the program has made what is copied", time.Since(begun).Seconds())
		newFiller(tb, admin).all(s)
		text, err := json.Marshal(s)
		ok(tb, err)
		ok(tb, os.WriteFile(known, text, 0o600))
	}
	newFiller(tb, admin).connect()
	p, _ := start(tb, filepath.Join(dir, "data"), user, owner)
	return p, s
}

// roomFor ends the benchmark before it fills a disk that is used for other things too.
func roomFor(tb testing.TB, sh shape, dir string) {
	tb.Helper()
	const each = 16 << 10 // bytes of an execution with all it has, while it is filled
	var disk syscall.Statfs_t
	ok(tb, syscall.Statfs(dir, &disk))
	free, needed := disk.Bavail*uint64(disk.Bsize), uint64(sh.executions)*each+1<<30
	if free < needed {
		tb.Fatalf("%d executions need about %d GiB in %s, which has %d GiB left: make room, set TMPDIR, or measure fewer with -ui.executions",
			sh.executions, needed>>30, dir, free>>30)
	}
}

// measured is a row of the table.
type measured struct {
	name      string
	half, top time.Duration // of the server, p50 and p99
	bytes     int
	paint     time.Duration // none for 0
}

func (m measured) met() bool {
	return m.top <= serverBudget && m.bytes <= sizeBudget && m.paint <= paintBudget
}

// measureUI asks for every page and prints the table.
func measureUI(tb testing.TB, p *program, s *seeds, asked int) (out []measured) {
	tb.Helper()
	paint := painter(tb, p)
	tb.Logf("%d clients at once; budgets: p99 %s, %d KiB, first paint %s", clients, serverBudget, sizeBudget>>10, paintBudget)
	tb.Logf("%-36s %10s %10s %12s %12s  %s", "page", "p50", "p99", "HTML", "first paint", "budget")
	missed := 0
	for _, r := range uiRows(s) {
		if r.why != "" || !strings.Contains(r.name, *uiOnly) {
			continue
		}
		m := p.ask(tb, r, asked)
		m.paint = paint(r)
		verdict := "met"
		if !m.met() {
			missed++
			verdict = "MISSED"
		}
		tb.Logf("%-36s %7.1f ms %7.1f ms %8.1f KiB %12s  %s", m.name, ms(m.half), ms(m.top), float64(m.bytes)/1024, painted(m.paint), verdict)
		out = append(out, m)
	}
	tb.Logf("%d of %d pages miss a budget", missed, len(out))
	return out
}

func painted(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f ms", ms(d))
}
