package board_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
)

func now() time.Time { return time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC) }

// world is a store of some tests.
type world struct {
	known  []board.Known
	beside []testcase.Strip
	inside []testcase.Quarantine
	topics []string
	asked  []board.Later // last
	during func()        // while it is read
}

func (w *world) UnreliableTests(context.Context, string, time.Time, int) ([]string, error) {
	var keys []string
	for _, k := range w.known {
		if strings.Contains(k.Key, "F") {
			keys = append(keys, k.Key)
		}
	}
	return keys, nil
}

func (w *world) TestRuns(_ context.Context, keys []string, _ time.Time, _ int) (out []board.Known, err error) {
	for _, k := range w.known {
		if slices.Contains(keys, k.Key) {
			out = append(out, k)
		}
	}
	return out, nil
}

func (w *world) LaterRuns(_ context.Context, asked []board.Later, _ int) (out []board.Known, err error) {
	w.asked = asked
	if w.during != nil {
		w.during()
	}
	for _, a := range asked {
		for _, k := range w.known {
			if k.Key == a.Key {
				k.Runs = slices.DeleteFunc(slices.Clone(k.Runs), func(r testcase.Run) bool { return r.At.Before(a.Since) })
				out = append(out, k)
			}
		}
	}
	return out, nil
}

// Strips are the keys of the tests, in one environment.
func (w *world) Strips(context.Context, string, string) (out []testcase.Strip, err error) {
	for _, k := range w.known {
		out = append(out, testcase.Strip{Key: k.Key, Environment: "staging", Letters: testcase.Letters(strings.ToLower(k.Key))})
	}
	return append(out, w.beside...), nil
}

func (w *world) Quarantines(context.Context, time.Time) ([]testcase.Quarantine, error) {
	return w.inside, nil
}

func (w *world) SaveQuarantine(_ context.Context, q testcase.Quarantine) error {
	w.inside = append(w.inside, q)
	return nil
}

func (w *world) EndQuarantine(_ context.Context, test, _ string, _ time.Time) error {
	before := len(w.inside)
	w.inside = slices.DeleteFunc(w.inside, func(q testcase.Quarantine) bool { return q.Test == test })
	if len(w.inside) == before {
		return fault.New(fault.NotFound, "none")
	}
	return nil
}

func (w *world) Publish(_ context.Context, topic string) { w.topics = append(w.topics, topic) }

// setup returns a board of tests whose keys are their outcomes on one subject.
func setup(t *testing.T, keys ...string) (*board.Board, *world) {
	t.Helper()
	w := &world{}
	for _, key := range keys {
		k := board.Known{Case: testcase.Case{Key: key, Workflow: "smoke", Name: "test " + key}}
		for i, c := range key {
			r := testcase.Run{Execution: uuid.New(), At: now().Add(-time.Duration(len(key)-i) * time.Hour), Subject: "s", Outcome: results.Passed, Duration: time.Minute}
			if c == 'F' {
				r.Outcome = results.Failed
			}
			k.Runs = append(k.Runs, r)
		}
		w.known = append(w.known, k)
	}
	return board.New(w, w, slog.New(slog.DiscardHandler), now), w
}

func as(t *testing.T, scopes ...tenant.Scope) context.Context {
	t.Helper()
	return tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindToken, Organization: uuid.New(), Name: "ci", Maker: "ann", Scopes: scopes})
}

func TestBoard_Unreliable(t *testing.T) {
	t.Parallel()
	b, w := setup(t, "PPPPPPPPPP", "PFPFPFPFPF", "PPPPPPPPPF", "FFFFFFFFFF")
	ask := func(workflow string) []string {
		list, err := b.Unreliable(as(t), workflow)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, h := range list {
			keys = append(keys, h.Key)
		}
		return keys
	}
	if got := ask(""); !slices.Equal(got, []string{"PFPFPFPFPF", "PPPPPPPPPF", "FFFFFFFFFF"}) {
		t.Errorf("board %v: want what costs most first, then what is broken, and not what can be relied on", got)
	}
	w.inside = []testcase.Quarantine{{Test: "PPPPPPPPPP", Owner: "bob"}}
	if got := ask("smoke"); len(got) != 4 {
		t.Errorf("board %v: what is in quarantine is always shown", got)
	}
	if got := ask("load"); len(got) != 0 {
		t.Errorf("of another workflow: %v", got)
	}
	if h, err := b.Test(as(t), "PPPPPPPPPP"); err != nil || h.Quarantine == nil || h.Quarantine.Owner != "bob" || len(h.Runs) != 10 {
		t.Errorf("one test: %+v, %v", h, err)
	}
	if _, err := b.Test(as(t), "none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a test that nobody knows: %v", err)
	}
}

func TestBoard_Quarantine(t *testing.T) {
	t.Parallel()
	b, w := setup(t, "PFPF")
	good := testcase.Ask{Test: "PFPF", Reason: "slow", Ticket: "https://tickets.example.test/1"}
	for name, tc := range map[string]struct {
		change func(*testcase.Ask)
		want   fault.Kind
	}{
		"NoReason":   {func(a *testcase.Ask) { a.Reason = "" }, fault.Invalid},
		"LongReason": {func(a *testcase.Ask) { a.Reason = strings.Repeat("x", 1001) }, fault.Invalid},
		"Ticket":     {func(a *testcase.Ask) { a.Ticket = "javascript:alert(1)" }, fault.Invalid},
		"TooLong":    {func(a *testcase.Ask) { a.For = 31 * 24 * time.Hour }, fault.Invalid},
		"Negative":   {func(a *testcase.Ask) { a.For = -1 }, fault.Invalid},
		"Unknown":    {func(a *testcase.Ask) { a.Test = "none" }, fault.NotFound},
	} {
		a := good
		tc.change(&a)
		if _, err := b.Quarantine(as(t, tenant.ScopeRelease), a); !fault.Is(err, tc.want) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	if _, err := b.Quarantine(as(t, tenant.ScopeRead), good); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without the scope: %v", err)
	}
	unknown := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindToken, Name: "old", Scopes: []tenant.Scope{tenant.ScopeRelease}})
	if _, err := b.Quarantine(unknown, good); !fault.Is(err, fault.Forbidden) {
		t.Errorf("by a token of nobody knows whom: %v", err)
	}
	q, err := b.Quarantine(as(t, tenant.ScopeRelease), good)
	if err != nil || q.Owner != "ann" || q.Actor != "ann" || q.Name != "test PFPF" || !q.Until.Equal(now().Add(testcase.MaxQuarantine)) {
		t.Fatalf("%+v, %v", q, err)
	}
	if !slices.Contains(w.topics, execution.EvidenceTopic) {
		t.Error("releases have to be decided anew")
	}
	if err := b.Release(as(t, tenant.ScopeRelease), "PFPF"); err != nil || len(w.inside) != 0 {
		t.Errorf("ended: %v", err)
	}
	if err := b.Release(as(t, tenant.ScopeRelease), "PFPF"); !fault.Is(err, fault.NotFound) {
		t.Errorf("ended twice: %v", err)
	}
	if err := b.Release(as(t), "PFPF"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without the scope: %v", err)
	}
}
