package execution

// ReasonAgentLost is the machine-readable cause of an attempt whose Job was gone when its agent came back.
const ReasonAgentLost = "AgentLost"

// Lost reports whether an attempt ended because what it ran on was taken away: the pod was evicted or preempted, the node or the agent
// was lost. Only then may the run be tried anew; a failed test, a broken image or a deleted Job is an answer.
func Lost(status Status, reason string) bool {
	if status != Errored {
		return false
	}
	switch reason {
	case "Evicted", "Preempted", "NodeLost", ReasonAgentLost: // as the agent names them
		return true
	}
	return false
}
