package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// applied stores a trigger that waits for the end of a workflow.
func (f *fixture) after(t *testing.T, name, of string) trigger.Record {
	t.Helper()
	spec := document.TriggerSpec{Workflow: &document.WorkflowEvent{Name: of}, Start: document.Start{Workflows: []document.StartRef{{Name: "smoke"}}}}
	rec, created, changed, err := f.ApplyTrigger(f.as(t), trigger.Record{Name: name, Digest: "d1", Source: "x", Spec: spec}, "")
	if err != nil || !created || !changed {
		t.Fatalf("apply: %t %t %v", created, changed, err)
	}
	return rec
}

func (f *fixture) events(t *testing.T, of trigger.Filter) []trigger.Event {
	t.Helper()
	list, _, err := f.Events(f.as(t), of)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func events() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Triggers": func(t *testing.T, f *fixture) {
			rec := f.after(t, "after-build", "build")
			if _, created, changed, err := f.ApplyTrigger(f.as(t), rec, ""); err != nil || created || changed {
				t.Errorf("the same again: %t %t %v", created, changed, err)
			}
			if _, err := f.Trigger(foreigner(t), "after-build"); !fault.Is(err, fault.NotFound) {
				t.Errorf("of another organization: %v", err)
			}
			sys := tenant.System(t.Context())
			for about, want := range map[string]int{"build": 1, "other": 0} {
				if got, err := f.TriggersFor(sys, f.member.Organization, trigger.Workflow, about); err != nil || len(got) != want {
					t.Errorf("for %s: %v, %v", about, got, err)
				}
			}
			if got, err := f.TriggersFor(sys, uuid.New(), trigger.Workflow, "build"); err != nil || len(got) != 0 {
				t.Errorf("for another organization: %v, %v", got, err)
			}
			if err := f.RemoveTrigger(f.as(t), "after-build"); err != nil {
				t.Fatal(err)
			}
			if got, err := f.TriggersOfKind(sys, f.member.Organization, trigger.Workflow); err != nil || len(got) != 0 {
				t.Errorf("once removed: %v, %v", got, err)
			}
		},
		"OfWorkflow": func(t *testing.T, f *fixture) {
			apply := func(digest string, triggers ...document.Trigger) {
				t.Helper()
				if _, _, _, err := f.ApplyWorkflow(f.as(t), workflow.Record{Name: "smoke", Digest: digest, Source: "x", Triggers: triggers}, ""); err != nil {
					t.Fatal(err)
				}
			}
			apply("t1", document.Trigger{Schedule: &document.Schedule{Cron: "@daily"}}, document.Trigger{Git: &document.GitEvent{Repository: "Acme/Shop"}})
			got, err := f.Trigger(f.as(t), "smoke.2")
			if err != nil || got.Workflow != "smoke" || got.Spec.Git.Repository != "Acme/Shop" || got.Spec.Workflows[0].Name != "smoke" {
				t.Errorf("%+v, %v", got, err)
			}
			if list, err := f.TriggersFor(tenant.System(t.Context()), f.member.Organization, trigger.Git, "acme/shop"); err != nil || len(list) != 1 {
				t.Errorf("in whichever case it is written: %v, %v", list, err)
			}
			apply("t2")
			if _, err := f.Trigger(f.as(t), "smoke.2"); !fault.Is(err, fault.NotFound) {
				t.Errorf("once it says so no more: %v", err)
			}
		},
		"OnceAndJudged": eventJudged,
		"EndOfExecution": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Passed, Delivered: true})
			if list := f.events(t, trigger.Filter{}); len(list) != 0 {
				t.Errorf("nobody asked: %+v", list)
			}
			f.after(t, "after-smoke", "smoke")
			n = f.assigned(t)
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Failed, Delivered: true})
			list := f.events(t, trigger.Filter{Kind: trigger.Workflow})
			if len(list) != 1 || list[0].Subject != "smoke" || list[0].Type != "failed" {
				t.Fatalf("%+v", list)
			}
			var end trigger.Ended
			if err := json.Unmarshal(list[0].Data, &end); err != nil || end.Execution != n.Execution.ID || end.Status != "failed" {
				t.Errorf("%+v, %v", end, err)
			}
		},
		"Receivers": receivers,
		"Pushes":    pushes,
	}
}

