package cmd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) cluster() *cobra.Command {
	req := &apiv1.EnrollClusterRequest{}
	enroll := &cobra.Command{Use: "enroll NAME", Short: "Register a cluster and print how to install its agent", Args: cobra.ExactArgs(1)}
	enroll.Flags().StringVar(&req.Namespace, "namespace", "", "namespace the tests run in")
	enroll.Flags().StringVar(&req.Environment, "environment", "", "name of its environment; the cluster's name when not given")
	enroll.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		req.Name = args[0]
		res, err := cl.clusters.EnrollCluster(c.Context(), req)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		a.say("Run this against cluster %s before %s. The token works once and is not shown again.", args[0], render.Time(res.GetExpiresAt()))
		return a.print("%s", res.GetCommand())
	}
	c := &cobra.Command{Use: "cluster", Short: "Clusters and their agents"}
	c.AddCommand(enroll, a.revokeCluster(), a.rotateKey(), a.drainCluster(), a.undrainCluster(), a.limitCluster(), a.examineCluster(), a.showCluster(), a.clusterCatalog(), a.getter("list", nil, 0, a.getClusters))
	return c
}

func (a *app) revokeCluster() *cobra.Command {
	req := &apiv1.RevokeClusterRequest{}
	c := &cobra.Command{
		Use: "revoke NAME", Short: "Take the right of a cluster's agent away", Args: cobra.ExactArgs(1),
		Long: "Take the right of a cluster's agent away: its connections end within seconds and all its calls are refused. Tests that run in\n" +
			"the cluster go on there, but nothing more of them is taken in. `seatrial cluster enroll NAME` lets the agent come back with a new key.",
	}
	c.Flags().StringVar(&req.Reason, "reason", "", "why, which is shown wherever the cluster is")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		req.Name = args[0]
		res, err := cl.clusters.RevokeCluster(c.Context(), req)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		a.say("The agent of cluster %s is revoked. Enroll the cluster again with: seatrial cluster enroll %s", args[0], args[0])
		return nil
	}
	return c
}

func (a *app) rotateKey() *cobra.Command {
	return &cobra.Command{
		Use: "rotate-key NAME", Short: "Ask the agent of a cluster to take another key", Args: cobra.ExactArgs(1),
		Long: "Ask the agent of a cluster to take another key. It does so when it renews its token, within five minutes while it is connected.\n" +
			"Both keys hold until the new one is used. `seatrial cluster list -o json` shows since when the key is in use.",
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.clusters.RotateClusterKey(c.Context(), &apiv1.RotateClusterKeyRequest{Name: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			a.say("The agent of cluster %s takes another key when it renews its token, within five minutes while it is connected.", args[0])
			return nil
		},
	}
}

func (a *app) getClusters(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.clusters.ListClusters(ctx, &apiv1.ListClustersRequest{})
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: []string{"NAME", "STATE", "RUNS", "QUEUED", "LAST SEEN", "KUBERNETES", "AGENT", "NAMESPACES"}}
	for _, c := range res.GetClusters() {
		t.rows = append(t.rows, []string{
			c.GetName(), standing(c), busyRuns(c), strconv.Itoa(int(c.GetQueuedRuns())), render.Time(c.GetLastSeenAt()), c.GetKubernetesVersion(), c.GetAgentVersion(), strings.Join(c.GetNamespaces(), ","),
		})
	}
	return t, nil
}

func standing(c *apiv1.Cluster) string {
	switch {
	case c.GetRevokedAt() != nil:
		return "revoked"
	case !c.GetEnrolled():
		return "waiting for its agent"
	case c.GetConnected() && c.GetDrainedAt() != nil:
		return "drained"
	case c.GetConnected():
		return "connected"
	}
	return "disconnected"
}

func (a *app) showCluster() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a cluster, the key of its agent and what the agent allows", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.clusters.ListClusters(c.Context(), &apiv1.ListClustersRequest{})
			if err != nil {
				return err
			}
			at := slices.IndexFunc(res.GetClusters(), func(c *apiv1.Cluster) bool { return c.GetName() == args[0] })
			if at < 0 {
				return fmt.Errorf("there is no cluster %q; see `seatrial cluster list`", args[0])
			}
			found := res.GetClusters()[at]
			if a.format != render.Table {
				return render.Message(a.Out, a.format, found)
			}
			return a.print("%s", strings.Join(describe(found), "\n"))
		},
	}
}

func describe(c *apiv1.Cluster) []string {
	out := []string{"Name:       " + c.GetName(), "State:      " + standing(c)}
	if c.GetRevokedAt() != nil {
		out = append(out, "Revoked:    "+strings.TrimSpace(render.Time(c.GetRevokedAt())+" "+c.GetRevokedReason()))
	}
	if c.GetDrainedAt() != nil {
		since := fmt.Sprintf("Drained:    %s by %s", render.Time(c.GetDrainedAt()), c.GetDrainedBy())
		if c.GetDrainedReason() != "" {
			since += ": " + c.GetDrainedReason()
		}
		out = append(out, since)
	}
	out = append(out, fmt.Sprintf("Runs:       %s under way, %d waiting", busyRuns(c), c.GetQueuedRuns()))
	out = append(out, "Last seen:  "+render.Time(c.GetLastSeenAt()), "Namespaces: "+strings.Join(c.GetNamespaces(), ", "))
	key := "Key since:  " + render.Time(c.GetKeySince())
	if c.GetRotationAsked() {
		key += ", and the agent was asked to take another one"
	}
	out = append(out, key)
	if len(c.GetRules()) == 0 {
		return append(out, "Allows:     every pod in these namespaces; the values `allow` of the agent's chart say less")
	}
	out = append(out, "Allows only, as the values of the agent's chart say:")
	for _, rule := range c.GetRules() {
		out = append(out, "  "+rule)
	}
	return out
}

func (a *app) getEnvironments(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.clusters.ListEnvironments(ctx, &apiv1.ListEnvironmentsRequest{})
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: []string{"NAME", "CLUSTER", "NAMESPACE", "TEAM", "LABELS", "DESCRIPTION"}}
	for _, e := range res.GetEnvironments() {
		t.rows = append(t.rows, []string{e.GetName(), e.GetCluster(), e.GetNamespace(), e.GetTeam(), labels(e), e.GetDescription()})
	}
	return t, nil
}

// labels are those by which workflows select an environment.
func labels(e *apiv1.Environment) string {
	all := maps.Clone(e.GetLabels())
	if all == nil {
		all = map[string]string{}
	}
	if _, ok := all["tier"]; !ok && e.GetTier() != "" {
		all["tier"] = e.GetTier()
	}
	return joined(all)
}

// joined are labels in one line.
func joined(all map[string]string) string {
	parts := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, name+"="+all[name])
	}
	return strings.Join(parts, ",")
}
