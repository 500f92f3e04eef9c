package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// Schedules is what starts things at their times.
type Schedules interface {
	schedule.Store
	trigger.Store
	starter.Catalog
}

const lease = time.Minute

// hourly stores a schedule that is due at every full hour; the fixture's time is one.
func (f *fixture) hourly(t *testing.T, name string) schedule.Record {
	t.Helper()
	spec := document.ScheduleSpec{Schedule: document.Schedule{Cron: "0 * * * *"}, Start: document.Start{Workflows: []document.StartRef{{Name: "smoke"}}}}
	rec, created, changed, err := f.ApplySchedule(f.as(t), schedule.Record{Name: name, Digest: "d1", Source: "x", Spec: spec, Labels: map[string]string{"a": "b"}}, "")
	if err != nil || !created || !changed {
		t.Fatalf("apply: %t %t %v", created, changed, err)
	}
	return rec
}

func (f *fixture) due(t *testing.T) []schedule.Claim {
	t.Helper()
	claims, err := f.ClaimDue(tenant.System(t.Context()), 100, lease)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func (f *fixture) firings(t *testing.T, of schedule.Record, missed bool) []schedule.Firing {
	t.Helper()
	list, _, err := f.Firings(f.as(t), of.ID, missed, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func schedules() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"ApplyAndRead": scheduleApplied,
		"DueOnce":      scheduleDueOnce,
		// A clock that is behind has a schedule begin again at a time that has fired.
		"ClockBehind": func(t *testing.T, f *fixture) {
			rec := f.hourly(t, "nightly")
			other := f.hourly(t, "other")
			f.now = f.now.Add(time.Hour)
			if claims := f.due(t); len(claims) != 2 {
				t.Fatalf("claimed %d", len(claims))
			}
			f.now = f.now.Add(-time.Second)
			for _, suspended := range []bool{true, false} {
				if _, err := f.SuspendSchedule(f.as(t), "nightly", suspended); err != nil {
					t.Fatal(err)
				}
			}
			f.now = f.now.Add(2 * time.Second)
			if claims := f.due(t); len(claims) != 0 {
				t.Errorf("it fires again: %+v", claims)
			}
			f.now = f.now.Add(time.Hour)
			if claims := f.due(t); len(claims) != 2 {
				t.Errorf("%d fire in the next hour", len(claims))
			}
			for _, of := range []schedule.Record{rec, other} {
				if list := f.firings(t, of, false); len(list) != 2 {
					t.Errorf("%s has %d firings", of.Name, len(list))
				}
			}
		},
		// An organization with much that is due does not keep another one waiting.
		"EqualShares": func(t *testing.T, f *fixture) {
			for i := range 12 {
				f.hourly(t, fmt.Sprintf("many-%02d", i))
			}
			f.tenant(t, "other")
			lone := f.hourly(t, "lone")
			f.now = f.now.Add(time.Hour)
			claims, err := f.ClaimDue(tenant.System(t.Context()), 4, lease)
			if err != nil || len(claims) != 4 || claims[0].Record.ID != lone.ID {
				t.Fatalf("claimed %+v, %v", claims, err)
			}
			if rest := f.due(t); len(rest) != 9 {
				t.Errorf("%d of the others are left", len(rest))
			}
		},
		"Race": func(t *testing.T, f *fixture) {
			for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				f.hourly(t, name)
			}
			f.now = f.now.Add(time.Hour)
			var wait sync.WaitGroup
			var mu sync.Mutex
			claimed := map[uuid.UUID]int{}
			for range 4 {
				wait.Go(func() {
					for range 4 {
						claims, err := f.ClaimDue(tenant.System(context.WithoutCancel(t.Context())), 3, lease)
						if err != nil {
							t.Error(err)
						}
						mu.Lock()
						for _, c := range claims {
							claimed[c.Record.ID]++
						}
						mu.Unlock()
					}
				})
			}
			wait.Wait()
			if len(claimed) != 8 {
				t.Errorf("%d of 8 were claimed", len(claimed))
			}
			for id, n := range claimed {
				if n != 1 {
					t.Errorf("%s was claimed %d times", id, n)
				}
			}
		},
		"Abandoned": func(t *testing.T, f *fixture) {
			f.hourly(t, "nightly")
			f.now = f.now.Add(time.Hour)
			first := f.due(t)
			again := func() []schedule.Claim {
				claims, err := f.ClaimAbandoned(tenant.System(t.Context()), 10, lease)
				if err != nil {
					t.Fatal(err)
				}
				return claims
			}
			if len(again()) != 0 {
				t.Error("it was taken over although its lease has not run out")
			}
			f.now = f.now.Add(lease)
			over := again()
			if len(over) != 1 || over[0].Firing.ID != first[0].Firing.ID || !over[0].Firing.Due.Equal(first[0].Firing.Due) || over[0].Record.Name != "nightly" {
				t.Fatalf("taken over: %+v", over)
			}
			if len(again()) != 0 {
				t.Error("two have it")
			}
		},
		"Suspended":     scheduleSuspended,
		"OfWorkflow":    scheduleOfWorkflow,
		"Organizations": scheduleOrganizations,
		"ByHand": func(t *testing.T, f *fixture) {
			f.hourly(t, "nightly")
			rec, made, err := f.AddFiring(f.as(t), "nightly", "ann", lease)
			if err != nil || rec.Name != "nightly" || made.Actor != "ann" || made.State != schedule.Claimed {
				t.Fatalf("%+v, %v", made, err)
			}
			if made.Due.Nanosecond() == 0 {
				t.Error("it could be taken for one that was due")
			}
			if _, _, err := f.AddFiring(foreigner(t), "nightly", "eve", lease); !fault.Is(err, fault.NotFound) {
				t.Errorf("by a foreigner: %v", err)
			}
		},
		"OldFiringsGo": func(t *testing.T, f *fixture) {
			rec := f.hourly(t, "nightly")
			f.now = f.now.Add(3 * time.Hour)
			f.due(t)
			sys := tenant.System(t.Context())
			if n, err := f.SweepFirings(sys, time.Now().Add(-time.Hour), 10); err != nil || n != 0 {
				t.Errorf("%d young ones, %v", n, err)
			}
			if n, err := f.SweepFirings(sys, time.Now().Add(time.Hour), 10); err != nil || n != 2 {
				t.Errorf("%d removed, 2 are decided; %v", n, err)
			}
			if left := f.firings(t, rec, false); len(left) != 1 || left[0].State != schedule.Claimed {
				t.Errorf("left: %+v", left)
			}
		},
	}
}

