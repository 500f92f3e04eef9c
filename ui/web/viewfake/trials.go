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
	_, name, ok := strings.Cut(t.Source, "name: ")
	if !ok {
		return release.Trials{}, fault.New(fault.Invalid, "line 1: metadata.name is missing").WithField("source").WithHint("Give the policy a name.")
	}
	name, _, _ = strings.Cut(name, "\n")
	list, _, err := r.List(ctx, "", release.DefaultTrials, "")
	out := release.Trials{Policy: strings.Trim(name, "{} ")}
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
