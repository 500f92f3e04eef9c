package flaky

import (
	"slices"
	"time"
)

// Recorded is an attempt with what decides whether it counts.
type Recorded struct {
	Attempt
	At        time.Time
	Protected bool // of a protected branch
}

// Limits of a window.
const (
	Span        = 14 * 24 * time.Hour
	MaxAttempts = 200 // conclusive ones, the latest
)

// Window returns the attempts that count, oldest first: conclusive ones of protected branches in the last 14 days, at most 200, and
// none of an execution that was a storm.
func Window(all []Recorded, now time.Time, storms map[string]bool) []Attempt {
	sorted := slices.SortedStableFunc(slices.Values(all), func(a, b Recorded) int { return a.At.Compare(b.At) })
	var kept []Attempt
	for _, r := range sorted {
		if r.Protected && r.Outcome.Conclusive() && !r.At.After(now) && now.Sub(r.At) <= Span && !storms[r.Execution] {
			kept = append(kept, r.Attempt)
		}
	}
	return kept[max(0, len(kept)-MaxAttempts):]
}

// Storm reports whether so many cases of an execution failed that it says nothing of any of them.
func Storm(cases, failing int) bool {
	const least, share = 10, 0.8
	return cases >= least && float64(failing) >= share*float64(cases)
}
