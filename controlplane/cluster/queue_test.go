package cluster_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
)

func TestCluster_Waits(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		cluster cluster.Cluster
		place   cluster.Place
		want    string
	}{
		"Drained": {
			cluster.Cluster{Name: "eu-1", Busy: 4, MaxRuns: 4, Drained: cluster.Drain{Since: since, By: "ada", Reason: "new nodes"}},
			cluster.Place{Number: 3, Of: 9},
			"Place 3 of 9 in the queue of cluster eu-1, which is drained since 2026-03-01 12:00:00 UTC by ada (new nodes). It begins after `seatrial cluster undrain eu-1`.",
		},
		"Full": {
			cluster.Cluster{Name: "eu-1", Busy: 5, MaxRuns: 4},
			cluster.Place{Number: 1, Of: 1},
			"Place 1 of 1 in the queue of cluster eu-1: 5 of at most 4 runs are under way there.",
		},
		"Quota": {
			cluster.Cluster{Name: "eu-1", Busy: 3, MaxRuns: 4},
			cluster.Place{Number: 1, Of: 2, Taken: 10, Quota: 10},
			"Place 1 of 2 in the queue of cluster eu-1: 10 of at most 10 runs are under way in the organization.",
		},
		"Behind": {
			cluster.Cluster{Name: "eu-1", Busy: 3},
			cluster.Place{Number: 1200, Of: 1300},
			"Place 1200 of 1300 in the queue of cluster eu-1: those before it begin first, as fast as the agent creates their Jobs.",
		},
		"Next":     {cluster.Cluster{Name: "eu-1"}, cluster.Place{Number: 1, Of: 1}, ""},
		"FarBack":  {cluster.Cluster{Name: "eu-1"}, cluster.Place{}, "Waits in the queue of cluster eu-1: those before it begin first, as fast as the agent creates their Jobs."},
		"FarDrain": {cluster.Cluster{Name: "eu-1", Drained: cluster.Drain{Since: since}}, cluster.Place{}, "Waits in the queue of cluster eu-1, which is drained since 2026-03-01 12:00:00 UTC. It begins after `seatrial cluster undrain eu-1`."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.cluster.Waits(tc.place); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
