package flaky

import (
	"math"
	"time"
)

// Tolerated is the rate below which a flaky test counts as healthy again.
const Tolerated = 0.05

// CleanAttempts returns how many attempts without a failure show with 95 % confidence that the rate is below p.
func CleanAttempts(p float64) int {
	if p <= 0 || p >= 1 {
		return 0
	}
	return int(math.Ceil(math.Log(0.05) / math.Log(1-p)))
}

// Recovered reports whether a flaky test is healthy again, after so many attempts without a failure in so much time.
func Recovered(clean int, since time.Duration) bool {
	const week, few = 7 * 24 * time.Hour, 20
	return clean >= CleanAttempts(Tolerated) || since >= week && clean >= few
}

// CostPerWeek is the time that a flaky test wastes.
func CostPerWeek(rate, attemptsPerWeek float64, median time.Duration) time.Duration {
	return time.Duration(rate * attemptsPerWeek * float64(median))
}
