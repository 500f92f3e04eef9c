package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/runner/redact"
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
	if !e.deadline.IsZero() && !time.Now().Before(e.deadline) {
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
		if index > 0 {
			before, err := e.dir.Step(index - 1)
			if err != nil || !state.Terminal(before) {
				return false, err //nolint:wrapcheck // says what it is
			}
		}
		mine, err = e.dir.Claim(index, e.Container)
		return mine, err //nolint:wrapcheck // says what it is
	})
	return mine, err
}

// await waits until cond is true. Meanwhile it ends the step whose turn it is when that cannot run any more and no engine has it: its
// container may still be waiting for its image, or be gone.
func (e *engine) await(ctx context.Context, cond func() (bool, error)) error {
	var due <-chan time.Time
	if !e.deadline.IsZero() {
		timer := time.NewTimer(time.Until(e.deadline))
		defer timer.Stop()
		due = timer.C
	}
	var other vigil
	defer other.end()
	for {
		changed := e.watch.Changed()
		if ok, err := cond(); ok || err != nil {
			return err
		}
		if acted, err := e.intervene(&other); err != nil {
			return err
		} else if acted {
			continue
		}
		select {
		case <-changed:
		case <-other.gone():
		case <-due:
			due = nil
		case <-e.watch.Done():
			return fmt.Errorf("wait for a turn: %w", e.watch.Err())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// intervene ends the step whose turn it is when nobody else will.
func (e *engine) intervene(other *vigil) (acted bool, err error) {
	if acted, err := e.spare(); acted || err != nil {
		return acted, err
	}
	return e.attend(other)
}

// current returns the step whose turn it is and how it stands, nil when all have ended.
func (e *engine) current() (*runnerv1.Step, *runnerv1.StepState, error) {
	for _, s := range e.Plan.GetSteps() {
		now, err := e.dir.Step(int(s.GetIndex()))
		if err != nil {
			return nil, nil, err //nolint:wrapcheck // says what it is
		}
		if !state.Terminal(now) {
			return s, now, nil
		}
	}
	return nil, nil, nil
}

// ended is the state of a step that was never run.
func ended(s *runnerv1.Step, status runnerv1.StepStatus, reason string) *runnerv1.StepState {
	return &runnerv1.StepState{
		Index: s.GetIndex(), Name: s.GetName(), Status: status, Reason: reason, FinishedAt: timestamppb.Now(),
		Log: &runnerv1.LogTotals{},
	}
}

// conclude records the end of a claimed step, and after the last one that of the attempt. Its reason may quote what foreign code has
// written.
func (e *engine) conclude(s *runnerv1.StepState) error {
	s.Reason = strings.ToValidUTF8(redact.New(e.patterns).String(s.GetReason()), "\uFFFD")
	if err := e.record(s); err != nil {
		return err
	}
	if int(s.GetIndex()) < len(e.Plan.GetSteps())-1 {
		return nil
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
