package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/release/compare"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) releaseCompare() *cobra.Command {
	c := &cobra.Command{
		Use: "compare APPLICATION VERSION VERSION", Short: "Show what is different between the verdicts on two releases", Args: cobra.ExactArgs(3),
		Long: "Show what is different between the verdicts on two releases, the earlier one first: rules that fare differently, and tests that " +
			"newly fail, are newly flaky, newly pass, or no longer say anything. -o json lists all of them.",
		Example: "  seatrial release compare shop 1.41.0 1.42.0",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		var sides [2]verdict.Output
		for i, version := range args[1:] {
			if sides[i], err = judgedAs(c.Context(), cl, args[0], version); err != nil {
				return err
			}
		}
		found := compare.Of(sides[0], sides[1])
		if a.format != render.Table {
			return render.Value(a.Out, a.format, found)
		}
		return a.print("%s", differences(args, found))
	}
	return c
}

func judgedAs(ctx context.Context, cl clients, application, version string) (verdict.Output, error) {
	r, err := releaseNamed(ctx, cl, application, version)
	return verdictOf(r), err
}

const maxListed = 20 // tests of a kind in a cell

func differences(args []string, c compare.Comparison) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s is %s, %s is %s\n", render.Line(args[0]), render.Line(args[1]), render.Line(string(c.Before)), render.Line(args[2]), render.Line(string(c.After)))
	if len(c.Rules)+len(c.Cells) == 0 {
		b.WriteString("\nNo rule and no test fares differently.\n")
	}
	if len(c.Rules) > 0 {
		b.WriteString("\nRules\n")
	}
	for _, r := range c.Rules {
		fmt.Fprintf(&b, "  %s: %s → %s\n", render.Line(r.ID), r.Before, r.After)
	}
	for _, cell := range c.Cells {
		fmt.Fprintf(&b, "\n%s/%s\n", render.Line(cell.Environment), render.Line(cell.Suite))
		different(&b, "✕ newly failing", cell.Failing)
		different(&b, "~ newly flaky", cell.Flaky)
		different(&b, "✓ newly passing", cell.Passing)
		different(&b, "○ newly absent", cell.Absent)
	}
	return strings.TrimRight(b.String(), "\n")
}

func different(b *strings.Builder, what string, list []compare.Test) {
	for i, t := range list {
		if i == maxListed {
			fmt.Fprintf(b, "  %s: %d more\n", what, len(list)-i)
			return
		}
		name := t.Name
		if name == "" {
			name = t.Key
		}
		fmt.Fprintf(b, "  %s: %s (%s → %s)\n", what, render.Line(strings.TrimSpace(name+" "+t.Variant)), fared(string(t.Before)), fared(string(t.After)))
	}
}

func fared(verdict string) string {
	if verdict == "" {
		return "not there"
	}
	return strings.ReplaceAll(render.Line(verdict), "_", " ")
}