func eventJudged(t *testing.T, f *fixture) {
	rec := f.after(t, "after-build", "build")
	sys := tenant.System(t.Context())
	e := trigger.Event{Organization: f.member.Organization, Kind: trigger.Workflow, Source: "seatrial", Type: "passed", Subject: "build", Key: "k1", Data: []byte(`{"workflow":"build"}`)}
	for i, want := range []int{1, 0} {
		if n, err := f.AddEvents(f.as(t), []trigger.Event{e}); err != nil || n != want {
			t.Errorf("told %d times: %d new, %v", i+1, n, err)
		}
	}
	claim := func(want int) []trigger.Event {
		t.Helper()
		list, err := f.ClaimEvents(sys, 10, lease)
		if err != nil || len(list) != want {
			t.Fatalf("claimed %+v, %v; want %d", list, err, want)
		}
		return list
	}
	claim(1)
	claim(0)
	f.now = f.now.Add(lease)
	got := claim(1)[0] // of a replica that died
	got.Passed = []trigger.Passed{{Trigger: "other", Why: "it is for main"}}
	got.Reactions = []trigger.Reaction{{Event: got.ID, Trigger: rec.ID, State: trigger.Waiting, Due: f.now, Given: trigger.Given{Commit: "abc", Params: map[string]string{"a": "b"}}}}
	for range 2 { // the second time by whoever had it before
		if err := f.Judge(sys, got); err != nil {
			t.Fatal(err)
		}
	}
	f.now = f.now.Add(lease)
	claim(0)
	claims, err := f.ClaimReactions(sys, 10, lease)
	if err != nil || len(claims) != 1 || claims[0].Trigger.Name != "after-build" || claims[0].Event.Subject != "build" || claims[0].Reaction.Given.Params["a"] != "b" {
		t.Fatalf("%+v, %v", claims, err)
	}
	if again, err := f.ClaimReactions(sys, 10, lease); err != nil || len(again) != 0 {
		t.Errorf("two have it: %+v, %v", again, err)
	}
	done := claims[0].Reaction
	done.State, done.FiredAt, done.Starts = trigger.Started, f.now, []starter.Started{{Workflow: "smoke", Execution: uuid.New()}}
	if err := f.FinishReaction(sys, done); err != nil {
		t.Fatal(err)
	}
	list := f.events(t, trigger.Filter{Trigger: "after-build"})
	if len(list) != 1 || !list[0].Judged || len(list[0].Reactions) != 1 || list[0].Reactions[0].Name != "after-build" || list[0].Reactions[0].State != trigger.Started ||
		list[0].Reactions[0].Starts[0] != done.Starts[0] || list[0].Passed[0].Why != "it is for main" {
		t.Errorf("%+v", list)
	}
	if other, _, err := f.Events(foreigner(t), trigger.Filter{}); err != nil || len(other) != 0 {
		t.Errorf("of another organization: %+v, %v", other, err)
	}
	if n, err := f.SweepEvents(sys, time.Now().Add(time.Hour), 10); err != nil || n != 1 {
		t.Errorf("%d removed, %v", n, err)
	}
}

func receivers(t *testing.T, f *fixture) {
	r, err := f.CreateReceiver(f.as(t), trigger.Receiver{Name: "forge", Kind: "github"}, "secret", "")
	if err != nil || r.ID == uuid.Nil || r.Team != "default" {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := f.CreateReceiver(f.as(t), trigger.Receiver{Name: "forge", Kind: "gitlab"}, "other", ""); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second of the name: %v", err)
	}
	got, secret, err := f.ReceiverSecret(t.Context(), r.ID)
	if err != nil || secret != "secret" || got.Organization != f.member.Organization || got.Kind != "github" {
		t.Errorf("%+v %q %v", got, secret, err)
	}
	if err := f.Heard(f.as(t), got, ""); err != nil {
		t.Fatal(err)
	}
	if err := f.Heard(f.as(t), got, "forged"); err != nil {
		t.Fatal(err)
	}
	if list, err := f.Receivers(f.as(t)); err != nil || len(list) != 1 || list[0].Refused != "forged" || !list[0].HeardAt.Equal(f.now) {
		t.Errorf("%+v, %v", list, err)
	}
	if err := f.RotateReceiver(f.as(t), "forge", "fresh"); err != nil {
		t.Fatal(err)
	}
	if _, secret, err := f.ReceiverSecret(t.Context(), r.ID); err != nil || secret != "fresh" {
		t.Errorf("rotated: %q, %v", secret, err)
	}
	if err := f.RotateReceiver(foreigner(t), "forge", "eve"); !fault.Is(err, fault.NotFound) {
		t.Errorf("by a foreigner: %v", err)
	}
	if err := f.RemoveReceiver(f.as(t), "forge"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.ReceiverSecret(t.Context(), r.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed: %v", err)
	}
}

func pushes(t *testing.T, f *fixture) {
	push := func(subject, kind, key string) trigger.Event {
		return trigger.Event{Organization: f.member.Organization, Kind: trigger.Git, Source: "forge", Type: kind, Subject: subject, Key: key, Data: []byte(`{}`)}
	}
	other := push("acme/shop", "push", "4")
	other.Kind = trigger.Webhook
	if _, err := f.AddEvents(f.as(t), []trigger.Event{
		push("Acme/Shop", "push", "1"), push("acme/shop", "found", "2"), push("acme/cart", "push", "3"), other,
	}); err != nil {
		t.Fatal(err)
	}
	since := time.Now().Add(-time.Minute) // rows are made by the clock of the machine
	for name, tc := range map[string]struct {
		repo  string
		kind  string
		since time.Time
		want  int
	}{
		"AnyCase": {"ACME/shop", "", since, 2},
		"OfType":  {"Acme/Shop", "found", since, 1},
		"Other":   {"acme/cart", "found", since, 0},
		"Later":   {"acme/shop", "", since.Add(time.Hour), 0},
	} {
		if got, err := f.PushesSince(f.as(t), tc.repo, tc.kind, tc.since); err != nil || len(got) != tc.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := f.PushesSince(foreigner(t), "acme/shop", "", since); err != nil || len(got) != 0 {
		t.Errorf("for a foreigner: %+v, %v", got, err)
	}
}
