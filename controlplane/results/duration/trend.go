package duration

import (
	"math"
	"slices"
)

// Trend says how sensitive ChangePoints is.
type Trend struct {
	Window    int     // values that are looked at together
	MaxP      float64 // probability of a change being none
	Magnitude float64 // least relative change of the mean
}

// DefaultTrend is for views of a test over time.
func DefaultTrend() Trend { return Trend{Window: 30, MaxP: 0.001, Magnitude: 0.05} }

// ChangePoints returns where the mean of a series changes: the index of the first value behind each change. It is E-divisive means
// with a t-test in place of permutations, so that the same series gives the same answer.
func (t Trend) ChangePoints(series []float64) []int {
	weak := t
	weak.Magnitude = 0
	weak.MaxP = min(1, 10*t.MaxP) // a window sees less than the whole
	found := map[int]bool{}
	window := max(4, t.Window)
	for start := 0; ; start += window / 2 {
		end := min(len(series), start+window)
		for _, at := range weak.split(series[start:end]) {
			found[start+at] = true
		}
		if end == len(series) {
			break
		}
	}
	points := make([]int, 0, len(found))
	for at := range found {
		points = append(points, at)
	}
	slices.Sort(points)
	return t.prune(series, points)
}

// split finds the changes of one window, one after the other.
func (t Trend) split(s []float64) []int {
	at := divide(s)
	if at == 0 || student(s[:at], s[at:]) > t.MaxP {
		return nil
	}
	points := append(t.split(s[:at]), at)
	for _, p := range t.split(s[at:]) {
		points = append(points, at+p)
	}
	return points
}

// divide returns the index that divides a series into the two most different parts: the energy distance of their values.
func divide(s []float64) (best int) {
	const least = 2 // values of a part
	n, top := len(s), 0.0
	for at := least; at <= n-least; at++ {
		a, b := float64(at), float64(n-at)
		between := 2 / (a * b) * cross(s[:at], s[at:])
		within := cross(s[:at], s[:at])/(a*(a-1)) + cross(s[at:], s[at:])/(b*(b-1))
		if q := a * b / (a + b) * (between - within); q > top {
			best, top = at, q
		}
	}
	return best
}

func cross(a, b []float64) (sum float64) {
	for _, x := range a {
		for _, y := range b {
			sum += math.Abs(x - y)
		}
	}
	return sum
}

// prune drops the least certain change until all are certain and great enough, each between its neighbours.
func (t Trend) prune(series []float64, points []int) []int {
	for len(points) > 0 {
		worst, p := -1, 0.0
		for i, at := range points {
			from, to := 0, len(series)
			if i > 0 {
				from = points[i-1]
			}
			if i+1 < len(points) {
				to = points[i+1]
			}
			q := student(series[from:at], series[at:to])
			if relative(series[from:at], series[at:to]) < t.Magnitude {
				q = math.Max(q, 1)
			}
			if worst < 0 || q > p {
				worst, p = i, q
			}
		}
		if p <= t.MaxP {
			break
		}
		points = slices.Delete(points, worst, worst+1)
	}
	return points
}

func relative(a, b []float64) float64 {
	before, _ := moments(a)
	after, _ := moments(b)
	if before == 0 {
		return math.Inf(1)
	}
	return math.Abs(after-before) / math.Abs(before)
}

func moments(s []float64) (mean, variance float64) {
	for _, x := range s {
		mean += x
	}
	mean /= float64(len(s))
	for _, x := range s {
		variance += (x - mean) * (x - mean)
	}
	if len(s) > 1 {
		variance /= float64(len(s) - 1)
	}
	return mean, variance
}

// student is the two-sided p of the t-test for different means and a common variance.
func student(a, b []float64) float64 {
	if len(a) < 2 || len(b) < 2 {
		return 1
	}
	ma, va := moments(a)
	mb, vb := moments(b)
	n, m := float64(len(a)), float64(len(b))
	free := n + m - 2
	pooled := ((n-1)*va + (m-1)*vb) / free
	switch {
	case ma == mb:
		return 1
	case pooled == 0:
		return 0
	}
	t := (ma - mb) / math.Sqrt(pooled*(1/n+1/m))
	return beta(free/(free+t*t), free/2, 0.5)
}
