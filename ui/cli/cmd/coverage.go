package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) coverage() *cobra.Command {
	req := &apiv1.GetCoverageRequest{}
	var all, check bool
	c := &cobra.Command{
		Use: "coverage", Short: "Show where the catalog has not been run, or not of late, or never well", Args: cobra.NoArgs,
		Long: "Show what ran last of every workflow in every environment. Gaps are where a workflow never ran, where its last result is too old, and where it " +
			"failed and never passed; where a workflow says that it runs elsewhere is none, unless a readiness policy requires it. " +
			"With --check the exit code is 5 when a policy requires a gap to be filled, or nobody knows what it requires.",
	}
	c.Flags().Int32Var(&req.StaleDays, "days", 0, "after how many days a result is too old, at most 90 (default 14)")
	c.Flags().BoolVar(&all, "all", false, "list what is covered as well")
	c.Flags().BoolVar(&check, "check", false, "fail when a policy requires a gap to be filled")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		req.GapsOnly = !all && a.format == render.Table
		res, err := cl.insights.GetCoverage(c.Context(), req)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			err = render.Message(a.Out, a.format, res)
		} else {
			err = a.showCoverage(res, all)
		}
		if err == nil && check {
			err = uncovered(res)
		}
		return err
	}
	return c
}

// uncovered is nil when all that policies require is covered. What nobody knows is not.
func uncovered(res *apiv1.GetCoverageResponse) error {
	if n := res.GetRequiredGaps(); n > 0 {
		return coded(exitcode.Missing, fmt.Errorf("%s required by a policy", gaps(n)))
	}
	if names := res.GetUnresolvedPolicies(); len(names) > 0 {
		return coded(exitcode.Missing, fmt.Errorf("nobody knows what is required by: %s", render.Line(strings.Join(names, ", "))))
	}
	return nil
}

func (a *app) showCoverage(res *apiv1.GetCoverageResponse, all bool) error {
	var rows [][]string
	for _, row := range res.GetRows() {
		for _, cell := range row.GetCells() {
			if !cell.GetGap() && (!all || cell.GetState() == "elsewhere") {
				continue
			}
			last, green := "-", "-"
			if cell.GetLastAt() != nil {
				last = render.Status(cell.GetLastStatus()) + " " + render.Time(cell.GetLastAt())
			}
			if cell.GetLastGreenAt() != nil {
				green = render.Time(cell.GetLastGreenAt())
			}
			rows = append(rows, []string{coverWord(cell), row.GetWorkflow(), cell.GetEnvironment(), last, green, strings.Join(cell.GetRequiredBy(), ", ")})
		}
	}
	switch {
	case len(rows) == 0 && res.GetGaps() == 0 && len(res.GetEnvironments()) == 0:
		a.say("There is no environment yet. Enroll a cluster: seatrial cluster enroll NAME.")
	case len(rows) == 0 && len(res.GetUnresolvedPolicies()) > 0:
		a.say("Nothing is known to be lacking.")
	case len(rows) == 0:
		a.say("Nothing is lacking: every workflow has a result of the last %d days wherever it runs.", res.GetStaleDays())
	default:
		if err := render.Rows(a.Out, []string{"STATE", "WORKFLOW", "ENVIRONMENT", "LAST", "LAST GREEN", "REQUIRED BY"}, rows); err != nil {
			return err
		}
		a.say("%s, %d of them required by a policy; looked back %d days.", gaps(res.GetGaps()), res.GetRequiredGaps(), res.GetWindowDays())
	}
	for _, note := range res.GetNotes() {
		a.say("%s", render.Line(note))
	}
	return nil
}

func gaps(n int32) string {
	if n == 1 {
		return "1 gap"
	}
	return fmt.Sprintf("%d gaps", n)
}

// coverWord says what the state of a cell means.
func coverWord(c *apiv1.CoverageCell) string {
	switch c.GetState() {
	case "never":
		return "never ran"
	case "red":
		return "only red"
	}
	return render.Line(c.GetState())
}
