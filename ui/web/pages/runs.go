package pages

import (
	"slices"
	"strconv"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// mostRuns is how many runs a page shows with all their steps; of more only those that need a look are.
const mostRuns = 50

// ofRun names the run in a heading.
func ofRun(name string) string {
	if name == "" {
		return ""
	}
	return " in " + name
}

// manyPauses is how many steps that wait for a person a page shows one by one.
const manyPauses = 5

func anchor(i int) string { return "run-" + strconv.Itoa(i+1) }

func newest(r execution.Run) execution.Attempt {
	if n := len(r.Attempts); n > 0 {
		return r.Attempts[n-1]
	}
	return execution.Attempt{}
}

// lastStep is the one whose log says most of an attempt: the first that failed, else the last that began.
func lastStep(a execution.Attempt) *execution.Step {
	if i := slices.IndexFunc(a.Steps, func(s execution.Step) bool { return s.Failed() && !s.StartedAt.IsZero() }); i >= 0 {
		return &a.Steps[i]
	}
	for i := len(a.Steps) - 1; i >= 0; i-- {
		if !a.Steps[i].StartedAt.IsZero() {
			return &a.Steps[i]
		}
	}
	return nil
}

// wanting reports whether a run needs a look.
func wanting(r execution.Run) bool {
	return r.Status == execution.Failed || r.Status == execution.Errored || r.Status == execution.TimedOut
}

func shown(e execution.Execution, r execution.Run) bool {
	return len(e.Runs) <= mostRuns || wanting(r)
}

// unfolded opens the first run that needs a look.
func unfolded(e execution.Execution, i int) bool { return slices.IndexFunc(e.Runs, wanting) == i }
