package cmd

import (
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) policy() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Try readiness policies before they are applied"}
	c.AddCommand(a.policyDryRun())
	return c
}

func (a *app) policyDryRun() *cobra.Command {
	req := &apiv1.DryRunPolicyRequest{}
	c := &cobra.Command{
		Use: "dry-run FILE", Short: "Show which verdicts on past releases a policy would change", Args: cobra.ExactArgs(1),
		Long: "Judge past releases by a readiness policy that is not applied, and by the one that each is held to, on the same evidence and as of its last " +
			"decision. What the policy requires is resolved against the catalog of today. Nothing is changed. A file of - is the input.",
		Example: "  seatrial policy dry-run policy.yaml --releases shop --last 10",
	}
	c.Flags().StringVar(&req.Application, "releases", "", "only releases of this application; all that the policy applies to when not given")
	c.Flags().Int32Var(&req.Last, "last", 0, "how many of the newest releases, at most 50 (default 20)")
	c.RunE = func(c *cobra.Command, args []string) error {
		docs, err := a.documents(args)
		if err != nil {
			return err
		}
		if len(docs) != 1 {
			return fmt.Errorf("%s holds %d documents; give one with the policy alone", args[0], len(docs))
		}
		req.File, req.Source = docs[0].file, docs[0].text
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.releases.DryRunPolicy(c.Context(), req)
		var wire *connect.Error
		if errors.As(err, &wire) && len(detail(wire).GetFaults()) > 0 {
			a.faults(docs[0], wire)
			return coded(exitcode.Usage, errors.New("no release was judged"))
		}
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		return a.print("%s", trials(res))
	}
	return c
}

func trials(res *apiv1.DryRunPolicyResponse) string {
	var b strings.Builder
	n := len(res.GetReleases())
	if n == 0 {
		fmt.Fprintf(&b, "%s applies to none of the past releases.", render.Line(res.GetPolicy()))
		return b.String()
	}
	fmt.Fprintf(&b, "%s would change the verdict on %d of %d past releases\n", render.Line(res.GetPolicy()), res.GetChanged(), n)
	for _, t := range res.GetReleases() {
		verdict := render.State(t.GetBefore()) + " → " + render.State(t.GetAfter())
		switch {
		case t.GetProblem() != "":
			verdict = render.Line(t.GetProblem())
		case t.GetBefore() == t.GetAfter():
			verdict = render.State(t.GetAfter()) + ", as before"
		}
		fmt.Fprintf(&b, "\n%s %s: %s (held to %s revision %d, judged as of %s)\n", render.Line(t.GetApplication()), render.Line(t.GetVersion()), verdict,
			render.Line(t.GetPolicy().GetName()), t.GetPolicy().GetRevision(), render.Time(t.GetJudgedAt()))
		for _, r := range t.GetRules() {
			fmt.Fprintf(&b, "  %s: %s → %s\n", render.Line(r.GetId()), render.Line(r.GetBefore()), render.Line(r.GetAfter()))
		}
		cellList(&b, "requires in addition", t.GetAddedCells())
		cellList(&b, "requires no longer", t.GetRemovedCells())
	}
	return strings.TrimRight(b.String(), "\n")
}

func cellList(b *strings.Builder, what string, list []string) {
	if len(list) > maxListed {
		list = append(list[:maxListed:maxListed], fmt.Sprintf("%d more", len(list)-maxListed))
	}
	if len(list) > 0 {
		fmt.Fprintf(b, "  %s: %s\n", what, listed(list))
	}
}
