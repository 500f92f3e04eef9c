package outbox

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// A snapshot of what is under test that comes later than this shows another moment than the one it is meant for. Within it lie the
// informers' delay, the whole seconds of the kubelet's times and clocks that differ a little.
const lateAfter = 30 * time.Second

// Observer says what is under test for attempts in a run namespace. It answers within seconds: where it cannot tell, the message says why.
type Observer interface {
	Observe(ctx context.Context, runNamespace string) *agentv1.Subject
}

// observe has what is under test recorded, once when the attempt is first seen running and once when it has its result; the caller holds
// the lock. What never ran has tested nothing. An agent that was started anew does not know whether the one before has recorded the start:
// it tries again, and the control plane keeps the first that was observed.
func (o *Outbox) observe(r *record) {
	if r.pod == nil || !r.startAsked && !ran(r.report) {
		return
	}
	if !r.startAsked {
		r.startAsked = true
		o.snapshot(r, "started", r.report.GetStartedAt(), func(s *agentv1.Subject) { r.report.SubjectStart = s })
	}
	if ended(r.report) && !r.endAsked {
		r.endAsked = true
		o.snapshot(r, "ended", r.report.GetFinishedAt(), func(s *agentv1.Subject) { r.report.SubjectEnd = s })
	}
}

// ran reports whether anything of the attempt has begun.
func ran(r *agentv1.AttemptReport) bool {
	return r.GetStartedAt() != nil || len(r.GetSteps()) > 0 || r.GetStatus() == agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING ||
		r.GetStatus() == agentv1.AttemptStatus_ATTEMPT_STATUS_PAUSED
}

// snapshot observes what is under test and keeps it for the moment at which something happened to the attempt, unless that is too long ago;
// the caller holds the lock.
func (o *Outbox) snapshot(r *record, what string, at *timestamppb.Timestamp, keep func(*agentv1.Subject)) {
	if at != nil {
		if behind := time.Since(at.AsTime()); behind > lateAfter {
			keep(&agentv1.Subject{Message: fmt.Sprintf("The agent learned only %s later that the attempt had %s, so nobody knows which images ran then.",
				behind.Round(time.Second), what)})
			o.touch(r)
			return
		}
	}
	r.observing++
	namespace := r.pod.Namespace
	o.later(func(ctx context.Context) {
		s := o.o.Observer.Observe(ctx, namespace)
		if ctx.Err() != nil {
			return // the next agent looks again
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		r.observing--
		keep(s)
		o.touch(r)
		o.settle(r)
		o.forget(r)
	})
}
