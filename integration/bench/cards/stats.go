package cards

import (
	"math"
	"math/rand/v2"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Ratio is how one arm compares with another.
type Ratio struct {
	Median    float64 // of the ratios of pairs
	Low, High float64 // the middle 95 % of that median over resampled pairs (percentile bootstrap, Efron 1979)
	P         float64 // of the arms being alike, by the two-sided test of Mann and Whitney
	Pairs     int
}

// resamples is how often the pairs are drawn anew; more do not change the second digit.
const resamples = 2000

// compare pairs the samples of two arms by round. Rounds that only one of them has are left out; ok is false when no pair is left.
func compare(ours, base map[int]float64) (r Ratio, ok bool) {
	var ratios, a, b []float64
	for round, value := range ours {
		other, both := base[round]
		if !both || other == 0 {
			continue
		}
		ratios, a, b = append(ratios, value/other), append(a, value), append(b, other)
	}
	if len(ratios) == 0 {
		return Ratio{}, false
	}
	slices.Sort(ratios) // maps have no order, and the same samples give the same interval
	r = Ratio{Median: quantile(ratios, 0.5), Pairs: len(ratios), P: alike(a, b)}
	r.Low, r.High = bootstrap(ratios)
	return r, true
}

func bootstrap(sorted []float64) (low, high float64) {
	chance := rand.New(rand.NewPCG(uint64(len(sorted)), 1)) // the same for the same samples
	medians, drawn := make([]float64, resamples), make([]float64, len(sorted))
	for i := range medians {
		for j := range drawn {
			drawn[j] = sorted[chance.IntN(len(sorted))]
		}
		slices.Sort(drawn)
		medians[i] = quantile(drawn, 0.5)
	}
	slices.Sort(medians)
	return quantile(medians, 0.025), quantile(medians, 0.975)
}

func alike(a, b []float64) float64 {
	none := &benchmath.DefaultThresholds
	return benchmath.AssumeNothing.Compare(benchmath.NewSample(a, none), benchmath.NewSample(b, none)).P
}

// quantile returns the q-quantile of sorted values, between neighbours in proportion.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(math.Floor(at))
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	part := at - float64(below)
	return sorted[below]*(1-part) + sorted[below+1]*part
}
