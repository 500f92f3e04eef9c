package cmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) tests() *cobra.Command {
	c := &cobra.Command{Use: "tests", Aliases: []string{"test"}, Short: "See how tests behave over time, and put some into quarantine"}
	c.AddCommand(a.testsFlaky(), a.testsHistory(), a.testsQuarantine(), a.testsRelease())
	return c
}

func (a *app) testsFlaky() *cobra.Command {
	var workflow string
	c := &cobra.Command{
		Use: "flaky", Short: "List the tests that cannot be relied on, those that waste most time first", Args: cobra.NoArgs,
		Long: "List the tests that cannot be relied on, by the last 14 days: flaky ones fail although what they test has passed, suspect ones did so " +
			"too seldom to be sure, broken ones fail every time. Tests in quarantine are listed however they behave.",
	}
	c.Flags().StringVar(&workflow, "workflow", "", "only those of this workflow")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.tests.ListUnreliableTests(c.Context(), &apiv1.ListUnreliableTestsRequest{Workflow: workflow})
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		var rows [][]string
		for _, t := range res.GetTests() {
			rows = append(rows, []string{
				t.GetClass(), rate(t), span(t.GetCostPerWeek().AsDuration()), t.GetWorkflow(), t.GetName(), quarantined(t.GetQuarantine()), t.GetKey(),
			})
		}
		if len(rows) == 0 {
			a.say("No test is known to be unreliable, by the last 14 days; what has run a few times only is not judged.")
			return nil
		}
		return render.Rows(a.Out, []string{"CLASS", "FAILS", "COST/WEEK", "WORKFLOW", "TEST", "QUARANTINE", "KEY"}, rows)
	}
	return c
}

// rate says how often a test fails, and how sure that is.
func rate(t *apiv1.Test) string {
	if t.GetAttempts() == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d (%.0f–%.0f %%)", t.GetFailures(), t.GetAttempts(), 100*t.GetLow(), 100*t.GetHigh())
}

func span(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func quarantined(q *apiv1.Quarantine) string {
	if q == nil {
		return "-"
	}
	return "until " + render.Time(q.GetUntil()) + ", " + render.Line(q.GetOwner())
}

func (a *app) testsHistory() *cobra.Command {
	c := &cobra.Command{Use: "history KEY", Short: "Show how a test has behaved", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.tests.GetTest(c.Context(), &apiv1.GetTestRequest{Key: args[0]})
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res.GetTest())
		}
		return a.showTest(res.GetTest())
	}
	return c
}

func (a *app) showTest(t *apiv1.Test) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, of %s, is %s\n", render.Line(t.GetName()), render.Line(t.GetWorkflow()), render.Line(t.GetClass()))
	if t.GetAttempts() > 0 {
		fmt.Fprintf(&b, "  fails   %s on what has passed too; costs %s a week\n", rate(t), span(t.GetCostPerWeek().AsDuration()))
	}
	if n := t.GetFailingInARow(); n > 0 {
		fmt.Fprintf(&b, "  since   %s, %d in a row, first in %s", render.Time(t.GetFailingSince().GetAt()), n, t.GetFailingSince().GetExecutionId())
		if last := t.GetLastPassed(); last != nil {
			fmt.Fprintf(&b, "; passed last in %s", last.GetExecutionId())
		}
		b.WriteString("\n")
	}
	if q := t.GetQuarantine(); q != nil {
		fmt.Fprintf(&b, "  in quarantine %s: %s %s\n", quarantined(q), render.Line(q.GetReason()), render.Line(q.GetTicket()))
	}
	var rows [][]string
	for _, r := range t.GetRuns() {
		outcome := render.Line(r.GetOutcome())
		if len(r.GetEarlier()) > 0 {
			outcome = render.Line(strings.Join(r.GetEarlier(), ", ")) + ", then " + outcome
		}
		rows = append(rows, []string{
			render.Time(r.GetAt()), outcome, strings.TrimSpace(r.GetEnvironment() + " " + r.GetVariant()), span(r.GetDuration().AsDuration()),
			r.GetExecutionId(), r.GetMessage(),
		})
	}
	b.WriteString("\n")
	if err := render.Rows(&b, []string{"WHEN", "OUTCOME", "WHERE", "TOOK", "EXECUTION", "MESSAGE"}, rows); err != nil {
		return err
	}
	return a.print("%s", strings.TrimRight(b.String(), "\n"))
}

func (a *app) testsQuarantine() *cobra.Command {
	req := &apiv1.QuarantineTestRequest{}
	var lifetime time.Duration
	c := &cobra.Command{
		Use: "quarantine KEY", Short: "Let a test run without its failures counting against a release", Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&req.Reason, "reason", "", "what is known of it (required)")
	c.Flags().StringVar(&req.Owner, "owner", "", "who is to mend it; you when not given")
	c.Flags().StringVar(&req.Ticket, "ticket", "", "address of a ticket")
	c.Flags().DurationVar(&lifetime, "for", 0, "how long, at most 30 days, which is what it is when not given")
	_ = c.MarkFlagRequired("reason")
	c.RunE = func(c *cobra.Command, args []string) error {
		req.Key, req.Lifetime = args[0], durationpb.New(lifetime)
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.tests.QuarantineTest(c.Context(), req)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		q := res.GetQuarantine()
		return a.print("%s is in quarantine until %s", render.Line(q.GetName()), render.Time(q.GetUntil()))
	}
	return c
}

func (a *app) testsRelease() *cobra.Command {
	return &cobra.Command{
		Use: "release KEY", Short: "End the quarantine of a test", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.tests.EndQuarantine(c.Context(), &apiv1.EndQuarantineRequest{Key: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			return a.print("Its failures count again")
		},
	}
}
