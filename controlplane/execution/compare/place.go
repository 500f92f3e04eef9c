package compare

import (
	"maps"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// Place is where a test ran: an environment and a cell of the matrix. The shard is none of it: where a test ran among its siblings says
// nothing of it.
type Place struct {
	Environment string
	Cell        string // "browser=firefox"; empty without a matrix
}

// String returns the place as people write it.
func (p Place) String() string { return strings.TrimSpace(p.Environment + " " + p.Cell) }

// PlaceOf returns the place of a run.
func PlaceOf(r execution.Run) Place {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(r.Matrix)) {
		parts = append(parts, name+"="+r.Matrix[name])
	}
	return Place{r.Environment, strings.Join(parts, " ")}
}

func placesOf(e execution.Execution) map[execution.AttemptID]Place {
	out := map[execution.AttemptID]Place{}
	for _, r := range e.Runs {
		for _, a := range r.Attempts {
			out[a.ID] = PlaceOf(r)
		}
	}
	return out
}

// Places returns where an execution ran, in an environment or, when that is empty, in all.
func Places(e execution.Execution, environment string) map[Place]bool {
	out := map[Place]bool{}
	for _, r := range e.Runs {
		if environment == "" || r.Environment == environment {
			out[PlaceOf(r)] = true
		}
	}
	return out
}

// Green reports whether everything that an execution ran in the places has passed, and nothing is lacking.
func Green(e execution.Execution, places map[Place]bool) bool {
	seen := map[Place]bool{}
	for _, r := range e.Runs {
		if p := PlaceOf(r); places[p] {
			if r.Status != execution.Passed {
				return false
			}
			seen[p] = true
		}
	}
	return len(seen) == len(places)
}
