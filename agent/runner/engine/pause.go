package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/agent/runner/spool"
	"github.com/seatrial/seatrial/agent/runner/state"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// maxQuestion is how many bytes a person is asked at most.
const maxQuestion = 4000

// pause waits until a person resumes the attempt, and fills in how the step ended.
func (e *engine) pause(ctx context.Context, s *runnerv1.Step, before *course, sp *spool.Spool, end *runnerv1.StepState) {
	message, err := e.question(ctx, s, before)
	if err != nil {
		end.Status, end.Reason = errored, err.Error()
		e.say(sp, "seatrial: "+end.GetReason())
		return
	}
	limit := s.GetPause().GetTimeout().AsDuration()
	e.say(sp, fmt.Sprintf("seatrial: paused for at most %s: %s", limit, message))
	if err := e.record(&runnerv1.StepState{
		Index: s.GetIndex(), Name: s.GetName(), Status: paused, StartedAt: end.GetStartedAt(), Reason: message,
	}); err != nil {
		e.Log.Error("the pause of a step could not be recorded", "step", s.GetName(), "error", err)
	}
	e.untilResumed(ctx, s, limit, end)
	e.say(sp, "seatrial: "+end.GetReason())
}

// question is what the person is asked.
func (e *engine) question(ctx context.Context, s *runnerv1.Step, before *course) (string, error) {
	if err := e.filesFirst(ctx, s); err != nil {
		return "", err
	}
	pod, _, err := e.knowing(s, before)
	if err != nil {
		return "", err
	}
	text, err := pod.Expand(s.GetPause().GetMessage())
	if err != nil {
		return "", fmt.Errorf("the message of the pause cannot be resolved: %w", err)
	}
	if text == "" {
		text = "the workflow waits for somebody to resume it"
	}
	// It may quote a file of any size and content, and a state that cannot be sent would be a pause that nobody learns of.
	text = strings.ToValidUTF8(e.hide.current().String(text), "\uFFFD")
	if len(text) > maxQuestion {
		text = strings.ToValidUTF8(text[:maxQuestion], "") + "…"
	}
	return text, nil
}

// untilResumed waits for a person, a cancellation, or the end of the step's time.
func (e *engine) untilResumed(ctx context.Context, s *runnerv1.Step, limit time.Duration, end *runnerv1.StepState) {
	timed, stop := context.WithTimeout(ctx, limit)
	defer stop()
	var word *runnerv1.Resume
	var h *halt
	err := e.watch.Wait(timed, func() (bool, error) {
		var err error
		if word, err = e.dir.Resumed(int(s.GetIndex())); word != nil || err != nil {
			return word != nil, err //nolint:wrapcheck // says what it is
		}
		h, err = e.halted()
		return h != nil, err
	})
	switch {
	case word != nil:
		end.Status, end.Reason = passed, word.GetReason()
	case h != nil:
		end.Status, end.Reason = h.status, h.reason
	case ctx.Err() != nil:
		end.Status, end.Reason = cancelled, "the runner was stopped"
	case errors.Is(err, context.DeadlineExceeded):
		end.Status, end.Allowed = timedOut, s.GetContinueOnError()
		end.Reason = fmt.Sprintf("nobody resumed it within %s; raise pause.timeout when people need longer", limit)
	default:
		end.Status, end.Reason = errored, "the runner could not go on: "+err.Error()
	}
}

// say adds a line of the runner's own to a log.
func (e *engine) say(sp *spool.Spool, text string) {
	p := []byte(e.hide.current().String(text + "\n"))
	sp.Write(p)
	e.mirror.Offer(p)
}

// due is when the time of all steps is over: never when they have no limit, or while one of them waits for a person. The time of a
// pause does not count.
func (e *engine) due() time.Time {
	due := e.deadline
	if due.IsZero() {
		return due
	}
	for _, s := range e.Plan.GetSteps() {
		if s.GetPause() == nil {
			continue
		}
		now, err := e.dir.Step(int(s.GetIndex()))
		switch {
		case err != nil:
			return e.deadline // whoever reads it next reports the fault
		case now.GetStatus() == paused:
			return time.Time{}
		case state.Terminal(now) && now.GetStartedAt() != nil:
			due = due.Add(now.GetFinishedAt().AsTime().Sub(now.GetStartedAt().AsTime()))
		}
	}
	return due
}
