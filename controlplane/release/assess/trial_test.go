package assess_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/compare"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// lenient is the gate with one rule alone, which no failure breaks.
const lenient = gate + `  rules: [{id: ran, kind: missing, expr: 'cell.never_ran == 0'}]
`

func TestService_Try(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t)
	b.ran("eu", execution.Failed, "failed", "passed")
	b.ran("us", execution.Passed, "passed", "passed")
	before, _ := b.get(t)
	if before.State != verdict.NotReady {
		t.Fatalf("the release is %s", before.State)
	}
	decisions := len(b.world.decisions)
	try := func(source string) release.Trials {
		t.Helper()
		got, err := b.Try(as(t, "ann", tenant.KindMember), release.TrialRequest{Source: source, Application: "shop"})
		if err != nil || len(got.List) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		return got
	}
	same := try(gate)
	if one := same.List[0]; same.Changed != 0 || one.Before != verdict.NotReady || one.After != verdict.NotReady || len(one.Rules)+len(one.Added)+len(one.Removed) != 0 {
		t.Errorf("the policy that it is held to: %+v", one)
	}
	got := try(lenient)
	one := got.List[0]
	if got.Policy != "gate" || got.Changed != 1 || one.Before != verdict.NotReady || one.After != verdict.Ready || !one.At.Equal(before.Decided) {
		t.Errorf("%+v", one)
	}
	if !slices.Contains(one.Rules, compare.RuleChange{ID: "no-unwaived-failures", Kind: verdict.Negative, Before: compare.Broken, After: compare.Absent}) {
		t.Errorf("rules %+v", one.Rules)
	}
	// Another requirement asks for what the release never had to show.
	other := strings.Replace(lenient, `{selector: 'tier == "critical"', environments: ["*"]}`, `{suites: [smoke, load], environments: [us]}`, 1)
	one = try(other).List[0]
	if one.After != verdict.Incomplete || !slices.Equal(one.Added, []string{"us/load"}) || !slices.Equal(one.Removed, []string{"eu/smoke"}) {
		t.Errorf("%+v", one)
	}
	if len(b.world.decisions) != decisions || b.world.release.State != before.State {
		t.Error("a trial must not change anything")
	}
}

func TestService_TryRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t)
	for name, tc := range map[string]struct {
		ask  release.TrialRequest
		kind fault.Kind
		says string
	}{
		"OtherKind":   {release.TrialRequest{File: "w.yaml", Source: "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: w}\nspec: {container: {image: a}, steps: [{run: a}]}"}, fault.Invalid, "w.yaml is a TestWorkflow"},
		"NoDocument":  {release.TrialRequest{Source: "}{"}, fault.Invalid, ""},
		"BadRule":     {release.TrialRequest{Source: strings.Replace(lenient, "never_ran", "nope", 1)}, fault.Invalid, "nope"},
		"Application": {release.TrialRequest{Source: gate, Application: "bank"}, fault.Invalid, "does not apply to bank"},
		"TooMany":     {release.TrialRequest{Source: gate, Last: 51}, fault.Invalid, "51"},
		"Negative":    {release.TrialRequest{Source: gate, Last: -1}, fault.Invalid, "-1"},
		"NoSuchSuite": {release.TrialRequest{Source: strings.Replace(gate, `{selector: 'tier == "critical"', environments: ["*"]}`, `{suites: [none], environments: [us]}`, 1)}, fault.Invalid, "none"},
	} {
		if _, err := b.Try(as(t, "ann", tenant.KindMember), tc.ask); !fault.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %s and %q", name, err, tc.kind, tc.says)
		}
	}
	// What cannot be judged is said, and keeps the others from nothing.
	b.world.broken = fault.New(fault.Exhausted, "there is too much of it")
	got, err := b.Try(as(t, "ann", tenant.KindMember), release.TrialRequest{Source: lenient})
	if err != nil || !strings.Contains(got.List[0].Problem, "too much of it") || got.Changed != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
