package cmd

import (
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) releaseShare() *cobra.Command {
	req := &apiv1.ShareReleaseRequest{}
	var lifetime time.Duration
	c := &cobra.Command{
		Use: "share APPLICATION VERSION", Short: "Let whoever has a link read the report on a release", Args: cobra.ExactArgs(2),
		Long: "Let whoever has a link read the report on a release, without an account: as the release is now. The link is shown once; it leads to nothing " +
			"else, ends by itself, and can be revoked with seatrial release snapshots revoke.",
		Example: "  seatrial release share shop 1.42.0 --for 72h",
	}
	c.Flags().DurationVar(&lifetime, "for", 0, "how long it can be read, at most 2160h; a week when not given")
	c.RunE = func(c *cobra.Command, args []string) error {
		req.Application, req.Version, req.Lifetime = args[0], args[1], durationpb.New(lifetime)
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.releases.ShareRelease(c.Context(), req)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		a.say("Until %s, whoever has this link reads the report as it is now. It is not shown again.", render.Time(res.GetSnapshot().GetExpiresAt()))
		return a.print("%s", res.GetUrl())
	}
	return c
}

func (a *app) releaseSnapshots() *cobra.Command {
	c := &cobra.Command{
		Use: "snapshots [APPLICATION VERSION]", Aliases: []string{"snapshot"}, Short: "List what was shared and can still be read",
		Args: cobra.MatchAll(cobra.MaximumNArgs(2), func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return cobra.ExactArgs(2)(c, args)
			}
			return nil
		}),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			req := &apiv1.ListSnapshotsRequest{}
			if len(args) == 2 {
				req.Application, req.Version = args[0], args[1]
			}
			res, err := cl.releases.ListSnapshots(c.Context(), req)
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			var rows [][]string
			for _, s := range res.GetSnapshots() {
				rows = append(rows, []string{
					s.GetId(), render.Line(s.GetApplication() + " " + s.GetVersion()), string(stateOf(s.GetState())), render.Line(s.GetMaker()), render.Time(s.GetExpiresAt()),
					render.Time(s.GetOpenedAt()),
				})
			}
			if len(rows) == 0 {
				a.say("Nothing is shared. A link is made with: seatrial release share APPLICATION VERSION")
				return nil
			}
			return render.Rows(a.Out, []string{"ID", "RELEASE", "STATE", "SHARED BY", "UNTIL", "LAST OPENED"}, rows)
		},
	}
	c.AddCommand(&cobra.Command{
		Use: "revoke ID", Short: "Make the link of a snapshot useless", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.releases.RevokeSnapshot(c.Context(), &apiv1.RevokeSnapshotRequest{Id: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			return a.print("Revoked %s", render.Line(args[0]))
		},
	})
	return c
}
