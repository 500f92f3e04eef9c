// Package breakpoint finds since when a test behaves as it does.
package breakpoint

import "math"

// The prior: most tests pass or fail nearly always, and a change at any place is rare.
const (
	alpha, beta = 0.3, 0.5
	change      = 1e-4
	least       = 2 // outcomes that could be split
)

// Split is a place in a history where the rate of failures changed.
type Split struct {
	At    int     // index of the first outcome behind it
	Score float64 // log odds that there is one: accepted above zero
}

// Best returns the most likely split of a history, oldest first, and whether it is accepted.
func Best(failed []bool) (Split, bool) {
	n := len(failed)
	if n < least {
		return Split{Score: math.Inf(-1)}, false
	}
	sums := make([]int, n+1)
	for i, f := range failed {
		sums[i+1] = sums[i]
		if f {
			sums[i+1]++
		}
	}
	whole := likelihood(sums[n], n)
	gains := make([]float64, 0, n-1)
	best := Split{At: 1}
	for i := 1; i < n; i++ {
		gains = append(gains, likelihood(sums[i], i)+likelihood(sums[n]-sums[i], n-i)-whole)
		if gains[i-1] > gains[best.At-1] {
			best.At = i
		}
	}
	best.Score = logSumExp(gains) + math.Log(change)
	return best, best.Score > 0
}

// Find returns all accepted splits of a history, oldest first.
func Find(failed []bool) []Split { return find(failed, 0) }

func find(failed []bool, from int) []Split {
	s, ok := Best(failed)
	if !ok {
		return nil
	}
	all := find(failed[:s.At], from)
	all = append(all, Split{At: s.At + from, Score: s.Score})
	return append(all, find(failed[s.At:], from+s.At)...)
}

// likelihood is the logarithm of the probability of x failures in n, the rate being unknown.
func likelihood(x, n int) float64 {
	f, total := float64(x), float64(n)
	return lgamma(alpha+beta) - lgamma(alpha) - lgamma(beta) + lgamma(f+alpha) + lgamma(total-f+beta) - lgamma(total+alpha+beta)
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x) // the sign of a positive argument's is positive
	return v
}

func logSumExp(xs []float64) float64 {
	top := math.Inf(-1)
	for _, x := range xs {
		top = max(top, x)
	}
	sum := 0.0
	for _, x := range xs {
		sum += math.Exp(x - top)
	}
	return top + math.Log(sum)
}

// Facts are what is plain to see where no split is accepted.
type Facts struct {
	LastPass  int // index, -1 for none
	FirstFail int // index of the first failure behind it, -1 for none
	InARow    int // failures at the end
}

// Plain returns the facts of a history, oldest first.
func Plain(failed []bool) Facts {
	f := Facts{LastPass: len(failed) - 1, FirstFail: -1}
	for f.LastPass >= 0 && failed[f.LastPass] {
		f.LastPass--
	}
	if f.InARow = len(failed) - 1 - f.LastPass; f.InARow > 0 {
		f.FirstFail = f.LastPass + 1
	}
	return f
}
