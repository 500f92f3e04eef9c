// Package passrate compares how often a test fails on two releases.
package passrate

import "math"

// Rate is failures of attempts.
type Rate struct{ Failed, Total int }

func (r Rate) share() float64 {
	if r.Total == 0 {
		return 0
	}
	return float64(r.Failed) / float64(r.Total)
}

// Comparison is a new release against an old one.
type Comparison struct {
	P          float64 // of so many failures or more, were both the same
	Regression bool
}

// Compare tells whether the new release fails more often: Fisher's exact test, one-sided, for at least 3 failures and 5 points.
func Compare(before, after Rate) Comparison {
	const significant, few, points = 0.01, 3, 0.05
	p := fisher(after, before)
	return Comparison{P: p, Regression: p < significant && after.Failed >= few && after.share()-before.share() > points}
}

// fisher is the probability that at least as many of all failures fall on the first rate.
func fisher(a, b Rate) float64 {
	all, failed := a.Total+b.Total, a.Failed+b.Failed
	if a.Failed < 0 || b.Failed < 0 || a.Failed > a.Total || b.Failed > b.Total {
		return 1
	}
	p := 0.0
	for k := a.Failed; k <= min(a.Total, failed); k++ {
		if failed-k <= b.Total {
			p += math.Exp(choose(a.Total, k) + choose(b.Total, failed-k) - choose(all, failed))
		}
	}
	return min(1, p)
}

// choose is the logarithm of the number of ways to choose k of n.
func choose(n, k int) float64 { return factorial(n) - factorial(k) - factorial(n-k) }

func factorial(n int) float64 {
	v, _ := math.Lgamma(float64(n) + 1) // the sign of a positive argument's is positive
	return v
}
