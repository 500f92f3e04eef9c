package outbox

import (
	"context"
	"slices"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Resume passes the word on that a step may go on which waits for a person or for other executions: to the runners that are attached now,
// and to each that attaches later. The first word about a step counts.
func (o *Outbox) Resume(attemptID string, word *runnerv1.Resume) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.record(attemptID)
	if ended(r.report) || slices.ContainsFunc(r.resumed, func(w *runnerv1.Resume) bool { return w.GetStepIndex() == word.GetStepIndex() }) {
		return
	}
	r.resumed = append(r.resumed, word)
	o.later(func(context.Context) {
		o.mu.Lock()
		runners := o.runners
		o.mu.Unlock()
		if runners != nil {
			runners.Resume(attemptID, word)
		}
	})
}