func scheduleApplied(t *testing.T, f *fixture) {
	rec := f.hourly(t, "nightly")
	if rec.Revision != 1 || rec.Team != "default" || !rec.NextDue.Equal(f.now.Add(time.Hour)) {
		t.Errorf("%+v", rec)
	}
	got, err := f.Schedule(f.as(t), "nightly")
	if err != nil || got.ID != rec.ID || got.Spec.Cron != "0 * * * *" || got.Spec.Workflows[0].Name != "smoke" || got.Labels["a"] != "b" || got.Last != nil {
		t.Errorf("%+v, %v", got, err)
	}
	same := rec
	if _, created, changed, err := f.ApplySchedule(f.as(t), same, ""); err != nil || created || changed {
		t.Errorf("the same again: %t %t %v", created, changed, err)
	}
	same.Digest, same.Spec.Cron = "d2", "30 * * * *"
	if got, created, changed, err := f.ApplySchedule(f.as(t), same, ""); err != nil || created || !changed || got.Revision != 2 || !got.NextDue.Equal(f.now.Add(30*time.Minute)) {
		t.Errorf("changed: %+v %t %t %v", got, created, changed, err)
	}
	f.hourly(t, "another")
	list, next, err := f.Schedules(f.as(t), 1, "")
	if err != nil || len(list) != 1 || list[0].Name != "another" || next == "" {
		t.Fatalf("first page: %+v %q %v", list, next, err)
	}
	if list, next, err = f.Schedules(f.as(t), 1, next); err != nil || len(list) != 1 || list[0].Name != "nightly" || next != "" {
		t.Errorf("second page: %+v %q %v", list, next, err)
	}
	if err := f.RemoveSchedule(f.as(t), "nightly"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Schedule(f.as(t), "nightly"); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed: %v", err)
	}
	if got, created, changed, err := f.ApplySchedule(f.as(t), rec, ""); err != nil || !created || !changed || got.ID != rec.ID {
		t.Errorf("there again: %+v %t %t %v", got, created, changed, err)
	}
}

