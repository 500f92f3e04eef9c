package execution_test

import (
	"testing"

	"github.com/seatrial/seatrial/controlplane/execution"
)

func TestLost(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status execution.Status
		reason string
		want   bool
		why    string
	}{
		"Evicted":   {execution.Errored, "Evicted", true, "the cluster took the pod away"},
		"Preempted": {execution.Errored, "Preempted", true, "another pod took its place"},
		"NodeLost":  {execution.Errored, "NodeLost", true, "the node is gone"},
		"AgentLost": {execution.Errored, execution.ReasonAgentLost, true, "the agent lost the Job"},
		"Failed":    {execution.Failed, "Evicted", false, "a test has failed: that is an answer"},
		"OOM":       {execution.Errored, "OOMKilled", false, "it would happen again"},
		"Image":     {execution.Errored, "ImagePull", false, "it would happen again"},
		"Deleted":   {execution.Errored, "JobDeleted", false, "somebody wanted it gone"},
		"Cancelled": {execution.Cancelled, "Cancelled", false, "somebody stopped it"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := execution.Lost(tc.status, tc.reason); got != tc.want {
				t.Errorf("%s %s: %t, want %t: %s", tc.status, tc.reason, got, tc.want, tc.why)
			}
		})
	}
}
