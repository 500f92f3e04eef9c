package assess_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func TestService_Waivers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t)
	b.ran("us", execution.Passed)
	b.ran("eu", execution.Failed, "passed", "failed")
	const rule = "no-unwaived-failures"
	ask := func(change func(*release.Ask)) (verdict.Waiver, error) {
		a := release.Ask{Rule: rule, Reason: "known", Fingerprint: "fp1:1"}
		change(&a)
		return b.Waive(as(t, "ann", tenant.KindToken), "shop", "1.0", a)
	}
	for name, change := range map[string]func(*release.Ask){
		"Rule":        func(a *release.Ask) { a.Rule = "none" },
		"NotWaivable": func(a *release.Ask) { a.Rule = "evidence-complete" },
		"NoReason":    func(a *release.Ask) { a.Reason = "" },
		"LongReason":  func(a *release.Ask) { a.Reason = strings.Repeat("x", 2001) },
		"TooLong":     func(a *release.Ask) { a.For = 49 * time.Hour },
		"Unbound":     func(a *release.Ask) { a.Fingerprint = "" },
	} {
		if _, err := ask(change); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w, err := ask(func(*release.Ask) {})
	if err != nil || !w.ExpiresAt.Equal(b.now.Add(48*time.Hour)) || w.Requester != "ann" {
		t.Fatalf("%+v, %v", w, err)
	}
	if r, _ := b.get(t); r.State != verdict.NotReady {
		t.Errorf("nobody has approved it: %s", r.State)
	}
	for _, by := range []struct {
		name string
		kind tenant.Kind
		want fault.Kind
	}{{"bob", tenant.KindToken, fault.Forbidden}, {"eve", tenant.KindMember, fault.Forbidden}} {
		if err := b.Approve(as(t, by.name, by.kind), "shop", "1.0", w.ID); !fault.Is(err, by.want) {
			t.Errorf("approved by %s with a %s: %v", by.name, by.kind, err)
		}
	}
	unknown := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindToken, Name: "old", Scopes: []tenant.Scope{tenant.ScopeRelease}})
	if _, err := b.Waive(unknown, "shop", "1.0", release.Ask{Rule: rule, Reason: "known", Fingerprint: "fp1:1"}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("asked by a token of nobody knows whom: %v", err)
	}
	b.world.release.Waivers[0].Requester = "bob"
	if err := b.Approve(as(t, "bob", tenant.KindMember), "shop", "1.0", w.ID); !fault.Is(err, fault.Forbidden) {
		t.Errorf("approved by who has asked: %v", err)
	}
	for range 2 {
		if err := b.Approve(as(t, "cid", tenant.KindMember), "shop", "1.0", w.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.world.release.Waivers[0].Approvals; len(got) != 1 || got[0].By != "cid" {
		t.Errorf("approvals %+v: one person counts once", got)
	}
	if r, out := b.get(t); r.State != verdict.ReadyWithWaivers || !out.Waivers[0].Used {
		t.Errorf("%s, %+v", r.State, out.Waivers)
	}
	b.now = b.now.Add(48 * time.Hour)
	for i := range b.world.attempts {
		b.world.attempts[i].FinishedAt = b.now
	}
	if err := b.Approve(as(t, "cid", tenant.KindMember), "shop", "1.0", w.ID); !fault.Is(err, fault.Conflict) {
		t.Errorf("approved after it has expired: %v", err)
	}
	if r, _ := b.get(t); r.State != verdict.NotReady {
		t.Errorf("it has expired: %s", r.State)
	}
	outsider := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindMember, Name: "eve", Role: tenant.RoleMaintainer})
	if err := b.Revoke(outsider, "shop", "1.0", w.ID); !fault.Is(err, fault.Forbidden) || b.world.release.Waivers[0].Revoked {
		t.Errorf("revoked by another team: %v", err)
	}
	narrow := tenant.WithViewer(t.Context(), tenant.Viewer{
		Kind: tenant.KindToken, Name: "ci", Maker: "ann", Team: team(), Scopes: []tenant.Scope{tenant.ScopeRelease}, Limits: tenant.Limits{Workflows: []string{"other-*"}},
	})
	if err := b.Revoke(narrow, "shop", "1.0", w.ID); !fault.Is(err, fault.Forbidden) {
		t.Errorf("revoked with a token for other workflows: %v", err)
	}
	if err := b.Revoke(as(t, "ann", tenant.KindToken), "shop", "1.0", w.ID); err != nil || !b.world.release.Waivers[0].Revoked {
		t.Errorf("revoked: %v", err)
	}
}
