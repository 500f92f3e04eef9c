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
	var only wanted
	c := &cobra.Command{Use: "logs EXECUTION", Short: "Print the log", Args: cobra.ExactArgs(1)}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the end")
	c.Flags().StringVar(&only.step, "step", "", "name or number of one step; all in order when not given")
	c.Flags().StringVar(&only.service, "service", "", "name of a service, whose log is shown instead of those of the steps")
	c.MarkFlagsMutuallyExclusive("step", "service")
	c.Flags().StringVar(&only.cell, "run", "", "name of one run, of an execution that has several; all in order when not given")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.executions.GetExecution(c.Context(), &apiv1.GetExecutionRequest{Id: args[0]})
		if err != nil {
			return err
		}
		if follow && only == (wanted{}) {
			_, err = a.follow(c.Context(), cl, args[0])
			return err
		}
		return a.dump(c.Context(), cl, res.GetExecution(), only, follow)
	}
	return c
}

// wanted is which logs to print; what is empty stands for all.
type wanted struct{ cell, step, service string }

// dump prints the logs of the steps there are, of one run or all, and of one step or all, or those of a service.
func (a *app) dump(ctx context.Context, cl clients, e *apiv1.Execution, only wanted, follow bool) error {
	found, known := false, only.cell == ""
	for _, at := range latest(e) {
		if only.cell != "" && only.cell != cellsOf(e)[at.GetId()] {
			continue
		}
		known = true
		for _, l := range only.of(at) {
			found = true
			a.header(e, at, l.title)
			if err := a.stream(ctx, cl, &l.readLog, follow); err != nil {
				return err
			}
		}
	}
	switch {
	case !known:
		return fmt.Errorf("no run %q: see `seatrial get execution %s` for the runs", only.cell, e.GetId())
	case only.service != "" && !found:
		return fmt.Errorf("no service %q: see `seatrial get execution %s` for the services", only.service, e.GetId())
	case only.step != "" && !found:
		return fmt.Errorf("no step %q: see `seatrial get execution %s` for the steps", only.step, e.GetId())
	}
	return nil
}

// titled is a log with its heading.
type titled struct {
	readLog
	title string
}

// of lists what is wanted of an attempt.
func (w wanted) of(at *apiv1.Attempt) []titled {
	var out []titled
	if w.service != "" {
		for _, s := range at.GetServices() {
			if s.GetName() == w.service {
				out = append(out, titled{readLog{attempt: at.GetId(), service: w.service}, "service " + render.Line(w.service)})
			}
		}
		return out
	}
	for _, s := range at.GetSteps() {
		if w.step == "" || w.step == s.GetName() || w.step == strconv.Itoa(int(s.GetIndex())) {
			out = append(out, titled{readLog{attempt: at.GetId(), step: s.GetIndex()}, title(s)})
		}
	}
	return out
}

func title(s *apiv1.Step) string {
	return fmt.Sprintf("step %d: %s", s.GetIndex(), render.Line(s.GetName()))
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
	printed := map[string]*readLog{}
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
func (a *app) tail(ctx context.Context, cl clients, states <-chan *apiv1.Execution, printed map[string]*readLog) error {
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
func (a *app) rest(ctx context.Context, cl clients, e *apiv1.Execution, printed map[string]*readLog) error {
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

func (a *app) open(printed map[string]*readLog, e *apiv1.Execution, at *apiv1.Attempt, s *apiv1.Step) *readLog {
	key := at.GetId() + "/" + strconv.Itoa(int(s.GetIndex()))
	if printed[key] == nil {
		printed[key] = &readLog{attempt: at.GetId(), step: s.GetIndex()}
		a.header(e, at, title(s))
	}
	return printed[key]
}

// header separates logs on a terminal; a pipe gets the bytes of the log and nothing else.
func (a *app) header(e *apiv1.Execution, at *apiv1.Attempt, title string) {
	if a.PipedOut {
		return
	}
	cell := cellsOf(e)[at.GetId()]
	if cell != "" {
		cell += ", "
	}
	a.say("── %s%s", cell, title)
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
