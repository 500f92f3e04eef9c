package app_test

import "testing"

// TestProbes calls everything that listens, as everybody who must not get anywhere: methods from the descriptors, pages from their routes.
// Nothing has to be added here for a new one.
func TestProbes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, part := range []struct {
		name  string
		probe func(*testing.T, *figures)
	}{
		{"another team, teams share what they see", w.probeTeam},
		{"another team, teams apart", w.probeTeamApart},
		{"agents' port", w.probeAgents},
		{"data of pages", w.probeData}, // before the forms: what the other organization sends, its own audit log says
		{"pages and streams", w.probePages},
		{"API", w.probeAPI}, // last: here the other organization makes things for itself
	} {
		var f figures
		part.probe(t, &f)
		t.Logf("figures: %s: %d probes as no one, wrong organization, wrong team, viewer, expired, revoked and wrong-audience credentials; leaks %d; methods "+
			"without a control %d", part.name, f.probes, f.leaks, f.vacuous)
	}
}
