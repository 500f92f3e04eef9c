// Package flaky says how often a test fails although what it tests is known to be good.
package flaky

import (
	"math"

	"github.com/seatrial/seatrial/controlplane/results"
)

// Class is what a test is, by its history.
type Class string

// The classes.
const (
	Unknown Class = "unknown" // too little history
	Broken  Class = "broken"  // it fails every time now
	Flaky   Class = "flaky"
	Suspect Class = "suspect" // it failed on a good subject, too seldom to be sure
	Healthy Class = "healthy"
)

// Attempt is one try of a test.
type Attempt struct {
	Variant   string
	Subject   string // digest set with commit
	Execution string
	Outcome   results.Outcome
}

// Score is how a test behaves.
type Score struct {
	Class Class
	// N attempts were made on subjects known to be good, since one passed; K of them failed; D subjects saw both.
	N, K, D int
	// B attempts were made on subjects that never passed: a regression or a flake, so they count for nothing.
	B int
	// Rate is K of N, within Low and High with 95 % confidence.
	Rate, Low, High float64
	// Transitions is the share of neighbouring executions with different verdicts: a weaker signal, not for gates.
	Transitions float64
	// Alternating means that executions flip although no subject saw both outcomes.
	Alternating bool
}

const (
	enough     = 5    // attempts before anything is said of a test without a failure
	certain    = 0.01 // lower bound from which a test is flaky
	brokenRun  = 3    // executions that failed in a row
	manyFlips  = 4
	alternates = 0.5 // share of transitions
)

// Of scores the attempts of one test, oldest first, taken from a window: see Window.
func Of(attempts []Attempt) Score {
	s := count(attempts)
	s.Low, s.High = Wilson(s.K, s.N)
	if s.N > 0 {
		s.Rate = float64(s.K) / float64(s.N)
	}
	verdicts := executions(attempts)
	flips := 0
	for i := 1; i < len(verdicts); i++ {
		if verdicts[i] != verdicts[i-1] {
			flips++
		}
	}
	if len(verdicts) > 1 {
		s.Transitions = float64(flips) / float64(len(verdicts)-1)
	}
	s.Alternating = s.K == 0 && flips >= manyFlips && s.Transitions >= alternates
	s.Class = s.class(lastFailed(verdicts))
	return s
}

func (s Score) class(broken bool) Class {
	switch {
	case s.N+s.B < enough && s.K == 0:
		return Unknown
	case broken:
		return Broken
	case s.K >= 1 && s.Low >= certain:
		return Flaky
	case s.K >= 1:
		return Suspect
	}
	return Healthy
}

// count sorts the attempts into good subjects and those that never passed.
func count(attempts []Attempt) (s Score) {
	type group struct{ variant, subject string }
	passes, fails := map[group]int{}, map[group]int{}
	for _, a := range attempts {
		switch g := (group{a.Variant, a.Subject}); {
		case a.Outcome == results.Passed:
			passes[g]++
		case a.Outcome.Bad():
			fails[g]++
		}
	}
	for g, p := range passes {
		s.N += p + fails[g]
		s.K += fails[g]
		if fails[g] > 0 {
			s.D++
		}
	}
	for g, f := range fails {
		if passes[g] == 0 {
			s.B += f
		}
	}
	return s
}

// executions returns for each conclusive execution whether it failed, oldest first. One that passed in the end did not.
func executions(attempts []Attempt) (failed []bool) {
	at := map[string]int{}
	for _, a := range attempts {
		if !a.Outcome.Conclusive() {
			continue
		}
		i, ok := at[a.Execution]
		if !ok {
			i = len(failed)
			at[a.Execution] = i
			failed = append(failed, true)
		}
		failed[i] = failed[i] && a.Outcome.Bad()
	}
	return failed
}

func lastFailed(failed []bool) bool {
	if len(failed) < brokenRun {
		return false
	}
	for _, f := range failed[len(failed)-brokenRun:] {
		if !f {
			return false
		}
	}
	return true
}

// Wilson returns the 95 % confidence interval of k of n.
func Wilson(k, n int) (low, high float64) {
	const z = 1.959963984540054
	if n <= 0 {
		return 0, 1
	}
	total, p := float64(n), float64(k)/float64(n)
	centre := p + z*z/(2*total)
	spread := z * math.Sqrt(p*(1-p)/total+z*z/(4*total*total))
	low, high = (centre-spread)/(1+z*z/total), (centre+spread)/(1+z*z/total)
	if k == 0 {
		low = 0
	}
	if k == n {
		high = 1
	}
	return max(0, low), min(1, high)
}
