package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// rolledOut stores a trigger for what is rolled out.
func (f *fixture) rolledOut(t *testing.T, name string, debounce time.Duration, probes ...document.Probe) trigger.Record {
	t.Helper()
	spec := document.TriggerSpec{
		Kubernetes: &document.KubernetesEvent{Resource: "deployments", Event: trigger.RolledOut, Debounce: document.Duration(debounce), Probes: probes},
		Start:      document.Start{Workflows: []document.StartRef{{Name: "smoke"}}},
	}
	rec, _, _, err := f.ApplyTrigger(f.as(t), trigger.Record{Name: name, Digest: "d1", Source: "x", Spec: spec}, "")
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// happened judges an event of the cluster, with a reaction of a trigger that is due at once.
func (f *fixture) happened(t *testing.T, key string, r trigger.Record, about string) {
	t.Helper()
	sys := tenant.System(t.Context())
	e := trigger.Event{
		Organization: f.member.Organization, Kind: trigger.Kube, Source: f.cluster.Name, Type: trigger.RolledOut, Subject: "deployments shop/shop", Key: key,
		Data: []byte(`{"resource":"deployments"}`),
	}
	if n, err := f.AddEvents(f.as(t), []trigger.Event{e}); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	list, err := f.ClaimEvents(sys, 10, lease)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	list[0].Reactions = []trigger.Reaction{{Event: list[0].ID, Trigger: r.ID, State: trigger.Waiting, Due: f.now, About: about, Cluster: f.cluster.ID}}
	if err := f.Judge(sys, list[0]); err != nil {
		t.Fatal(err)
	}
}

// states are those of all reactions, the newest event first.
func (f *fixture) states(t *testing.T) (out []trigger.State) {
	t.Helper()
	for _, e := range f.events(t, trigger.Filter{}) {
		for _, r := range e.Reactions {
			out = append(out, r.State)
		}
	}
	return out
}

func watches() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Here": func(t *testing.T, f *fixture) {
			f.rolledOut(t, "on-rollout", 0)
			f.after(t, "after-build", "build")
			p, list, err := f.Here(f.agent(t, f.cluster))
			if err != nil || p.ID != f.cluster.ID || p.Name != "harbour" || p.Organization != f.member.Organization || len(p.Environments) != 1 || p.Environments[0].Name != "staging" {
				t.Errorf("%+v, %v", p, err)
			}
			if len(list) != 1 || list[0].Name != "on-rollout" {
				t.Errorf("%+v", list)
			}
			if _, _, err := f.Here(f.as(t)); !fault.Is(err, fault.Forbidden) {
				t.Errorf("for a person: %v", err)
			}
		},
		"Condition":  watchingCondition,
		"Keep":       keptWatches,
		"Marks":      keptMarks,
		"Superseded": superseded,
		"Orders":     judgedInOrders,
		"Shares":     sharedClaims,
		"Probes":     probed,
		"Stamps":     stamped,
	}
}

