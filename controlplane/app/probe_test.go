package app_test

import "testing"

// TestProbes calls everything that listens, as everybody who must not get anywhere: methods from the descriptors, pages from their routes.
// Nothing has to be added here for a new one. Callers of another team of the same organization are missing as long as teams share all.
func TestProbes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, probe := range map[string]func(*testing.T, *figures){"API": w.probeAPI} {
		var f figures
		probe(t, &f)
		t.Logf("figures: %s: %d probes as no one, wrong organization, viewer, expired, revoked and wrong-audience credentials; leaks %d; methods without a control %d", name, f.probes, f.leaks, f.vacuous)
	}
}
