package outbox

import (
	"context"
	"time"

	"github.com/seatrial/seatrial/agent/jobspec"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// What a cancelled pod gets on top of its own grace before it is stopped although its runner was told.
const forceSlack = 30 * time.Second

// A pod that could not be stopped uses up the cluster until its deadline, which not every one has.
const stopAgain = 30 * time.Second

// Cancel passes a cancellation on: to the runner when one is attached, else to the pod. An attempt that is unknown yet is
// cancelled as soon as its Job shows.
func (o *Outbox) Cancel(attemptID, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.record(attemptID)
	if r.cancelled != "" || ended(r.report) {
		return
	}
	if reason == "" {
		reason = "cancelled"
	}
	r.cancelled = reason
	o.later(func(context.Context) { o.cancelNow(r) })
}

func (o *Outbox) cancelNow(r *record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !ended(r.report) && r.version > 0 { // else Update comes back to it
		o.tellRunner(r)
	}
}

// tellRunner cancels an attempt whose Job exists; the caller holds the lock.
func (o *Outbox) tellRunner(r *record) {
	id, reason := r.report.GetAttemptId(), r.cancelled
	switch {
	case o.runners != nil && o.runners.Cancel(id, reason, o.o.CancelGrace):
		o.allow(r)
	case r.pod == nil || !started(r):
		o.force(r)
		return
	default:
		r.forceAt = time.Now().Add(o.o.AttachWait)
	}
	o.later(nil)
}

// allow gives a runner that was told its time; the caller holds the lock.
func (o *Outbox) allow(r *record) {
	grace := o.o.CancelGrace
	if r.pod != nil {
		grace = max(grace, r.pod.Grace)
	}
	r.forceAt = time.Now().Add(grace + forceSlack)
	o.later(nil)
}

// force ends a cancelled attempt without its runner; the caller holds the lock.
func (o *Outbox) force(r *record) {
	r.forceAt = time.Time{}
	if ended(r.report) {
		return
	}
	mergeConclusion(r.report, agentv1.AttemptStatus_ATTEMPT_STATUS_CANCELLED, "Cancelled", r.cancelled)
	o.stop(r)
	o.concluded(r)
}

// stop ends the pods of an attempt that has a result; the caller holds the lock.
func (o *Outbox) stop(r *record) {
	if r.stopping {
		return
	}
	r.stopping = true
	id := r.report.GetAttemptId()
	why := jobspec.Stopped{Status: int32(r.report.GetStatus()), Reason: r.report.GetReason(), Message: r.report.GetMessage()}
	o.later(func(ctx context.Context) {
		err := o.o.Stopper.Stop(ctx, id, why)
		if err == nil || ctx.Err() != nil {
			return
		}
		o.o.Log.WarnContext(ctx, "pods not stopped, trying again", "attempt", id, "error", err, "in", stopAgain.String())
		o.mu.Lock()
		defer o.mu.Unlock()
		r.stopping, r.stopAt = false, time.Now().Add(stopAgain)
		o.later(nil)
	})
}

func started(r *record) bool {
	for _, c := range r.pod.Containers {
		if c.Started {
			return true
		}
	}
	return false
}
