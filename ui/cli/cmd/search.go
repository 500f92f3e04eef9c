package cmd

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) search() *cobra.Command {
	req := &apiv1.SearchRequest{}
	c := &cobra.Command{
		Use: "search WORD…", Short: "Find workflows, releases, executions, tests and failures", Args: cobra.MinimumNArgs(1),
		Long: "Find workflows, releases, executions, tests and failures by the beginnings of words of their names and messages, and by the beginnings of ids, " +
			"commits and digests. What is found has all of the words. What was stored a moment ago may not be found yet.",
	}
	c.Flags().StringSliceVar(&req.Kinds, "kind", nil, "only these: workflow, release, execution, test, failure")
	c.Flags().Int32Var(&req.Limit, "limit", 0, "how many of each kind, at most 50 (default 10)")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		req.Text = strings.Join(args, " ")
		res, err := cl.insights.Search(c.Context(), req)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		return a.showFound(req.GetText(), res)
	}
	return c
}

func (a *app) showFound(text string, res *apiv1.SearchResponse) error {
	var rows [][]string
	var more []string
	for _, g := range res.GetGroups() {
		for _, h := range g.GetHits() {
			rows = append(rows, []string{g.GetKind(), h.GetTitle(), stands(h), cmp.Or(h.GetEnvironment(), "-"), render.Time(h.GetAt()), cmp.Or(h.GetRef(), h.GetCommit(), "-")})
		}
		if g.GetMore() {
			more = append(more, g.GetKind()+"s")
		}
	}
	if len(rows) == 0 {
		a.say("Nothing has all of these words: %s", render.Line(text))
		return nil
	}
	if err := render.Rows(a.Out, []string{"KIND", "WHAT", "STANDS", "WHERE", "WHEN", "REF"}, rows); err != nil {
		return err
	}
	if len(more) > 0 {
		a.say("There are more %s: add a word, or raise --limit.", strings.Join(more, ", "))
	}
	return nil
}

// stands says how a hit fares.
func stands(h *apiv1.SearchHit) string {
	switch {
	case h.GetStatus() != apiv1.Status_STATUS_UNSPECIFIED:
		return render.Status(h.GetStatus())
	case h.GetState() != apiv1.State_STATE_UNSPECIFIED:
		return render.State(h.GetState())
	}
	return cmp.Or(h.GetOutcome(), "-")
}
