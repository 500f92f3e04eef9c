package workfake

import (
	"context"
	"maps"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Attempts is a work.Attempts that remembers everything of one attempt.
type Attempts struct {
	mu        sync.Mutex
	cancel    *runnerv1.Cancel
	resumed   []*runnerv1.Resume
	attached  map[string]int
	steps     map[int32]*runnerv1.StepState
	history   []*runnerv1.StepState
	finished  []*runnerv1.Finished
	delivered map[string][]string
	fail      error
	changed   chan struct{}
}

// NewAttempts returns an empty record.
func NewAttempts() *Attempts {
	return &Attempts{
		attached: map[string]int{}, steps: map[int32]*runnerv1.StepState{}, delivered: map[string][]string{}, changed: make(chan struct{}),
	}
}

// Cancel has the cancellation passed on with the next attachment.
func (a *Attempts) Cancel(c *runnerv1.Cancel) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cancel = c
}

// Resume has the word passed on with the next attachment.
func (a *Attempts) Resume(r *runnerv1.Resume) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.resumed = append(a.resumed, r)
}

// Fail makes Finished and Delivered fail.
func (a *Attempts) Fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = err
}

// Step implements work.Attempts.
func (a *Attempts) Step(_, _ string, s *runnerv1.StepState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.steps[s.GetIndex()] = proto.CloneOf(s)
	a.history = append(a.history, proto.CloneOf(s))
	a.change()
}

// Attached implements work.Attempts.
func (a *Attempts) Attached(_, container string) (*runnerv1.Cancel, []*runnerv1.Resume) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.attached[container]++
	a.change()
	return a.cancel, slices.Clone(a.resumed)
}

// Detached implements work.Attempts.
func (a *Attempts) Detached(_, container string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.attached[container]--
	a.change()
}

// Finished implements work.Attempts.
func (a *Attempts) Finished(_ context.Context, _ string, f *runnerv1.Finished) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return a.fail
	}
	a.finished = append(a.finished, f)
	a.change()
	return nil
}

// Delivered implements work.Attempts.
func (a *Attempts) Delivered(_ context.Context, _, container string, notes []string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return a.fail
	}
	a.delivered[container] = append([]string{}, notes...)
	a.change()
	return nil
}

func (a *Attempts) change() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// View is what is known of the attempt.
type View struct {
	Attached  map[string]int // connections by container
	Steps     map[int32]*runnerv1.StepState
	History   []*runnerv1.StepState
	Finished  []*runnerv1.Finished // more than one when the answer was lost
	Delivered map[string][]string  // notes by container
}

// View returns a copy.
func (a *Attempts) View() View {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.view()
}

func (a *Attempts) view() View {
	return View{
		Attached: maps.Clone(a.attached), Steps: maps.Clone(a.steps), History: slices.Clone(a.history),
		Finished: slices.Clone(a.finished), Delivered: maps.Clone(a.delivered),
	}
}

// Wait returns when cond is true, which it asks after every change.
func (a *Attempts) Wait(ctx context.Context, cond func(View) bool) error {
	for {
		a.mu.Lock()
		v, changed := a.view(), a.changed
		a.mu.Unlock()
		if cond(v) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
