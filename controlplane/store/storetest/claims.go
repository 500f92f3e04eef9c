package storetest

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

func (f *fixture) in(namespace string) origin.Origin {
	return origin.Origin{Cluster: f.cluster.ID, Namespace: namespace, Place: f.cluster.Name}
}

// claim stores a claim on the name of a workflow.
func (f *fixture) claim(t *testing.T, o origin.Origin, name string) origin.Claim {
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
			a, b := f.claim(t, f.in("a"), "shared"), f.claim(t, f.in("b"), "shared")
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
		"Race": func(t *testing.T, f *fixture) {
			all := []origin.Claim{f.claim(t, f.in("a"), "raced"), f.claim(t, f.in("b"), "raced"), f.claim(t, f.in("c"), "raced")}
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
			c := f.claim(t, f.in("a"), f.workflow.Name)
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
			c := f.claim(t, f.in("a"), "flow")
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
			c := f.claim(t, f.in("a"), f.workflow.Name)
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
		"Tenancy": func(t *testing.T, f *fixture) {
			c := f.claim(t, f.in("a"), "mine")
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
