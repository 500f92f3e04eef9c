package storetest

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// apart is what teams hear of each other where an organization keeps them apart.
func apart() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){"Told": apartTold, "Events": apartEvents, "Started": apartStarted, "Faster": apartFaster}
}

// others returns a viewer who is in another team than the fixture's, in an organization that keeps its teams apart.
func (f *fixture) others(t *testing.T) tenant.Viewer {
	t.Helper()
	made, err := f.CreateTeam(f.as(t), "web")
	if err != nil {
		t.Fatal(err)
	}
	f.visible(t, tenant.VisibleTeams)
	return tenant.Viewer{
		Kind: tenant.KindMember, Organization: f.member.Organization, Team: made.ID, Teams: []uuid.UUID{made.ID}, Subject: uuid.New(), Name: "bea@example.test",
		Role: tenant.RoleMaintainer, Confined: true,
	}
}

func (f *fixture) visible(t *testing.T, v tenant.Visibility) {
	t.Helper()
	if err := f.SetAccess(f.as(t), tenant.Access{BreakGlass: true, Visibility: v}); err != nil {
		t.Fatal(err)
	}
}

// apartFaster: who is confined to the own teams and applies the same twice at once is not told that the name is another's.
func apartFaster(t *testing.T, f *fixture) {
	other := tenant.WithViewer(t.Context(), f.others(t))
	rec := schedule.Record{Name: "nightly", Digest: "d1", Source: "x", Spec: document.ScheduleSpec{Schedule: document.Schedule{Cron: "0 * * * *"}}}
	var all sync.WaitGroup
	var made atomic.Int32
	for range 8 {
		all.Go(func() {
			switch _, created, _, err := f.ApplySchedule(other, rec, ""); {
			case err != nil:
				t.Error(err)
			case created:
				made.Add(1)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
}

func apartTold(t *testing.T, f *fixture) {
	r := receive(t, taken)
	other := tenant.WithViewer(t.Context(), f.others(t))
	service, s := f.notifying(time.Second, here())
	for name, team := range map[string]string{"ours": "default", "theirs": "web"} {
		in := notify.Setting{Webhook: notify.Webhook{Name: name, Team: team, Events: []notify.Event{notify.Finished, notify.Verdict}}, URL: r.URL}
		if _, _, _, err := service.Set(f.as(t), in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Webhook(other, "ours"); !fault.Is(err, fault.NotFound) {
		t.Errorf("another team sees a webhook: %v", err)
	}
	if list, err := f.Webhooks(other); err != nil || len(list) != 1 || list[0].Name != "theirs" {
		t.Errorf("another team sees %+v, %v", list, err)
	}
	if _, _, _, err := service.Set(other, notify.Setting{Webhook: notify.Webhook{Name: "ours"}, URL: r.URL}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a name that another team has: %v", err)
	}
	f.ran(t, execution.Failed)
	f.send(t, s)
	if ours, theirs := len(f.deliveries(t, "ours")), len(f.deliveries(t, "theirs")); ours != 1 || theirs != 0 {
		t.Errorf("apart: the own team was told %d times, the other %d times", ours, theirs)
	}
	f.visible(t, tenant.VisibleAll)
	f.ran(t, execution.Failed)
	f.send(t, s)
	if ours, theirs := len(f.deliveries(t, "ours")), len(f.deliveries(t, "theirs")); ours != 2 || theirs != 1 {
		t.Errorf("together: the own team was told %d times, the other %d times", ours, theirs)
	}
}

func apartEvents(t *testing.T, f *fixture) {
	v := f.others(t)
	other := tenant.WithViewer(t.Context(), v)
	sys := tenant.System(t.Context())
	r, err := f.CreateReceiver(f.as(t), trigger.Receiver{Name: "forge", Kind: "github"}, "secret", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.CreateReceiver(f.as(t), trigger.Receiver{Name: "webforge", Kind: "github"}, "secret", "web"); err != nil {
		t.Fatal(err)
	}
	event := func(kind, source, subject string) trigger.Event {
		return trigger.Event{Organization: f.member.Organization, Kind: kind, Source: source, Type: "push", Subject: subject, Key: kind + source + subject, Data: []byte("{}")}
	}
	list := []trigger.Event{
		event(trigger.Git, r.Name, "acme/shop"), event(trigger.Git, "webforge", "acme/web"), event(trigger.Workflow, "seatrial", f.workflow.Name),
		event(trigger.Workflow, "seatrial", "gone"), event(trigger.Kube, f.cluster.Name, "Deployment/shop"), event(trigger.Kube, "nowhere", "Deployment/shop"),
	}
	if n, err := f.AddEvents(sys, list); err != nil || n != len(list) {
		t.Fatal(n, err)
	}
	if err := f.SetOwner(f.as(t), tenant.Thing{Kind: tenant.Environment, Name: f.env.Name}, "default"); err != nil {
		t.Fatal(err)
	}
	claimed, err := f.ClaimEvents(sys, 10, lease)
	if err != nil || len(claimed) != len(list) {
		t.Fatal(claimed, err)
	}
	tells := map[string][2]bool{
		"gitforgeacme/shop": {true, false}, "gitwebforgeacme/web": {false, true}, "workflowseatrialsmoke": {true, false}, "workflowseatrialgone": {},
		"kubernetes" + f.cluster.Name + "Deployment/shop": {true, false}, "kubernetesnowhereDeployment/shop": {},
	}
	for _, e := range claimed {
		if got := [2]bool{e.Tells(f.member.Team), e.Tells(v.Team)}; got != tells[e.Key] {
			t.Errorf("triggers of the two teams hear of %s: %v, want %v", e.Key, got, tells[e.Key])
		}
		e.Passed = []trigger.Passed{{Trigger: "after-smoke", Why: "it is for main"}}
		if err := f.Judge(sys, e); err != nil {
			t.Fatal(err)
		}
	}
	seen, _, err := f.Events(other, trigger.Filter{})
	if err != nil || len(seen) != 1 || seen[0].Subject != "acme/web" || len(seen[0].Passed) != 0 {
		t.Errorf("the other team sees %+v, %v", seen, err)
	}
	inside := f.member
	inside.Role, inside.Confined = tenant.RoleViewer, true
	f.after(t, "after-smoke", "smoke")
	own, _, err := f.Events(tenant.WithViewer(t.Context(), inside), trigger.Filter{})
	if err != nil || len(own) != 3 || len(own[0].Passed) != 1 || slices.ContainsFunc(own, func(e trigger.Event) bool { return e.Subject == "acme/web" }) {
		t.Errorf("the own team sees %+v, %v", own, err)
	}
	if all := f.events(t, trigger.Filter{}); len(all) != len(list) {
		t.Errorf("who administers sees %d of %d", len(all), len(list))
	}
}

func apartStarted(t *testing.T, f *fixture) {
	v := f.others(t)
	for _, tc := range []struct {
		team     uuid.UUID
		sees     tenant.Visibility
		confined bool
		names    int
	}{
		{f.member.Team, tenant.VisibleTeams, true, 1}, {v.Team, tenant.VisibleTeams, true, 0}, {v.Team, tenant.VisibleAll, false, 1},
	} {
		f.visible(t, tc.sees)
		got, err := starter.By{Organization: f.member.Organization, Team: tc.team, Actor: "schedule nightly"}.Viewer(t.Context(), f)
		if err != nil || got.Confined != tc.confined || got.Team != tc.team {
			t.Fatalf("%+v, %v", got, err)
		}
		names, err := f.WorkflowsLabelled(tenant.WithViewer(t.Context(), got), f.workflow.Labels)
		if err != nil || len(names) != tc.names {
			t.Errorf("%+v: a schedule finds %v, %v", tc, names, err)
		}
	}
}
