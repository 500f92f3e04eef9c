package words

import (
	"strings"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// someRuns is how many runs a sentence names.
const someRuns = 3

// NothingApart says why what did not pass of an execution cannot be run again apart from the rest; empty when it can.
func NothingApart(e execution.Execution) string {
	switch n := len(e.Unpassed()); {
	case n == 0:
		return "Nothing has failed."
	case len(e.Runs) == 1:
		return "It has one run, which Rerun runs again."
	case n == len(e.Runs):
		return "None of its " + Number(int64(n)) + " runs has passed, and Rerun runs them all."
	}
	return ""
}

// RunsAgain says what running only what did not pass of an execution would run, and what running all of it would.
func RunsAgain(e execution.Execution) string {
	bad := e.Unpassed()
	var names []string
	for _, r := range bad[:min(len(bad), someRuns)] {
		names = append(names, Cell(e, r))
	}
	if more := len(bad) - someRuns; more > 0 {
		names = append(names, "and "+Number(int64(more))+" more")
	}
	return "Failed only is " + Count(int64(len(bad)), "run") + " of " + Number(int64(len(e.Runs))) + ": " + strings.Join(names, "; ") + "."
}
