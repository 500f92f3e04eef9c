package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/runner/ship"
	"github.com/seatrial/seatrial/agent/runner/spool"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// runStep runs a claimed step and returns its end. Its files are copied before anybody can learn that it has ended.
func (e *engine) runStep(ctx context.Context, s *runnerv1.Step, before *course) *runnerv1.StepState {
	now := &runnerv1.StepState{Index: s.GetIndex(), Name: s.GetName(), Status: running, StartedAt: timestamppb.Now()}
	if err := e.record(now); err != nil {
		e.Log.Error("the start of a step could not be recorded", "step", s.GetName(), "error", err)
	}
	end := &runnerv1.StepState{Index: s.GetIndex(), Name: s.GetName(), StartedAt: now.GetStartedAt()}
	sp, err := e.spool(s)
	if err != nil {
		end.Status, end.Reason = errored, "the log of the step cannot be kept: "+err.Error()
	} else {
		switch {
		case s.GetPause() != nil:
			e.pause(ctx, s, before, sp, end)
		case s.GetExecute() != nil:
			e.call(ctx, s, before, sp, end)
		default:
			e.measured(ctx, s, before, sp, end)
		}
		totals := sp.Seal()
		end.Log = ship.Totals(totals)
		if fault := sp.Fault(); fault != "" {
			e.ship.Note(fmt.Sprintf("step %q: %s (%d bytes)", s.GetName(), fault, totals.GapBytes))
		}
	}
	end.FinishedAt = timestamppb.Now() // what follows is the runner's time, not that of the step
	e.keepOutputs(s)
	e.gatherer.Redact, e.gatherer.Hurry = e.hide.current(), func() bool { return e.hurried(ctx) }
	files, notes := e.gatherer.Gather(s, end.GetStatus() == passed)
	e.ship.Note(notes...)
	e.ship.Files(files)
	return end
}

// hurried reports whether the attempt is to end, so that nothing but what it has to leave behind may take time.
func (e *engine) hurried(ctx context.Context) bool {
	h, err := e.halted()
	return ctx.Err() != nil || h != nil || err != nil
}

// leastRoom is what the log of a step may have waiting however much earlier steps left behind.
const leastRoom = 16 << 20

// spool opens the log of a step.
func (e *engine) spool(s *runnerv1.Step) (*spool.Spool, error) {
	opts := e.Spool
	opts.Notify = e.ship.Wake
	opts.Limit = e.room()
	sp, err := spool.Create(filepath.Join(e.Shared, "spool", fmt.Sprintf("step-%d.log", s.GetIndex())), opts)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}
	e.spools = append(e.spools, sp)
	e.ship.Stream("step/"+strconv.Itoa(int(s.GetIndex())), sp)
	return sp, nil
}

// room returns how many bytes the log of one more step may have waiting, so that all steps together stay within the limit of one.
func (e *engine) room() int64 {
	limit := e.Spool.Limit
	if limit <= 0 {
		limit = spool.DefaultLimit
	}
	for _, sp := range e.spools {
		limit -= sp.Waiting()
	}
	return max(limit, leastRoom)
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
		if err == nil { // in place of what was fetched, and not through a link of that
			if err = root.Remove(name); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
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
