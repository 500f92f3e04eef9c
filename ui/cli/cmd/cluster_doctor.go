package cmd

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) examineCluster() *cobra.Command {
	return &cobra.Command{
		Use: "doctor NAME", Short: "Have the agent of a cluster look at itself and its cluster", Args: cobra.ExactArgs(1),
		Long: "Have the agent of a cluster look at the way to the control plane, the clocks, DNS, its rights (those that it needs, and that it has none\n" +
			"that it must not have), whether the API server would take the Job of a test, and whether nodes get images. It changes nothing there.\n" +
			"The exit code is 3 when something keeps tests from running. `seatrial doctor` looks at the way from here to the control plane.",
		Example: "  seatrial cluster doctor eu-1",
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.clusters.ExamineCluster(c.Context(), &apiv1.ExamineClusterRequest{Name: args[0]})
			if err != nil {
				return err
			}
			who, err := cl.identity.WhoAmI(c.Context(), &apiv1.WhoAmIRequest{})
			if err != nil {
				return err
			}
			found := symptoms(res, who.GetServerVersion())
			if a.format != render.Table {
				if err := render.Value(a.Out, a.format, found); err != nil {
					return err
				}
			} else if err := a.tellSymptoms(found); err != nil {
				return err
			}
			if slices.ContainsFunc(found, func(f symptom) bool { return f.State == bad }) {
				return coded(exitcode.Errored, &toldError{"something keeps tests from running in cluster " + args[0]})
			}
			return nil
		},
	}
}

// symptoms are those of the agent, after what is known here of it.
func symptoms(res *apiv1.ExamineClusterResponse, server string) []symptom {
	c := res.GetCluster()
	found := []symptom{
		{Check: "connection", State: good, Found: c.GetName() + " is connected since " + render.Time(c.GetConnectedAt())},
		{Check: "versions", State: good, Found: fmt.Sprintf("agent %s, control plane %s", c.GetAgentVersion(), server)},
	}
	if server != "" && c.GetAgentVersion() != server {
		found[1].State, found[1].Do = doubtful, "Both work together; upgrade the agent's Helm release to have all that the control plane offers."
	}
	for _, k := range res.GetChecks() {
		found = append(found, symptom{Check: k.GetCheck(), State: k.GetState(), Found: k.GetFound(), Do: k.GetDo()})
	}
	return found
}
