package cmd

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) logs() *cobra.Command {
	var follow bool
	var step, cell string
	c := &cobra.Command{Use: "logs EXECUTION", Short: "Print the log", Args: cobra.ExactArgs(1)}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the end")
	c.Flags().StringVar(&step, "step", "", "name or number of one step; all in order when not given")
	c.Flags().StringVar(&cell, "run", "", "name of one run, of an execution that has several; all in order when not given")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.executions.GetExecution(c.Context(), &apiv1.GetExecutionRequest{Id: args[0]})
		if err != nil {
			return err
		}
		if follow && step == "" && cell == "" {
			_, err = a.follow(c.Context(), cl, args[0])
			return err
		}
		return a.dump(c.Context(), cl, res.GetExecution(), cell, step, follow)
	}
	return c
}

// dump prints the logs of the steps there are, of one run or all, and of one step or all.
func (a *app) dump(ctx context.Context, cl clients, e *apiv1.Execution, cell, only string, follow bool) error {
	found, known := false, cell == ""
	for _, at := range latest(e) {
		if cell != "" && cell != cellsOf(e)[at.GetId()] {
			continue
		}
		known = true
		for _, s := range at.GetSteps() {
			if only != "" && only != s.GetName() && only != strconv.Itoa(int(s.GetIndex())) {
				continue
			}
			found = true
			a.header(e, at, s)
			if err := a.stream(ctx, cl, &stepLog{attempt: at.GetId(), step: s.GetIndex()}, follow); err != nil {
				return err
			}
		}
	}
	if !known {
		return fmt.Errorf("no run %q: see `seatrial get execution %s` for the runs", cell, e.GetId())
	}
	if only != "" && !found {
		return fmt.Errorf("no step %q: see `seatrial get execution %s` for the steps", only, e.GetId())
	}
	return nil
}

// follow prints the logs while the execution runs, then what was still missing, and returns how it ended.
func (a *app) follow(ctx context.Context, cl clients, id string) (*apiv1.Execution, error) {
	live, over := context.WithCancel(ctx)
	defer over()
	watched, stop := context.WithCancel(ctx)
	states := make(chan *apiv1.Execution, 1)
	var last *apiv1.Execution
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer over() // ends the streams that still wait
		defer close(states)
		last, failed = a.watch(watched, cl, id, func(e *apiv1.Execution) {
			select {
			case <-states: // only the newest counts
			default:
			}
			states <- e
		})
	}()
	printed := map[string]*stepLog{}
	err := a.tail(live, cl, states, printed)
	if err != nil && live.Err() == nil {
		stop()
		<-done
		return nil, err
	}
	<-done
	stop()
	if failed != nil {
		return nil, failed
	}
	return last, a.rest(ctx, cl, last, printed)
}

// tail streams the steps in order as attempts appear, until the states end.
func (a *app) tail(ctx context.Context, cl clients, states <-chan *apiv1.Execution, printed map[string]*stepLog) error {
	for e := range states {
		for _, at := range latest(e) {
			for _, s := range at.GetSteps() {
				l := a.open(printed, e, at, s)
				if l.complete {
					continue
				}
				if err := a.stream(ctx, cl, l, true); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// rest prints what the streams had not delivered when the execution ended.
func (a *app) rest(ctx context.Context, cl clients, e *apiv1.Execution, printed map[string]*stepLog) error {
	for _, at := range latest(e) {
		for _, s := range at.GetSteps() {
			l := a.open(printed, e, at, s)
			if l.complete {
				continue
			}
			if err := a.stream(ctx, cl, l, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *app) open(printed map[string]*stepLog, e *apiv1.Execution, at *apiv1.Attempt, s *apiv1.Step) *stepLog {
	key := at.GetId() + "/" + strconv.Itoa(int(s.GetIndex()))
	if printed[key] == nil {
		printed[key] = &stepLog{attempt: at.GetId(), step: s.GetIndex()}
		a.header(e, at, s)
	}
	return printed[key]
}

// header separates steps on a terminal; a pipe gets the bytes of the log and nothing else.
func (a *app) header(e *apiv1.Execution, at *apiv1.Attempt, s *apiv1.Step) {
	if a.PipedOut {
		return
	}
	cell := cellsOf(e)[at.GetId()]
	if cell != "" {
		cell += ", "
	}
	a.say("── %sstep %d: %s", cell, s.GetIndex(), render.Line(s.GetName()))
}

// latest returns the newest attempt of each run.
func latest(e *apiv1.Execution) []*apiv1.Attempt {
	var out []*apiv1.Attempt
	for _, r := range e.GetRuns() {
		if n := len(r.GetAttempts()); n > 0 {
			out = append(out, r.GetAttempts()[n-1])
		}
	}
	return out
}
