package outbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// told is what a report says of the subject: the image that was seen, the message, or "" for nothing at all.
func told(s *agentv1.Subject) string {
	if len(s.GetImages()) > 0 {
		return s.GetImages()[0].GetImage()
	}
	return s.GetMessage()
}

func TestOutbox_ObservesWhatIsUnderTestAtStartAndEnd(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.Update(seen(pending, "", pod()))
		if r := b.last(t); r.GetSubjectStart() != nil || len(b.observed) != 0 {
			t.Errorf("reported %v: nothing runs yet", r)
		}
		b.Update(seen(running, "", pod(alive("c"))))
		b.Step(attempt, "c", step(0, runnerv1.StepStatus_STEP_STATUS_RUNNING))
		if r := b.last(t); told(r.GetSubjectStart()) != "shop:1" || r.GetSubjectEnd() != nil {
			t.Errorf("reported %v", r)
		}
		pass(time.Hour)
		finish(t, b, runnerv1.StepStatus_STEP_STATUS_PASSED)
		deliver(t, b, "c")
		b.Update(seen(running, "", over(dead(t, "c", nil))))
		r := b.last(t)
		if told(r.GetSubjectStart()) != "shop:1" || told(r.GetSubjectEnd()) != "shop:2" || !r.GetDelivered() {
			t.Errorf("reported %v", r)
		}
		if len(b.observed) != 2 || b.observed[0] != "tests" {
			t.Errorf("looked at %q: once for each moment, in the run namespace of the pod", b.observed)
		}
	})
}

func TestOutbox_ARunnerThatIsQuickerThanTheInformer(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.Step(attempt, "c", step(0, runnerv1.StepStatus_STEP_STATUS_RUNNING))
		finish(t, b, runnerv1.StepStatus_STEP_STATUS_PASSED)
		if r := b.last(t); r.GetSubjectStart() != nil {
			t.Errorf("reported %v: its namespace is not known yet", r)
		}
		b.Update(seen(running, "", pod(alive("c"))))
		if r := b.last(t); told(r.GetSubjectStart()) == "" || told(r.GetSubjectEnd()) == "" {
			t.Errorf("reported %v: both moments are now", r)
		}
	})
}

func TestOutbox_WhatIsUnderTestBelongsToTheMoment(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(time.Now().Add(-d)) }
	for name, c := range map[string]struct {
		started, finished time.Duration
		start, end        string
		reason            string
	}{
		"AtOnce": {time.Second, 0, "shop:1", "shop:2", "the informer takes a moment"},
		"LongRunning": {
			time.Hour, 0, "The agent learned only 1h0m0s later that the attempt had started, so nobody knows which images ran then.", "shop:1",
			"an agent that starts anew has not seen the start",
		},
		"LongOver": {
			2 * time.Hour, time.Hour, "The agent learned only 2h0m0s later that the attempt had started, so nobody knows which images ran then.",
			"The agent learned only 1h0m0s later that the attempt had ended, so nobody knows which images ran then.", "the end neither",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *bench) {
				t.Helper()
				u := seen(errored, "OOMKilled", over(dead(t, "c", nil)))
				u.Report.StartedAt, u.Report.FinishedAt = ago(c.started), ago(c.finished)
				b.Update(u)
				r := b.last(t)
				got := map[string]bool{told(r.GetSubjectStart()): true, told(r.GetSubjectEnd()): true}
				if !got[c.start] || !got[c.end] || !r.GetDelivered() {
					t.Errorf("%s: start %q, end %q", c.reason, told(r.GetSubjectStart()), told(r.GetSubjectEnd()))
				}
			})
		})
	}
}

func TestOutbox_WhatNeverRanHasTestedNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		u := seen(errored, "ImagePull", pod(work.Container{Name: "c"}))
		u.Stop = true
		b.Update(u)
		if r := b.last(t); r.GetSubjectStart() != nil || r.GetSubjectEnd() != nil || !r.GetDelivered() {
			t.Errorf("reported %v", r)
		}
	})
}

func TestOutbox_TheResultDoesNotWaitForWhatIsUnderTest(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		look := make(chan struct{})
		b.set(func() { b.look = look })
		b.Update(seen(running, "", pod(alive("c"))))
		finish(t, b, runnerv1.StepStatus_STEP_STATUS_PASSED)
		deliver(t, b, "c")
		if r := b.last(t); r.GetStatus() != passed || r.GetDelivered() {
			t.Errorf("reported %v: what is delivered is released, and the snapshots are still to come", r)
		}
		close(look)
		synctest.Wait()
		if r := b.last(t); told(r.GetSubjectStart()) == "" || told(r.GetSubjectEnd()) == "" || !r.GetDelivered() {
			t.Errorf("reported %v", r)
		}
	})
}
