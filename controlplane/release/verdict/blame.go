package verdict

import (
	"context"
	"slices"

	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

// blame says which tests break a rule in a cell. A rule is any expression, so each result is asked for by itself: those with which
// alone the rule would not hold are at fault. When it is a total that is too high, no result is at fault by itself, and those that
// the total counts are named instead.
func (d *decision) blame(ctx context.Context, r compiledRule, c cell, got answer) (FailingCell, error) {
	out := FailingCell{Environment: c.environment, Suite: c.suite, Error: got.wrong}
	waived := d.waived(r.Rule, c)
	none, err := d.ask(ctx, r, c.frame())
	if err != nil {
		return out, err
	}
	for i := 0; none.holds && i < len(c.results); i++ { // else it is broken by no result
		alone, err := d.ask(ctx, r, c.only(i, d.now, waived(i)))
		if err != nil {
			return out, err
		}
		if !alone.holds {
			out.add(c.results[i])
		}
	}
	if out.AtFault > 0 || got.wrong != "" {
		return out, nil
	}
	for i, res := range c.results {
		if r.counts(res) && !waived(i) {
			out.add(res)
		}
	}
	return out, nil
}

// counts reports whether a rule reads a total that speaks against a release and has the result in it.
func (r compiledRule) counts(res result) bool {
	if res.unproven() && slices.Contains(r.totals, "never_ran") {
		return true
	}
	good := res.Verdict == tests.Passed || res.Verdict == tests.NeverRan // the latter is the total above, of required tests only
	return !good && slices.Contains(r.totals, string(res.Verdict))
}

func (f *FailingCell) add(r result) {
	if f.AtFault++; f.AtFault <= MaxAtFault {
		f.Tests = append(f.Tests, AtFault{Test: r.Test, Name: r.Name, Variant: r.Variant, Verdict: r.Verdict})
	}
}
