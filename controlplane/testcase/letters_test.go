package testcase_test

import (
	"testing"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

func TestLetters_RoundTrip(t *testing.T) {
	t.Parallel()
	seen := map[byte]results.Outcome{}
	for _, outcome := range []results.Outcome{
		results.Passed, results.Failed, results.Errored, results.TimedOut, results.Skipped, results.Blocked, results.InfraError, results.Cancelled,
	} {
		for _, tries := range []bool{false, true} {
			letter := testcase.Letter(outcome, tries)
			if other, twice := seen[letter]; twice {
				t.Errorf("%s and %s share %c", outcome, other, letter)
			}
			seen[letter] = outcome
			if got := testcase.Letters([]byte{letter}).Mark(0); got != (testcase.Mark{Outcome: outcome, Retried: tries}) {
				t.Errorf("%s, tried before %t: %+v", outcome, tries, got)
			}
		}
	}
	if got := testcase.Letter("of a later version", false); got != 'c' {
		t.Errorf("an outcome that nobody knows is %c", got)
	}
}

func TestLetters_Counts(t *testing.T) {
	t.Parallel()
	for letters, want := range map[testcase.Letters]struct {
		bad    int
		why    string
		latest testcase.Letters
	}{
		"":      {0, "nothing ran", ""},
		"psbic": {0, "none speaks against the test", "psb"},
		"pPp":   {1, "it passed only when it was tried again", "pPp"},
		"fetp":  {3, "three ways to fail", "fet"},
	} {
		if got := letters.Bad(); got != want.bad || letters.Unreliable() != (want.bad > 0) {
			t.Errorf("%q: %d bad, unreliable %t: %s", letters, got, letters.Unreliable(), want.why)
		}
		if got := letters.Latest(3); got != want.latest {
			t.Errorf("%q: latest %q", letters, got)
		}
	}
}
