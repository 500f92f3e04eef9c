package outbox_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

func TestOutbox_Cancel(t *testing.T) {
	t.Parallel()
	const never = time.Hour
	for name, c := range map[string]struct {
		why    string
		before func(t *testing.T, b *bench)
		after  func(t *testing.T, b *bench) // what follows the cancellation
		stops  time.Duration                // when the pod is stopped at the latest, never for not at all
	}{
		"no Job yet": {"it is cancelled as soon as it shows", func(*testing.T, *bench) {}, func(_ *testing.T, b *bench) {
			b.Update(seen(pending, "", nil))
		}, time.Second},
		"made, not seen": {"the start was noted before the Job showed, with nothing new to say", func(t *testing.T, b *bench) {
			t.Helper()
			_ = b.Timed(launcher{}).Handle(t.Context(), work.Assignment{Assignment: &agentv1.Assignment{AttemptId: attempt}})
			b.Update(seen(pending, "", nil))
		}, nil, time.Second},
		"no pod yet": {"suspending works with none", func(_ *testing.T, b *bench) { b.Update(seen(pending, "", nil)) }, nil, time.Second},
		"not started": {"nobody has to be asked", func(_ *testing.T, b *bench) {
			b.Update(seen(pending, "", pod(work.Container{Name: "c"})))
		}, nil, time.Second},
		"nobody attaches": {"the runner cannot reach the agent", func(_ *testing.T, b *bench) {
			b.Update(seen(running, "", pod(alive("c"))))
		}, nil, 16 * time.Second},
		"it attaches late": {"the runner gets its time then", func(_ *testing.T, b *bench) {
			b.Update(seen(running, "", pod(alive("c"))))
		}, func(t *testing.T, b *bench) {
			t.Helper()
			pass(10 * time.Second)
			if got, _ := b.Attached(attempt, "c"); got.GetReason() != "enough" || got.GetGrace().AsDuration() == 0 {
				t.Errorf("the runner was told %v", got)
			}
			pass(10 * time.Second)
			if n := len(b.stopped()); n != 0 {
				t.Error("stopped all the same")
			}
		}, 75 * time.Second},
		"told": {"it has its grace and some slack", func(_ *testing.T, b *bench) {
			b.set(func() { b.told = true })
			b.Update(seen(running, "", pod(alive("c"))))
		}, func(t *testing.T, b *bench) {
			t.Helper()
			pass(grace + 20*time.Second)
			if n := len(b.stopped()); n != 0 {
				t.Error("stopped before its time was up")
			}
		}, 61 * time.Second},
		"told and obeyed": {"the runner delivers what it has", func(_ *testing.T, b *bench) {
			b.set(func() { b.told = true })
			b.Update(seen(running, "", pod(alive("c"))))
		}, func(t *testing.T, b *bench) {
			t.Helper()
			pass(time.Second)
			finish(t, b, stepCancelled)
		}, never},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *bench) {
				t.Helper()
				c.before(t, b)
				begun := time.Now()
				b.Outbox.Cancel(attempt, "enough")
				b.Outbox.Cancel(attempt, "again") // a command comes twice
				if c.after != nil {
					c.after(t, b)
				}
				pass(time.Until(begun.Add(min(c.stops, 10*time.Minute))))
				stops := b.stopped()
				if c.stops == never {
					if len(stops) != 0 {
						t.Errorf("%s: stopped for %v", c.why, stops)
					}
				} else if len(stops) != 1 || stops[0].Message != "enough" || stops[0].Reason != "Cancelled" {
					t.Errorf("%s: stopped for %v", c.why, stops)
				}
				if got := b.last(t).GetStatus(); got != cancelled {
					t.Errorf("ended %s", got)
				}
			})
		})
	}
}

func TestOutbox_Cancel_WhatHasEnded(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.Update(seen(running, "", pod(alive("c"))))
		finish(t, b, stepPassed)
		b.Outbox.Cancel(attempt, "too late")
		pass(time.Minute)
		if got := b.last(t).GetStatus(); got != passed || len(b.stopped()) != 0 {
			t.Errorf("ended %s, stopped for %v", got, b.stopped())
		}
		if c, _ := b.Attached(attempt, "c"); c != nil {
			t.Errorf("the runner was told %v", c)
		}
	})
}

func TestOutbox_Cancel_WhatNeverWas(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.Outbox.Cancel(attempt, "enough")
		pass(time.Minute)
		if b.Live() != 1 {
			t.Error("forgotten before its Job could show")
		}
		pass(10 * time.Minute)
		if b.Live() != 0 {
			t.Error("remembered for ever")
		}
	})
}

func TestOutbox_StopsUntilThePodIsStopped(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.set(func() { b.noStop = errors.New("the API server is away") })
		u := seen(errored, "ImagePull", pod(work.Container{Name: "c"}))
		u.Stop = true
		b.Update(u)
		pass(time.Minute + time.Second)
		if n := len(b.stopped()); n != 3 {
			t.Errorf("tried %d times within a minute", n)
		}
		b.set(func() { b.noStop = nil })
		pass(time.Hour)
		if n := len(b.stopped()); n != 4 {
			t.Errorf("tried %d times, the last of which did it", n)
		}
	})
}