func scheduleDueOnce(t *testing.T, f *fixture) {
	rec := f.hourly(t, "nightly")
	if len(f.due(t)) != 0 {
		t.Error("claimed before its time")
	}
	if next, err := f.NextDue(tenant.System(t.Context())); err != nil || !next.Equal(rec.NextAt) {
		t.Errorf("next at %s, %v", next, err)
	}
	f.now = f.now.Add(2*time.Hour + time.Second)
	claims := f.due(t)
	if len(claims) != 1 || !claims[0].Firing.Due.Equal(f.now.Add(-time.Second)) || claims[0].Record.TeamID != rec.TeamID || claims[0].Record.Organization != f.member.Organization {
		t.Fatalf("claims: %+v", claims)
	}
	if len(f.due(t)) != 0 {
		t.Error("claimed twice")
	}
	done := claims[0].Firing
	done.State, done.FiredAt, done.Starts = schedule.Started, f.now, []starter.Started{{Workflow: "smoke", Execution: uuid.New()}, {Workflow: "gone", Problem: "there is none"}}
	if err := f.FinishFirings(tenant.System(t.Context()), []schedule.Firing{done}); err != nil {
		t.Fatal(err)
	}
	all := f.firings(t, rec, false)
	if len(all) != 2 || all[0].State != schedule.Started || len(all[0].Starts) != 2 || all[0].Starts[0] != done.Starts[0] || all[1].State != schedule.Missed || all[1].Reason == "" {
		t.Errorf("%+v", all)
	}
	if missed := f.firings(t, rec, true); len(missed) != 1 || missed[0].ID != all[1].ID {
		t.Errorf("missed: %+v", missed)
	}
	got, err := f.Schedule(f.as(t), "nightly")
	if err != nil || got.Last == nil || got.Last.ID != done.ID || got.Missed != 1 || !got.NextDue.Equal(f.now.Add(time.Hour-time.Second)) {
		t.Errorf("%+v, %v", got, err)
	}
	done.State = schedule.Failed // by a replica whose lease had run out
	if err := f.FinishFirings(tenant.System(t.Context()), []schedule.Firing{done}); err != nil {
		t.Fatal(err)
	}
	if all := f.firings(t, rec, false); all[0].State != schedule.Started {
		t.Error("what is finished was changed")
	}
}

func scheduleSuspended(t *testing.T, f *fixture) {
	f.hourly(t, "nightly")
	rec, err := f.SuspendSchedule(f.as(t), "nightly", true)
	if err != nil || rec.SuspendedBy != "admin@example.test" || !rec.NextDue.IsZero() {
		t.Fatalf("%+v, %v", rec, err)
	}
	f.now = f.now.Add(3 * time.Hour)
	if len(f.due(t)) != 0 {
		t.Error("it was started")
	}
	rec.Digest = "d2"
	if rec, _, _, err = f.ApplySchedule(f.as(t), rec, ""); err != nil || !rec.NextDue.IsZero() {
		t.Errorf("a change of the document has resumed it: %+v, %v", rec, err)
	}
	if rec, err = f.SuspendSchedule(f.as(t), "nightly", false); err != nil || rec.SuspendedBy != "" || !rec.NextDue.Equal(f.now.Add(time.Hour)) {
		t.Errorf("resumed: %+v, %v", rec, err)
	}
	if all := f.firings(t, rec, false); len(all) != 0 {
		t.Errorf("what was due meanwhile is missed: %+v", all)
	}
	if _, err := f.SuspendSchedule(foreigner(t), "nightly", true); !fault.Is(err, fault.NotFound) {
		t.Errorf("by a foreigner: %v", err)
	}
	other, err := f.CreateTeam(f.as(t), "web")
	if err != nil {
		t.Fatal(err)
	}
	v := f.member
	v.Role, v.Team, v.Teams = tenant.RoleMaintainer, other.ID, []uuid.UUID{other.ID}
	outsider := tenant.WithViewer(t.Context(), v)
	_, _, _, applied := f.ApplySchedule(outsider, schedule.Record{Name: "nightly", Digest: "d9", Spec: rec.Spec}, "")
	_, suspended := f.SuspendSchedule(outsider, "nightly", true)
	_, _, run := f.AddFiring(outsider, "nightly", "x", lease)
	for what, err := range map[string]error{"apply": applied, "suspend": suspended, "run": run, "remove": f.RemoveSchedule(outsider, "nightly")} {
		if !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s by another team: %v", what, err)
		}
	}
}

