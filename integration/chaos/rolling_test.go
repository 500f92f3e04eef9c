package chaos_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/chaos"
)

var (
	rollingFor    = flag.Duration("rolling.for", 30*time.Second, "how long TestRolling goes on")
	rollingAgents = flag.Int("rolling.agents", 20, "simulated agents")
	rollingRate   = flag.Float64("rolling.rate", 5, "executions a second")
	rollingEvery  = flag.Duration("rolling.every", 10*time.Second, "from one restart to the next")
)

// TestRolling restarts the replicas of a control plane one after the other: no call fails after its tries, no run is lost or doubled, and
// who follows a log misses nothing.
func TestRolling(t *testing.T) { //nolint:paralleltest // it takes the whole machine
	if testing.Short() {
		t.Skip("starts many processes")
	}
	r := chaos.Roll(t, chaos.Rolling{Agents: *rollingAgents, Rate: *rollingRate, Every: *rollingEvery, For: *rollingFor})
	if len(r.Broken) > 0 {
		t.Errorf("%d restarts under load:\n  %s", r.Injected, strings.Join(shortened(r.Broken), "\n  "))
	}
	t.Logf("%d agents, %.0f executions a second for %s\n%s", *rollingAgents, *rollingRate, *rollingFor, chaos.Totals([]chaos.Result{r}))
	t.Logf("figures: chaos: %d restarts of 3 replicas under load, %d runs, %d duplicated, %d stuck, %d bytes of logs lost", r.Injected, r.Runs, r.Duplicated, r.Stuck, r.Lost-r.Stated)
}
