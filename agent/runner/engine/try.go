package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seatrial/seatrial/agent/runner/spool"
	"github.com/seatrial/seatrial/agent/runner/step"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	// lateTimeout bounds a step without a time limit that starts after the attempt was to end. The allowance of the plan counts on it.
	lateTimeout = 5 * time.Minute
	// maxDelay is the longest pause between two tries.
	maxDelay = time.Hour
)

// execute runs the command of a step, again when it may be retried, and fills in how it ended.
func (e *engine) execute(ctx context.Context, s *runnerv1.Step, before *course, sp *spool.Spool, end *runnerv1.StepState) {
	last := max(1, s.GetRetry().GetAttempts())
	for try := int32(1); ; try++ {
		if last > 1 {
			end.Tries = try
		}
		out, err := newOutput(sp, e.mirror, e.hide)
		if err != nil {
			end.Status, end.Reason = errored, "the output of the step cannot be read: "+err.Error()
			return
		}
		e.try(ctx, s, before, out, end)
		out.wait()
		if try == last || !end.GetAllowed() { // what no workflow may allow, no further try can mend
			break
		}
		pause := delay(s.GetRetry(), try)
		e.say(sp, fmt.Sprintf("seatrial: try %d of %d did not end as expected (%s); the next one starts in %s", try, last, end.GetReason(), pause))
		if h := e.rest(ctx, pause, before.late(s)); h != nil {
			end.Status, end.Reason, end.Allowed = h.status, h.reason, false
			break
		}
	}
	end.Allowed = end.GetAllowed() && s.GetContinueOnError()
	switch {
	case end.GetAllowed():
		end.Reason += "; the workflow goes on in spite of it (continueOnError)"
	case end.GetStatus() == passed && end.GetTries() > 1:
		end.Reason = fmt.Sprintf("passed at try %d of %d", end.GetTries(), last)
	}
}

// delay is the pause after a try, counted from 1.
func delay(r *runnerv1.Retry, try int32) time.Duration {
	d := r.GetDelay().AsDuration().Seconds() * math.Pow(max(r.GetBackoff(), 1), float64(try-1))
	return time.Duration(min(d, maxDelay.Seconds()) * float64(time.Second)).Round(time.Millisecond)
}

// late reports whether a step runs although the attempt was to end: nothing ends it but its own limit.
func (c *course) late(s *runnerv1.Step) bool { return c.halt != nil || s.GetTeardown() }

// rest waits before the next try. It returns why there is none when the attempt is to end meanwhile, unless that is no matter for a
// step that is late.
func (e *engine) rest(ctx context.Context, d time.Duration, late bool) *halt {
	due := e.due()
	if !late && !due.IsZero() {
		d = min(d, time.Until(due))
	}
	timed, stop := context.WithTimeout(ctx, d)
	defer stop()
	var h *halt
	err := e.watch.Wait(timed, func() (over bool, err error) {
		if !late {
			h, err = e.halted()
		}
		return h != nil, err
	})
	switch {
	case ctx.Err() != nil:
		return &halt{status: cancelled, reason: "the runner was stopped"}
	case err != nil && !errors.Is(err, context.DeadlineExceeded):
		return &halt{status: errored, reason: "the runner could not go on: " + err.Error()}
	case h == nil && !late && !due.IsZero() && !time.Now().Before(due):
		return e.timeHalt()
	}
	return h
}

// try runs the command of a step once. It sets Allowed when the end is one that a workflow may allow.
func (e *engine) try(ctx context.Context, s *runnerv1.Step, before *course, out *output, end *runnerv1.StepState) {
	end.ExitCode, end.Allowed = nil, false
	ctx, stop := e.bounds(ctx, s, before.late(s))
	defer stop()
	cmd, err := e.prepare(ctx, s, before, end.GetTries())
	if err != nil {
		e.failToStart(out, end, err.Error())
		var h *halt
		if errors.As(err, &h) {
			end.Status, end.Reason = h.status, h.reason
		}
		return
	}
	cmd.Output = out.write
	exit, err := step.Run(ctx, cmd, out.started)
	if err != nil {
		e.failToStart(out, end, step.Explain(cmd, err))
		return
	}
	if fetched := step.IsSource(s) && exit.Code == 0; fetched {
		if err := e.writeSources(); err != nil {
			e.failToStart(out, end, err.Error())
			return
		}
	}
	if exit.Code != step.Unknown {
		code := int32(exit.Code) //nolint:gosec // G115: below 256
		end.ExitCode = &code
	}
	end.Status, end.Reason = judge(ctx, exit, s.GetExpect())
	end.Allowed = end.GetStatus() == failed || end.GetStatus() == timedOut && !orderedFor(ctx)
}

// failToStart says in the log, too, why a step did not start: that is where people look.
func (e *engine) failToStart(out *output, end *runnerv1.StepState, reason string) {
	end.Status, end.Reason = errored, reason
	out.wait()
	e.say(out.spool, "seatrial: "+reason)
}

