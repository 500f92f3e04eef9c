package cmd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// showRelease prints a release for people: the verdict, what it rests upon, and what could change it.
func (a *app) showRelease(r *apiv1.Release) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is %s\n", nameOf(r), render.State(r.GetState()))
	if len(r.GetTargets()) > 0 {
		fmt.Fprintf(&b, "  target  %s\n", render.Line(strings.Join(r.GetTargets(), ", ")))
	}
	if r.GetCommit() != "" {
		fmt.Fprintf(&b, "  commit  %s\n", render.Line(r.GetCommit()))
	}
	for _, image := range r.GetImages() {
		fmt.Fprintf(&b, "  image   %s\n", strings.TrimSpace(render.Line(image.GetName())+" "+render.Line(image.GetDigest())))
	}
	fmt.Fprintf(&b, "  policy  %s revision %d\n", render.Line(r.GetPolicy().GetName()), r.GetPolicy().GetRevision())
	for _, section := range []func(*strings.Builder, *apiv1.Release) error{matrix, broken, waivers, changes} {
		if err := section(&b, r); err != nil {
			return err
		}
	}
	if r.GetUrl() != "" {
		b.WriteString("\n" + r.GetUrl())
	}
	return a.print("%s", strings.TrimRight(b.String(), "\n"))
}

// matrix lists the cells with their counts, and a note where a report hides failures.
func matrix(b *strings.Builder, r *apiv1.Release) error {
	if len(r.GetCells()) == 0 {
		return nil
	}
	header := []string{"ENVIRONMENT", "SUITE", "REQUIRED", "PASSED", "FAILED", "FLAKY", "SKIPPED", "NO EVIDENCE", "NEVER RAN", "RUNNING"}
	noted := slices.ContainsFunc(r.GetCells(), (*apiv1.ReleaseCell).GetContradictory)
	if noted {
		header = append(header, "REPORTS")
	}
	var rows [][]string
	for _, c := range r.GetCells() {
		row := []string{
			c.GetEnvironment(), c.GetSuite(), number(c.GetRequired()), number(c.GetPassed()), number(c.GetFailed()), number(c.GetFlaky()),
			number(c.GetSkipped()), number(c.GetBlocked() + c.GetInfraError()), number(c.GetNeverRan()), number(c.GetRunning()),
		}
		switch {
		case c.GetContradictory():
			row = append(row, "contradictory")
		case noted:
			row = append(row, "consistent")
		}
		rows = append(rows, row)
	}
	b.WriteString("\n")
	return render.Rows(b, header, rows)
}

// number leaves zeros out, so that what is there stands out.
func number(n int32) string {
	if n == 0 {
		return "·"
	}
	return strconv.Itoa(int(n))
}

// broken lists the rules that do not hold, with what breaks them.
func broken(b *strings.Builder, r *apiv1.Release) error {
	for _, gap := range r.GetGaps() {
		b.WriteString("\n  ○ " + render.Line(gap) + "\n")
	}
	for _, rule := range r.GetRules() {
		if rule.GetHolds() {
			continue
		}
		mark, what := "✕", "broken"
		unknown := slices.ContainsFunc(rule.GetFailing(), func(f *apiv1.FailingCell) bool { return f.GetError() != "" })
		if rule.GetKind() == "missing" && !unknown {
			mark, what = "○", "evidence is missing"
		}
		fmt.Fprintf(b, "\n  %s %s: %s", mark, render.Line(rule.GetId()), what)
		if rule.GetDescription() != "" {
			b.WriteString(" — " + render.Line(rule.GetDescription()))
		}
		b.WriteString("\n")
		for _, f := range rule.GetFailing() {
			atFault(b, r, f)
		}
	}
	return nil
}

// atFault names the tests that break a rule in a cell, with what a waiver is asked for by.
func atFault(b *strings.Builder, r *apiv1.Release, f *apiv1.FailingCell) {
	where := render.Line(f.GetEnvironment()) + "/" + render.Line(f.GetSuite())
	if f.GetError() != "" {
		fmt.Fprintf(b, "      %s: %s\n", where, render.Line(f.GetError()))
	}
	for _, t := range f.GetTests() {
		fmt.Fprintf(b, "      %s: %s %s\n", where, render.Line(strings.TrimSpace(t.GetName()+" "+t.GetVariant())), strings.ReplaceAll(render.Line(t.GetVerdict()), "_", " "))
		if prints := printsOf(r, f, t); len(prints) > 0 {
			fmt.Fprintf(b, "        test %s, failure %s\n", render.Line(t.GetKey()), render.Line(strings.Join(prints, ", ")))
		}
	}
	if more := int(f.GetAtFault()) - len(f.GetTests()); more > 0 {
		fmt.Fprintf(b, "      %s: %d more\n", where, more)
	}
	if f.GetError() == "" && len(f.GetTests()) == 0 {
		fmt.Fprintf(b, "      %s\n", where)
	}
}

// printsOf are the fingerprints of the failures of a test in a cell.
func printsOf(r *apiv1.Release, f *apiv1.FailingCell, t *apiv1.TestAtFault) []string {
	for _, c := range r.GetCells() {
		if c.GetEnvironment() != f.GetEnvironment() || c.GetSuite() != f.GetSuite() {
			continue
		}
		for _, result := range c.GetResults() {
			if result.GetKey() == t.GetKey() && result.GetVariant() == t.GetVariant() {
				return result.GetFingerprints()
			}
		}
	}
	return nil
}

func waivers(b *strings.Builder, r *apiv1.Release) error {
	if len(r.GetWaivers()) == 0 {
		return nil
	}
	var rows [][]string
	for _, w := range r.GetWaivers() {
		state := w.GetWhy()
		switch {
		case w.GetUsed():
			state = "used"
		case w.GetActive():
			state = "active"
		}
		var by []string
		for _, approval := range w.GetApprovals() {
			by = append(by, approval.GetBy())
		}
		rows = append(rows, []string{w.GetRule(), w.GetRequester(), strings.Join(by, ", "), render.Time(w.GetExpiresAt()), state, w.GetReason(), w.GetId()})
	}
	b.WriteString("\n")
	return render.Rows(b, []string{"WAIVER OF", "ASKED BY", "APPROVED BY", "UNTIL", "STATE", "REASON", "ID"}, rows)
}

func changes(b *strings.Builder, r *apiv1.Release) error {
	if len(r.GetChanges()) == 0 {
		return nil
	}
	var rows [][]string
	for _, c := range r.GetChanges() {
		rows = append(rows, []string{render.Time(c.GetAt()), render.State(c.GetAfter()), c.GetCause()})
	}
	b.WriteString("\n")
	return render.Rows(b, []string{"SINCE", "VERDICT", "CAUSE"}, rows)
}
