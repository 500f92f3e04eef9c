package e2e_test

import "testing"

// TestWorkflows runs what needs nothing of its own but a workflow: on one control plane and by one agent, all at once.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p)
	for name, test := range map[string]func(*testing.T, *plane, *agent){
		"GitSource": gitSource, "OtherSources": otherSources, "Volumes": volumes, "FailFast": failFast, "Shards": shardsByDuration,
		"CancelledSuite": cancelledSuite, "Measured": measured,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, p, a)
		})
	}
}
