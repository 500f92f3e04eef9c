package readiness

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/release/verdict"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

// Fault is a test that keeps a rule from holding in a cell.
type Fault struct {
	Place

	ID          string // differs from those of all others, and stays the same
	Rule        string
	Test        string // key
	Name        string
	Variant     string
	Verdict     tests.Verdict
	Fingerprint string // of its failure; empty unless it is one
	OtherImages bool   // it ran, and never against those of the release
	FinishedAt  time.Time
	// Waivable says that a waiver of it could count. Then Asked is empty.
	Waivable bool
	Asked    bool   // a waiver of it was asked for and has not ended
	Why      string // it cannot be waived although others can, as a sentence
}

func (a *arranger) rule(r verdict.RuleResult) Rule {
	out := Rule{RuleResult: r}
	for _, f := range r.Failing {
		at := Place{f.Environment, f.Suite}
		cell := FailingCell{Place: at, Anchor: a.anchors[at], Error: f.Error, More: f.AtFault - len(f.Tests)}
		for _, t := range f.Tests {
			cell.Faults = append(cell.Faults, a.fault(r, at, t))
		}
		out.Cells = append(out.Cells, cell)
	}
	return out
}

func (a *arranger) fault(r verdict.RuleResult, at Place, t verdict.AtFault) Fault {
	f := Fault{Place: at, ID: FaultID(r.ID, at, t.Test, t.Variant), Rule: r.ID, Test: t.Test, Name: t.Name, Variant: t.Variant, Verdict: t.Verdict}
	if f.Name == "" {
		f.Name = t.Test
	}
	result := a.results[testAt{at, t.Test, t.Variant}]
	f.OtherImages, f.FinishedAt = result.Attempts > 0 && !result.SubjectOK, result.FinishedAt
	prints := result.Fingerprints
	if len(prints) == 1 {
		f.Fingerprint = prints[0]
	}
	terms := a.release.Policy.Waivers
	bound := terms.BindTo == verdict.BindFingerprint
	switch {
	case !r.Waivable || r.Kind == verdict.Missing || terms.MaxAge <= 0 || t.Verdict != tests.Failed && t.Verdict != tests.Flaky:
	case a.asked(f):
		f.Asked = true
	case bound && len(prints) == 0:
		f.Why = "Its failure cannot be told from others, and the policy binds waivers to one."
	case bound && len(prints) > 1:
		f.Why = "It failed in different ways, and the policy binds a waiver to one of them: the others would hide behind it."
	default:
		f.Waivable = true
	}
	return f
}

// asked reports whether somebody has asked for a waiver of a fault, and it has not ended.
func (a *arranger) asked(f Fault) bool {
	fits := func(want, have string) bool { return want == "" || want == have }
	return slices.ContainsFunc(a.release.Waivers, func(w verdict.Waiver) bool {
		return !w.Revoked && a.now.Before(w.ExpiresAt) && fits(w.Rule, f.Rule) && fits(w.Environment, f.Environment) &&
			fits(w.Suite, f.Suite) && fits(w.Test, f.Test) && fits(w.Variant, f.Variant) && fits(w.Fingerprint, f.Fingerprint)
	})
}

// FaultID identifies a fault on the page of its release.
func FaultID(rule string, at Place, test, variant string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.Join([]string{rule, at.Environment, at.Suite, test, variant}, "\x00")))
	return "fault-" + strconv.FormatUint(h.Sum64(), 36)
}
