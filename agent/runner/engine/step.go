package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/runner/redact"
	"github.com/seatrial/seatrial/agent/runner/ship"
	"github.com/seatrial/seatrial/agent/runner/spool"
	"github.com/seatrial/seatrial/agent/runner/step"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// runStep runs a claimed step and returns its end. Its files are copied before anybody can learn that it has ended.
func (e *engine) runStep(ctx context.Context, s *runnerv1.Step) *runnerv1.StepState {
	now := &runnerv1.StepState{Index: s.GetIndex(), Name: s.GetName(), Status: running, StartedAt: timestamppb.Now()}
	if err := e.record(now); err != nil {
		e.Log.Error("the start of a step could not be recorded", "step", s.GetName(), "error", err)
	}
	end := &runnerv1.StepState{Index: s.GetIndex(), Name: s.GetName(), StartedAt: now.GetStartedAt()}
	out, err := e.output(s)
	if err != nil {
		end.Status, end.Reason = errored, "the log of the step cannot be kept: "+err.Error()
	} else {
		e.execute(ctx, s, out, end)
		totals := out.spool.Seal()
		end.Log = ship.Totals(totals)
		if fault := out.spool.Fault(); fault != "" {
			e.ship.Note(fmt.Sprintf("step %q: %s (%d bytes)", s.GetName(), fault, totals.GapBytes))
		}
	}
	files, notes := e.gatherer.Gather(s)
	e.ship.Note(notes...)
	e.ship.Files(files)
	end.Reason = strings.ToValidUTF8(redact.New(e.patterns).String(end.GetReason()), "\uFFFD")
	end.FinishedAt = timestamppb.Now()
	return end
}

func (e *engine) output(s *runnerv1.Step) (*output, error) {
	opts := e.Spool
	opts.Notify = e.ship.Wake
	sp, err := spool.Create(filepath.Join(e.Shared, "spool", fmt.Sprintf("step-%d.log", s.GetIndex())), opts)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}
	e.spools = append(e.spools, sp)
	e.ship.Stream("step/"+strconv.Itoa(int(s.GetIndex())), sp)
	return newOutput(sp, e.mirror, redact.New(e.patterns))
}

// execute runs the command of a step and fills in how it ended.
func (e *engine) execute(ctx context.Context, s *runnerv1.Step, out *output, end *runnerv1.StepState) {
	defer out.wait()
	cmd, err := e.prepare(s)
	if err != nil {
		e.failToStart(out, end, err.Error())
		return
	}
	cmd.Output = out.write
	ctx, stop := e.bounds(ctx, s)
	defer stop()
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
	end.Status, end.Reason = judge(ctx, exit)
}

// failToStart says in the log, too, why a step did not start: that is where people look.
func (e *engine) failToStart(out *output, end *runnerv1.StepState, reason string) {
	end.Status, end.Reason = errored, reason
	out.wait()
	out.say("seatrial: " + reason)
}

func (e *engine) prepare(s *runnerv1.Step) (step.Command, error) {
	if s.GetIndex() == 0 && !step.IsSource(s) { // files of the plan go over those of a repository
		if err := e.writeSources(); err != nil {
			return step.Command{}, err
		}
	}
	env, err := step.NewEnv(e.Environ, s.GetEnv())
	if err != nil {
		return step.Command{}, err //nolint:wrapcheck // a sentence for people
	}
	env.Default("HOME", "", filepath.Join(e.Shared, "home"))
	env.Default("TMPDIR", "/tmp", filepath.Join(e.Shared, "tmp"))
	return step.Prepare(s, env, step.Places{ //nolint:wrapcheck // a sentence for people
		Workspace: e.Workspace, Scripts: filepath.Join(e.Shared, "scripts"), Binaries: e.Binaries,
	})
}

// writeSources puts the plan's files into the workspace.
func (e *engine) writeSources() error {
	root, err := os.OpenRoot(e.Workspace)
	if err != nil {
		return fmt.Errorf("the workspace cannot be written: %w", err)
	}
	defer root.Close() //nolint:errcheck // nothing is pending
	for _, f := range e.Plan.GetFiles() {
		name := filepath.FromSlash(f.GetPath())
		mode := fs.FileMode(f.GetMode()) & fs.ModePerm
		if mode == 0 {
			mode = 0o666 // containers may run as different users
		}
		err := root.MkdirAll(filepath.Dir(name), 0o777)
		if err == nil {
			err = root.WriteFile(name, f.GetContent(), mode)
		}
		if err == nil {
			err = root.Chmod(name, mode)
		}
		if err != nil {
			return fmt.Errorf("source file %s cannot be written: %w", f.GetPath(), err)
		}
	}
	return nil
}

// bounds returns the context of a step: it ends by the step's limit, by that of all steps, or by a cancellation.
func (e *engine) bounds(ctx context.Context, s *runnerv1.Step) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	limits := ctx
	stops := []context.CancelFunc{}
	if !e.deadline.IsZero() {
		var stop context.CancelFunc
		limits, stop = context.WithDeadlineCause(limits, e.deadline, e.timeHalt())
		stops = append(stops, stop)
	}
	if t := s.GetTimeout().AsDuration(); t > 0 {
		var stop context.CancelFunc
		limits, stop = context.WithTimeoutCause(limits, t, &halt{
			status: timedOut, grace: e.Plan.GetGrace().AsDuration(), reason: fmt.Sprintf("the step's time limit of %s was reached", t),
		})
		stops = append(stops, stop)
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
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

// judge turns the end of a process into that of a step. A process that ended before it was stopped keeps its own result.
func judge(ctx context.Context, exit step.Exit) (runnerv1.StepStatus, string) {
	var h *halt
	switch {
	case exit.Stopped && errors.As(context.Cause(ctx), &h):
		return h.status, h.reason
	case exit.Stopped:
		return cancelled, "the runner was stopped"
	case exit.Code == 0:
		return passed, ""
	case exit.Code == step.Unknown:
		return errored, "the end of the command was not seen, so nothing proves its result"
	case exit.OOM && exit.Code == 128+int(syscall.SIGKILL):
		return errored, "OOMKilled: the step needed more memory than its container may use; raise resources.limits.memory"
	case exit.Signal != 0:
		return failed, fmt.Sprintf("killed by %s, exit code %d", unix.SignalName(exit.Signal), exit.Code)
	case exit.OOM:
		return failed, fmt.Sprintf("exit code %d; a process of the step was killed for memory (OOMKilled)", exit.Code)
	case exit.Code == 127:
		return failed, "exit code 127: the shell did not find a command"
	default:
		return failed, fmt.Sprintf("exit code %d", exit.Code)
	}
}

var _ step.Stop = (*halt)(nil)
