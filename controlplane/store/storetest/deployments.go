package storetest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/gate"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
)

// deployments is what the store does for forges that hold deployments back.
func deployments() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"App": deploymentApp, "Once": deploymentOnce, "Woken": deploymentWoken, "Lost": deploymentLost, "Releases": deploymentReleases, "Apart": deploymentApart,
	}
}

const heldCommit = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff"

// held keeps a deployment that a receiver is asked about.
func (f *fixture) held(t *testing.T, key string) gate.Deployment {
	t.Helper()
	r := f.asking(t)
	d := gate.Deployment{
		Organization: f.member.Organization, Receiver: r.ID, Key: key, Repository: "acme/shop", Environment: "Production", Target: "production", Commit: heldCommit,
		Callback: "https://api.github.test/x", Installation: 42, Actor: "octocat", NextAt: f.now,
	}
	if added, err := f.AddDeployment(f.as(t), d); err != nil || !added {
		t.Fatalf("%t, %v", added, err)
	}
	return d
}

// asking returns the receiver that is asked.
func (f *fixture) asking(t *testing.T) trigger.Receiver {
	t.Helper()
	list, err := f.Receivers(f.as(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if r.Name == "asked" {
			return r
		}
	}
	r, err := f.CreateReceiver(f.as(t), trigger.Receiver{Name: "asked", Kind: "github"}, "secret", "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// waitingFor claims what is due and wants so many.
func (f *fixture) waitingFor(t *testing.T, want int) []gate.Deployment {
	t.Helper()
	list, err := f.ClaimDeployments(tenant.System(t.Context()), 10, lease)
	if err != nil || len(list) != want {
		t.Fatalf("claimed %+v, %v; want %d", list, err, want)
	}
	return list
}

func (f *fixture) finish(t *testing.T, d gate.Deployment) {
	t.Helper()
	if err := f.FinishDeployment(tenant.System(t.Context()), d); err != nil {
		t.Fatal(err)
	}
}

// shipped stores a release of an application for targets.
func (f *fixture) shipped(t *testing.T, application, version, commit string, targets ...string) release.Release {
	t.Helper()
	r, _, err := f.CreateRelease(f.as(t), release.New{Since: f.now, Release: release.Release{
		ID: uuid.Must(uuid.NewV7()), Application: application, Version: version, Commit: commit, Targets: targets, Actor: f.member.Name, State: verdict.Incomplete,
		Policy: verdict.Policy{Name: "gate", Revision: 1, Digest: "d"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func deploymentApp(t *testing.T, f *fixture) {
	r := f.asking(t)
	if _, err := f.ReceiverApp(t.Context(), r.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("before: %v", err)
	}
	want := gate.App{ID: "Iv23", Key: "pem", URL: "https://api.github.test"}
	for _, app := range []gate.App{{ID: "old"}, want} {
		if err := f.SetReceiverApp(f.as(t), "asked", app); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := f.ReceiverApp(t.Context(), r.ID); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if err := f.SetReceiverApp(foreigner(t), "asked", want); !fault.Is(err, fault.NotFound) {
		t.Errorf("by a foreigner: %v", err)
	}
	if _, err := f.CreateReceiver(f.as(t), trigger.Receiver{Name: "other", Kind: "gitlab"}, "secret", ""); err != nil {
		t.Fatal(err)
	}
	if err := f.SetReceiverApp(f.as(t), "other", want); !fault.Is(err, fault.Conflict) {
		t.Errorf("of another forge: %v", err)
	}
	if err := f.RemoveReceiver(f.as(t), "asked"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReceiverApp(t.Context(), r.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("of one that is gone: %v", err)
	}
}

// deploymentOnce: the same question is kept once, and answered once; one that could not be answered is tried anew when it is asked again.
func deploymentOnce(t *testing.T, f *fixture) {
	d := f.held(t, "1")
	if added, err := f.AddDeployment(f.as(t), d); err != nil || added {
		t.Errorf("sent again: %t, %v", added, err)
	}
	got := f.waitingFor(t, 1)[0]
	if got.From != "asked" || got.Team != f.member.Team || got.Name == "" || got.State != gate.Waiting || got.Installation != 42 || got.Callback != d.Callback {
		t.Errorf("%+v", got)
	}
	f.waitingFor(t, 0)
	got.State, got.Error = gate.Failed, "GitHub answered 422"
	f.finish(t, got)
	f.now = f.now.Add(24 * time.Hour)
	f.waitingFor(t, 0)
	if added, err := f.AddDeployment(f.as(t), gate.Deployment{Organization: d.Organization, Receiver: d.Receiver, Key: "1", NextAt: f.now}); err != nil || !added {
		t.Errorf("asked again: %t, %v", added, err)
	}
	got = f.waitingFor(t, 1)[0]
	got.State, got.Said, got.Answered = gate.Approved, "ready", f.now
	f.finish(t, got)
	if added, err := f.AddDeployment(f.as(t), d); err != nil || added {
		t.Errorf("asked after the answer: %t, %v", added, err)
	}
	f.held(t, "2")
	list, next, err := f.Deployments(f.as(t), 1, "")
	if err != nil || len(list) != 1 || list[0].Key != "2" || next == "" {
		t.Fatalf("%+v, %q, %v", list, next, err)
	}
	if list, next, err = f.Deployments(f.as(t), 1, next); err != nil || len(list) != 1 || list[0].State != gate.Approved || list[0].Said != "ready" || !list[0].Answered.Equal(f.now) || next != "" {
		t.Errorf("%+v, %q, %v", list, next, err)
	}
	if list, _, err := f.Deployments(foreigner(t), 10, ""); err != nil || len(list) != 0 {
		t.Errorf("by a foreigner: %+v, %v", list, err)
	}
	if n, err := f.SweepDeployments(tenant.System(t.Context()), time.Now().Add(time.Hour), 10); err != nil || n != 2 {
		t.Errorf("%d removed, %v", n, err)
	}
}

// deploymentWoken: a verdict makes those of its commit due, also one that is just being looked at.
func deploymentWoken(t *testing.T, f *fixture) {
	r := f.shipped(t, "shop", "1.0", heldCommit, "production")
	f.shipped(t, "cart", "1.0", "beef000beef000beef000beef000beef000beef0", "production")
	f.held(t, "1")
	d := f.waitingFor(t, 1)[0]
	d.NextAt = f.now.Add(time.Hour)
	f.finish(t, d)
	f.waitingFor(t, 0)
	f.decided(t, r, verdict.Incomplete)
	d = f.waitingFor(t, 1)[0]
	f.decided(t, r, verdict.Ready)
	d.NextAt = f.now.Add(time.Hour)
	f.finish(t, d)
	d = f.waitingFor(t, 1)[0] // the verdict came in while it was looked at
	d.State = gate.Approved
	f.finish(t, d)
	f.decided(t, r, verdict.NotReady)
	f.waitingFor(t, 0)
}

// deploymentLost: what a replica had that died is due for others, and nothing is for a receiver that is gone.
func deploymentLost(t *testing.T, f *fixture) {
	f.held(t, "1")
	f.waitingFor(t, 1)
	f.now = f.now.Add(lease)
	f.waitingFor(t, 1)
	f.now = f.now.Add(lease)
	if err := f.RemoveReceiver(f.as(t), "asked"); err != nil {
		t.Fatal(err)
	}
	f.waitingFor(t, 0)
}

func deploymentReleases(t *testing.T, f *fixture) {
	f.shipped(t, "shop", "1.0", heldCommit, "production")
	f.shipped(t, "shop", "1.1", heldCommit, "production", "staging")
	f.shipped(t, "shop", "1.2", heldCommit, "staging")
	f.shipped(t, "cart", "7", heldCommit, "production")
	f.shipped(t, "mail", "7", heldCommit)
	f.shipped(t, "bill", "7", "beef000beef000beef000beef000beef000beef0", "production")
	got, err := f.ReleasesFor(f.as(t), heldCommit, "production")
	if err != nil || len(got) != 2 || got[0] != (gate.Name{Application: "cart", Version: "7"}) || got[1] != (gate.Name{Application: "shop", Version: "1.1"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := f.ReleasesFor(foreigner(t), heldCommit, "production"); err != nil || len(got) != 0 {
		t.Errorf("by a foreigner: %+v, %v", got, err)
	}
}

// deploymentApart: another team sees neither what was asked nor the releases of this one, where teams are kept apart.
func deploymentApart(t *testing.T, f *fixture) {
	f.shipped(t, "shop", "1.0", heldCommit, "production")
	f.held(t, "1")
	other := tenant.WithViewer(t.Context(), f.others(t))
	if list, _, err := f.Deployments(other, 10, ""); err != nil || len(list) != 0 {
		t.Errorf("deployments: %+v, %v", list, err)
	}
	if got, err := f.ReleasesFor(other, heldCommit, "production"); err != nil || len(got) != 0 {
		t.Errorf("releases: %+v, %v", got, err)
	}
}
