package readiness

import (
	"cmp"
	"slices"

	"github.com/seatrial/seatrial/controlplane/release/verdict"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

// State is how a cell stands.
type State string

// The states, worst first.
const (
	Failing  State = "failing"
	Flaky    State = "flaky"
	Broken   State = "broken"     // a rule is broken by no test that failed or is flaky
	NeverRan State = "never_ran"  // nothing of what is required has ever run
	Lacking  State = "incomplete" // evidence is missing
	Running  State = "running"    // evidence is missing, and all of it is on its way
	Waived   State = "waived"     // it is ready, with waivers
	Ready    State = "ready"
)

// Cell is what is known of a suite in an environment.
type Cell struct {
	verdict.CellResult

	Anchor  string
	State   State
	Lacking int                  // required tests for which evidence is missing
	Waived  int                  // results
	Apart   int                  // results of tests in quarantine that did not pass
	Bad     []verdict.TestResult // that did not pass, worst first
	Good    []verdict.TestResult // that passed on the release's images, by name
}

// Open reports whether the cell keeps the release from being ready.
func (c Cell) Open() bool { return c.State != Ready && c.State != Waived }

// worse orders cells, the worst first.
func worse(a, b Cell) int {
	return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), cmp.Compare(a.Suite, b.Suite), cmp.Compare(a.Environment, b.Environment))
}

func rank(s State) int {
	return slices.Index([]State{Failing, Flaky, Broken, NeverRan, Lacking, Running, Waived, Ready}, s)
}

func (a *arranger) cell(c verdict.CellResult) Cell {
	at := Place{c.Environment, c.Suite}
	out := Cell{CellResult: c, Anchor: a.anchors[at]}
	for _, t := range c.Results {
		switch {
		case t.Override == tests.Waived:
			out.Waived++
		case t.Override == tests.Quarantined && t.Verdict != tests.Passed:
			out.Apart++
		}
		if t.Verdict == tests.Passed && t.SubjectOK {
			out.Good = append(out.Good, t)
		} else {
			out.Bad = append(out.Bad, t)
		}
	}
	slices.SortStableFunc(out.Good, byName)
	slices.SortStableFunc(out.Bad, func(x, y verdict.TestResult) int {
		return cmp.Or(cmp.Compare(gravity(x), gravity(y)), byName(x, y))
	})
	seen := a.missing(at)
	out.Lacking = min(seen.count(), c.Required)
	out.State = stateOf(out, a.breaks(at), seen)
	return out
}

// gravity orders results that did not pass, the worst first. What passed on other images is no evidence, but has run.
func gravity(t verdict.TestResult) int {
	order := []tests.Verdict{
		tests.Failed, tests.Flaky, tests.NeverRan, tests.InfraError, tests.Blocked, tests.Running, tests.Passed, tests.Skipped,
	}
	n := 2 * slices.Index(order, t.Verdict)
	if t.Override != tests.None {
		n++
	}
	return n
}

func byName(a, b verdict.TestResult) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Test, b.Test), cmp.Compare(a.Variant, b.Variant))
}

// breaks reports whether a rule is broken at a place by what is bad, or cannot be evaluated there.
func (a *arranger) breaks(at Place) bool {
	for _, rule := range a.out.Rules {
		for _, f := range rule.Failing {
			if at == (Place{f.Environment, f.Suite}) && (rule.Kind == verdict.Negative || f.Error != "") {
				return true
			}
		}
	}
	return false
}

// lack is what the rules on missing evidence say of a cell.
type lack struct {
	broken bool            // one of them is broken
	tests  map[string]bool // at fault → whether a test is under way
	most   int             // how many tests a rule counts that does not name all of them
}

func (l lack) count() int { return max(len(l.tests), l.most) }

// coming reports whether all that is missing is under way.
func (l lack) coming() bool {
	for _, running := range l.tests {
		if !running {
			return false
		}
	}
	return l.most == 0 && len(l.tests) > 0
}

func (a *arranger) missing(at Place) lack {
	l := lack{tests: map[string]bool{}}
	for _, rule := range a.out.Rules {
		for _, f := range rule.Failing {
			if rule.Kind != verdict.Missing || at != (Place{f.Environment, f.Suite}) {
				continue
			}
			l.broken = true
			for _, t := range f.Tests {
				others, known := l.tests[t.Test]
				l.tests[t.Test] = t.Verdict == tests.Running && (others || !known)
			}
			if f.AtFault > len(f.Tests) || f.AtLeast { // who is not named may never have been started
				l.most = max(l.most, f.AtFault)
			}
		}
	}
	return l
}

func stateOf(c Cell, breaks bool, l lack) State {
	unwaived := func(v tests.Verdict) bool {
		return slices.ContainsFunc(c.Bad, func(t verdict.TestResult) bool { return t.Verdict == v && t.Override == tests.None })
	}
	silent := c.Required == 0 && c.Passed+c.Failed+c.Flaky == 0 // a gap without a rule
	switch {
	case breaks && unwaived(tests.Failed):
		return Failing
	case breaks && unwaived(tests.Flaky):
		return Flaky
	case breaks:
		return Broken
	case l.broken && c.Required > 0 && c.NeverRan == c.Required:
		return NeverRan
	case l.broken && l.coming():
		return Running
	case l.broken || silent:
		return Lacking
	case c.Waived > 0:
		return Waived
	}
	return Ready
}
