package cmd

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// drainPoll is how often it is asked whether a cluster is empty.
const drainPoll = 2 * time.Second

func (a *app) drainCluster() *cobra.Command {
	req := &apiv1.DrainClusterRequest{}
	var wait bool
	c := &cobra.Command{
		Use: "drain NAME", Short: "Let nothing begin in a cluster any more", Args: cobra.ExactArgs(1),
		Long: "Let nothing begin in a cluster any more, such as before its nodes are replaced. What is under way there goes on to its end; what comes\n" +
			"waits, and says why. `seatrial cluster undrain NAME` ends it.",
		Example: "  seatrial cluster drain eu-1 --reason 'new nodes' --wait && kubectl drain node-1",
	}
	c.Flags().StringVar(&req.Reason, "reason", "", "why, which is shown with all that waits")
	c.Flags().BoolVar(&wait, "wait", false, "return once nothing is under way there any more")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		req.Name = args[0]
		res, err := cl.clusters.DrainCluster(c.Context(), req)
		if err != nil {
			return err
		}
		if wait {
			if err := a.untilIdle(c, cl, args[0]); err != nil {
				return err
			}
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		a.say("Nothing begins in cluster %s until: seatrial cluster undrain %s", args[0], args[0])
		return nil
	}
	return c
}

// untilIdle returns once no run is under way in a cluster. It says how many are when that changes.
func (a *app) untilIdle(c *cobra.Command, cl clients, name string) error {
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for said := int32(-1); ; {
		res, err := cl.clusters.ListClusters(c.Context(), &apiv1.ListClustersRequest{})
		if err != nil {
			return err
		}
		at := slices.IndexFunc(res.GetClusters(), func(c *apiv1.Cluster) bool { return c.GetName() == name })
		if at < 0 {
			return fmt.Errorf("cluster %q is gone", name)
		}
		busy := res.GetClusters()[at].GetBusyRuns()
		if busy == 0 {
			return nil
		}
		if busy != said {
			a.say("%d under way in cluster %s.", busy, name)
			said = busy
		}
		select {
		case <-c.Context().Done():
			return c.Context().Err()
		case <-tick.C:
		}
	}
}

func (a *app) undrainCluster() *cobra.Command {
	return &cobra.Command{
		Use: "undrain NAME", Short: "Let what waits for a drained cluster begin again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.clusters.UndrainCluster(c.Context(), &apiv1.UndrainClusterRequest{Name: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			a.say("What waits for cluster %s begins again.", args[0])
			return nil
		},
	}
}

func (a *app) limitCluster() *cobra.Command {
	return &cobra.Command{
		Use: "limit NAME RUNS", Short: "Say how many runs may be under way in a cluster at once", Args: cobra.ExactArgs(2),
		Long: "Say how many runs may be under way in a cluster at once; 0 for as many as its agent takes. More wait for their turn: those of higher\n" +
			"priority first, and workflows take turns. What is under way beyond the limit goes on.",
		RunE: func(c *cobra.Command, args []string) error {
			runs, err := strconv.ParseInt(args[1], 10, 32)
			if err != nil || runs < 0 {
				return fmt.Errorf("%q is no number of runs: give a whole number, or 0 for as many as the agent takes", args[1])
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.clusters.LimitCluster(c.Context(), &apiv1.LimitClusterRequest{Name: args[0], MaxRuns: int32(runs)})
			switch {
			case err != nil:
				return err
			case a.format != render.Table:
				return render.Message(a.Out, a.format, res)
			case runs == 0:
				a.say("Cluster %s may have as many runs under way as its agent takes.", args[0])
			default:
				a.say("Cluster %s may have %d runs under way at once.", args[0], runs)
			}
			return nil
		},
	}
}

// busyRuns says how many runs are under way in a cluster, of how many that may be.
func busyRuns(c *apiv1.Cluster) string {
	if c.GetMaxRuns() == 0 {
		return strconv.Itoa(int(c.GetBusyRuns()))
	}
	return fmt.Sprintf("%d/%d", c.GetBusyRuns(), c.GetMaxRuns())
}
