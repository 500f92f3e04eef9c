package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) resume() *cobra.Command {
	var comment, step, cell string
	c := &cobra.Command{
		Use: "resume EXECUTION", Short: "Let steps go on that wait for a person", Args: cobra.ExactArgs(1),
		Example: "  seatrial resume 01990a5e-… --step approve --comment 'looks good on staging'",
	}
	c.Flags().StringVar(&comment, "comment", "", "what to keep with the step, for the record")
	c.Flags().StringVar(&step, "step", "", "name of the step; all that wait when not given")
	c.Flags().StringVar(&cell, "run", "", "name of one run, of an execution that has several; all when not given")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		run, err := runNamed(c.Context(), cl, args[0], cell)
		if err != nil {
			return err
		}
		res, err := cl.executions.ResumeExecution(c.Context(), &apiv1.ResumeExecutionRequest{
			Id: args[0], RunId: run, Step: step, Comment: comment,
		})
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		what := "1 step"
		if n := res.GetSteps(); n != 1 {
			what = fmt.Sprintf("%d steps", n)
		}
		return a.print("Asked to resume %s. To watch it: seatrial logs %s --follow", what, res.GetExecution().GetId())
	}
	return c
}

// runNamed returns the id of a run by its name; an empty name stands for all runs and gives an empty id.
func runNamed(ctx context.Context, cl clients, id, cell string) (string, error) {
	if cell == "" {
		return "", nil
	}
	res, err := cl.executions.GetExecution(ctx, &apiv1.GetExecutionRequest{Id: id})
	if err != nil {
		return "", err
	}
	e := res.GetExecution()
	for _, r := range e.GetRuns() {
		if name := cellOf(e, r); name == cell || name == "" && r.GetEnvironment() == cell {
			return r.GetId(), nil
		}
	}
	return "", fmt.Errorf("no run %q: see `seatrial get execution %s` for the runs", cell, e.GetId())
}
