package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

func (f *fixture) in(namespace string) origin.Origin {
	return origin.Origin{Cluster: f.cluster.ID, Namespace: namespace, Place: f.cluster.Name}
}

// claim stores a claim on the name of a workflow.
func (f *fixture) claimOf(t *testing.T, o origin.Origin, name string) origin.Claim {
	t.Helper()
	c, err := f.SeeClaim(f.as(t), origin.Claim{Kind: document.Workflow, Name: name, Origin: o, UID: "u", Generation: 1, Digest: "d", Source: "source of " + o.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// apply applies a workflow on behalf of a claim.
func (f *fixture) applyFor(t *testing.T, c origin.Claim, digest string) (workflow.Record, bool, bool, error) {
	t.Helper()
	ctx := origin.With(f.as(t), origin.Applying{Claim: c.ID, Adopt: c.Adopt})
	return f.ApplyWorkflow(ctx, workflow.Record{Name: c.Name, Digest: digest, Source: digest}, "")
}

func claims() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"OneOwner": func(t *testing.T, f *fixture) {
			a, b := f.claimOf(t, f.in("a"), "shared"), f.claimOf(t, f.in("b"), "shared")
			if _, created, _, err := f.applyFor(t, a, "1"); err != nil || !created {
				t.Fatal(created, err)
			}
			_, _, _, err := f.applyFor(t, b, "2")
			if !errors.Is(err, origin.ErrTaken) || !fault.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), "namespace a of cluster") {
				t.Errorf("a second one gets it: %v", err)
			}
			if _, _, _, err := f.ApplyWorkflow(f.as(t), workflow.Record{Name: "shared", Digest: "3"}, ""); !errors.Is(err, origin.ErrTaken) {
				t.Errorf("it is changed by hand: %v", err)
			}
			if rec, err := f.Workflow(f.as(t), "shared"); err != nil || rec.Digest != "1" || rec.Origin != f.in("a").String() {
				t.Errorf("the catalog has %+v, %v", rec, err)
			}
			if list, _, err := f.Workflows(f.as(t), 0, ""); err != nil || list[0].Name != "shared" && list[1].Origin != f.in("a").String() {
				t.Errorf("%+v, %v", list, err)
			}
			next, err := f.DropClaim(f.as(t), a.ID, false)
			if err != nil || next == nil || next.ID != b.ID || next.Source != "source of b" {
				t.Fatalf("next is %+v, %v", next, err)
			}
			if rec, created, _, err := f.applyFor(t, *next, "2"); err != nil || !created || rec.Revision != 2 {
				t.Errorf("it comes back as %+v, %v, %v", rec, created, err)
			}
		},
		"Trigger": func(t *testing.T, f *fixture) {
			c, err := f.SeeClaim(f.as(t), origin.Claim{Kind: document.TriggerKind, Name: "pushed", Origin: f.in("a"), UID: "u", Generation: 1, Digest: "d", Source: "s"})
			if err != nil {
				t.Fatal(err)
			}
			rec := trigger.Record{Name: "pushed", Digest: "1", Source: "s", Spec: document.TriggerSpec{Git: &document.GitEvent{Repository: "acme/shop"}}}
			if _, created, _, err := f.ApplyTrigger(origin.With(f.as(t), origin.Applying{Claim: c.ID}), rec, ""); err != nil || !created {
				t.Fatal(created, err)
			}
			rec.Digest = "2"
			if _, _, _, err := f.ApplyTrigger(f.as(t), rec, ""); !errors.Is(err, origin.ErrTaken) {
				t.Errorf("it is changed by hand: %v", err)
			}
			if err := f.RemoveTrigger(f.as(t), "pushed"); !errors.Is(err, origin.ErrTaken) {
				t.Errorf("it is removed by hand: %v", err)
			}
			if _, err := f.DropClaim(f.as(t), c.ID, false); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Trigger(f.as(t), "pushed"); !fault.Is(err, fault.NotFound) {
				t.Errorf("it stays: %v", err)
			}
		},
		"Race": func(t *testing.T, f *fixture) {
			all := []origin.Claim{f.claimOf(t, f.in("a"), "raced"), f.claimOf(t, f.in("b"), "raced"), f.claimOf(t, f.in("c"), "raced")}
			errs := make([]error, len(all))
			var over sync.WaitGroup
			for i, c := range all {
				over.Go(func() { _, _, _, errs[i] = f.applyFor(t, c, c.Origin.Namespace) })
			}
			over.Wait()
			won := 0
			for _, err := range errs {
				switch {
				case err == nil:
					won++
				case !errors.Is(err, origin.ErrTaken):
					t.Error(err)
				}
			}
			if won != 1 {
				t.Errorf("%d own the name", won)
			}
		},
		"ByHand": func(t *testing.T, f *fixture) {
			c := f.claimOf(t, f.in("a"), f.workflow.Name)
			if _, _, _, err := f.applyFor(t, c, "x"); !errors.Is(err, origin.ErrTaken) || !strings.Contains(err.Error(), "by hand") {
				t.Errorf("it is taken over: %v", err)
			}
			c.Adopt = true
			if rec, created, changed, err := f.applyFor(t, c, "x"); err != nil || created || !changed || rec.Revision != f.workflow.Revision+1 {
				t.Errorf("%+v, %v, %v, %v", rec, created, changed, err)
			}
			if next, err := f.DropClaim(f.as(t), c.ID, true); err != nil || next != nil {
				t.Fatal(next, err)
			}
			if rec, err := f.Workflow(f.as(t), f.workflow.Name); err != nil || !rec.RemovedAt.IsZero() || rec.Origin != "" {
				t.Errorf("kept is %+v, %v", rec, err)
			}
		},
		"Removed": func(t *testing.T, f *fixture) {
			f.template(t, "base", "1")
			c := f.claimOf(t, f.in("a"), "flow")
			ctx := origin.With(f.as(t), origin.Applying{Claim: c.ID})
			rec := workflow.Record{Name: "flow", Digest: "1", Source: "1", Uses: []string{"base"}}
			if _, _, _, err := f.ApplyWorkflow(ctx, rec, ""); err != nil {
				t.Fatal(err)
			}
			if _, err := f.DropClaim(f.as(t), c.ID, false); err != nil {
				t.Fatal(err)
			}
			gone, err := f.Workflow(f.as(t), "flow")
			if err != nil || gone.RemovedAt.IsZero() || gone.Source != "1" {
				t.Errorf("removed is %+v, %v", gone, err)
			}
			if list, _, err := f.Workflows(f.as(t), 0, ""); err != nil || len(list) != 1 {
				t.Errorf("it is listed: %+v, %v", list, err)
			}
			if got := users(t, f, "base"); got != "[]" {
				t.Errorf("the template is used by %s", got)
			}
			if list, _, err := f.Revisions(f.as(t), document.Workflow, "flow", 0, ""); err != nil || len(list) != 1 {
				t.Errorf("its revisions are %+v, %v", list, err)
			}
			if back, created, changed, err := f.ApplyWorkflow(f.as(t), rec, ""); err != nil || !created || !changed || back.Revision != 1 || back.ID != gone.ID {
				t.Errorf("it comes back as %+v, %v, %v, %v", back, created, changed, err)
			}
			if got := users(t, f, "base"); got == "[]" {
				t.Error("nobody uses the template any more")
			}
		},
		"UsedTemplateStays": func(t *testing.T, f *fixture) {
			c, err := f.SeeClaim(f.as(t), origin.Claim{Kind: document.TemplateKind, Name: "base", Origin: f.in("a")})
			if err != nil {
				t.Fatal(err)
			}
			ctx := origin.With(f.as(t), origin.Applying{Claim: c.ID})
			if _, _, _, err := f.ApplyTemplate(ctx, workflow.Record{Name: "base", Digest: "1", Source: "1"}, nil, ""); err != nil {
				t.Fatal(err)
			}
			f.flow(t, "flow", "1", "base")
			if _, err := f.DropClaim(f.as(t), c.ID, false); err != nil {
				t.Fatal(err)
			}
			if rec, err := f.Template(f.as(t), "base"); err != nil || rec.Origin != "" {
				t.Errorf("%+v, %v: what uses it is broken", rec, err)
			}
		},
		"States": func(t *testing.T, f *fixture) {
			c := f.claimOf(t, f.in("a"), f.workflow.Name)
			c.Adopt = true
			if _, _, _, err := f.applyFor(t, c, f.workflow.Digest); err != nil {
				t.Fatal(err)
			}
			c.Revision, c.Reason = 1, origin.Synced
			if err := f.SettleClaim(f.as(t), c); err != nil {
				t.Fatal(err)
			}
			all, err := f.DocumentStates(f.as(t), f.cluster.ID, time.Time{})
			if err != nil || len(all.States) != 1 || all.States[0].Reason != "" || all.States[0].Revision != 1 || all.States[0].Last != nil {
				t.Fatalf("%+v, %v", all, err)
			}
			n := f.assigned(t)
			all, err = f.DocumentStates(f.as(t), f.cluster.ID, time.Time{})
			if err != nil || len(all.States) != 1 || all.States[0].Last == nil || all.States[0].Last.ID != n.Execution.ID {
				t.Errorf("%+v, %v", all, err)
			}
			if later, err := f.DocumentStates(f.as(t), f.cluster.ID, time.Now().Add(time.Hour)); err != nil || len(later.States) != 0 {
				t.Errorf("%+v, %v: nothing has changed since", later, err)
			}
		},
		"Freed": func(t *testing.T, f *fixture) {
			c := f.claimOf(t, f.in("a"), "mine")
			if _, _, _, err := f.applyFor(t, c, "1"); err != nil {
				t.Fatal(err)
			}
			if err := f.SetClusterCatalog(f.as(t), f.cluster.Name, origin.KindsNone, ""); err != nil {
				t.Fatal(err)
			}
			if got, err := f.CatalogOf(f.as(t), f.cluster.ID); err != nil || got.Kinds != "none" || got.Team == uuid.Nil {
				t.Errorf("%+v, %v", got, err)
			}
			if rec, created, changed, err := f.ApplyWorkflow(f.as(t), workflow.Record{Name: "mine", Digest: "2"}, ""); err != nil || created || !changed || rec.Revision != 2 {
				t.Errorf("%+v, %v, %v, %v: nobody else may change it", rec, created, changed, err)
			}
			if err := f.SetClusterCatalog(f.as(t), "gone", origin.KindsAll, ""); !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
			if err := f.SetClusterCatalog(f.as(t), f.cluster.Name, "some", ""); !fault.Is(err, fault.Invalid) {
				t.Error(err)
			}
		},
		"Repositories": func(t *testing.T, f *fixture) {
			r, err := f.AddRepository(f.as(t), origin.Repository{Name: "shop", URL: "https://x/y.git", Kinds: origin.KindsTests, Interval: time.Minute}, []byte("secret"))
			if err != nil || !r.Sealed || r.Team == "" {
				t.Fatal(r, err)
			}
			if _, err := f.AddRepository(f.as(t), origin.Repository{Name: "shop", URL: "https://x/z.git"}, nil); !fault.Is(err, fault.Conflict) {
				t.Errorf("a second one of that name: %v", err)
			}
			if got, err := f.Credential(f.as(t), r); err != nil || string(got) != "secret" {
				t.Errorf("%q, %v", got, err)
			}
			other := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindMember, Organization: uuid.New(), Role: tenant.RoleOwner})
			if _, err := f.Credential(other, r); !fault.Is(err, fault.NotFound) {
				t.Errorf("another organization gets the credential: %v", err)
			}
			if err := f.RemoveRepository(other, r); !fault.Is(err, fault.NotFound) {
				t.Errorf("another organization removes it: %v", err)
			}
			due, err := f.DueRepositories(t.Context(), 10, 2, time.Minute)
			if err != nil || len(due) != 1 || due[0].ID != r.ID {
				t.Fatal(due, err)
			}
			if ok, err := f.LeaseRepository(f.as(t), r.ID, time.Minute); err != nil || ok {
				t.Errorf("two read it at a time: %v", err)
			}
			if again, err := f.DueRepositories(t.Context(), 10, 2, time.Minute); err != nil || len(again) != 0 {
				t.Errorf("two replicas read it at a time: %v, %v", again, err)
			}
			if err := f.SaveLook(f.as(t), r, origin.Look{Commit: "c", Documents: 2, Problems: []origin.Problem{{File: "a", Line: 3, Message: "m"}}}); err != nil {
				t.Fatal(err)
			}
			tips := origin.Tips{"refs/heads/main": {Told: "c", Seen: "d", At: f.now}}
			if err := f.SaveLook(f.as(t), r, origin.Look{Failure: "away", Tips: tips}); err != nil {
				t.Fatal(err)
			}
			if got, err := f.Repository(f.as(t), r.ID); err != nil || !cmp.Equal(got.Tips, tips) {
				t.Errorf("%+v, %v", got.Tips, err)
			}
			if got, err := f.RepositoryNamed(f.as(t), "shop"); err != nil || got.Tips != nil {
				t.Errorf("they come where nobody needs them: %+v, %v", got, err)
			}
			if got, err := f.RepositoryNamed(f.as(t), "shop"); err != nil || got.Commit != "c" || got.Documents != 2 || got.Failure != "away" || got.Problems[0].Line != 3 {
				t.Errorf("%+v, %v: a failure forgets what was there", got, err)
			}
			f.now = f.now.Add(2 * time.Minute)
			if due, err := f.DueRepositories(t.Context(), 10, 2, time.Minute); err != nil || len(due) != 1 {
				t.Errorf("it is not due again: %v, %v", due, err)
			}
			for who, want := range map[context.Context]int{f.as(t): 1, other: 0} {
				if n, err := f.RepositoriesPushed(who, "y", "main"); err != nil || n != want {
					t.Errorf("a push concerns %d, %v; want %d", n, err, want)
				}
			}
			if n, err := f.RepositoriesPushed(f.as(t), "workshop/y", "main"); err != nil || n != 0 {
				t.Errorf("a push elsewhere concerns %d, %v", n, err)
			}
			if err := f.SaveLook(f.as(t), r, origin.Look{Commit: "d"}); err != nil {
				t.Fatal(err)
			}
			if got, err := f.Repository(f.as(t), r.ID); err != nil || got.Tips != nil {
				t.Errorf("once nobody asks for them: %+v, %v", got.Tips, err)
			}
			if due, err := f.DueRepositories(t.Context(), 10, 2, time.Minute); err != nil || len(due) != 1 {
				t.Errorf("what was pushed while it was read is read after its interval only: %v, %v", due, err)
			}
			if err := f.RemoveRepository(f.as(t), r); err != nil {
				t.Fatal(err)
			}
			if got, err := f.Credential(f.as(t), r); err != nil || got != nil {
				t.Errorf("the credential stays: %q, %v", got, err)
			}
		},
		"ManyRepositories": manyRepositories,
		"Tenancy": func(t *testing.T, f *fixture) {
			c := f.claimOf(t, f.in("a"), "mine")
			other := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindOrigin, Organization: uuid.New(), Team: uuid.New()})
			if list, err := f.Claims(other, f.cluster.ID); err != nil || len(list) != 0 {
				t.Errorf("another organization sees %+v, %v", list, err)
			}
			if _, err := f.DropClaim(other, c.ID, false); err != nil {
				t.Error(err)
			}
			if list, err := f.Claims(f.as(t), f.cluster.ID); err != nil || len(list) != 1 {
				t.Errorf("it is gone: %+v, %v", list, err)
			}
		},
	}
}