func scheduleOfWorkflow(t *testing.T, f *fixture) {
	apply := func(digest string, triggers ...document.Trigger) {
		t.Helper()
		w := workflow.Record{Name: "smoke", Digest: digest, Source: "x", Labels: map[string]string{"suite": "smoke"}, Triggers: triggers}
		if _, _, _, err := f.ApplyWorkflow(f.as(t), w, ""); err != nil {
			t.Fatal(err)
		}
	}
	names := func() (out []string) {
		list, _, err := f.Schedules(f.as(t), 0, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			out = append(out, r.Name)
		}
		return out
	}
	at := func(cron string) document.Trigger {
		return document.Trigger{Schedule: &document.Schedule{Cron: cron}}
	}
	apply("t1", at("0 * * * *"), document.Trigger{Workflow: &document.WorkflowEvent{Name: "other"}}, at("30 * * * *"))
	if got := names(); len(got) != 2 || got[0] != "smoke.1" || got[1] != "smoke.3" {
		t.Fatalf("%v", got)
	}
	rec, err := f.Schedule(f.as(t), "smoke.3")
	if err != nil || rec.Workflow != "smoke" || rec.Spec.Cron != "30 * * * *" || rec.Spec.Workflows[0].Name != "smoke" || rec.TeamID != f.workflow.TeamID {
		t.Errorf("%+v, %v", rec, err)
	}
	f.now = f.now.Add(time.Hour)
	if claims := f.due(t); len(claims) != 2 {
		t.Errorf("claims: %+v", claims)
	}
	if err := f.RemoveSchedule(f.as(t), "smoke.3"); !fault.Is(err, fault.Conflict) {
		t.Errorf("removed from its workflow: %v", err)
	}
	apply("t2", at("0 * * * *"))
	if got := names(); len(got) != 1 || got[0] != "smoke.1" {
		t.Errorf("%v", got)
	}
	if list := f.firings(t, rec, false); len(list) != 1 {
		t.Errorf("what was started went with it: %+v", list)
	}
	other, err := f.CreateTeam(f.as(t), "web")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetOwner(f.as(t), tenant.Thing{Kind: tenant.Workflow, Name: "smoke"}, "web"); err != nil {
		t.Fatal(err)
	}
	if rec, err = f.Schedule(f.as(t), "smoke.1"); err != nil || rec.TeamID != other.ID {
		t.Errorf("it stays with the team that had the workflow: %+v, %v", rec, err)
	}
	apply("t3")
	if got := names(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	found, err := f.WorkflowsLabelled(f.as(t), map[string]string{"suite": "smoke"})
	if err != nil || len(found) != 1 || found[0] != "smoke" {
		t.Errorf("by labels: %v, %v", found, err)
	}
	if found, err = f.WorkflowsLabelled(foreigner(t), nil); err != nil || len(found) != 0 {
		t.Errorf("of others: %v, %v", found, err)
	}
}

func scheduleOrganizations(t *testing.T, f *fixture) {
	rec := f.hourly(t, "nightly")
	if _, err := f.Schedule(foreigner(t), "nightly"); !fault.Is(err, fault.NotFound) {
		t.Errorf("of another organization: %v", err)
	}
	if list, _, err := f.Firings(foreigner(t), rec.ID, false, 0, ""); err != nil || len(list) != 0 {
		t.Errorf("firings of another organization: %v, %v", list, err)
	}
	if _, err := f.SetOrganizationState(t.Context(), "default", tenant.Suspended); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(time.Hour)
	if claims := f.due(t); len(claims) != 0 {
		t.Errorf("a suspended organization has something started: %+v", claims)
	}
	if next, err := f.NextDue(tenant.System(t.Context())); err != nil || !next.IsZero() {
		t.Errorf("next at %s, %v", next, err)
	}
	if _, err := f.SetOrganizationState(t.Context(), "default", tenant.Active); err != nil {
		t.Fatal(err)
	}
	if claims := f.due(t); len(claims) != 1 {
		t.Errorf("once it may again: %+v", claims)
	}
}
