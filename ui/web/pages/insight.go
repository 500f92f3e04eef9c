package pages

import (
	"net/url"
	"strconv"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/execution/compare"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/insight/coverage"
	"github.com/seatrial/seatrial/ui/web/parts"
)

// CompareProps are what the comparison of an execution with another shows.
type CompareProps struct {
	Frame       parts.Frame
	Execution   execution.Execution // the later one
	With        string              // id of the earlier one as it was asked for; empty for the last green one
	Environment string
	Comparison  insight.Comparison
	Wrong       Wrong // why there is none
}

// FailuresProps are what the list of failures that are alike shows.
type FailuresProps struct {
	Frame       parts.Frame
	List        insight.Clusters
	Workflow    string
	Environment string
	Days        string // as it was asked for
	Wrong       Wrong
}

// Filtered reports whether the list leaves any out.
func (p FailuresProps) Filtered() bool { return p.Workflow+p.Environment+p.Days != "" }

// FailureProps are what the page of one of them shows.
type FailureProps struct {
	Frame   parts.Frame
	Failure insight.Failure
}

// CoverageProps are what the coverage of the catalog shows.
type CoverageProps struct {
	Frame    parts.Frame
	Coverage insight.Coverage
	Days     string // as it was asked for
	All      bool   // workflows without a gap, too
	Shown    []coverage.Row
	Next     string // address of the next rows
	Wrong    Wrong
}

// Rows are those that the page is about.
func (p CoverageProps) Rows() []coverage.Row {
	if p.All {
		return p.Coverage.Rows
	}
	return p.Coverage.GapsOnly().Rows
}

func comparePath(f parts.Frame, id execution.ID) string { return executionPath(f, id) + "/compare" }

func failuresPath(f parts.Frame) string { return home(f) + "/failures" }

func failurePath(f parts.Frame, fingerprint string, days int) string {
	path := failuresPath(f) + "/" + url.PathEscape(fingerprint)
	if days != 0 && days != insight.DefaultDays {
		path += "?days=" + strconv.Itoa(days)
	}
	return path
}

func coveragePath(f parts.Frame) string { return home(f) + "/catalog/coverage" }

// whole is the address of the coverage with all workflows.
func (p CoverageProps) whole() string {
	q := url.Values{"all": {"1"}}
	if p.Days != "" {
		q.Set("days", p.Days)
	}
	return coveragePath(p.Frame) + "?" + q.Encode()
}

// ended reports whether an execution can be compared.
func ended(e execution.Execution) bool { return e.Status.Terminal() }

// differing are the groups of a comparison that have tests.
func differing(t compare.Tests) []compare.Group {
	var out []compare.Group
	for _, g := range t.Groups {
		if g.Count > 0 {
			out = append(out, g)
		}
	}
	return out
}

// openTests is how many tests of a kind are seen at once: the next kind shall not be far away.
const openTests = 20

// parted divides the tests of a kind into those that are seen at once and those that are folded. What is no bad news is folded.
func parted(g compare.Group) (open, rest []compare.Test) {
	if g.Kind == compare.NewlyPresent || g.Kind == compare.NewlyPassing {
		return nil, g.Tests
	}
	n := min(openTests, len(g.Tests))
	return g.Tests[:n], g.Tests[n:]
}

// more is what stands behind the number of folded tests.
func more(open int) string {
	if open > 0 {
		return "more"
	}
	return ""
}
