package cmd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) failureClusters() *cobra.Command {
	req := &apiv1.ListFailuresRequest{}
	c := &cobra.Command{
		Use: "failures [FINGERPRINT]", Short: "List failures that are alike, or show one of them with its tests", Args: cobra.MaximumNArgs(1),
		Long: "List failures that are alike: those whose messages are the same but for times, numbers, addresses and the like, most likely of one cause. " +
			"With a fingerprint, the tests and executions of one.",
	}
	c.Flags().StringVar(&req.Workflow, "workflow", "", "only those of this workflow")
	c.Flags().StringVar(&req.Environment, "environment", "", "only those in this environment")
	c.Flags().Int32Var(&req.Days, "days", 0, "how far to look back, at most 90 (default 14)")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		if len(args) == 1 {
			if req.GetWorkflow()+req.GetEnvironment() != "" {
				return errors.New("--workflow and --environment narrow the list; leave them out to see one of it")
			}
			return a.failureOf(c, cl, args[0], req.GetDays())
		}
		res, err := cl.insights.ListFailures(c.Context(), req)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		return a.showFailures(res)
	}
	return c
}

func (a *app) showFailures(res *apiv1.ListFailuresResponse) error {
	number := func(n int32) string { return strconv.Itoa(int(n)) }
	var rows [][]string
	for _, f := range res.GetClusters() {
		rows = append(rows, []string{
			number(f.GetFailures()), number(f.GetTests()), number(f.GetExecutions()), number(f.GetWorkflows()), number(f.GetEnvironments()),
			render.Time(f.GetFirstSeen()), render.Time(f.GetLastSeen()), f.GetFingerprint(), f.GetMessage(),
		})
	}
	if len(rows) == 0 {
		a.say("No failure with a fingerprint in the last %d days.", res.GetDays())
	} else if err := render.Rows(a.Out, []string{"FAILURES", "TESTS", "EXECUTIONS", "WORKFLOWS", "ENVIRONMENTS", "FIRST", "LAST", "FINGERPRINT", "MESSAGE"}, rows); err != nil {
		return err
	}
	if since := res.GetCountedSince(); since != nil {
		a.say("Only the last failures are counted: those since %s.", render.Time(since))
	}
	if n := int(res.GetTotalClusters()) - len(rows); n > 0 {
		a.say("%d others are not listed, which happened less often.", n)
	}
	if n := res.GetUnclustered(); n > 0 {
		a.say("%d failures have no fingerprint, such as those that stand for an exit code.", n)
	}
	return nil
}

func (a *app) failureOf(c *cobra.Command, cl clients, fingerprint string, days int32) error {
	res, err := cl.insights.GetFailure(c.Context(), &apiv1.GetFailureRequest{Fingerprint: fingerprint, Days: days})
	if err != nil {
		return err
	}
	if a.format != render.Table {
		return render.Message(a.Out, a.format, res)
	}
	f := res.GetCluster()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", render.Line(f.GetFingerprint()))
	for _, m := range res.GetMessages() {
		fmt.Fprintf(&b, "  %s\n", render.Line(m))
	}
	fmt.Fprintf(&b, "  %d failures of %d tests in %d executions, from %s to %s, in the last %d days\n  in %s; of %s\n\n", f.GetFailures(), f.GetTests(), f.GetExecutions(),
		render.Time(f.GetFirstSeen()), render.Time(f.GetLastSeen()), res.GetDays(), listed(res.GetEnvironments()), listed(res.GetWorkflows()))
	var rows [][]string
	for _, t := range res.GetTests() {
		rows = append(rows, []string{strconv.Itoa(int(t.GetFailures())), render.Time(t.GetLastSeen()), t.GetWorkflow(), t.GetName(), t.GetKey()})
	}
	if err := render.Rows(&b, []string{"FAILURES", "LAST", "WORKFLOW", "TEST", "KEY"}, rows); err != nil {
		return err
	}
	b.WriteString("\n")
	rows = nil
	for _, e := range res.GetExecutions() {
		rows = append(rows, []string{render.Time(e.GetAt()), strconv.Itoa(int(e.GetFailures())), e.GetWorkflow(), e.GetEnvironment(), e.GetId()})
	}
	if err := render.Rows(&b, []string{"WHEN", "FAILURES", "WORKFLOW", "ENVIRONMENT", "EXECUTION"}, rows); err != nil {
		return err
	}
	return a.print("%s", strings.TrimRight(b.String(), "\n"))
}

func listed(names []string) string { return render.Line(strings.Join(names, ", ")) }
