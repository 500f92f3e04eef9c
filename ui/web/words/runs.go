package words

import (
	"fmt"
	"strings"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
)

// Cell names a run among its siblings; a run alone needs no name.
func Cell(e execution.Execution, r execution.Run) string {
	switch {
	case len(e.Runs) < 2:
		return ""
	case r.Name == "":
		return r.Environment
	}
	return r.Name
}

// CellOf names the run that an attempt belongs to.
func CellOf(e execution.Execution, id execution.AttemptID) string {
	for _, r := range e.Runs {
		for _, a := range r.Attempts {
			if a.ID == id {
				return Cell(e, r)
			}
		}
	}
	return ""
}

// Tally says how the runs of an execution that has several stand: "2 of 12 runs ended, 1 failed".
func Tally(e execution.Execution) string {
	over, count := 0, map[execution.Status]int{}
	for _, r := range e.Runs {
		count[r.Status]++
		if r.Status.Terminal() {
			over++
		}
	}
	var parts []string
	if over < len(e.Runs) {
		parts = append(parts, fmt.Sprintf("%d of %d runs ended", over, len(e.Runs)))
	} else if n := count[execution.Passed]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d runs passed", n, len(e.Runs)))
	}
	for _, s := range []execution.Status{execution.Failed, execution.Errored, execution.TimedOut, execution.Cancelled, execution.Skipped} {
		if n := count[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, Status(s)))
		}
	}
	return strings.Join(parts, ", ")
}

// Pause is a step that waits for a person.
type Pause struct {
	Run  execution.RunID
	Cell string // names the run among several
	Step execution.Step
	Away string // why it may take longer: the agent is away
}

// Pauses are the steps of an execution that wait for a person, in the order of its runs.
func Pauses(e execution.Execution) []Pause {
	var list []Pause
	for _, r := range e.Runs {
		if len(r.Attempts) == 0 {
			continue
		}
		a, away := r.Attempts[len(r.Attempts)-1], ""
		if a.Reason == cluster.ReasonAway {
			away = a.Message
		}
		for _, s := range a.Steps {
			if s.Status == execution.Paused {
				list = append(list, Pause{Run: r.ID, Cell: Cell(e, r), Step: s, Away: away})
			}
		}
	}
	return list
}
