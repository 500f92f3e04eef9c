package testcase

import (
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
)

// Letters are outcomes, a letter each, newest first: the first of its name, in upper case where the tool had tried before.
type Letters string

// Reliable are the letters of outcomes that speak for a test, or say nothing of it. All others are of those that failed, or, in upper case,
// had earlier tries.
const Reliable = "psbic"

// Letter writes an outcome.
func Letter(outcome results.Outcome, tries bool) byte {
	var letter byte
	switch outcome {
	case results.Passed, results.Failed, results.Errored, results.TimedOut, results.Skipped, results.Blocked, results.InfraError, results.Cancelled:
		letter = outcome[0]
	default:
		letter = 'c' // of another version: it says nothing
	}
	if tries {
		letter -= 'a' - 'A'
	}
	return letter
}

// Mark reads the outcome at a place.
func (l Letters) Mark(i int) Mark {
	lower := l[i] | ('a' - 'A')
	m := Mark{Outcome: results.Cancelled, Retried: l[i] != lower}
	switch lower {
	case 'p':
		m.Outcome = results.Passed
	case 'f':
		m.Outcome = results.Failed
	case 'e':
		m.Outcome = results.Errored
	case 't':
		m.Outcome = results.TimedOut
	case 's':
		m.Outcome = results.Skipped
	case 'b':
		m.Outcome = results.Blocked
	case 'i':
		m.Outcome = results.InfraError
	}
	return m
}

// Unreliable reports whether one of them failed, or had earlier tries.
func (l Letters) Unreliable() bool { return strings.Trim(string(l), Reliable) != "" }

// Latest are at most the n newest.
func (l Letters) Latest(n int) Letters { return l[:min(n, len(l))] }

// Bad counts those that failed, and those that passed only when they were tried again.
func (l Letters) Bad() (bad int) {
	for i := range len(l) {
		if strings.IndexByte(Reliable, l[i]) < 0 {
			bad++
		}
	}
	return bad
}
