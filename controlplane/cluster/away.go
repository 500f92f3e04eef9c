package cluster

import (
	"fmt"
	"time"
)

// ReasonAway is the machine-readable cause of an attempt that waits for an agent which is not connected.
const ReasonAway = "AgentOffline"

// ReasonGivenUp is the machine-readable cause of an attempt that was cancelled while its agent was away, so that nobody could say
// how it ended.
const ReasonGivenUp = "CancelledOffline"

// GiveUpAfter is how long an agent must have been away before a cancellation ends its attempts without it. An agent that is
// updated or whose node restarts is back sooner, and can say how they ended.
const GiveUpAfter = 5 * time.Minute

// Away returns the sentence for a test that waits for the cluster's agent, with what to do; it is empty when the agent is
// connected. Running says that the test began before: it goes on in the cluster, only the news are missing.
func (c Cluster) Away(running bool) string {
	switch {
	case c.Connected:
		return ""
	case !c.RevokedAt.IsZero():
		return fmt.Sprintf("The right of the agent of cluster %s was taken away%s. Enroll the cluster again with `seatrial cluster enroll %s`, or cancel the test.",
			c.Name, c.because(), c.Name)
	case !c.Enrolled:
		return fmt.Sprintf("No agent has connected for cluster %s yet: install it with the command that `seatrial cluster enroll %s` prints.", c.Name, c.Name)
	case running:
		return fmt.Sprintf("The agent of cluster %s is offline since %s. The test goes on there; its log and result come when the agent is back. "+
			"Once it is away for %d minutes, cancelling ends the test without it.", c.Name, c.lastSeen(), int(GiveUpAfter.Minutes()))
	default:
		return fmt.Sprintf("Waiting for the agent of cluster %s, which is offline since %s. Check that its pod runs and that it reaches the control plane.",
			c.Name, c.lastSeen())
	}
}

// GaveUp returns the sentence for a test of the cluster that was cancelled without its agent.
func (c Cluster) GaveUp(reason string) string {
	return fmt.Sprintf("%s The agent of cluster %s is offline since %s, so the test was ended without it. "+
		"What still runs there is stopped when the agent is back.", reason, c.Name, c.lastSeen())
}

// because returns why the agent was revoked, as the end of a sentence.
func (c Cluster) because() string {
	if c.RevokedReason == "" {
		return ""
	}
	return " (" + c.RevokedReason + ")"
}

func (c Cluster) lastSeen() string { return c.silentSince().UTC().Format(time.DateTime + " UTC") }

// silentSince counts an agent that never connected from when its cluster was registered.
func (c Cluster) silentSince() time.Time {
	if c.LastSeenAt.IsZero() {
		return c.CreatedAt
	}
	return c.LastSeenAt
}

// Lost reports whether the agent has been away for so long that a cancellation does not wait for it.
func (c Cluster) Lost(now time.Time) bool {
	return !c.Connected && now.Sub(c.silentSince()) >= GiveUpAfter
}
