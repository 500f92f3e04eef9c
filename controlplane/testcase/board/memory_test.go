package board_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

// TestBoard_UnreliableAgain proves that what is remembered of tests is never what the page says: it says what has run since, too.
func TestBoard_UnreliableAgain(t *testing.T) {
	t.Parallel()
	b, w := setup(t, "PFPFPFFFF")
	ctx := as(t)
	ask := func() testcase.History {
		t.Helper()
		list, err := b.Unreliable(ctx, "")
		if err != nil || len(list) != 1 || len(list[0].Runs) != 0 {
			t.Fatalf("%+v, %v: want the one test, without its runs", list, err)
		}
		return list[0]
	}
	if h := ask(); h.Since.InARow != 4 || !w.asked[0].Since.Equal(now().Add(-flaky.Span)) {
		t.Errorf("%d failures in a row of what was read since %s: want all of it", h.Since.InARow, w.asked[0].Since)
	}
	run := testcase.Run{Result: uuid.Must(uuid.NewV7()), Execution: uuid.New(), At: now().Add(-time.Second), Subject: "s", Outcome: results.Passed}
	w.known[0].Runs = append(w.known[0].Runs, run)
	if h := ask(); h.Since.InARow != 0 || h.Score.N != 10 {
		t.Errorf("it fails %d times in a row, of %d runs: it has passed since", h.Since.InARow, h.Score.N)
	}
	if since := w.asked[0].Since; now().Sub(since) > time.Hour {
		t.Errorf("read since %s: what is known is not read again", since)
	}
	for range 3 {
		if h := ask(); h.Score.N != 10 {
			t.Errorf("%d runs: each counts once, however often it is read", h.Score.N)
		}
	}
	w.known[0].Runs = w.known[0].Runs[:len(w.known[0].Runs)-1]
	if h := ask(); h.Since.InARow != 4 {
		t.Error("a result of late that counts no longer still does")
	}
}

// TestBoard_UnreliableForgotten: while an answer is read everything may be forgotten, for another one's question. What was read since the last
// question is not taken for all there is.
func TestBoard_UnreliableForgotten(t *testing.T) {
	t.Parallel()
	b, w := setup(t, "PFPFPFFFF")
	for range 2 {
		list, err := b.Unreliable(as(t), "")
		if err != nil || len(list) != 1 || list[0].Score.N != 9 {
			t.Fatalf("%+v, %v: want all nine runs", list, err)
		}
		w.during = b.Forget
	}
}

// TestBoard_UnreliableOf proves that nobody is told what another one was.
func TestBoard_UnreliableOf(t *testing.T) {
	t.Parallel()
	viewer := func(change func(v *tenant.Viewer)) tenant.Viewer {
		v := tenant.Viewer{Kind: tenant.KindMember, Organization: uuid.New(), Role: tenant.RoleViewer}
		change(&v)
		return v
	}
	for name, tc := range map[string]struct {
		viewer tenant.Viewer
		whole  bool
		reason string
	}{
		"Organization": {viewer(func(*tenant.Viewer) {}), true, "each has tests of its own, whatever their keys"},
		"Confined":     {viewer(func(v *tenant.Viewer) { v.Confined = true }), false, "who does not see everything asks the database for all of it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, w := setup(t, "PFPFPFPFPF")
			if _, err := b.Unreliable(as(t), ""); err != nil {
				t.Fatal(err)
			}
			w.asked = nil
			list, err := b.Unreliable(tenant.WithViewer(t.Context(), tc.viewer), "")
			if err != nil || len(list) != 1 {
				t.Fatalf("%+v, %v", list, err)
			}
			if asked := len(w.asked) == 1 && w.asked[0].Since.Equal(now().Add(-flaky.Span)); asked != tc.whole {
				t.Errorf("what is read of later runs: %v: %s", w.asked, tc.reason)
			}
		})
	}
}
