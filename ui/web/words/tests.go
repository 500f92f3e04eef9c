package words

import (
	"fmt"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

// Behaviour says in one sentence what the class of a test means.
func Behaviour(c flaky.Class) string {
	switch c {
	case flaky.Flaky:
		return "It fails now and then on what it has passed on as well, so a failure says little of what it tests."
	case flaky.Suspect:
		return "It has failed on what it passed on as well, but too seldom to be sure that it is flaky."
	case flaky.Broken:
		return "It fails every time now: either what it tests is broken, or the test itself is."
	case flaky.Healthy:
		return "It can be relied on: it has not failed on anything that it passed on."
	case flaky.Unknown:
	}
	return "It has run too seldom of late to say how it behaves."
}

// Behaves says in one phrase how a test behaves, as the rest of a sentence that begins with its name.
func Behaves(c flaky.Class) string {
	if c == flaky.Unknown || c == "" {
		return "little known"
	}
	return string(c)
}

// Rate says how often a test fails on what is known to be good.
func Rate(s flaky.Score) string {
	if s.N == 0 {
		return "–"
	}
	return Number(int64(s.K)) + " of " + Number(int64(s.N))
}

// Interval says how often a test may really fail: the bounds hold with 95 % confidence. There are none without an attempt.
func Interval(s flaky.Score) string {
	if s.N == 0 {
		return ""
	}
	low, high := fmt.Sprintf("%.0f", 100*s.Low), fmt.Sprintf("%.0f", 100*s.High)
	if low == high {
		return low + " %"
	}
	return low + "–" + high + " %"
}

// Cost says how much time is wasted; none when it is less than a second.
func Cost(d time.Duration) string {
	if d < time.Second {
		return "–"
	}
	return Took(d)
}

// Board says in one sentence how many tests cannot be relied on, and what they cost.
func Board(list []testcase.History) string {
	bad, inside := 0, 0
	var cost time.Duration
	for _, h := range list {
		cost += h.Cost
		if h.Quarantine != nil {
			inside++
		}
		if h.Score.Class == flaky.Flaky || h.Score.Class == flaky.Suspect || h.Score.Class == flaky.Broken {
			bad++
		}
	}
	text := Count(int64(bad), "test") + " cannot be relied on"
	if cost >= time.Second {
		text += ", at the cost of " + Took(cost) + " a week"
	}
	if inside > 0 {
		text += fmt.Sprintf("; %d %s in quarantine", inside, isAre(inside))
	}
	return text + "."
}

// Tests says in one sentence how the tests of a workflow did the last time.
func Tests(s testcase.Standing) string {
	failing := s.Tests - s.Healthy
	text := Count(int64(s.Tests), "test")
	switch {
	case failing == 0 && s.Tests == 1:
		return text + ": nothing spoke against it the last time it ran."
	case failing == 0:
		return text + ": nothing spoke against any of them the last time they ran."
	case failing == 1:
		return text + ", of which 1 failed, or passed only when it was tried again, the last time it ran."
	}
	return text + ", of which " + Number(int64(failing)) + " failed, or passed only when they were tried again, the last time they ran."
}

// Marks sums up a strip, for those who do not see it.
func Marks(letters testcase.Letters) string {
	return fmt.Sprintf("The last %s, oldest first: %s did not simply pass.", Count(int64(len(letters)), "outcome"), Number(int64(letters.Bad())))
}

// Since says how long a test has failed without a pass between.
func Since(s testcase.Since) string {
	if s.InARow == 1 {
		return "its last run"
	}
	return fmt.Sprintf("%d runs in a row", s.InARow)
}

// Tries says how a run ended, with what came of the tries before: "failed, failed, then passed".
func Tries(r testcase.Run) string {
	text := ""
	for i, o := range r.Earlier {
		if i > 0 {
			text += ", "
		}
		text += Outcome(string(o))
	}
	if text != "" {
		text += ", then "
	}
	return text + Outcome(string(r.Outcome))
}

// Strip sums up the runs of a strip, for those who do not see it.
func Strip(runs []testcase.Run) string {
	counts := map[results.Outcome]int{}
	again := 0
	for _, r := range runs {
		counts[r.Outcome]++
		if len(r.Earlier) > 0 {
			again++
		}
	}
	var said []string
	for _, o := range results.Outcomes() {
		if counts[o] > 0 {
			said = append(said, fmt.Sprintf("%d %s", counts[o], Outcome(string(o))))
		}
	}
	text := Count(int64(len(runs)), "run") + ", oldest left: " + Join(said)
	if again > 0 {
		text += fmt.Sprintf("; %d tried again", again)
	}
	return text + "."
}
