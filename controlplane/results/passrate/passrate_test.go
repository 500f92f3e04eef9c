package passrate_test

import (
	"math"
	"testing"

	"github.com/seatrial/seatrial/controlplane/results/passrate"
)

func TestCompare_Golden(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		after, before passrate.Rate
		p             float64
		regression    bool
		reason        string
	}{
		"Regression": {passrate.Rate{Failed: 5, Total: 20}, passrate.Rate{Failed: 1, Total: 100}, 0.00043506, true, "far more often"},
		"Unsure":     {passrate.Rate{Failed: 3, Total: 20}, passrate.Rate{Failed: 2, Total: 100}, 0.03223354, false, "not significant"},
		"Same":       {passrate.Rate{Failed: 2, Total: 20}, passrate.Rate{Failed: 10, Total: 100}, 0.63169223, false, "as often as before"},
		"Few":        {passrate.Rate{Failed: 2, Total: 2}, passrate.Rate{Failed: 0, Total: 1000}, 0.000002, false, "two failures are too few"},
		"Nothing":    {passrate.Rate{}, passrate.Rate{}, 1, false, "no attempts"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := passrate.Compare(tc.before, tc.after)
			if math.Abs(got.P-tc.p) > 5e-9 && tc.p > 1e-5 || got.Regression != tc.regression {
				t.Errorf("%+v, want %g: %s", got, tc.p, tc.reason)
			}
		})
	}
}
