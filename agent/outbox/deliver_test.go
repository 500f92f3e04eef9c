package outbox_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/agent/runner/termination"
	"github.com/seatrial/seatrial/agent/work"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func TestOutbox_SendsOneAtATimeAndTheNewest(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		hold := make(chan struct{})
		b.set(func() { b.hold = hold })
		for i := range int32(5) {
			b.Step(attempt, "c", step(i, stepRunning))
			synctest.Wait()
		}
		b.set(func() {
			if b.calls != 1 {
				t.Errorf("%d snapshots under way: they may overtake each other", b.calls)
			}
			b.hold = nil
		})
		close(hold)
		if got := len(b.last(t).GetSteps()); got != 5 || len(b.reports) != 2 {
			t.Errorf("the newest of %d reports has %d steps", len(b.reports), got)
		}
		pass(time.Hour)
		if b.calls != 2 {
			t.Errorf("%d calls although nothing changed", b.calls)
		}
	})
}

func TestOutbox_FinishedWaitsForTheControlPlane(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		why  string
		fail error
		ends bool
	}{
		"away":    {"a result that is not stored must stay with the runner", work.ErrUplinkLost, false},
		"refused": {"it never will be taken: the test shall not wait", work.ErrRefused, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *bench) {
				t.Helper()
				b.set(func() { b.fail = c.fail })
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- b.Finished(ctx, attempt, &runnerv1.Finished{Status: stepPassed}) }()
				pass(10 * time.Minute)
				if got := len(done) == 1; got != c.ends {
					t.Errorf("%s: it has ended: %t", c.why, got)
				}
				if calls := b.calls; !c.ends && (calls < 60 || calls > 600) {
					t.Errorf("tried %d times in ten minutes", calls)
				}
				b.set(func() { b.fail = nil })
				pass(time.Minute)
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestOutbox_FinishedEndsWithTheRunnersConnection(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.set(func() { b.fail = work.ErrUplinkLost })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Finished(ctx, attempt, &runnerv1.Finished{Status: stepPassed}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestOutbox_Delivers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		why       string
		events    func(t *testing.T, b *bench)
		delivered bool
		tails     int
		note      string
	}{
		"all containers": {"each ships its own log", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", pod(alive("c0"), alive("c1"))))
			finish(t, b, stepPassed)
			deliver(t, b, "c0")
			deliver(t, b, "c1", "a pattern matched nothing")
		}, true, 0, "a pattern matched nothing"},
		"one of two": {"the other is still at it", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", pod(alive("c0"), alive("c1"))))
			finish(t, b, stepPassed)
			deliver(t, b, "c0")
		}, false, 0, ""},
		"before the informer": {"a quick test is over before its pod is seen", func(t *testing.T, b *bench) {
			t.Helper()
			finish(t, b, stepPassed)
			deliver(t, b, "c0")
			b.Update(seen(running, "", pod(alive("c0"))))
		}, true, 0, ""},
		"the runner has died": {"what is left of the log is read from the cluster", func(t *testing.T, b *bench) {
			t.Helper()
			b.notes = []string{"read from the kube API"}
			b.Update(seen(running, "", over(dead(t, "c0", nil))))
			b.Update(seen(running, "", over(dead(t, "c0", nil))))
		}, true, 1, "read from the kube API"},
		"the cluster has no log either": {"a loss is said", func(t *testing.T, b *bench) {
			t.Helper()
			b.noTail = errors.New("the node is gone")
			b.Update(seen(running, "", over(dead(t, "c0", nil))))
		}, true, 1, "the node is gone"},
		"the pod is gone": {"nobody delivers any more", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", pod(alive("c0"))))
			b.Update(seen(errored, "PodMissing", nil))
		}, true, 0, "Container c0 did not deliver"},
		"time is up": {"a runner that hangs must not hold the release up", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", pod(alive("c0"))))
			finish(t, b, stepPassed)
			pass(10*time.Minute + time.Second)
		}, true, 0, "their time was up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *bench) {
				t.Helper()
				c.events(t, b)
				r := b.last(t)
				if r.GetDelivered() != c.delivered || b.tails != c.tails || !strings.Contains(strings.Join(r.GetNotes(), "\n"), c.note) {
					t.Errorf("%s: delivered %t, %d tails, notes %q", c.why, r.GetDelivered(), b.tails, r.GetNotes())
				}
			})
		})
	}
}

func TestOutbox_FindsItsWayAfterARestart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		why       string
		events    func(t *testing.T, b *bench)
		delivered bool
		status    any
		tails     int
	}{
		"all was delivered": {"the runner's last words say so", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", over(dead(t, "c", &termination.Message{Attempt: attempt, Delivered: true, Status: "passed"}))))
		}, true, passed, 0},
		"something was not": {"it ended while the agent was away", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", over(dead(t, "c", &termination.Message{Attempt: attempt, Status: "passed"}))))
		}, true, passed, 1},
		"it was stopped": {"the Job says why", func(_ *testing.T, b *bench) {
			b.Update(seen(cancelled, "Cancelled", nil))
		}, true, cancelled, 0},
		"it runs": {"its runner comes back and says the rest", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", pod(alive("c"))))
			b.Attached(attempt, "c")
			b.Step(attempt, "c", step(0, stepPassed))
			finish(t, b, stepPassed)
			deliver(t, b, "c")
		}, true, passed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *bench) {
				t.Helper()
				c.events(t, b)
				r := b.last(t)
				if r.GetStatus() != c.status || r.GetDelivered() != c.delivered || b.tails != c.tails {
					t.Errorf("%s: %s, delivered %t, %d tails", c.why, r.GetStatus(), r.GetDelivered(), b.tails)
				}
				if len(b.stopped()) != 0 {
					t.Errorf("stopped for %v", b.stops)
				}
			})
		})
	}
}

func TestOutbox_Forgets(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.Attached(attempt, "c")
		b.Update(seen(running, "", pod(alive("c"))))
		finish(t, b, stepPassed)
		deliver(t, b, "c")
		synctest.Wait()
		if b.Live() != 0 {
			t.Error("live although all is delivered")
		}
		gone := seen(errored, "JobDeleted", nil)
		gone.Gone = true
		b.Update(gone)
		b.Detached(attempt, "c")
		b.last(t)
		calls := b.calls
		b.Update(gone) // of what is not known any more
		pass(time.Hour)
		if b.calls != calls {
			t.Errorf("reported what is forgotten: %v", b.last(t))
		}
		statuses := []any{}
		for _, r := range b.reports {
			statuses = append(statuses, r.GetStatus())
		}
		if slices.Contains(statuses, any(errored)) {
			t.Errorf("reported %v: a deletion after the end is none of the test's", statuses)
		}
	})
}
