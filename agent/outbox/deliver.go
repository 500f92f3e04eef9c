package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/agent/work"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// settle decides whether everything of a concluded attempt is delivered; the caller holds the lock.
func (o *Outbox) settle(r *record) {
	if !ended(r.report) || r.report.GetDelivered() {
		return
	}
	o.follow(r)
	switch {
	case follows(r), r.observing > 0: // comes back when it is done; the allowance bounds that
	case r.podGone, r.pod == nil && (r.jobGone || r.stopping):
		o.giveUp(r, "")
	case r.pod == nil:
		// The Job has ended without a pod, or the informer is behind the runner.
		if !r.report.GetFromRunner() {
			o.giveUp(r, "")
		}
	case neverBegins(r):
		o.giveUp(r, "")
	case complete(r):
		o.complete(r)
	case r.pod.Ended && !r.tailing:
		r.tailing = true
		id, pod, steps := r.report.GetAttemptId(), *r.pod, cloneSteps(r.report.GetSteps())
		o.later(func(ctx context.Context) {
			notes, err := o.o.Tailer.Tail(ctx, id, pod, steps)
			if ctx.Err() != nil {
				return
			}
			o.tailed(r, notes, err)
		})
	}
}

func (o *Outbox) tailed(r *record, notes []string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.report.GetDelivered() {
		return
	}
	if err != nil {
		notes = append(notes, "The rest of the log could not be read from the cluster: "+err.Error())
	}
	r.report.Notes = append(r.report.Notes, notes...)
	o.complete(r)
}

// complete marks an attempt as delivered; the caller holds the lock.
func (o *Outbox) complete(r *record) {
	r.report.Delivered = true
	endServices(r.report)
	if !closed(r.over) {
		close(r.over) // nobody waits for logs of services any more
	}
	r.deliverBy = time.Time{}
	o.touch(r)
}

// giveUp marks an attempt as delivered and notes what is missing; the caller holds the lock.
func (o *Outbox) giveUp(r *record, note string) {
	if r.report.GetDelivered() {
		r.deliverBy = time.Time{}
		return
	}
	if note != "" {
		r.report.Notes = append(r.report.Notes, note)
	}
	if r.pod != nil {
		for _, c := range r.pod.Containers {
			if c.Started && !r.delivered[c.Name] {
				r.report.Notes = append(r.report.Notes, fmt.Sprintf("Container %s did not deliver all of its log and files.", c.Name))
			}
		}
	}
	o.complete(r)
}

// complete tells whether every container of the pod has said that it has nothing left.
func complete(r *record) bool {
	return !slices.ContainsFunc(r.pod.Containers, func(c work.Container) bool { return !r.delivered[c.Name] })
}

func cloneSteps(steps []*runnerv1.StepState) []*runnerv1.StepState {
	out := make([]*runnerv1.StepState, 0, len(steps))
	for _, s := range steps {
		out = append(out, proto.CloneOf(s))
	}
	return out
}