// manyRepositories has one organization with many repositories: some of them are read at once, and lost ones again.
func manyRepositories(t *testing.T, f *fixture) {
	for _, name := range []string{"a", "b", "c", "d"} {
		if _, err := f.AddRepository(f.as(t), origin.Repository{Name: name, URL: "https://x/" + name + ".git", Kinds: origin.KindsTests, Interval: time.Hour}, nil); err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(time.Second)
	}
	take := func(want int, reason string) []origin.Repository {
		t.Helper()
		due, err := f.DueRepositories(t.Context(), 10, 2, time.Minute)
		if err != nil || len(due) != want {
			t.Fatalf("%s: %d, %v; want %d", reason, len(due), err, want)
		}
		return due
	}
	first := take(2, "two of one organization")
	if first[0].Name != "a" || first[1].Name != "b" {
		t.Errorf("who has waited longest comes first: %v", first)
	}
	take(0, "two are being read")
	if err := f.SaveLook(f.as(t), first[0], origin.Look{Commit: "1"}); err != nil {
		t.Fatal(err)
	}
	next := take(1, "one is over")[0]
	if next.Name != "c" {
		t.Errorf("%v", next)
	}
	f.now = f.now.Add(50 * time.Second)
	if err := f.RenewRepository(f.as(t), first[1].ID, time.Minute); err != nil {
		t.Fatal(err)
	}
	if n, err := f.RepositoriesPushed(f.as(t), "b", ""); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := f.RenewRepository(f.as(t), first[1].ID, time.Minute); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(30 * time.Second)
	if err := f.RenewRepository(f.as(t), next.ID, time.Minute); !fault.Is(err, fault.Conflict) {
		t.Errorf("a lease that is over is renewed: %v", err)
	}
	if lost := take(1, "the reader of c has died, that of b lives"); lost[0].Name != "c" && lost[0].Name != "d" {
		t.Errorf("%v", lost)
	}
	if err := f.SaveLook(f.as(t), first[1], origin.Look{Commit: "1"}); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(2 * time.Minute)
	var names []string
	for _, r := range take(2, "once more") {
		names = append(names, r.Name)
	}
	if !slices.Contains(names, "b") {
		t.Errorf("what was pushed while it was read waits for its interval: %v", names)
	}
}