// filesFirst has the files of the plan in the workspace before a step that may read them. They go over those of a repository, so the step
// that fetches one writes them itself.
func (e *engine) filesFirst(ctx context.Context, s *runnerv1.Step) error {
	if step.IsSource(e.Plan.GetSteps()[0]) {
		return nil
	}
	return e.sources(ctx, e.begin(int(s.GetIndex())) == 0)
}

// prepare makes the command of a try, counted from 1; of a step that has only one it is 0.
func (e *engine) prepare(ctx context.Context, s *runnerv1.Step, before *course, try int32) (step.Command, error) {
	if try <= 1 {
		if err := e.filesFirst(ctx, s); err != nil {
			return step.Command{}, err
		}
	}
	pod, env, err := e.knowing(s, before)
	if err != nil {
		return step.Command{}, err
	}
	if try > 0 {
		env.Set("SEATRIAL_TRY", strconv.Itoa(int(try)))
	}
	if err := errors.Join(e.clearOutputs(s), e.shard(s, env)); err != nil {
		return step.Command{}, err
	}
	return step.Prepare(s, env, pod.Expand, e.places()) //nolint:wrapcheck // a sentence for people
}

func (e *engine) places() step.Places {
	return step.Places{Workspace: e.Workspace, Scripts: filepath.Join(e.Shared, "scripts"), Binaries: e.Binaries}
}

// bounds returns the context of a step: it ends by the step's limit, by that of all steps, or by a cancellation. One that is late
// has only its own limit.
func (e *engine) bounds(ctx context.Context, s *runnerv1.Step, late bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	limits := ctx
	stops := []context.CancelFunc{}
	limit := s.GetTimeout().AsDuration()
	if late && limit == 0 {
		limit = lateTimeout
	}
	if due := e.due(); !due.IsZero() && !late {
		var stop context.CancelFunc
		limits, stop = context.WithDeadlineCause(limits, due, e.timeHalt())
		stops = append(stops, stop)
	}
	if limit > 0 {
		var stop context.CancelFunc
		limits, stop = context.WithTimeoutCause(limits, limit, &halt{
			status: timedOut, grace: e.Plan.GetGrace().AsDuration(), reason: fmt.Sprintf("the step's time limit of %s was reached", limit),
		})
		stops = append(stops, stop)
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		if late {
			return
		}
		_ = e.watch.Wait(limits, func() (bool, error) { // its error is that the step has ended
			c, err := e.dir.Cancelled()
			if c != nil {
				cancel(e.cancelHalt(c))
			}
			return c != nil, err
		})
	}()
	return limits, func() {
		cancel(nil)
		for _, stop := range stops {
			stop()
		}
		<-heard
	}
}

// orderedFor reports whether the whole attempt was to end, not only the step.
func orderedFor(ctx context.Context) bool {
	var h *halt
	return errors.As(context.Cause(ctx), &h) && h.attempt
}

// judge turns the end of a process into that of a step. A process that ended before it was stopped keeps its own result.
func judge(ctx context.Context, exit step.Exit, expect *runnerv1.Expect) (runnerv1.StepStatus, string) {
	var h *halt
	switch {
	case exit.Stopped && errors.As(context.Cause(ctx), &h):
		return h.status, h.reason
	case exit.Stopped:
		return cancelled, "the runner was stopped"
	case exit.Code == step.Unknown:
		return errored, "the end of the command was not seen, so nothing proves its result"
	case exit.OOM && exit.Code == 128+int(syscall.SIGKILL):
		return errored, "OOMKilled: the step needed more memory than its container may use; raise resources.limits.memory"
	case expected(expect, exit.Code):
		return passed, ""
	}
	return failed, failure(exit, expect)
}

// expected reports whether an exit code is one for which a step passes.
func expected(e *runnerv1.Expect, code int) bool {
	switch {
	case len(e.GetExitCodes()) > 0:
		return slices.Contains(e.GetExitCodes(), int32(code)) //nolint:gosec // G115: below 256
	case e.GetAny():
		return true
	case e.GetFailure():
		return code != 0
	}
	return code == 0
}

// failure says how a command has ended that should have ended otherwise.
func failure(exit step.Exit, expect *runnerv1.Expect) string {
	text := fmt.Sprintf("exit code %d", exit.Code)
	switch {
	case exit.Signal != 0:
		text = fmt.Sprintf("killed by %s, exit code %d", unix.SignalName(exit.Signal), exit.Code)
	case exit.OOM:
		text += "; a process of the step was killed for memory (OOMKilled)"
	case exit.Code == 127:
		text += ": the shell did not find a command"
	}
	switch {
	case len(expect.GetExitCodes()) > 0:
		text += fmt.Sprintf("; the workflow expects %v", expect.GetExitCodes())
	case expect.GetFailure():
		text += "; the workflow expects a failure"
	}
	return text
}

var _ step.Stop = (*halt)(nil)
