package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seatrial/seatrial/agent/runner/redact"
	"github.com/seatrial/seatrial/agent/runner/spool"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// maxParams is how many bytes the values for the params of all calls of a step may have: they travel in a state.
const maxParams = 64 << 10

// call has the control plane execute other workflows, waits for the word that says how they ended, and fills in how the step did.
func (e *engine) call(ctx context.Context, s *runnerv1.Step, before *course, sp *spool.Spool, end *runnerv1.StepState) {
	calls, err := e.calls(s, before)
	if err != nil {
		end.Status, end.Reason = errored, err.Error()
		e.say(sp, "seatrial: "+end.GetReason())
		return
	}
	var titles []string
	for _, c := range s.GetExecute().GetCalls() {
		titles = append(titles, c.GetTitle())
	}
	e.say(sp, "seatrial: executes "+strings.Join(titles, ", "))
	if err := e.record(&runnerv1.StepState{
		Index: s.GetIndex(), Name: s.GetName(), Status: running, StartedAt: end.GetStartedAt(), Calls: calls,
	}); err != nil {
		e.Log.Error("the calls of a step could not be recorded", "step", s.GetName(), "error", err)
	}
	e.untilAnswered(ctx, s, before.late(s), end)
	e.say(sp, "seatrial: "+end.GetReason())
}

// calls resolves what each call of a step gives to its workflow.
func (e *engine) calls(s *runnerv1.Step, before *course) ([]*runnerv1.CallParams, error) {
	pod, _, err := e.knowing(s, before)
	if err != nil {
		return nil, err
	}
	secret, err := e.secretOutputs()
	if err != nil {
		return nil, err
	}
	size := 0
	out := make([]*runnerv1.CallParams, 0, len(s.GetExecute().GetCalls()))
	for _, c := range s.GetExecute().GetCalls() {
		one := &runnerv1.CallParams{Params: map[string]string{}}
		for name, text := range c.GetParams() {
			value, err := pod.Expand(text)
			if err == nil {
				err = e.passable(value, secret)
			}
			if err != nil {
				return nil, fmt.Errorf("the value for params.%s of %s: %w", name, c.GetTitle(), err)
			}
			one.Params[name] = value
			size += len(name) + len(value)
		}
		out = append(out, one)
	}
	if size > maxParams {
		return nil, fmt.Errorf("the values for the params have %d KiB together, and at most %d KiB are passed on", size>>10, maxParams>>10)
	}
	return out, nil
}

// passable says why a value cannot be given to another workflow.
func (e *engine) passable(value string, secret []string) error {
	switch {
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return errors.New("it is not text: pass on a file as an artifact, or its digest")
	case redact.New(e.patterns).String(value) != value,
		slices.ContainsFunc(secret, func(s string) bool { return strings.Contains(value, s) }):
		return errors.New("it holds a secret, which must not leave the cluster: let that workflow refer to the secret itself")
	}
	return nil
}

// secretOutputs returns the values that steps of any container have given and that hold a secret of theirs.
func (e *engine) secretOutputs() ([]string, error) {
	var secret []string
	for _, s := range e.Plan.GetSteps() {
		given, err := e.dir.Outputs(int(s.GetIndex()))
		if err != nil {
			return nil, err //nolint:wrapcheck // says what it is
		}
		for _, name := range given.GetSecret() {
			secret = append(secret, given.GetValues()[name])
		}
	}
	return secret, nil
}

// untilAnswered waits for the word of the control plane, for a cancellation, or for the end of the step's time.
func (e *engine) untilAnswered(ctx context.Context, s *runnerv1.Step, late bool, end *runnerv1.StepState) {
	timed, stop := e.bounds(ctx, s, late)
	defer stop()
	var word *runnerv1.Resume
	err := e.watch.Wait(timed, func() (over bool, err error) {
		word, err = e.dir.Resumed(int(s.GetIndex()))
		return word != nil, err //nolint:wrapcheck // says what it is
	})
	var h *halt
	switch {
	case word != nil:
		end.Status, end.Reason = answer(word)
	case errors.As(context.Cause(timed), &h):
		end.Status, end.Reason = h.status, h.reason
	case ctx.Err() != nil:
		end.Status, end.Reason = cancelled, "the runner was stopped"
	default:
		end.Status, end.Reason = errored, fmt.Sprintf("the runner could not go on: %v", err)
	}
	bad := end.GetStatus() == failed || end.GetStatus() == timedOut && !orderedFor(timed)
	end.Allowed = bad && s.GetContinueOnError()
}

// answer is how a step ends that was given the word. Only a word that says so is a pass: a replica or an agent of an earlier version
// would leave the status out.
func answer(word *runnerv1.Resume) (runnerv1.StepStatus, string) {
	switch word.GetStatus() {
	case passed, failed, errored:
		return word.GetStatus(), word.GetReason()
	default:
		return errored, "it is not known how the executions ended, because a part of the system is of an earlier version: " + word.GetReason()
	}
}
