package assess_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/compare"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
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

// TestService_TryLater proves that a release is judged as it was when it mattered, not when its evidence has become too old for any policy.
func TestService_TryLater(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		us     execution.Status
		source string
		before verdict.State
		after  verdict.State
		reason string
	}{
		"Ready":    {execution.Passed, strings.Replace(gate, "require:", `rules: [{id: never, kind: negative, expr: 'false'}]`+"\n  require:", 1), verdict.Ready, verdict.NotReady, "when it became ready"},
		"NotReady": {execution.Failed, lenient, verdict.NotReady, verdict.Ready, "when the last of the evidence came in"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.create(t)
			b.ran("eu", execution.Passed, "passed", "passed")
			b.ran("us", tc.us, "passed", "passed")
			b.get(t)
			then := b.now
			b.now = b.now.Add(48 * time.Hour)
			if b.get(t); b.world.release.State == verdict.Ready {
				t.Fatal("two days later its evidence is still fresh")
			}
			b.ran("eu", execution.Running).FinishedAt = time.Time{}
			if tc.before != verdict.Ready {
				b.world.attempts = b.world.attempts[:2]
			}
			got, err := b.Try(as(t, "ann", tenant.KindMember), release.TrialRequest{Source: tc.source})
			if err != nil || len(got.List) != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			if one := got.List[0]; one.Before != tc.before || one.After != tc.after || !one.At.Equal(then) {
				t.Errorf("%+v; want %s, then %s at %s: %s", one, tc.before, tc.after, then, tc.reason)
			}
		})
	}
}

// TestService_TryCloser proves that a release is passed over for which a policy of its targets is preferred to the one that is tried.
func TestService_TryCloser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t)
	b.world.release.Targets = []string{"production"}
	closer := strings.NewReplacer("name: gate", "name: closer", "applications: [shop]", "applications: [shop], targets: [production]").Replace(gate)
	try := func(source string, stored ...string) release.Trials {
		t.Helper()
		b.world.policies = []workflow.Record{{Name: "gate", Source: gate}}
		for _, s := range stored {
			b.world.policies = append(b.world.policies, workflow.Record{Name: "closer", Source: s})
		}
		got, err := b.Try(as(t, "ann", tenant.KindMember), release.TrialRequest{Source: source})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := try(gate); len(got.List) != 1 || got.PassedOver != 0 {
		t.Errorf("no other policy is closer: %+v", got)
	}
	if got := try(gate, closer); len(got.List) != 0 || got.PassedOver != 1 {
		t.Errorf("another policy is closer: %+v", got)
	}
	if got := try(closer, closer); len(got.List) != 1 {
		t.Errorf("a policy for its targets: %+v", got)
	}
	if got := try(gate, strings.Replace(closer, "production", "test", 1)); len(got.List) != 1 {
		t.Errorf("a policy for other targets: %+v", got)
	}
}
