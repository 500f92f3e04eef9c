// Package engine runs the steps of one container of an attempt and sees to it that everything about them is delivered.
//
// Every container of the pod runs one engine. They agree through the shared state: a step is run, or ended without being run, by
// the one engine that claims it; the engine that ends the last one reports the result.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/runner/gather"
	"github.com/seatrial/seatrial/agent/runner/ship"
	"github.com/seatrial/seatrial/agent/runner/spool"
	"github.com/seatrial/seatrial/agent/runner/state"
	"github.com/seatrial/seatrial/agent/runner/termination"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// defaultAllowance is how long delivery may take after the last step when the plan does not say.
const defaultAllowance = 10 * time.Minute

// ErrUndelivered means that the steps have ended and the agent does not have everything of them.
var ErrUndelivered = errors.New("not everything could be delivered to the agent")

// Config is what an engine needs to know. Zero limits mean the defaults.
type Config struct {
	Plan        *runnerv1.Plan
	Container   string
	Shared      string // directory that all containers share
	Workspace   string
	Binaries    string // where seatrial-source is
	Environ     []string
	Agent       string // host:port
	Pin         string
	TokenFile   string
	Version     string
	Termination string // file for the termination message
	Stdout      io.Writer
	Log         *slog.Logger
	Interrupt   <-chan os.Signal // the pod was asked to stop
	Spool       spool.Options
	Limits      gather.Limits
}

type engine struct {
	Config
	dir      *state.Dir
	root     *os.Root // the workspace as expressions read it, nil when it cannot be read
	watch    *state.Watcher
	presence *state.Presence
	ship     *ship.Shipper
	mirror   *mirror
	gatherer *gather.Gatherer
	hide     *hider
	deadline time.Time             // zero for none; due knows of pauses
	ended    []*runnerv1.StepState // by this container
	spools   []*spool.Spool
}

// Run runs the container's steps and returns when all is delivered, with ErrUndelivered when that could not be. The outcome of the
// steps is not an error.
func Run(ctx context.Context, c Config) error {
	e, err := open(c)
	if err != nil {
		return errors.Join(err, leave(c.Termination, termination.Message{
			Attempt: c.Plan.GetAttemptId(), Container: c.Container, Status: word(errored), Reason: faultReason(err),
		}))
	}
	defer e.close()
	shipCtx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	shipped := make(chan error, 1)
	go func() { shipped <- e.ship.Run(shipCtx) }()
	runErr := e.run(ctx)
	switch {
	case ctx.Err() != nil:
		stop(runErr)
	case runErr != nil:
		e.fail(runErr)
	}
	e.leaveMessage(false)
	e.ship.Complete()
	allowance := time.AfterFunc(e.allowance(), func() { stop(errors.New("the time for delivery is over")) })
	defer allowance.Stop()
	deliverErr := <-shipped
	e.leaveMessage(deliverErr == nil)
	if deliverErr != nil {
		return errors.Join(ErrUndelivered, deliverErr, runErr)
	}
	return runErr
}

func open(c Config) (*engine, error) {
	for _, d := range []string{"spool", "files", "scripts", "outputs", "shards"} {
		if err := os.MkdirAll(filepath.Join(c.Shared, d), 0o777); err != nil { //nolint:gosec // G301: containers may run as different users
			return nil, fmt.Errorf("prepare shared volume: %w", err)
		}
	}
	dir, err := state.Open(filepath.Join(c.Shared, "state"))
	if err != nil {
		return nil, fmt.Errorf("prepare shared volume: %w", err)
	}
	e := &engine{Config: c, dir: dir}
	begin, err := dir.Start(time.Now())
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}
	if t := c.Plan.GetTimeout().AsDuration(); t > 0 {
		e.deadline = begin.Add(t)
	}
	if c.Limits == (gather.Limits{}) {
		c.Limits = gather.DefaultLimits()
	}
	e.gatherer = &gather.Gatherer{
		AttemptID: c.Plan.GetAttemptId(), Workspace: c.Workspace, Dest: filepath.Join(c.Shared, "files"), Limits: c.Limits,
		Withhold: c.Plan.GetSecretDirs(),
	}
	if e.root, err = os.OpenRoot(c.Workspace); err != nil {
		c.Log.Warn("expressions cannot read files", "error", err)
	}
	e.ship, err = ship.New(ship.Options{
		Addr: c.Agent, Pin: c.Pin, TokenFile: c.TokenFile, AttemptID: c.Plan.GetAttemptId(), Container: c.Container,
		Version: c.Version, Log: c.Log.With("component", "ship"), Cancel: e.cancel, Resume: e.resume,
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}
	e.hide = newHider(c, e.ship.Note)
	e.watch = dir.Watch()
	if err := e.watch.Blind(); err != nil {
		c.Log.Warn("changes are looked for at intervals", "error", err)
	}
	if e.presence, err = dir.Announce(c.Container); err != nil {
		c.Log.Warn("other containers cannot learn that this one lives", "error", err)
	}
	e.mirror = newMirror(c.Stdout)
	return e, nil
}

