package duration_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/results/duration"
)

func ms(values ...int) (d []time.Duration) {
	for _, v := range values {
		d = append(d, time.Duration(v)*time.Millisecond)
	}
	return d
}

func base() []time.Duration { return ms(980, 1010, 995, 1005, 1000, 990, 1015, 985, 1002, 998) }

func near(a, b, by float64) bool { return math.Abs(a-b) <= by }

func TestCompare_Golden(t *testing.T) {
	t.Parallel()
	c := duration.Compare(base(), ms(1190, 1210, 1205, 1180, 1220))
	if c.U != 50 || !near(c.Z, 3.000625, 5e-7) || !near(c.TwoSided, 0.002694, 5e-7) || !near(c.OneSided, 1.0/3003, 1e-12) ||
		c.Before != 999*time.Millisecond || c.After != 1205*time.Millisecond || !near(c.Ratio, 1.206, 5e-4) || !c.Regression {
		t.Errorf("%+v", c)
	}
	c = duration.Compare(base(), ms(1001, 987, 1009, 1003, 995))
	if c.U != 26.5 || !near(c.TwoSided, 0.90, 5e-3) || c.Regression {
		t.Errorf("%+v", c)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	short := ms(10, 11, 10, 9, 10, 11, 10, 9)
	wild := ms(500, 1890, 700, 1800, 600, 1500, 900, 1300)
	tests := map[string]struct {
		before, after []time.Duration
		want          bool
		reason        string
	}{
		"FewNew":    {base(), ms(2000, 2000, 2000, 2000), false, "four are too few"},
		"FewOld":    {base()[:7], ms(2000, 2000, 2000, 2000, 2000), false, "seven are too few"},
		"Slightly":  {base(), ms(1100, 1101, 1102, 1103, 1104), false, "10 % is not 20 %"},
		"Tiny":      {short, ms(30, 31, 32, 33, 34), false, "20 ms are not noticed"},
		"Noisy":     {wild, ms(1900, 1900, 1900, 1900, 1900), false, "within what it does anyway"},
		"Faster":    {base(), ms(100, 100, 100, 100, 100), false, "one-sided"},
		"None":      {nil, nil, false, "nothing to compare"},
		"Same":      {ms(5, 5, 5, 5, 5, 5, 5, 5), ms(5, 5, 5, 5, 5), false, "ties everywhere"},
		"LongAgo":   {append(ms(5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000), slices.Repeat(base(), 3)...), ms(1300, 1310, 1320, 1330, 1340), true, "only the latest 30 count"},
		"ManyExact": {slices.Repeat(base(), 3), ms(1300, 1310, 1320, 1330, 1340), true, "approximation for many"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c := duration.Compare(tc.before, tc.after); c.Regression != tc.want {
				t.Errorf("%+v: %s", c, tc.reason)
			}
		})
	}
}

func TestTrend_Golden(t *testing.T) {
	t.Parallel()
	series := []float64{1.02, .95, .99, 1.00, 1.12, 1.00, 1.01, .98, 1.01, .96, .50, .51, .48, .48, .55, .50, .49, .51, .50, .49}
	if got := (duration.Trend{Window: 10, MaxP: 0.0001}).ChangePoints(series); !slices.Equal(got, []int{10}) {
		t.Errorf("%v, want [10]", got)
	}
}

func TestTrend_ChangePoints(t *testing.T) {
	t.Parallel()
	var steps, flat []float64
	for i := range 90 {
		noise := float64((i*7919)%13) / 100
		flat = append(flat, 10+noise)
		steps = append(steps, []float64{10, 12, 9}[i/30]+noise)
	}
	small := slices.Clone(flat)
	for i := 45; i < 90; i++ {
		small[i] += 0.3
	}
	tests := map[string]struct {
		in     []float64
		want   []int
		reason string
	}{
		"Steps": {steps, []int{30, 60}, "both changes"},
		"Flat":  {flat, nil, "noise only"},
		"Small": {small, nil, "3 % is certain and too little"},
		"Short": {[]float64{1, 2, 3}, nil, "too short"},
		"Empty": {nil, nil, "no values"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := duration.DefaultTrend().ChangePoints(tc.in); !slices.Equal(got, tc.want) {
				t.Errorf("%v, want %v: %s", got, tc.want, tc.reason)
			}
		})
	}
}
