package viewfake

import (
	"context"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/compare"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// Try judges nothing: the newest release would be ready by any policy, the oldest could not be judged, and others stay as they are.
func (r releases) Try(ctx context.Context, t release.TrialRequest) (release.Trials, error) {
	name, err := policyName(t.Source)
	if err != nil {
		return release.Trials{}, err
	}
	list, _, err := r.List(ctx, "", release.DefaultTrials, "")
	out := release.Trials{Policy: name}
	for i, head := range list {
		one := release.Trial{Release: head, At: r.Now(), Before: head.State, After: head.State}
		switch i {
		case 0:
			one.After = verdict.Ready
			one.Rules = []compare.RuleChange{{ID: "fresh-evidence", Before: compare.Absent, After: compare.Holds}, {ID: "no-unwaived-failures", Before: compare.Broken, After: compare.Holds}}
			one.Added, one.Removed = []string{"production/checkout-api"}, []string{"staging-eu/shop-browser"}
			out.Changed++
		case len(list) - 1:
			one.Problem = "Its evidence was deleted after 400 days."
		}
		out.List = append(out.List, one)
	}
	return out, err
}

// policyName returns the name that a document says; without one it has two faults, as a reader of documents would tell.
func policyName(source string) (string, error) {
	_, name, ok := strings.Cut(source, "name: ")
	if !ok {
		return "", &fault.Error{Kind: fault.Invalid, Field: "metadata.name", Message: "the policy has 2 faults", Places: []fault.Place{
			{Field: "metadata.name", Line: 1, Message: "is missing"}, {Field: "spec.rules[0].expr", Line: 7, Column: 11, Message: "there is no variable passt; did you mean passed?"},
		}}
	}
	name, _, _ = strings.Cut(name, "\n")
	return strings.Trim(name, "{} "), nil
}
