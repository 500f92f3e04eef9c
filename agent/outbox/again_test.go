package outbox_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// said is what an inventory says of the attempt.
func (b *bench) said() *agentv1.InventoryItem {
	item := &agentv1.InventoryItem{AttemptId: attempt}
	b.Mark([]*agentv1.InventoryItem{item})
	return item
}

func TestOutbox_ReportsAnewWhatTheControlPlaneHasLost(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.Update(seen(running, "", pod(alive("c"))))
		b.Again(attempt) // nothing was taken yet that could be lost
		synctest.Wait()
		if item := b.said(); item.GetEnded() || item.GetDelivered() {
			t.Errorf("while it runs: %v", item)
		}
		finish(t, b, stepPassed)
		synctest.Wait()
		if item := b.said(); !item.GetEnded() || item.GetDelivered() {
			t.Errorf("its result was taken: %v", item)
		}
		deliver(t, b, "c")
		b.Update(seen(running, "", over(dead(t, "c", nil))))
		synctest.Wait()
		before := len(b.reports)
		if item := b.said(); !item.GetEnded() || !item.GetDelivered() {
			t.Errorf("all of it was taken: %v", item)
		}
		b.set(func() { b.notes = []string{"what was left"} })
		b.Again(attempt)
		synctest.Wait()
		got := b.last(t)
		notes := strings.Join(got.GetNotes(), "|")
		if len(b.reports) == before || !got.GetDelivered() || got.GetStatus() != passed ||
			!strings.Contains(notes, "went back to an earlier time") || !strings.Contains(notes, "what was left") {
			t.Errorf("reported anew: %v", got)
		}
		if item := b.said(); !item.GetEnded() || !item.GetDelivered() {
			t.Errorf("it was taken again: %v", item)
		}
		b.Again(attempt)
		synctest.Wait()
		if n := strings.Count(strings.Join(b.last(t).GetNotes(), "|"), "earlier time"); n != 1 {
			t.Errorf("said %d times", n)
		}
		b.Again("another") // nothing is known of it
	})
}

func TestOutbox_ReportsAnewWithoutAPod(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.Update(seen(running, "", pod(alive("c"))))
		finish(t, b, stepPassed)
		synctest.Wait()
		deliver(t, b, "c")
		b.Update(seen(running, "", nil))
		synctest.Wait()
		before := len(b.reports)
		b.Again(attempt)
		synctest.Wait()
		if got := b.last(t); len(b.reports) != before+1 || !got.GetDelivered() {
			t.Errorf("%d reports more, the last %v", len(b.reports)-before, got)
		}
	})
}

// A report that is refused was not taken, so there is nothing to be reported anew.
func TestOutbox_RefusedIsNotTaken(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.set(func() { b.fail = work.ErrRefused })
		b.Update(seen(running, "", pod(alive("c"))))
		finish(t, b, stepPassed)
		synctest.Wait()
		if item := b.said(); item.GetEnded() {
			t.Errorf("refused, and said to be taken: %v", item)
		}
	})
}
