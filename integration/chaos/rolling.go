package chaos

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"syscall"
	"testing"
	"time"

	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/integration/fleet"
	"github.com/seatrial/seatrial/integration/history"
)

// Rolling says how replicas are restarted one after the other.
type Rolling struct {
	Agents int
	Rate   float64       // executions a second
	Every  time.Duration // from one restart to the next
	For    time.Duration
}

// Roll starts a control plane of three replicas with simulated agents and restarts one replica after the other under load, as an upgrade
// does. Whoever is connected is asked to move before.
func Roll(tb testing.TB, o Rolling) Result {
	tb.Helper()
	const drain = 3 * time.Second
	w := NewWorld(tb, Options{Replicas: 3, Flags: []string{"--drain", drain.String()}})
	w.decided = true
	w.fleet(tb, o.Agents)
	r := Result{Row: Row{ID: "F24", Name: fmt.Sprintf("rolling restart every %s", o.Every)}}
	tb.Logf("%d agents are connected", o.Agents)
	b := w.begin(o.Rate)
	begun := time.Now()
	for next := begun.Add(o.Every); next.Before(begun.Add(o.For)); next = next.Add(o.Every) {
		pass(w.ctx, time.Until(next))
		p := w.planes[r.Injected%len(w.planes)]
		b.book.Add(history.Event{Kind: history.Fault, Name: "a replica is restarted"})
		r.Injected++
		at := time.Now()
		p.End(tb, syscall.SIGTERM)
		p.Begin(tb)
		r.Recoveries = append(r.Recoveries, time.Since(at))
		tb.Logf("%s after the begin replica %d was restarted in %s", at.Sub(begun).Round(time.Second), (r.Injected-1)%len(w.planes), time.Since(at).Round(time.Millisecond))
	}
	pass(w.ctx, time.Until(begun.Add(o.For)))
	b.settle()
	r.judge(b)
	if len(r.Broken) == 0 {
		r.Survived = r.Injected
	} else {
		tb.Logf("history: %s", w.keep(b, "rolling", ""))
	}
	return r
}

// fleet makes clusters known whose agents are simulated.
func (w *World) fleet(tb testing.TB, agents int) {
	tb.Helper()
	text := bytes.Repeat([]byte("another line of a test that has much to say\n"), 200)
	given := func(a work.Assignment) {
		book := w.current()
		id := a.GetAttemptId()
		book.Add(history.Event{Kind: history.Began, Execution: a.GetExecutionId(), Attempt: id, Object: "pod-" + id})
		for i := range a.GetPlan().GetSteps() {
			book.Add(history.Event{
				Kind: history.Wrote, Attempt: id, Stream: fmt.Sprintf("step/%d", i), Bytes: int64(len(text)), Sum: crc32.Checksum(text, castagnoli()),
			})
		}
	}
	all := fleet.Enrol(tb, w.planes[0], w.token, "c", agents, fleet.Options{Address: w.gateway, Given: given, Log: text})
	all.Connected(tb)
	for _, a := range all.Agents {
		w.sites = append(w.sites, &site{w: w, name: a.Name})
	}
}
