package cmd

import (
	"testing"
	"time"
)

// TestClock: the time of an answer lies between question and answer, which is not the clock's fault.
func TestClock(t *testing.T) {
	t.Parallel()
	asked := time.Date(2026, 3, 1, 12, 0, 0, 700_000_000, time.UTC)
	for name, tc := range map[string]struct {
		there, took time.Duration
		state       string
		reason      string
	}{
		"Same":     {0, 10 * time.Millisecond, good, "whole seconds agree"},
		"Slow":     {8 * time.Second, 9 * time.Second, good, "the answer came late"},
		"Ahead":    {-7 * time.Second, 9 * time.Second, doubtful, "it was told before it was asked"},
		"Behind":   {16 * time.Second, 9 * time.Second, doubtful, "it is later there than when the answer came"},
		"FarAhead": {-2 * time.Minute, time.Second, bad, "credentials hold for a time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := clock(asked.Add(tc.there).Truncate(time.Second), asked, asked.Add(tc.took)); got.State != tc.state {
				t.Errorf("%s: %+v", tc.reason, got)
			}
		})
	}
}
