package intake_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/intake"
)

func TestIntake_Report_CountsHops(t *testing.T) {
	t.Parallel()
	hops := execution.Hops{Job: time.Second, Schedule: 2 * time.Second, Container: 4 * time.Second, Run: 8 * time.Second}
	tests := map[string]struct {
		hops   *execution.Hops
		way    *execution.Way
		want   map[string]float64
		reason string
	}{
		"Whole": {
			&hops, &execution.Way{Queue: 500 * time.Millisecond, Total: 16 * time.Second},
			map[string]float64{"queue": 0.5, "job": 1, "schedule": 2, "container": 4, "run": 8, "link": 0.5, "total": 16},
			"what is left over was spent between control plane and agent",
		},
		"NotTheEnd":    {&hops, nil, map[string]float64{}, "the report has not ended the attempt"},
		"NotSeen":      {nil, &execution.Way{Total: time.Second}, map[string]float64{}, "the agent does not know"},
		"TooLong":      {&hops, &execution.Way{Total: 14 * time.Second}, map[string]float64{}, "the parts are more than the whole"},
		"Negative":     {&execution.Hops{Job: -time.Second}, &execution.Way{Total: time.Second}, map[string]float64{}, "no time is negative"},
		"Overflow":     {&execution.Hops{Job: 1 << 62, Schedule: 1 << 62}, &execution.Way{Total: time.Second}, map[string]float64{}, "an agent may say anything"},
		"ClockOfQueue": {&hops, &execution.Way{Queue: -time.Second, Total: 20 * time.Second}, map[string]float64{}, "the clock was set back"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, intake.Limits{})
			b.store.way = tc.way
			if _, err := b.intake.Report(b.ctx, execution.Report{Attempt: b.store.own, Status: execution.Passed, Hops: tc.hops}); err != nil {
				t.Fatal(err)
			}
			got := sums(t, b.metrics)
			for hop, want := range tc.want {
				if got[hop] != want {
					t.Errorf("%s is %v, want %v: %s", hop, got[hop], want, tc.reason)
				}
			}
			if len(got) != len(tc.want) {
				t.Errorf("counted %v: %s", got, tc.reason)
			}
		})
	}
}

// sums returns the seconds that were counted for each hop.
func sums(t *testing.T, r prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			out[m.GetLabel()[0].GetValue()] = m.GetHistogram().GetSampleSum()
		}
	}
	return out
}
