package verdict

import (
	"context"
	"slices"

	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

// Limits of asking a rule about single results. Only names depend on them, the state of a release does not. They count questions and not
// time, so that the same are named on every machine.
const (
	maxAsked      = 500     // of a broken rule in a cell
	maxAskedInAll = 100_000 // in a verdict; what is broken after that still has MaxAtFault each, or it would name nobody
)

// blame says which tests break a rule in a cell. A rule is any expression, so each result is asked for by itself: those with which
// alone the rule would not hold are at fault. When it is a total that is too high, no result is at fault by itself, and those that
// the total counts are named instead.
//
// An evaluation for each of a million results would cost more than the verdict, so results that are the same to the rule are asked for
// once. Nobody reads a million names either: the asking ends when MaxAtFault answers found somebody, or after maxAsked questions.
// FailingCell.AtLeast says that there are results about which nothing is known then.
func (d *decision) blame(ctx context.Context, r compiledRule, c cell, got answer) (FailingCell, error) {
	out := FailingCell{Environment: c.environment, Suite: c.suite, Error: got.wrong}
	none, err := d.ask(ctx, r, c.frame())
	if err != nil {
		return out, err
	}
	if none.holds { // else it is broken by no result
		if err := d.single(ctx, r, c, &out); err != nil {
			return out, err
		}
	}
	if out.AtFault > 0 || got.wrong != "" {
		return out, nil
	}
	waived := d.waived(r.Rule, c)
	for i, res := range c.results {
		if r.counts(res) && !waived(i) {
			out.add(res)
		}
	}
	return out, nil
}

// single asks for results by themselves and adds those at fault.
func (d *decision) single(ctx context.Context, r compiledRule, c cell, out *FailingCell) error {
	waived, limit := d.waived(r.Rule, c), maxAsked
	if d.asked >= maxAskedInAll {
		limit = MaxAtFault
	}
	answers, broken := map[string]bool{}, 0
	var found []int
	for _, i := range c.suspects() {
		view := c.only(i, d.now, waived(i))
		class := r.reading.class(view, i)
		holds, known := answers[class]
		switch {
		case known:
		case len(answers) == limit || broken == MaxAtFault:
			out.AtLeast = true
			continue
		default:
			d.asked++
			alone, err := d.ask(ctx, r, view)
			if err != nil {
				return err
			}
			if holds, answers[class] = alone.holds, alone.holds; !holds {
				broken++
			}
		}
		if !holds {
			found = append(found, i)
		}
	}
	slices.Sort(found)
	for _, i := range found {
		out.add(c.results[i])
	}
	return nil
}

// suspects returns the indexes of the results in the order in which rules are asked about them. Those that passed on the release come
// last: few rules hold anything against them, and they are the most.
func (c cell) suspects() []int {
	var first, last []int
	for i, r := range c.results {
		if r.Verdict == tests.Passed && r.SubjectOK {
			last = append(last, i)
		} else {
			first = append(first, i)
		}
	}
	return append(first, last...)
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
