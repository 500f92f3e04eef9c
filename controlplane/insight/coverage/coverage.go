// Package coverage says where the catalog has not been run, or not of late, or never well. It is pure.
package coverage

import (
	"cmp"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// State is what is known of a workflow in an environment.
type State string

// The states.
const (
	Covered   State = "covered"
	Red       State = "red"       // it ran of late, and never passed
	Stale     State = "stale"     // it ran, but not of late
	Never     State = "never"     // it did not run within the window
	Elsewhere State = "elsewhere" // the workflow says that it runs in other environments, and it did not run here
)

// Flow is a workflow of the catalog.
type Flow struct {
	Name   string
	Places []string // environments that it names or selects itself, which may be none now; nil for any of the organization
	Any    bool     // one of them is enough
}

// Cell is a workflow in an environment.
type Cell struct{ Workflow, Environment string }

// Last is what became of a workflow in an environment.
type Last struct {
	Cell

	Execution execution.ID
	Status    execution.Status
	At        time.Time
	GreenAt   time.Time // zero when it did not pass within the window
}

// Known is a cell with what is known of it.
type Known struct {
	Last

	State    State
	Gap      bool
	Required []string // names of the policies that require it
}

// Row is a workflow.
type Row struct {
	Workflow string
	Cells    []Known // one for each environment, in their order
	Gaps     int
	Required int // gaps that a policy requires to be filled
}

// Matrix is the catalog × environments.
type Matrix struct {
	Environments []string
	Rows         []Row // those with gaps that a policy requires to be filled first, then those with most gaps
	Gaps         int
	Required     int
}

// Of puts the matrix together. What ran last before fresh is stale.
func Of(flows []Flow, environments []string, last []Last, required map[Cell][]string, fresh time.Time) Matrix {
	known := make(map[Cell]Last, len(last))
	for _, l := range last {
		known[l.Cell] = l
	}
	m := Matrix{Environments: environments}
	for _, f := range flows {
		row := Row{Workflow: f.Name}
		for _, environment := range environments {
			at := Cell{f.Name, environment}
			k := Known{Last: known[at], Required: required[at]}
			k.Cell = at
			k.State = stateOf(k.Last, fresh)
			if k.State == Never && f.Places != nil && !slices.Contains(f.Places, environment) && len(k.Required) == 0 {
				k.State = Elsewhere
			}
			row.Cells = append(row.Cells, k)
		}
		row.count(f)
		m.Rows, m.Gaps, m.Required = append(m.Rows, row), m.Gaps+row.Gaps, m.Required+row.Required
	}
	slices.SortStableFunc(m.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.Required, a.Required), cmp.Compare(b.Gaps, a.Gaps), cmp.Compare(a.Workflow, b.Workflow))
	})
	return m
}

// count marks the gaps of a row. Where one environment is enough, only what a policy requires is a gap once it ran well in one.
func (r *Row) count(f Flow) {
	enough := f.Any && slices.ContainsFunc(r.Cells, func(k Known) bool { return k.State == Covered })
	for i, k := range r.Cells {
		gap := k.State == Never || k.State == Stale || k.State == Red
		if gap && (!enough || len(k.Required) > 0) {
			r.Cells[i].Gap = true
			r.Gaps++
			if len(k.Required) > 0 {
				r.Required++
			}
		}
	}
}

func stateOf(l Last, fresh time.Time) State {
	switch {
	case l.At.IsZero():
		return Never
	case l.At.Before(fresh):
		return Stale
	case l.GreenAt.IsZero():
		return Red
	}
	return Covered
}

// GapsOnly leaves out rows without a gap.
func (m Matrix) GapsOnly() Matrix {
	m.Rows = slices.DeleteFunc(slices.Clone(m.Rows), func(r Row) bool { return r.Gaps == 0 })
	return m
}
