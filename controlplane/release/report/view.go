package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

// view is what a person reads, in whatever format. Its texts are foreign: each is one line of visible characters, and not escaped.
type view struct {
	Name    string
	State   verdict.State
	Says    string // what the state means
	URL     string
	Facts   []fact
	Gaps    []string
	Bad     []rule // broken: the evidence is bad
	Missing []rule // broken: there is no evidence
	Holding []rule
	Matrix  [][]string
	Waivers []waiver
}

type fact struct{ Name, Value string }

type rule struct {
	ID, Description string
	Waived          bool
	Cells           []cell
}

type cell struct {
	Place string
	Error string
	Tests []test
	More  int  // tests at fault that are not listed
	Open  bool // more than that may be
}

type test struct{ Name, Verdict string }

type waiver struct{ Rule, For, Reason, Requester, Approvers, Until, State string }

// columns are those of the matrix.
func columns() []string {
	return []string{"Environment", "Suite", "Required", "Passed", "Failed", "Flaky", "Skipped", "No evidence", "Never ran", "Running", "Note"}
}

func viewOf(r Release, out verdict.Output) view {
	v := view{Name: line(r.Application + " " + r.Version), State: out.State, Says: says(out.State), URL: r.URL, Facts: facts(r)}
	for _, gap := range out.Gaps {
		v.Gaps = append(v.Gaps, line(gap))
	}
	for _, result := range out.Rules {
		list := &v.Holding
		switch {
		case result.Against():
			list = &v.Bad
		case !result.Holds:
			list = &v.Missing
		}
		*list = append(*list, ruleOf(result))
	}
	for _, c := range out.Cells {
		v.Matrix = append(v.Matrix, row(c))
	}
	known := map[string]verdict.WaiverResult{}
	for _, w := range out.Waivers {
		known[w.ID] = w
	}
	for _, w := range r.Waivers {
		v.Waivers = append(v.Waivers, waiverOf(w, known[w.ID]))
	}
	return v
}

// line makes one line of a text, without what moves a cursor or turns the direction of what stands beside it.
func line(s string) string { return strings.Join(strings.Fields(strings.Map(visible, s)), " ") }

func visible(r rune) rune {
	if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
		return ' '
	}
	return r
}

// says is the state in a sentence.
func says(s verdict.State) string {
	switch s {
	case verdict.Ready:
		return "Every rule holds."
	case verdict.ReadyWithWaivers:
		return "Every rule holds with the waivers that were approved."
	case verdict.NotReady:
		return "The evidence speaks against it."
	case verdict.Incomplete:
		return "Evidence is missing."
	}
	return "There is no verdict yet."
}

func facts(r Release) []fact {
	all := []fact{{"Decided", instant(r.DecidedAt)}, {"Policy", fmt.Sprintf("%s revision %d", line(r.Policy), r.Revision)}}
	if s := r.Shared; s != nil {
		all = append(all, fact{"Snapshot", fmt.Sprintf("shared by %s on %s, to be read until %s; what came later is not in it", line(s.By), instant(s.At), instant(s.Until))})
	}
	for _, image := range r.Images {
		all = append(all, fact{"Image", line(image.Name + " " + image.Digest)})
	}
	for _, f := range []fact{{"Target", line(strings.Join(r.Targets, ", "))}, {"Commit", line(r.Commit)}, {"Created by", line(r.Actor)}, {"Created", instant(r.CreatedAt)}} {
		if f.Value != "" {
			all = append(all, f)
		}
	}
	return all
}

func instant(t time.Time) string {
	if t.IsZero() {
		return "not yet"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func ruleOf(r verdict.RuleResult) rule {
	out := rule{ID: line(r.ID), Description: line(r.Description), Waived: r.Waived}
	for _, f := range r.Failing {
		c := cell{Place: line(f.Environment + "/" + f.Suite), Error: line(f.Error), More: max(0, f.AtFault-len(f.Tests)), Open: f.AtLeast}
		for _, t := range f.Tests {
			c.Tests = append(c.Tests, test{line(cmp.Or(t.Name, t.Test) + " " + t.Variant), words(string(t.Verdict))})
		}
		out.Cells = append(out.Cells, c)
	}
	return out
}

// words writes a name of the language as people do.
func words(name string) string { return line(strings.ReplaceAll(name, "_", " ")) }

func row(c verdict.CellResult) []string {
	cells := []string{line(c.Environment), line(c.Suite)}
	for _, n := range []int{c.Required, c.Passed, c.Failed, c.Flaky, c.Skipped, c.Blocked + c.InfraError, c.NeverRan, c.Running} {
		text := "·" // zeros are left out, so that what is there stands out
		if n != 0 {
			text = strconv.Itoa(n)
		}
		cells = append(cells, text)
	}
	var notes []string
	for override, word := range map[tests.Override]string{tests.Quarantined: "in quarantine", tests.Waived: "waived"} {
		if n := overridden(c, override); n > 0 {
			notes = append(notes, strconv.Itoa(n)+" "+word)
		}
	}
	slices.Sort(notes)
	if c.Integrity == results.Contradictory {
		notes = append(notes, "a report contradicts itself")
	}
	return append(cells, strings.Join(notes, ", "))
}

// overridden counts the failures of a cell beside which a decision of people stands.
func overridden(c verdict.CellResult, override tests.Override) int {
	n := 0
	for _, r := range c.Results {
		if r.Override == override && (r.Verdict == tests.Failed || r.Verdict == tests.Flaky) {
			n++
		}
	}
	return n
}

func waiverOf(w verdict.Waiver, known verdict.WaiverResult) waiver {
	out := waiver{
		Rule: line(w.Rule), Reason: line(w.Reason), Requester: line(w.Requester), Until: instant(w.ExpiresAt), State: line(known.Why),
	}
	var parts, by []string
	for _, part := range []string{w.Environment, w.Suite, w.Test, w.Variant, w.Fingerprint} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	for _, a := range w.Approvals {
		by = append(by, a.By)
	}
	switch {
	case known.Used:
		out.State = "It is used."
	case known.Active:
		out.State = "It is active."
	}
	out.For, out.Approvers = cmp.Or(line(strings.Join(parts, " · ")), "anything"), cmp.Or(line(strings.Join(by, ", ")), "nobody")
	return out
}
