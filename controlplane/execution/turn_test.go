package execution_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// TestTurnAfter asks for the order of what waits: each is a workflow's name, in the order in which they came.
func TestTurnAfter(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	type came struct {
		workflow string
		after    time.Duration
		priority int
	}
	flood := func(n int) (all []came) {
		for range n {
			all = append(all, came{"flood", 0, 50})
		}
		return all
	}
	tests := map[string]struct {
		came   []came
		want   string
		reason string
	}{
		"Alone":     {flood(3), "flood flood flood", "one workflow alone keeps the order in which its runs came"},
		"Turns":     {append(flood(3), came{"a", time.Second, 50}, came{"a", time.Second, 50}, came{"b", 2 * time.Second, 50}), "flood a b flood a flood", "workflows take turns"},
		"Late":      {append(flood(4), came{"a", 150 * time.Second, 50}), "flood flood flood a flood", "what waits ages: a minute is worth a run"},
		"Priority":  {append(flood(2), came{"a", time.Second, 40}, came{"b", time.Second, 60}), "b flood flood a", "ten points are ten runs"},
		"SameFlow":  {append(flood(2), came{"flood", time.Second, 90}), "flood/90 flood flood", "a run of higher priority does not stand behind its own workflow"},
		"NoBacklog": {[]came{{"a", 0, 50}, {"b", time.Second, 50}}, "a b", "who came first goes first"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			last, turns := map[string]int64{}, map[int64]string{}
			for _, c := range tc.came {
				lane := c.workflow
				if c.priority == 90 {
					lane += "/90"
				}
				turn := execution.TurnAfter(last[lane], c.priority, start.Add(c.after))
				last[lane], turns[turn] = turn, lane
			}
			var got []string
			for _, turn := range slices.Sorted(maps.Keys(turns)) {
				got = append(got, turns[turn])
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

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
