package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) release() *cobra.Command {
	c := &cobra.Command{Use: "release", Aliases: []string{"releases"}, Short: "Ask whether a release is ready, and see what the answer rests upon"}
	c.AddCommand(a.releaseCreate(), a.releaseList(), a.releaseStatus(), a.releaseGate(), a.releaseDeployments(), a.waive(), a.revoke(), a.releaseBundle(),
		a.releaseVerify(), a.releaseKeys(), a.releaseReport(), a.releaseCompare(), a.releaseShare(), a.releaseSnapshots())
	return c
}

func (a *app) releaseCreate() *cobra.Command {
	req := &apiv1.CreateReleaseRequest{}
	c := &cobra.Command{
		Use: "create APPLICATION VERSION", Short: "Freeze what a release has to show", Args: cobra.ExactArgs(2),
		Long: "Freeze what a release has to show: the readiness policy of the application, and the tests that it requires as the catalog knows " +
			"them now. Executions that run against its images become evidence for it, and those that are started with --release.",
		Example: "  seatrial release create shop 1.42.0 --commit $(git rev-parse HEAD) --image shop=sha256:…",
	}
	c.Flags().StringVar(&req.Commit, "commit", "", "commit that it was built from")
	c.Flags().StringArrayVar(&req.Images, "image", nil, "image of it as NAME=sha256:… or NAME@sha256:…; several are allowed")
	c.Flags().StringArrayVar(&req.Targets, "target", nil, "where it is to go, such as production; readiness policies may be for certain targets")
	c.Flags().StringVar(&req.Policy, "policy", "", "readiness policy, when several apply to the application")
	c.Flags().StringVar(&req.Team, "team", "", "team that owns it; yours when not given")
	c.RunE = func(c *cobra.Command, args []string) error {
		req.Application, req.Version = args[0], args[1]
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.releases.CreateRelease(c.Context(), req)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		word := "Created"
		if res.GetExisted() {
			word = "Already created:"
		}
		r := res.GetRelease()
		a.say("%s %s, held to %s revision %d", word, nameOf(r), render.Line(r.GetPolicy().GetName()), r.GetPolicy().GetRevision())
		a.say("%s", required(r))
		return a.answer(r)
	}
	return c
}

// required says how much a release has to show.
func required(r *apiv1.Release) string {
	tests, environments := 0, map[string]bool{}
	for _, c := range r.GetCells() {
		tests += int(c.GetRequired())
		environments[c.GetEnvironment()] = true
	}
	return fmt.Sprintf("%s required in %s", count(tests, "test"), count(len(environments), "environment"))
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

func nameOf(r *apiv1.Release) string {
	return render.Line(r.GetApplication()) + " " + render.Line(r.GetVersion())
}

// answer prints the state, which scripts read, and where people see more.
func (a *app) answer(r *apiv1.Release) error {
	if r.GetUrl() != "" {
		a.say("%s", r.GetUrl())
	}
	return a.print("%s", render.State(r.GetState()))
}

func (a *app) releaseList() *cobra.Command {
	var application string
	c := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List releases, newest first", Args: cobra.NoArgs}
	c.Flags().StringVar(&application, "application", "", "only those of this application")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.releases.ListReleases(c.Context(), &apiv1.ListReleasesRequest{Application: application, PageSize: 50})
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		var rows [][]string
		for _, r := range res.GetReleases() {
			state := render.State(r.GetState())
			if r.GetStale() {
				state += " (more came in)"
			}
			rows = append(rows, []string{
				r.GetApplication(), r.GetVersion(), state, r.GetPolicy().GetName(), render.Time(r.GetCreatedAt()), r.GetActor(),
			})
		}
		if len(rows) == 0 {
			a.say("None yet. Create one with: seatrial release create APPLICATION VERSION --image NAME=sha256:…")
			return nil
		}
		return render.Rows(a.Out, []string{"APPLICATION", "VERSION", "VERDICT", "POLICY", "CREATED", "BY"}, rows)
	}
	return c
}

// releaseNamed returns a release with everything.
func releaseNamed(ctx context.Context, cl clients, application, version string) (*apiv1.Release, error) {
	res, err := cl.releases.GetRelease(ctx, &apiv1.GetReleaseRequest{Application: application, Version: version})
	return res.GetRelease(), err
}

func (a *app) releaseStatus() *cobra.Command {
	c := &cobra.Command{Use: "status APPLICATION VERSION", Short: "Show the verdict with all of its reasons", Args: cobra.ExactArgs(2)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		r, err := releaseNamed(c.Context(), cl, args[0], args[1])
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, r)
		}
		return a.showRelease(r)
	}
	return c
}

func (a *app) waive() *cobra.Command {
	req := &apiv1.RequestWaiverRequest{}
	var lifetime time.Duration
	c := &cobra.Command{
		Use: "waive APPLICATION VERSION", Short: "Ask for an exception from a rule", Args: cobra.ExactArgs(2),
		Long: "Ask for an exception from a rule. It counts for nothing until others have approved it, which they do on the page of the release.",
	}
	c.Flags().StringVar(&req.Rule, "rule", "", "rule that is not to count (required)")
	c.Flags().StringVar(&req.Reason, "reason", "", "why it may ship in spite of this (required)")
	c.Flags().StringVar(&req.Environment, "env", "", "only in this environment")
	c.Flags().StringVar(&req.Suite, "suite", "", "only in this workflow")
	c.Flags().StringVar(&req.Test, "test", "", "only for the test of this key")
	c.Flags().StringVar(&req.Variant, "variant", "", "only for this variant of the test")
	c.Flags().StringVar(&req.Fingerprint, "fingerprint", "", "only for this failure, such as fp1:649b72b52e25e7c0")
	c.Flags().DurationVar(&lifetime, "for", 0, "how long it holds; as long as the policy allows when not given")
	_ = c.MarkFlagRequired("rule")
	_ = c.MarkFlagRequired("reason")
	c.RunE = func(c *cobra.Command, args []string) error {
		req.Application, req.Version, req.Lifetime = args[0], args[1], durationpb.New(lifetime)
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.releases.RequestWaiver(c.Context(), req)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		w := res.GetWaiver()
		a.say("Asked for a waiver of %s until %s; somebody else has to approve it on the page of the release.", render.Line(w.GetRule()), render.Time(w.GetExpiresAt()))
		return a.print("%s", w.GetId())
	}
	return c
}

func (a *app) revoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke APPLICATION VERSION WAIVER", Short: "End a waiver", Args: cobra.ExactArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.releases.RevokeWaiver(c.Context(), &apiv1.RevokeWaiverRequest{Application: args[0], Version: args[1], Id: args[2]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			return a.print("Revoked %s", args[2])
		},
	}
}

// releaseName reads APPLICATION@VERSION; none of both when it is empty.
func releaseName(text string) (*apiv1.ReleaseName, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // most executions are evidence for none
	}
	i := strings.LastIndexByte(text, '@')
	if i <= 0 || i == len(text)-1 {
		return nil, fmt.Errorf("--release %q: write it as APPLICATION@VERSION, such as shop@1.42.0", text)
	}
	return &apiv1.ReleaseName{Application: text[:i], Version: text[i+1:]}, nil
}
