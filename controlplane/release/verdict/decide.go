package verdict

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/interpreter"

	"github.com/seatrial/seatrial/controlplane/fault"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

const (
	checkEvery = 100 // iterations after which an evaluation asks whether its time is over
	// maxTime of one evaluation only bounds what the cost limit misses. A machine is slower than another, and the verdict must be the
	// same on both, so that it lies far above what maxCost takes.
	maxTime = 5 * time.Second
)

// Decide says whether the release is ready: a negative rule that is broken anywhere, or a rule that cannot be evaluated, makes it
// NOT_READY; else a missing rule that is broken, no cell at all, or a cell in which nothing speaks makes it INCOMPLETE; else it is
// READY, with waivers when a rule would be broken without them.
//
// The error is a fault: Invalid when the input contradicts itself or is of another policy than c, Unavailable when ctx ended before
// there was a verdict. A rule that fails is not an error, but a reason.
func Decide(ctx context.Context, c Compiled, in Input) (Output, error) {
	switch {
	case len(c.rules) == 0 || in.Policy.Waivers != c.policy.Waivers || !slices.Equal(in.Policy.Rules, c.policy.Rules):
		return Output{}, fault.New(fault.Invalid, "the input is of another policy than the compiled rules").WithField("policy")
	case in.Now.IsZero():
		return Output{}, fault.New(fault.Invalid, "the input does not say when it is").WithField("now")
	}
	g, err := arrange(in)
	if err != nil {
		return Output{}, err
	}
	d := decision{grid: g}
	if d.waivers, err = judge(c.policy, in); err != nil {
		return Output{}, err
	}
	d.fit()
	out := Output{Rules: []RuleResult{}, Cells: []CellResult{}}
	for _, r := range c.rules {
		result, err := d.rule(ctx, r)
		if err != nil {
			return Output{}, err
		}
		out.Rules = append(out.Rules, result)
	}
	d.report(&out, c.policy)
	out.State = state(out)
	return out, nil
}

// state is the order of precedence.
func state(out Output) State {
	incomplete, waived := len(out.Gaps) > 0, false
	for _, r := range out.Rules {
		if r.Against() {
			return NotReady
		}
		incomplete, waived = incomplete || !r.Holds, waived || r.Waived
	}
	switch {
	case incomplete:
		return Incomplete
	case waived:
		return ReadyWithWaivers
	}
	return Ready
}

// decision is a verdict in the making.
type decision struct {
	grid

	waivers []standing
	asked   int // results that rules were asked about by themselves
}

// fit notes which waivers fit which results.
func (d *decision) fit() {
	for _, c := range d.cells {
		for i := range c.results {
			for w := range d.waivers {
				if d.waivers[w].fits(c, c.results[i]) {
					c.results[i].waivers = append(c.results[i].waivers, w)
				}
			}
		}
	}
}

// waived returns which results of a cell a rule sees as waived.
func (d *decision) waived(r Rule, c cell) func(i int) bool {
	return func(i int) bool { return len(d.excuse(r, c.results[i])) > 0 }
}

func (d *decision) rule(ctx context.Context, r compiledRule) (RuleResult, error) {
	out := RuleResult{ID: r.ID, Kind: r.Kind, Waivable: r.Waivable, Description: r.Description, Holds: true}
	for _, c := range d.cells {
		waived := d.waived(r.Rule, c)
		got, err := d.ask(ctx, r, c.view(d.now, waived))
		if err != nil {
			return out, err
		}
		if got.holds {
			needed, err := d.use(ctx, r, c)
			if err != nil {
				return out, err
			}
			out.Waived = out.Waived || needed
			continue
		}
		failing, err := d.blame(ctx, r, c, got)
		if err != nil {
			return out, err
		}
		out.Holds, out.Failing = false, append(out.Failing, failing)
	}
	return out, nil
}

// use reports whether a rule that holds in a cell would be broken without waivers, and notes those that cover a result there.
func (d *decision) use(ctx context.Context, r compiledRule, c cell) (bool, error) {
	var covering []int
	for _, res := range c.results {
		covering = append(covering, d.excuse(r.Rule, res)...)
	}
	if len(covering) == 0 {
		return false, nil
	}
	without, err := d.ask(ctx, r, c.view(d.now, func(int) bool { return false }))
	if err != nil || without.holds {
		return false, err
	}
	for _, w := range covering {
		d.waivers[w].used = true
	}
	return true, nil
}

// answer is what a rule says of a cell. It does not hold when something is wrong.
type answer struct {
	holds bool
	wrong string
}

// ask evaluates a rule. The error says that ctx ended.
func (d *decision) ask(ctx context.Context, r compiledRule, c *ruleCell) (answer, error) {
	limited, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	value, _, err := r.program.ContextEval(limited, map[string]any{"cell": c, "now": d.now, "release": d.release})
	var cancelled interpreter.EvalCancelledError
	switch {
	case ctx.Err() != nil:
		return answer{}, fault.Wrap(fault.Unavailable, ctx.Err(), "the verdict was given up")
	case err != nil && limited.Err() != nil:
		return answer{wrong: fmt.Sprintf("the rule takes longer than %s", maxTime)}, nil
	case errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded:
		return answer{wrong: fmt.Sprintf("the rule costs more than %d units: let it do less for each result", maxCost)}, nil
	case err != nil:
		return answer{wrong: err.Error()}, nil
	}
	holds, ok := value.Value().(bool)
	if !ok {
		return answer{wrong: "the rule gives neither true nor false"}, nil
	}
	return answer{holds: holds}, nil
}

// report adds what is known besides the rules.
func (d *decision) report(out *Output, p Policy) {
	if len(d.cells) == 0 {
		out.Gaps = append(out.Gaps, "Nothing is required of the release: there is no cell.")
	}
	for _, c := range d.cells {
		if c.silent() {
			out.Gaps = append(out.Gaps, fmt.Sprintf("Nothing is known of %s: no test is required there, and none passed or failed.", c.title()))
		}
		done := c.result()
		for i, r := range c.results {
			done.Results[i].Override = d.override(p, r)
		}
		out.Cells = append(out.Cells, done)
	}
	for _, w := range d.waivers {
		out.Waivers = append(out.Waivers, WaiverResult{ID: w.ID, Active: w.why == "", Why: w.why, Used: w.used})
	}
}

// override says what people decided about a result: it is waived when waivers cover it for any rule.
func (d *decision) override(p Policy, r result) tests.Override {
	switch {
	case slices.ContainsFunc(p.Rules, func(rule Rule) bool { return len(d.excuse(rule, r)) > 0 }):
		return tests.Waived
	case r.quarantined:
		return tests.Quarantined
	}
	return tests.None
}