func keptWatches(t *testing.T, f *fixture) {
	a, b := f.rolledOut(t, "a", 0), f.rolledOut(t, "b", 0)
	agent := f.agent(t, f.cluster)
	keep := func(list ...trigger.Watched) []trigger.Watched {
		t.Helper()
		if err := f.KeepWatches(agent, list); err != nil {
			t.Fatal(err)
		}
		got, err := f.WatchesHere(agent)
		if err != nil || len(got) != len(list) {
			t.Fatalf("%+v, %v", got, err)
		}
		return got
	}
	first := f.now
	if got := keep(trigger.Watched{Trigger: a.ID, Digest: "1", State: trigger.WatchPending}); !got[0].Since.IsZero() {
		t.Errorf("since when nobody watches: %+v", got)
	}
	keep(trigger.Watched{Trigger: a.ID, Digest: "1", State: trigger.WatchWatching}, trigger.Watched{Trigger: b.ID, Digest: "1", State: trigger.WatchRefused, Message: "no"})
	f.now = f.now.Add(time.Hour)
	if got := keep(trigger.Watched{Trigger: a.ID, Digest: "1", State: trigger.WatchFailing}); !got[0].Since.Equal(first) || got[0].State != trigger.WatchFailing {
		t.Errorf("one that fails was watched since: %+v", got)
	}
	if got := keep(trigger.Watched{Trigger: a.ID, Digest: "2", State: trigger.WatchWatching}); !got[0].Since.Equal(f.now) {
		t.Errorf("another watch begins anew: %+v", got)
	}
	if got, err := f.Watched(f.as(t), []uuid.UUID{a.ID, b.ID}); err != nil || len(got) != 1 || got[0].Cluster != f.cluster.ID {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := f.Watched(foreigner(t), []uuid.UUID{a.ID}); err != nil || len(got) != 0 {
		t.Errorf("for a foreigner: %+v, %v", got, err)
	}
	other, _ := f.enroll(t, "pier", "production")
	if got, err := f.WatchesHere(f.agent(t, other)); err != nil || len(got) != 0 {
		t.Errorf("of another cluster: %+v, %v", got, err)
	}
}

func keptMarks(t *testing.T, f *fixture) {
	agent := f.agent(t, f.cluster)
	for _, state := range []string{"1", "2"} {
		f.now = f.now.Add(time.Minute)
		if err := f.KeepMarks(agent, []trigger.Mark{
			{UID: "u1", Event: trigger.RolledOut, State: "0", SeenAt: f.now},
			{UID: "u1", Event: trigger.RolledOut, State: state, SeenAt: f.now},
			{UID: "u1", Event: "condition Ready=True", State: "x", SeenAt: f.now},
			{UID: "u2", Event: trigger.RolledOut, State: "y", SeenAt: f.now},
		}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := f.Marks(agent, []string{"u1", "u3"})
	slices.SortFunc(got, func(a, b trigger.Mark) int { return len(a.Event) - len(b.Event) })
	if err != nil || len(got) != 2 || got[0].State != "2" || !got[0].SeenAt.Equal(f.now) || got[1].State != "x" {
		t.Errorf("%+v, %v", got, err)
	}
	other, _ := f.enroll(t, "pier", "production")
	if got, err := f.Marks(f.agent(t, other), []string{"u1"}); err != nil || len(got) != 0 {
		t.Errorf("of another cluster: %+v, %v", got, err)
	}
	if err := f.KeepMarks(f.as(t), []trigger.Mark{{UID: "u1"}}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("by a person: %v", err)
	}
	for _, want := range []int{2, 1, 0} {
		if n, err := f.SweepMarks(tenant.System(t.Context()), f.now.Add(time.Second), 2); err != nil || n != want {
			t.Errorf("%d removed, %v; want %d", n, err, want)
		}
	}
}

func superseded(t *testing.T, f *fixture) {
	r, other := f.rolledOut(t, "on-rollout", time.Minute), f.rolledOut(t, "other", time.Minute)
	f.happened(t, "1", r, "u1")
	f.happened(t, "2", other, "u1")
	f.happened(t, "3", r, "u2")
	f.happened(t, "4", r, "u1")
	want := []trigger.State{trigger.Waiting, trigger.Waiting, trigger.Waiting, trigger.Superseded}
	if got := f.states(t); !slices.Equal(got, want) {
		t.Errorf("%v, want %v: of the same trigger about the same object", got, want)
	}
	sys := tenant.System(t.Context())
	if claims, err := f.ClaimReactions(sys, 10, lease); err != nil || len(claims) != 3 {
		t.Errorf("%+v, %v", claims, err)
	}
	f.happened(t, "5", r, "u1") // what somebody is starting just now is started
	if got := f.states(t); slices.Contains(got[1:4], trigger.Superseded) {
		t.Errorf("%v", got)
	}
	f.happened(t, "6", r, "") // without a debounce nothing takes the place of anything
	if got := f.states(t); got[1] != trigger.Waiting {
		t.Errorf("%v", got)
	}
}

// judgedInOrders: of two events about the same the later one stays, in whichever order, and by whomever, they are judged.
func judgedInOrders(t *testing.T, f *fixture) {
	r := f.rolledOut(t, "on-rollout", time.Minute)
	pair := func(about string) []trigger.Event {
		t.Helper()
		for _, key := range []string{"1", "2"} {
			e := trigger.Event{Organization: f.member.Organization, Kind: trigger.Kube, Key: about + key, Data: []byte(`{}`)}
			if _, err := f.AddEvents(f.as(t), []trigger.Event{e}); err != nil {
				t.Fatal(err)
			}
		}
		list, err := f.ClaimEvents(tenant.System(t.Context()), 10, lease)
		if err != nil || len(list) != 2 {
			t.Fatal(list, err)
		}
		for i := range list {
			list[i].Reactions = []trigger.Reaction{{Event: list[i].ID, Trigger: r.ID, State: trigger.Waiting, Due: f.now, About: about}}
		}
		return list
	}
	want := []trigger.State{trigger.Waiting, trigger.Superseded}
	judge := func(list ...trigger.Event) {
		t.Helper()
		for _, e := range list {
			if err := f.Judge(tenant.System(t.Context()), e); err != nil {
				t.Fatal(err)
			}
		}
		if got := f.states(t); len(got) < 2 || !slices.Equal(got[:2], want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	first := pair("in order")
	judge(first[0], first[1])
	second := pair("the other way")
	judge(second[1], second[0])
	for i := range 5 {
		list := pair(fmt.Sprint("at once", i))
		var both sync.WaitGroup
		for _, e := range list {
			both.Go(func() {
				if err := f.Judge(tenant.System(t.Context()), e); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		judge()
	}
}

// sharedClaims: an organization in which much happens keeps no other one waiting.
func sharedClaims(t *testing.T, f *fixture) {
	happen := func(n int, r trigger.Record) {
		t.Helper()
		var list []trigger.Event
		for i := range n {
			list = append(list, trigger.Event{Organization: f.member.Organization, Kind: trigger.Kube, Key: fmt.Sprint(r.ID, i), Data: []byte(`{}`)})
		}
		if _, err := f.AddEvents(f.as(t), list); err != nil {
			t.Fatal(err)
		}
	}
	busy := f.rolledOut(t, "busy", 0)
	happen(12, busy)
	first := f.member.Organization
	f.tenant(t, "other")
	lone := f.rolledOut(t, "lone", 0)
	happen(1, lone)
	list, err := f.ClaimEvents(tenant.System(t.Context()), 4, lease)
	if err != nil || len(list) != 4 || list[0].Organization == first {
		t.Fatalf("the other waits, or what it leaves is for nobody: %+v, %v", list, err)
	}
	for _, e := range list {
		r := busy
		if e.Organization != first {
			r = lone
		}
		e.Reactions = []trigger.Reaction{{Event: e.ID, Trigger: r.ID, State: trigger.Waiting, Due: f.now}}
		if err := f.Judge(tenant.System(t.Context()), e); err != nil {
			t.Fatal(err)
		}
	}
	claims, err := f.ClaimReactions(tenant.System(t.Context()), 3, lease)
	if err != nil || len(claims) != 3 || claims[0].Trigger.ID != lone.ID || claims[1].Trigger.ID != busy.ID {
		t.Errorf("%+v, %v", claims, err)
	}
}

func probed(t *testing.T, f *fixture) {
	r := f.rolledOut(t, "on-rollout", 0, document.Probe{TCP: &document.TCPProbe{Service: "shop", Port: 80}})
	agent := f.agent(t, f.cluster)
	other, _ := f.enroll(t, "pier", "production")
	begin := func(key string) trigger.Claim {
		t.Helper()
		f.happened(t, key, r, "")
		claims, err := f.ClaimReactions(tenant.System(t.Context()), 10, lease)
		if err != nil || len(claims) != 1 || claims[0].Reaction.State != trigger.Waiting {
			t.Fatalf("%+v, %v", claims, err)
		}
		if err := f.BeginProbes(tenant.System(t.Context()), claims[0].Reaction.ID, f.now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		return claims[0]
	}
	here := func(ctx context.Context, want int) {
		t.Helper()
		if list, err := f.ProbesHere(ctx); err != nil || len(list) != want || want == 1 && len(list[0].Trigger.Spec.Kubernetes.Probes) != 1 {
			t.Errorf("%+v, %v; want %d", list, err, want)
		}
	}
	c := begin("1")
	here(agent, 1)
	here(f.agent(t, other), 0)
	if orgs, err := f.Probing(tenant.System(t.Context())); err != nil || len(orgs) != 1 || orgs[0] != f.member.Organization {
		t.Errorf("%v, %v", orgs, err)
	}
	if claims, err := f.ClaimReactions(tenant.System(t.Context()), 10, lease); err != nil || len(claims) != 0 {
		t.Errorf("it is started before its probes have succeeded: %+v, %v", claims, err)
	}
	if err := f.FinishProbes(f.agent(t, other), c.Reaction.ID, true, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("of another cluster: %v", err)
	}
	here(agent, 1) // another cluster says nothing of it
	for range 2 {
		if err := f.FinishProbes(agent, c.Reaction.ID, true, ""); err != nil {
			t.Fatal(err)
		}
	}
	here(agent, 0)
	claims, err := f.ClaimReactions(tenant.System(t.Context()), 10, lease)
	if err != nil || len(claims) != 1 || claims[0].Reaction.State != trigger.Ready || claims[0].Reaction.Cluster != f.cluster.ID {
		t.Fatalf("%+v, %v", claims, err)
	}
	claims[0].Reaction.State = trigger.Started
	if err := f.FinishReaction(tenant.System(t.Context()), claims[0].Reaction); err != nil {
		t.Fatal(err)
	}

	c = begin("2")
	if err := f.FinishProbes(agent, c.Reaction.ID, false, "it answers 503"); err != nil {
		t.Fatal(err)
	}
	if list := f.events(t, trigger.Filter{}); list[0].Reactions[0].State != trigger.Failed || list[0].Reactions[0].Reason != "it answers 503" {
		t.Errorf("%+v", list[0])
	}

	if at, err := f.ConnectedSince(tenant.System(t.Context()), uuid.New()); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v, %v", at, err)
	}
	if at, err := f.ConnectedSince(tenant.System(t.Context()), other.ID); err != nil || !at.IsZero() {
		t.Errorf("an agent that never came: %v, %v", at, err)
	}
	long := begin("longer")
	f.now = f.now.Add(2 * time.Minute)
	if err := f.BeginProbes(tenant.System(t.Context()), long.Reaction.ID, f.now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	here(agent, 1)
	if err := f.FinishProbes(agent, long.Reaction.ID, false, "no"); err != nil {
		t.Fatal(err)
	}

	begin("3")
	f.now = f.now.Add(2 * time.Minute) // nobody has said anything
	here(agent, 0)
	if claims, err := f.ClaimReactions(tenant.System(t.Context()), 10, lease); err != nil || len(claims) != 1 || claims[0].Reaction.State != trigger.Probing {
		t.Errorf("%+v, %v", claims, err)
	}
}

func stamped(t *testing.T, f *fixture) {
	last := ""
	stamp := func(what string, changes bool) {
		t.Helper()
		got, err := f.WatchStamps(tenant.System(t.Context()), []tenant.ID{f.member.Organization, uuid.New()})
		if err != nil || len(got) > 1 {
			t.Fatalf("%v, %v", got, err)
		}
		if (got[f.member.Organization] != last) != changes {
			t.Errorf("%s: %q after %q", what, got[f.member.Organization], last)
		}
		last = got[f.member.Organization]
	}
	stamp("the environment of the fixture", true)
	f.after(t, "after-build", "build")
	stamp("a trigger of another kind", false)
	r := f.rolledOut(t, "on-rollout", 0)
	stamp("a new trigger", true)
	r.Digest = "d2"
	if _, _, _, err := f.ApplyTrigger(f.as(t), r, ""); err != nil {
		t.Fatal(err)
	}
	stamp("another spec", true)
	stamp("nothing", false)
	if err := f.RemoveTrigger(f.as(t), "on-rollout"); err != nil {
		t.Fatal(err)
	}
	stamp("a trigger that is gone", true)
	f.enroll(t, "pier", "production")
	stamp("an environment", true)
}
