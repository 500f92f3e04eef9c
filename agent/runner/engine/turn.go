package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/runner/state"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	passed    = runnerv1.StepStatus_STEP_STATUS_PASSED
	failed    = runnerv1.StepStatus_STEP_STATUS_FAILED
	errored   = runnerv1.StepStatus_STEP_STATUS_ERRORED
	timedOut  = runnerv1.StepStatus_STEP_STATUS_TIMED_OUT
	cancelled = runnerv1.StepStatus_STEP_STATUS_CANCELLED
	skipped   = runnerv1.StepStatus_STEP_STATUS_SKIPPED
	running   = runnerv1.StepStatus_STEP_STATUS_RUNNING
	paused    = runnerv1.StepStatus_STEP_STATUS_PAUSED
)

// halt is why steps are ended from outside.
type halt struct {
	status runnerv1.StepStatus
	reason string
	grace  time.Duration
	// attempt tells the end of all steps from that of one.
	attempt bool
}

// Error returns the reason.
func (h *halt) Error() string { return h.reason }

// Grace is the time between SIGTERM and SIGKILL.
func (h *halt) Grace() time.Duration { return h.grace }

func (e *engine) cancelHalt(c *runnerv1.Cancel) *halt {
	h := &halt{status: cancelled, reason: "it was cancelled", grace: e.Plan.GetGrace().AsDuration(), attempt: true}
	if c.GetReason() != "" {
		h.reason = c.GetReason()
	}
	if g := c.GetGrace(); g != nil {
		h.grace = g.AsDuration()
	}
	return h
}

func (e *engine) timeHalt() *halt {
	return &halt{
		attempt: true, status: timedOut, grace: e.Plan.GetGrace().AsDuration(),
		reason: fmt.Sprintf("the time limit of %s for all steps was reached", e.Plan.GetTimeout().AsDuration()),
	}
}

// halted returns why no further step may start, nil when one may.
func (e *engine) halted() (*halt, error) {
	c, err := e.dir.Cancelled()
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}
	if c != nil {
		return e.cancelHalt(c), nil
	}
	if due := e.due(); !due.IsZero() && !time.Now().Before(due) {
		return e.timeHalt(), nil
	}
	return nil, nil //nolint:nilnil // nothing halts
}

// turn waits for a step's turn and claims it; it returns false when another engine has ended the step.
func (e *engine) turn(ctx context.Context, index int) (mine bool, err error) {
	err = e.await(ctx, func() (bool, error) {
		if s, err := e.dir.Step(index); err != nil || state.Terminal(s) {
			return err == nil, err //nolint:wrapcheck // says what it is
		}
		if ok, err := e.reached(index); err != nil || !ok {
			return false, err
		}
		mine, err = e.dir.Claim(index, e.Container)
		return mine, err //nolint:wrapcheck // says what it is
	})
	return mine, err
}

// await waits until cond is true. Meanwhile it ends steps whose turn it is when they cannot run any more and no engine has them: their
// containers may still be waiting for their images, or be gone.
func (e *engine) await(ctx context.Context, cond func() (bool, error)) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var acted time.Time // the end of the time that was acted on
	others := newVigils()
	defer others.end()
	for {
		changed := e.watch.Changed()
		var over <-chan time.Time
		due := e.due()
		if !due.IsZero() && !due.Equal(acted) {
			timer.Reset(time.Until(due))
			over = timer.C
		}
		if ok, err := cond(); ok || err != nil {
			return err
		}
		if did, err := e.intervene(others); err != nil {
			return err
		} else if did {
			continue
		}
		select {
		case <-changed:
		case <-others.bell:
		case <-over:
			acted = due
		case <-e.watch.Done():
			return fmt.Errorf("wait for a turn: %w", e.watch.Err())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// intervene ends a step whose turn it is when nobody else will.
func (e *engine) intervene(others *vigils) (acted bool, err error) {
	if acted, err := e.spare(); acted || err != nil {
		return acted, err
	}
	return e.attend(others)
}

// ended is the state of a step that was never run.
func ended(s *runnerv1.Step, status runnerv1.StepStatus, reason string) *runnerv1.StepState {
	return &runnerv1.StepState{
		Index: s.GetIndex(), Name: s.GetName(), Status: status, Reason: reason, FinishedAt: timestamppb.Now(),
		Log: &runnerv1.LogTotals{},
	}
}

// maxReason is how many bytes the reason of a step has at most: a state with a longer one is refused, and would come again for ever.
const maxReason = 4000

// conclude records the end of a claimed step, and once all have ended that of the attempt. Its reason may quote what foreign code has
// written.
func (e *engine) conclude(s *runnerv1.StepState) error {
	s.Reason = strings.ToValidUTF8(e.hide.current().String(s.GetReason()), "\uFFFD")
	if len(s.GetReason()) > maxReason {
		s.Reason = strings.ToValidUTF8(s.GetReason()[:maxReason], "") + "…"
	}
	if err := e.record(s); err != nil {
		return err
	}
	// Of the last ones that run at the same time more than one may find that all is over: finish settles it.
	if over, err := e.over(); err != nil || !over {
		return err
	}
	return e.finish()
}

func (e *engine) record(s *runnerv1.StepState) error {
	if state.Terminal(s) && s.GetLog() != nil { // the log of a buried step is not this container's
		e.ended = append(e.ended, s)
	}
	e.ship.Step(s)
	return e.dir.SetStep(s) //nolint:wrapcheck // says what it is
}

// finish reports the attempt's result.
func (e *engine) finish() error {
	c, err := e.courseBefore(len(e.Plan.GetSteps()))
	if err != nil {
		return err
	}
	f := &runnerv1.Finished{FinishedAt: timestamppb.Now()}
	f.Status, f.Reason = c.result()
	won, err := e.dir.Finish(f)
	if err != nil || !won {
		return err //nolint:wrapcheck // says what it is
	}
	// The other containers report their own steps over connections of their own, which may be slower than this one.
	for _, s := range e.Plan.GetSteps() {
		now, err := e.dir.Step(int(s.GetIndex()))
		if err != nil {
			return err //nolint:wrapcheck // says what it is
		}
		if now != nil {
			e.ship.Step(now)
		}
	}
	e.ship.Finish(f)
	return nil
}

// word returns a status as it is written everywhere else.
func word(s runnerv1.StepStatus) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "STEP_STATUS_"))
}

func millis(t *timestamppb.Timestamp) int64 {
	if t == nil {
		return 0
	}
	return t.AsTime().UnixMilli()
}
