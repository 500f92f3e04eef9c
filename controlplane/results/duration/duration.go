// Package duration finds tests that became slower.
package duration

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Limits of a comparison.
const (
	LeastNew, LeastOld, MaxOld = 5, 8, 30
	significant                = 0.01
	slower                     = 1.20
	noticeable                 = 100 * time.Millisecond
	exactUpTo                  = 20 // durations of both sides
)

// Change is how the durations on a new subject compare with those on the one before.
type Change struct {
	Enough        bool // there is enough to compare
	U, Z          float64
	OneSided      float64 // probability, were both the same; exact for few durations
	TwoSided      float64 // normal approximation
	Before, After time.Duration
	Ratio         float64
	Regression    bool
}

// Compare compares passing durations in one variant, oldest first: the latest MaxOld of before count.
func Compare(before, after []time.Duration) Change {
	before = before[max(0, len(before)-MaxOld):]
	c := Change{Enough: len(before) >= LeastOld && len(after) >= LeastNew, OneSided: 1, TwoSided: 1}
	if len(before) == 0 || len(after) == 0 {
		return c
	}
	c.U, c.Z, c.TwoSided, c.OneSided = mannWhitney(before, after)
	c.Before, c.After = median(before), median(after)
	if c.Before > 0 {
		c.Ratio = float64(c.After) / float64(c.Before)
	}
	c.Regression = c.Enough && c.OneSided < significant && c.Ratio >= slower && c.After-c.Before >= max(noticeable, 2*deviation(before))
	return c
}

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return s[n/2-1] + (s[n/2]-s[n/2-1])/2
}

// deviation is the median of the distances from the median.
func deviation(d []time.Duration) time.Duration {
	m := median(d)
	far := make([]time.Duration, len(d))
	for i, x := range d {
		far[i] = max(x-m, m-x)
	}
	return median(far)
}

// mannWhitney tests whether after is greater. Ties have the mean of their ranks; the approximation is corrected for them and for
// continuity.
func mannWhitney(before, after []time.Duration) (u, z, twoSided, oneSided float64) {
	ranks, ties := rank(append(slices.Clone(before), after...))
	n, m := float64(len(before)), float64(len(after))
	sum := 0
	for _, r := range ranks[len(before):] {
		sum += r
	}
	u = float64(sum)/2 - m*(m+1)/2
	all := n + m
	sigma := math.Sqrt(n * m / 12 * (all + 1 - ties/(all*(all-1))))
	distance := math.Max(0, math.Abs(u-n*m/2)-0.5)
	if sigma > 0 {
		z = math.Copysign(distance/sigma, u-n*m/2)
	}
	twoSided = math.Min(1, math.Erfc(math.Abs(z)/math.Sqrt2))
	if len(ranks) <= exactUpTo {
		return u, z, twoSided, exact(ranks, len(after), sum)
	}
	return u, z, twoSided, math.Erfc(z/math.Sqrt2) / 2
}

// rank returns twice the rank of each value, which is whole with ties, too, and the sum of t³−t over ties of t.
func rank(d []time.Duration) (doubled []int, ties float64) {
	order := make([]int, len(d))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(d[a], d[b]) })
	doubled = make([]int, len(d))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && d[order[j]] == d[order[i]] {
			j++
		}
		for _, at := range order[i:j] {
			doubled[at] = i + 1 + j
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	return doubled, ties
}

// exact is the share of all choices of m ranks whose sum is at least as great.
func exact(ranks []int, m, sum int) float64 {
	total := 0
	for _, r := range ranks {
		total += r
	}
	ways := make([][]float64, m+1) // by number of ranks and their sum
	for i := range ways {
		ways[i] = make([]float64, total+1)
	}
	ways[0][0] = 1
	for _, r := range ranks {
		for k := m; k > 0; k-- {
			for s := total; s >= r; s-- {
				ways[k][s] += ways[k-1][s-r]
			}
		}
	}
	all, great := 0.0, 0.0
	for s, n := range ways[m] {
		all += n
		if s >= sum {
			great += n
		}
	}
	return great / all
}
