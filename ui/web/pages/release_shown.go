package pages

import (
	"cmp"
	"net/url"
	"slices"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
	"github.com/seatrial/seatrial/ui/web/readiness"
)

// A release may have thousands of tests in hundreds of cells, and nobody reads a page of megabytes. So the page of a release has the worst of
// everything, says how much more there is, and the rest is one link away. The matrix has every cell in any case.
const (
	shownTests   = 100 // of a cell
	shownInAll   = 90  // of all cells, the worst cells first
	wholeTests   = 200 // of a cell that was asked for, on one page
	shownCells   = 30  // that have a part of the page each; half of it beside a dense matrix
	shownFaults  = 40  // of a rule, those that failed first
	shownPlaces  = 40  // of a rule
	shownSquares = 300 // of the matrix
	fullSquares  = 100 // of a matrix whose squares have all numbers: those of a larger one have a word
	shownForms   = 5   // that are there before they are asked for
	shownLinks   = 25  // executions
)

// shownCell is what the page has of the evidence of a cell.
type shownCell struct {
	readiness.Cell

	bad, good []verdict.TestResult // of those that the cell has
	left      int                  // tests that the page has not, of a cell that was asked for: those before and after
	next      string               // address of those after
}

// shown chooses the cells whose evidence is on the page.
func (p ReleaseProps) shown() []shownCell {
	rows := shownInAll
	take := func(list []verdict.TestResult) []verdict.TestResult {
		list = list[:min(len(list), shownTests, rows)]
		rows -= len(list)
		return list
	}
	out := make([]shownCell, len(p.Report.Cells))
	for i, c := range p.Report.Cells {
		out[i].Cell = c
		if c.Anchor != p.All {
			out[i].bad = take(c.Bad)
		}
	}
	for i, c := range p.Report.Cells {
		if c.Anchor != p.All {
			out[i].good = take(c.Good)
		} else {
			out[i] = p.whole(c)
		}
	}
	n, most := 0, shownCells
	if p.dense() {
		most /= 2
	}
	return slices.DeleteFunc(out, func(c shownCell) bool {
		if c.Anchor == p.All {
			return false
		}
		n++
		return n > most || len(c.bad)+len(c.good) == 0 && len(c.Bad)+len(c.Good) > 0 && !c.Open()
	})
}

// whole is a page of the evidence of a cell that was asked for.
func (p ReleaseProps) whole(c readiness.Cell) shownCell {
	out := shownCell{Cell: c}
	all := slices.Concat(c.Bad, c.Good)
	from := 1 + slices.IndexFunc(all, func(t verdict.TestResult) bool { return cursorOf(t) == p.After })
	to := min(len(all), from+wholeTests)
	bad := len(c.Bad)
	out.bad, out.good = all[min(from, bad):min(to, bad)], all[max(from, bad):max(to, bad)]
	if out.left = len(all) - (to - from); to < len(all) {
		out.next = releasePath(p.Frame, p.Release) + "?" + url.Values{"all": {c.Anchor}, "after": {cursorOf(all[to-1])}}.Encode() + "#" + c.Anchor
	}
	return out
}

// cursorOf names a test of a cell in an address.
func cursorOf(t verdict.TestResult) string { return t.Test + " " + t.Variant }

// others are the cells whose evidence is not on the page.
func (p ReleaseProps) others(shown []shownCell) int { return len(p.Report.Cells) - len(shown) }

// has reports whether the evidence of a cell is on the page.
func has(shown []shownCell, anchor string) bool {
	return slices.ContainsFunc(shown, func(c shownCell) bool { return c.Anchor == anchor })
}

// cellPath leads to the evidence of a cell, on this page or on its own.
func cellPath(p ReleaseProps, shown []shownCell, anchor string) string {
	if has(shown, anchor) {
		return "#" + anchor
	}
	return allPath(p, anchor)
}

// allPath is the address of the page with all the evidence of a cell.
func allPath(p ReleaseProps, anchor string) string {
	return releasePath(p.Frame, p.Release) + "?" + url.Values{"all": {anchor}}.Encode() + "#" + anchor
}

// shownRule is what the page has of a rule that does not hold.
type shownRule struct {
	readiness.Rule

	restTests, restPlaces int // at fault in the cells that are left out, and how many those are
}

