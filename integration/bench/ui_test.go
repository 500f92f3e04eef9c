package bench_test

import (
	"flag"
	"fmt"
	"regexp"
	"testing"
	"time"
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
	uiOnly       = flag.String("ui.only", "", "of BenchmarkUI, only pages whose names match this regular expression")
	uiKept       = flag.String("ui.kept", "", "folder, by its path from the root, where the data of BenchmarkUI stay: filled the first time, measured as they are after that")
)

// shapeOf is how much there is beside so many executions. From a hundred thousand on they are as dense as a million in a year, so that pages
// of the last weeks cost the same where a disk has no room for the whole year.
func shapeOf(executions int) shape {
	if executions < 100_000 {
		return shape{executions: executions, flows: 20, clusters: 6, bigTests: 200, days: 60, releases: 20, entries: 100}
	}
	return shape{executions: executions, flows: 200, clusters: 20, bigTests: 10_000, days: max(1, min(365, 365*executions/1_000_000)), releases: 300, entries: 100_000}
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
	t.Parallel()
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

// measured is a row of the table.
type measured struct {
	name      string
	half, top time.Duration // of the server, p50 and p99
	cost      cost          // of an answer
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
	tb.Logf("%-36s %10s %10s %14s %12s %12s  %s", "page", "p50", "p99", "processor", "HTML", "first paint", "budget")
	only, err := regexp.Compile(*uiOnly)
	ok(tb, err)
	missed := 0
	for _, r := range uiRows(s) {
		if r.why != "" || !only.MatchString(r.name) {
			continue
		}
		m := p.ask(tb, r, asked)
		m.paint = paint(r)
		verdict := "met"
		if !m.met() {
			missed++
			verdict = "MISSED"
		}
		tb.Logf("%-36s %7.1f ms %7.1f ms %14s %8.1f KiB %12s  %s", m.name, ms(m.half), ms(m.top), m.cost, float64(m.bytes)/1024, painted(m.paint), verdict)
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
