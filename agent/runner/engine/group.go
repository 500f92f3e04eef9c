package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/seatrial/seatrial/agent/runner/state"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// together reports whether two steps run at the same time.
func together(a, b *runnerv1.Step) bool { return a.GetGroup() != "" && a.GetGroup() == b.GetGroup() }

// begin returns the index of the first step of the group that a step belongs to, or its own.
func (e *engine) begin(index int) int {
	steps := e.Plan.GetSteps()
	for index > 0 && index < len(steps) && together(steps[index-1], steps[index]) {
		index--
	}
	return index
}

// reached reports whether all is over that comes before a step. Earlier steps are over when those right before it are.
func (e *engine) reached(index int) (bool, error) {
	first := e.begin(index)
	if first == 0 {
		return true, nil
	}
	for i := e.begin(first - 1); i < first; i++ {
		if s, err := e.dir.Step(i); err != nil || !state.Terminal(s) {
			return false, err //nolint:wrapcheck // says what it is
		}
	}
	return true, nil
}

// current returns the steps whose turn it is and that have not ended: one, or some of a group; none when all have ended.
func (e *engine) current() ([]*runnerv1.Step, error) {
	var out []*runnerv1.Step
	for _, s := range e.Plan.GetSteps() {
		if len(out) > 0 && !together(out[0], s) {
			break
		}
		now, err := e.dir.Step(int(s.GetIndex()))
		if err != nil {
			return nil, err //nolint:wrapcheck // says what it is
		}
		if !state.Terminal(now) {
			out = append(out, s)
		}
	}
	return out, nil
}

// over reports whether every step has ended.
func (e *engine) over() (bool, error) {
	left, err := e.current()
	return len(left) == 0, err
}

// worse returns which of two steps of a group tells how the group has ended.
func worse(a, b expr.Step) expr.Step {
	rank := map[string]int{
		word(skipped): 1, word(passed): 2, word(failed): 3, word(timedOut): 4, word(errored): 5, word(cancelled): 6,
	}
	if rank[b.Status] > rank[a.Status] {
		return b
	}
	return a
}

var errWriterGone = errors.New("the container that wrote the source files is gone")

// sources writes the plan's files into the workspace before the first command of any step, once. Those who start at the same time wait
// for it; a fault is that of the steps that begin with it, as later ones may have nothing to do with the files.
func (e *engine) sources(ctx context.Context, first bool) error {
	writer, err := e.dir.ClaimSources(e.Container)
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}
	if writer == e.Container {
		return e.writeOnce()
	}
	fault, err := e.written(ctx, writer)
	switch {
	case errors.Is(err, errWriterGone):
		return e.writeOnce() // from the beginning: half of them may be there
	case err != nil:
		return fmt.Errorf("wait for the source files: %w", err)
	case fault != "" && first:
		return errors.New(fault) //nolint:err113 // another container's words
	}
	return nil
}

// writeOnce writes the files unless they were.
func (e *engine) writeOnce() error {
	if done, _, err := e.dir.Sources(); done || err != nil {
		return err //nolint:wrapcheck // says what it is
	}
	fault := e.writeSources()
	if err := e.dir.SetSources(fault); err != nil {
		return err //nolint:wrapcheck // says what it is
	}
	return fault
}

// written waits until another container has written the files, and returns why it could not.
func (e *engine) written(ctx context.Context, writer string) (fault string, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	vigil, err := e.dir.Attend(writer)
	if err != nil {
		return "", err //nolint:wrapcheck // says what it is
	}
	if vigil == nil { // it announces itself before it takes anything on
		return "", errWriterGone
	}
	defer vigil.Close() //nolint:errcheck // only read
	var gone sync.WaitGroup
	gone.Go(func() {
		select {
		case <-vigil.Gone():
			stop(errWriterGone)
		case <-ctx.Done():
		}
	})
	defer gone.Wait()
	defer stop(nil)
	err = e.watch.Wait(ctx, func() (done bool, err error) {
		done, fault, err = e.dir.Sources()
		return done, err
	})
	return fault, err //nolint:wrapcheck // says what it is
}
