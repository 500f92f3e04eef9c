package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seatrial/seatrial/agent/runner/spool"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// maxParams is how many bytes the values for the params of all calls of a step may have: they travel in a state.
const maxParams = 64 << 10

// call has the control plane execute other workflows, waits for the word that says how they ended, and fills in how the step did.
func (e *engine) call(ctx context.Context, s *runnerv1.Step, before *course, sp *spool.Spool, end *runnerv1.StepState) {
	calls, err := e.calls(ctx, s, before)
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
func (e *engine) calls(ctx context.Context, s *runnerv1.Step, before *course) ([]*runnerv1.CallParams, error) {
	if err := e.filesFirst(ctx, s); err != nil {
		return nil, err
	}
	pod, _, err := e.knowing(s, before)
	if err != nil {
		return nil, err
	}
	masked, err := e.masked(s, before)
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
				err = e.passable(value, func() (string, error) { return masked.Expand(text) })
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

// passable says why a value cannot be given to another workflow. It holds a secret when it looks like one of this container, or when it
// would be another one if every secret that it may be made of were another: what an expression made of them is not known.
func (e *engine) passable(value string, without func() (string, error)) error {
	if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return errors.New("it is not text: pass on a file as an artifact, or its digest")
	}
	other, err := without()
	if err != nil || other != value || e.hide.current().String(value) != value {
		return errors.New("it holds a secret, which must not leave the cluster: let that workflow refer to the secret itself")
	}
	return nil
}

// masked is what expressions know, with something else in place of each secret: of the step's own variables, of outputs that hold one,
// and of files, when another container has secrets that it may have written.
func (e *engine) masked(s *runnerv1.Step, before *course) (*expr.Pod, error) {
	pod, _, err := e.knowingIn(scrambled(e.Environ, s.GetEnv()), s, before)
	if err != nil {
		return nil, err
	}
	if pod.Steps, err = e.maskedSteps(pod.Steps); err != nil {
		return nil, err
	}
	for _, other := range e.Plan.GetSteps() {
		if other.GetContainer() != e.Container && slices.ContainsFunc(other.GetEnv(), (*runnerv1.EnvVar).GetSecret) {
			pod.Files = nil
		}
	}
	return pod, nil
}

// scrambled gives other values to the variables from which a step takes its secrets.
func scrambled(environ []string, vars []*runnerv1.EnvVar) []string {
	out := slices.Clone(environ)
	for i, kv := range out {
		name, _, _ := strings.Cut(kv, "=")
		if slices.ContainsFunc(vars, func(v *runnerv1.EnvVar) bool { return v.GetSecret() && v.GetFrom() == name }) {
			out[i] = name + "=" + rand.Text()
		}
	}
	return out
}

// maskedSteps returns the steps with something else in place of each output that holds a secret.
func (e *engine) maskedSteps(steps map[string]expr.Step) (map[string]expr.Step, error) {
	out := maps.Clone(steps)
	for _, s := range e.Plan.GetSteps() {
		given, err := e.dir.Outputs(int(s.GetIndex()))
		if err != nil {
			return nil, err //nolint:wrapcheck // says what it is
		}
		how, known := out[s.GetName()]
		if len(given.GetSecret()) == 0 || !known {
			continue
		}
		how.Outputs = maps.Clone(how.Outputs)
		for _, name := range given.GetSecret() {
			how.Outputs[name] = rand.Text()
		}
		out[s.GetName()] = how
	}
	return out, nil
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
