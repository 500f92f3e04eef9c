package cluster

import (
	"fmt"
	"time"
)

// ReasonAway is the machine-readable cause of an attempt that waits for an agent which is not connected.
const ReasonAway = "AgentOffline"

// Away returns the sentence for a test that waits for the cluster's agent, with what to do; it is empty when the agent is
// connected. Running says that the test began before: it goes on in the cluster, only the news are missing.
func (c Cluster) Away(running bool) string {
	switch {
	case c.Connected:
		return ""
	case !c.Enrolled:
		return fmt.Sprintf("No agent has connected for cluster %s yet: install it with the command that `seatrial cluster enroll %s` prints.", c.Name, c.Name)
	case running:
		return fmt.Sprintf("The agent of cluster %s is offline since %s. The test goes on there; its log and result come when the agent is back.",
			c.Name, c.LastSeenAt.UTC().Format(time.DateTime+" UTC"))
	default:
		return fmt.Sprintf("Waiting for the agent of cluster %s, which is offline since %s. Check that its pod runs and that it reaches the control plane.",
			c.Name, c.LastSeenAt.UTC().Format(time.DateTime+" UTC"))
	}
}
