package execution_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
)

func TestTurn(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		first  int // priority of what came first
		second int
		later  time.Duration
		passes bool // the second passes the first
		reason string
	}{
		"SameIsByAge":   {50, 50, time.Microsecond, false, "who came first goes first"},
		"HigherPasses":  {50, 60, 9 * time.Minute, true, "ten points are ten minutes"},
		"AgeWins":       {50, 60, 11 * time.Minute, false, "the older has waited longer than that"},
		"LowerWaits":    {60, 50, 0, false, "the higher goes first"},
		"NothingStarve": {0, 100, 101 * time.Minute, false, "the bound between the extremes"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passes := execution.Turn(tc.second, start.Add(tc.later)) < execution.Turn(tc.first, start)
			if passes != tc.passes {
				t.Errorf("passes: %t, want %t: %s", passes, tc.passes, tc.reason)
			}
		})
	}
}
