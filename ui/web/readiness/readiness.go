// Package readiness arranges what is known of a release the way people read it: a matrix of suites and environments, what keeps the
// release from being ready, and the evidence of each cell, worst first. It decides nothing: that is in the verdict.
package readiness

import (
	"slices"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// Report is a verdict arranged for reading.
type Report struct {
	Environments []string // by name: the columns of the matrix
	Suites       []string // by name: its rows
	Cells        []Cell   // worst first, then by suite and environment
	Broken       []Rule   // rules whose evidence is bad or that could not be evaluated, in the order of the policy
	Missing      []Rule   // rules for which evidence is missing, in the order of the policy
	Gaps         []string // sentences on what is missing without a rule that says so
	Holding      []verdict.RuleResult
	Waivers      []Waiver // newest first
}

// Place is a cell of the matrix.
type Place struct{ Environment, Suite string }

// Rule is a rule that does not hold.
type Rule struct {
	verdict.RuleResult

	Cells []FailingCell
}

// FailingCell is a cell that breaks a rule.
type FailingCell struct {
	Place

	Anchor string // of its evidence on the page
	Error  string // why the rule could not be evaluated; empty when it was
	Faults []Fault
	More   int // tests at fault that are not named
}

// Waiver is a waiver with what became of it.
type Waiver struct {
	verdict.Waiver

	Name   string // what people call the test; empty when it is for any
	Active bool
	Used   bool
	Over   bool   // it was revoked or has expired: nothing about it changes any more
	Why    string // it is not active
}

// Of arranges the verdict out on the release r as it is at the time now.
func Of(r release.Release, out verdict.Output, now time.Time) Report {
	a := arranger{release: r, out: out, now: now, results: map[testAt]verdict.TestResult{}, anchors: map[Place]string{}}
	a.index()
	rep := Report{Gaps: out.Gaps, Waivers: a.waivers()}
	for _, c := range out.Cells {
		if !slices.Contains(rep.Suites, c.Suite) {
			rep.Suites = append(rep.Suites, c.Suite)
		}
		if !slices.Contains(rep.Environments, c.Environment) {
			rep.Environments = append(rep.Environments, c.Environment)
		}
		rep.Cells = append(rep.Cells, a.cell(c))
	}
	slices.Sort(rep.Suites)
	slices.Sort(rep.Environments)
	slices.SortStableFunc(rep.Cells, worse)
	for _, rule := range out.Rules {
		switch {
		case rule.Holds:
			rep.Holding = append(rep.Holding, rule)
		case rule.Against():
			rep.Broken = append(rep.Broken, a.rule(rule))
		default:
			rep.Missing = append(rep.Missing, a.rule(rule))
		}
	}
	return rep
}

// Cell returns the cell at a place; ok is false when nothing is required there.
func (r Report) Cell(environment, suite string) (c Cell, ok bool) {
	i := slices.IndexFunc(r.Cells, func(c Cell) bool { return c.Environment == environment && c.Suite == suite })
	if i < 0 {
		return Cell{}, false
	}
	return r.Cells[i], true
}

// Required is how many tests are required, each counted once in every environment.
func (r Report) Required() int {
	n := 0
	for _, c := range r.Cells {
		n += c.Required
	}
	return n
}

// Running reports whether any test is under way, so that the verdict may change soon.
func (r Report) Running() bool {
	return slices.ContainsFunc(r.Cells, func(c Cell) bool { return c.Running > 0 })
}

type testAt struct {
	Place

	test, variant string
}

// arranger makes a report.
type arranger struct {
	release release.Release
	out     verdict.Output
	now     time.Time
	results map[testAt]verdict.TestResult
	anchors map[Place]string // a cell keeps its anchor, since the cells of a release are frozen
}

func (a *arranger) index() {
	for i, c := range a.out.Cells {
		at := Place{c.Environment, c.Suite}
		a.anchors[at] = "cell-" + strconv.Itoa(i+1)
		for _, t := range c.Results {
			a.results[testAt{at, t.Test, t.Variant}] = t
		}
	}
}

// waivers puts together what was asked for and what became of it. What the verdict does not know yet has no result.
func (a *arranger) waivers() []Waiver {
	var all []Waiver
	for _, w := range slices.Backward(a.release.Waivers) {
		one := Waiver{Waiver: w, Over: w.Revoked || !a.now.Before(w.ExpiresAt), Why: "The verdict does not know it yet.", Name: a.nameOf(w)}
		for _, known := range a.out.Waivers {
			if known.ID == w.ID {
				one.Active, one.Used, one.Why = known.Active, known.Used, known.Why
			}
		}
		all = append(all, one)
	}
	return all
}

func (a *arranger) nameOf(w verdict.Waiver) string {
	for _, c := range a.out.Cells {
		for _, t := range c.Results {
			if t.Test == w.Test && t.Name != "" {
				return t.Name
			}
		}
	}
	return w.Test
}