// shownRule leaves out of a rule what nobody reads: those that failed stay before those that are flaky, and what the page was asked for in
// any case.
func (p ReleaseProps) shownRule(r readiness.Rule) shownRule {
	out := shownRule{Rule: r}
	out.Cells = nil
	kept := p.kept(r)
	for _, c := range r.Cells {
		faults := slices.DeleteFunc(slices.Clone(c.Faults), func(f readiness.Fault) bool { return !kept[f.ID] })
		if len(out.Cells) >= shownPlaces && (len(faults) == 0 || len(faults) < len(c.Faults)) && !slices.ContainsFunc(faults, func(f readiness.Fault) bool { return f.ID == p.Form.Fault }) {
			out.restTests, out.restPlaces = out.restTests+len(c.Faults)+c.More, out.restPlaces+1
			continue
		}
		c.More += len(c.Faults) - len(faults)
		c.Faults = faults
		out.Cells = append(out.Cells, c)
	}
	return out
}

// kept are the faults of a rule that the page has.
func (p ReleaseProps) kept(r readiness.Rule) map[string]bool {
	var all []readiness.Fault
	for _, c := range r.Cells {
		all = append(all, c.Faults...)
	}
	asked := func(f readiness.Fault) int {
		if f.ID == p.Form.Fault {
			return 0
		}
		return 1
	}
	order := []tests.Verdict{tests.Failed, tests.Flaky}
	rank := func(f readiness.Fault) int {
		if i := slices.Index(order, f.Verdict); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(all, func(a, b readiness.Fault) int {
		return cmp.Or(cmp.Compare(asked(a), asked(b)), cmp.Compare(rank(a), rank(b)))
	})
	kept := map[string]bool{}
	for _, f := range all[:min(len(all), shownFaults)] {
		kept[f.ID] = true
	}
	return kept
}

// withForms are the faults whose forms are on the page; those of others are one link away.
func (p ReleaseProps) withForms() map[string]bool {
	out := map[string]bool{p.Form.Fault: true}
	for _, r := range p.Report.Broken {
		for _, c := range p.shownRule(r).Cells {
			for _, f := range c.Faults {
				if f.Waivable && len(out) <= shownForms {
					out[f.ID] = true
				}
			}
		}
	}
	return out
}

// waivePath is the address of the page with the form of a fault.
func waivePath(p ReleaseProps, f readiness.Fault) string {
	return releasePath(p.Frame, p.Release) + "?" + url.Values{"waive": {f.ID}}.Encode() + "#" + f.ID
}

// executions are those that the page lists, newest first, and the address of the page of those before them.
func (p ReleaseProps) executions() (list []release.Linked, next string) {
	list = p.Release.Executions
	list = list[1+slices.IndexFunc(list, func(l release.Linked) bool { return l.Execution.ID.String() == p.Before }):]
	if len(list) > shownLinks {
		list = list[:shownLinks]
		next = releasePath(p.Frame, p.Release) + "?" + url.Values{"before": {list[shownLinks-1].Execution.ID.String()}}.Encode() + "#executions-title"
	}
	return list, next
}

// dense reports whether the matrix has too many squares for all that could be said in each.
func (p ReleaseProps) dense() bool { return len(p.Report.Cells) > fullSquares }

// suites are the rows of the matrix, and the address of the next ones when there are very many: then those that are ready everywhere come
// last.
func (p ReleaseProps) suites() (list []string, next string) {
	rows := max(1, shownSquares/max(1, len(p.Report.Environments)))
	if len(p.Report.Suites) <= rows {
		return p.Report.Suites, ""
	}
	open := map[string]bool{}
	for _, c := range p.Report.Cells {
		open[c.Suite] = open[c.Suite] || c.Open()
	}
	calm := func(suite string) int {
		if open[suite] {
			return 0
		}
		return 1
	}
	list = slices.SortedStableFunc(slices.Values(p.Report.Suites), func(a, b string) int { return calm(a) - calm(b) })
	list = list[1+slices.Index(list, p.Suite):]
	if len(list) > rows {
		list = list[:rows]
		next = releasePath(p.Frame, p.Release) + "?" + url.Values{"suite": {list[rows-1]}}.Encode() + "#matrix-title"
	}
	return list, next
}