func (e *engine) close() {
	e.mirror.Close()
	for _, s := range e.spools {
		_ = s.Close()
	}
	_ = e.watch.Close()
	if e.root != nil {
		_ = e.root.Close()
	}
	if e.presence != nil {
		_ = e.presence.Close()
	}
	_ = e.dir.Close()
}

func (e *engine) allowance() time.Duration {
	if d := e.Plan.GetUploadAllowance().AsDuration(); d > 0 {
		return d
	}
	return defaultAllowance
}

// cancel is called when the agent asks to stop.
func (e *engine) cancel(c *runnerv1.Cancel) {
	if err := e.dir.Cancel(c); err != nil {
		e.Log.Error("a cancellation could not be recorded", "error", err)
	}
}

// resume is called when a step that waits for a person may go on.
func (e *engine) resume(r *runnerv1.Resume) {
	if err := e.dir.Resume(r); err != nil {
		e.Log.Error("a word to go on could not be recorded", "step", r.GetStepIndex(), "error", err)
	}
}

// run takes the steps of this container in turn, then waits for the end of the attempt.
func (e *engine) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		e.listen(ctx)
	}()
	defer func() {
		stop()
		<-heard
	}()
	for _, s := range e.Plan.GetSteps() {
		if s.GetContainer() != e.Container {
			continue
		}
		mine, err := e.turn(ctx, int(s.GetIndex()))
		if err != nil {
			return err
		}
		if !mine {
			continue
		}
		before, err := e.courseBefore(int(s.GetIndex()))
		if err != nil {
			return err
		}
		end := e.decide(s, before)
		if end == nil {
			end = e.runStep(ctx, s, before)
		}
		if err := e.conclude(end); err != nil {
			return err
		}
	}
	return e.await(ctx, func() (bool, error) {
		f, err := e.dir.Finished()
		return f != nil, err
	})
}

// listen turns a signal to stop into a cancellation.
func (e *engine) listen(ctx context.Context) {
	select {
	case <-e.Interrupt:
		e.cancel(&runnerv1.Cancel{
			Reason: "the pod was asked to stop: it was deleted, evicted, or its node is being drained", Grace: e.Plan.GetGrace(),
		})
	case <-ctx.Done():
	}
}

// fail reports a fault of the runner itself as the result: nobody else will.
func (e *engine) fail(err error) {
	f := &runnerv1.Finished{Status: errored, Reason: faultReason(err), FinishedAt: timestamppb.Now()}
	if won, err := e.dir.Finish(f); !won && err == nil {
		return // somebody has reported the end
	}
	e.ship.Finish(f)
}

// faultReason is a fault of the runner in words for people.
func faultReason(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return "the disk of the pod's shared volume is full: raise the node's ephemeral storage, or write less (" + err.Error() + ")"
	}
	return "the runner could not go on: " + err.Error()
}

// leaveMessage writes the termination message.
func (e *engine) leaveMessage(delivered bool) {
	m := termination.Message{Attempt: e.Plan.GetAttemptId(), Container: e.Container, Delivered: delivered}
	if f := e.ship.Result(); f != nil {
		m.Status, m.Reason = word(f.GetStatus()), f.GetReason()
	}
	for _, s := range e.ended {
		m.Steps = append(m.Steps, termination.Step{
			Index: int(s.GetIndex()), Status: word(s.GetStatus()), Exit: s.ExitCode, Reason: s.GetReason(), Allowed: s.GetAllowed(),
			Started: millis(s.GetStartedAt()), Finished: millis(s.GetFinishedAt()), Bytes: s.GetLog().GetBytes(),
			Lines: s.GetLog().GetLines(), Gap: s.GetLog().GetGapBytes(), CRC: s.GetLog().GetCrc32C(), Usage: lastUsage(s.GetUsage()),
		})
	}
	if err := leave(e.Termination, m); err != nil {
		e.Log.Error("the termination message could not be written", "error", err)
	}
}

func leave(file string, m termination.Message) error {
	b, err := termination.Encode(m)
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}
	return os.WriteFile(file, b, 0o666) //nolint:gosec,wrapcheck // G306: the kubelet made it; says what it is
}
