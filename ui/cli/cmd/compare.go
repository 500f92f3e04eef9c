package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) compare() *cobra.Command {
	req := &apiv1.CompareExecutionsRequest{}
	c := &cobra.Command{
		Use: "compare EXECUTION [EARLIER]", Short: "Show what is different between an execution and an earlier one, or the last green one", Args: cobra.RangeArgs(1, 2),
		Long: "Show what is different between an execution and an earlier one: tests that newly fail, are newly flaky, absent or passing, those that still " +
			"fail, and for which cause, those that became slower on another subject beyond doubt; and what else was not the same: images, commit, revision, " +
			"templates, parameters. Without the earlier one it is compared with the last execution of its workflow that passed in the same environments " +
			"and cells of the matrix.",
		Example: "  seatrial compare 01a20da1-f30c-7422-bfd9-1fdab87d22c7",
	}
	c.Flags().StringVar(&req.Environment, "environment", "", "only what ran in this environment")
	c.RunE = func(c *cobra.Command, args []string) error {
		req.ExecutionId = args[0]
		if len(args) > 1 {
			req.BaseId = args[1]
		}
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.insights.CompareExecutions(c.Context(), req)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		return a.print("%s", compared(res))
	}
	return c
}

// kindTitle is the sign and the words for tests that fared so.
func kindTitle(kind string) string {
	sign := "▸"
	switch kind {
	case "newly_failing", "still_failing":
		sign = "✕"
	case "newly_flaky":
		sign = "~"
	case "newly_absent":
		sign = "○"
	case "newly_passing":
		sign = "✓"
	case "newly_present":
		return "+ new"
	}
	return sign + " " + strings.ReplaceAll(render.Line(kind), "_", " ")
}

func compared(r *apiv1.CompareExecutionsResponse) string {
	var b strings.Builder
	earlier := "compared with"
	if r.GetLastGreen() {
		earlier = "compared with the last green one,"
	}
	fmt.Fprintf(&b, "%s %s", r.GetAfter().GetWorkflow(), side(r.GetAfter()))
	if r.GetEnvironment() != "" {
		fmt.Fprintf(&b, " in %s", render.Line(r.GetEnvironment()))
	}
	fmt.Fprintf(&b, "\n%s %s\n", earlier, side(r.GetBefore()))
	if list := r.GetDifferences(); len(list) > 0 {
		b.WriteString("\nNot the same\n")
		for _, d := range list {
			fmt.Fprintf(&b, "  %s: %s → %s\n", render.Line(strings.TrimSpace(d.GetWhat()+" "+d.GetName())), absent(d.GetBefore()), absent(d.GetAfter()))
		}
	}
	for _, text := range r.GetUnknown() {
		fmt.Fprintf(&b, "  %s\n", render.Line(text))
	}
	total := 0
	for _, g := range r.GetGroups() {
		if g.GetCount() > 0 {
			total += int(g.GetCount())
			group(&b, r, g)
		}
	}
	if total == 0 {
		b.WriteString("\nNo test fares differently.\n")
	}
	fmt.Fprintf(&b, "\n%d the same", r.GetSame())
	if r.GetUrl() != "" {
		fmt.Fprintf(&b, "\n%s", r.GetUrl())
	}
	return b.String()
}

func side(e *apiv1.ComparedExecution) string {
	return fmt.Sprintf("%s: %s, %d tests, %s", e.GetId(), render.Status(e.GetStatus()), e.GetTests(), render.Time(e.GetCreatedAt()))
}

func absent(text string) string {
	if text == "" {
		return "none"
	}
	return render.Line(text)
}

func group(b *strings.Builder, r *apiv1.CompareExecutionsResponse, g *apiv1.ComparedGroup) {
	fmt.Fprintf(b, "\n%s: %d", kindTitle(g.GetKind()), g.GetCount())
	if n := r.GetOtherCause(); g.GetKind() == "still_failing" && n > 0 {
		fmt.Fprintf(b, ", %d of them for another cause", n)
	}
	b.WriteString("\n")
	for i, t := range g.GetTests() {
		if i == maxListed {
			break
		}
		where := strings.Join(strings.Fields(t.GetEnvironment()+" "+t.GetCell()+" "+t.GetVariant()), " ")
		fmt.Fprintf(b, "  %s (%s)", render.Line(t.GetName()), render.Line(where))
		switch {
		case t.GetAfterTook() != nil:
			fmt.Fprintf(b, ": %s → %s", span(t.GetBeforeTook().AsDuration()), span(t.GetAfterTook().AsDuration()))
		case t.GetOtherCause():
			fmt.Fprintf(b, ", another cause: %s", render.Line(t.GetMessage()))
		case t.GetMessage() != "":
			fmt.Fprintf(b, ": %s", render.Line(t.GetMessage()))
		}
		b.WriteString("\n")
	}
	if n := int(g.GetCount()) - min(maxListed, len(g.GetTests())); n > 0 {
		fmt.Fprintf(b, "  and %d more; -o json lists up to 200 of each kind\n", n)
	}
}
