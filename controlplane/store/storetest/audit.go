package storetest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

func auditing() map[string]func(*testing.T, *fixture) {
	return map[string]func(*testing.T, *fixture){
		"WithTheChange": auditWithTheChange, "NotWithoutIt": auditNotWithoutIt, "Chain": auditChain, "Filter": auditFilter, "Tenancy": auditTenancy,
		"HostileText": auditHostileText,
	}
}

// action returns a context of an action of the owner.
func (f *fixture) action(t *testing.T, name string) (context.Context, *audit.Note) {
	t.Helper()
	ctx, note := audit.Begin(f.as(t), name, "192.0.2.1")
	note.By(f.member)
	return ctx, note
}

// record returns all entries of the fixture's organization, checked.
func (f *fixture) record(t *testing.T) []audit.Entry {
	t.Helper()
	page, err := f.AuditEntries(f.as(t), audit.Filter{Size: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var v audit.Verifier
	for _, e := range page.Entries {
		if err := v.Next(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Finish(page.Head); err != nil {
		t.Fatal(err)
	}
	return page.Entries
}

func auditWithTheChange(t *testing.T, f *fixture) {
	ctx, note := f.action(t, "ApplyWorkflow")
	w := workflow.Record{Name: "audited", Digest: "d", Source: "s"}
	if _, _, _, err := f.ApplyWorkflow(ctx, w, ""); err != nil {
		t.Fatal(err)
	}
	got := f.record(t)
	if len(got) != 1 || !note.Kept() {
		t.Fatalf("%d entries, kept %t", len(got), note.Kept())
	}
	e := got[0]
	if e.Action != "ApplyWorkflow" || e.Object.Kind != "workflow" || e.Object.Name != "audited" || e.Object.ID == "" || e.Actor.Name != f.member.Name ||
		e.Actor.ID != f.member.Subject || e.From != "192.0.2.1" || e.Outcome != audit.Done || e.Details["revision"] != "1" || !e.At.Equal(f.now) {
		t.Errorf("entry %+v", e)
	}
	if _, _, changed, err := f.ApplyWorkflow(ctx, w, ""); err != nil || changed || len(f.record(t)) != 1 {
		t.Errorf("an action with an entry got another one: %v", err)
	}
	again, note := f.action(t, "ApplyWorkflow")
	if _, _, _, err := f.ApplyWorkflow(again, w, ""); err != nil || note.Kept() || len(f.record(t)) != 1 {
		t.Errorf("what changed nothing is on record as a change: %v", err)
	}
}

// auditNotWithoutIt proves that what is not done leaves no entry that says so.
func auditNotWithoutIt(t *testing.T, f *fixture) {
	ctx, note := f.action(t, "EnrollCluster")
	connected := f.cluster
	if _, err := f.OpenSession(f.agent(t, connected), cluster.Hello{}); err != nil {
		t.Fatal(err)
	}
	_, _, err := f.EnrollCluster(ctx, cluster.Enrolment{Name: connected.Name, Environment: "other", Namespace: "n", TokenHash: hash("x"), ExpiresAt: f.now.Add(time.Hour)})
	if !fault.Is(err, fault.Conflict) || note.Kept() || len(f.record(t)) != 0 {
		t.Errorf("err = %v, kept %t", err, note.Kept())
	}
	if _, _, _, err := f.ApplyWorkflow(f.as(t), workflow.Record{Name: "own", Digest: "d", Source: "s"}, ""); err != nil || len(f.record(t)) != 0 {
		t.Errorf("what nobody asked for is on record: %v", err)
	}
}

// auditChain proves that the chain stays one when many append at the same time.
func auditChain(t *testing.T, f *fixture) {
	const writers, each = 4, 5
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				if err := f.AppendAudit(t.Context(), audit.Entry{Organization: f.member.Organization, Action: "Try", Outcome: audit.Refused}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := f.record(t); len(got) != writers*each {
		t.Errorf("%d entries, want %d", len(got), writers*each)
	}
}

func auditFilter(t *testing.T, f *fixture) {
	id, token := uuid.New(), uuid.New()
	for i, e := range []audit.Entry{
		{Actor: audit.Actor{Kind: tenant.KindMember, ID: id, Name: "ada"}, Action: "RunWorkflow", Object: audit.Object{Kind: "workflow", ID: "7", Name: "smoke"}, Outcome: audit.Done, From: "192.0.2.1"},
		{Actor: audit.Actor{Kind: tenant.KindToken, ID: token, Name: "ci", Person: "ada"}, Action: "RunWorkflow", Object: audit.Object{Kind: "workflow", ID: "8", Name: "load"}, Outcome: audit.Refused},
		{Actor: audit.Actor{Kind: tenant.KindToken, Name: "bob"}, Action: "CreateToken", Object: audit.Object{Kind: "token", Name: "smoke"}, Outcome: audit.Failed},
	} {
		e.Organization = f.member.Organization
		f.now = f.now.Add(time.Duration(i) * time.Hour)
		if err := f.AppendAudit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		filter audit.Filter
		want   []int64
	}{
		"All": {audit.Filter{}, []int64{1, 2, 3}}, "NewestFirst": {audit.Filter{NewestFirst: true}, []int64{3, 2, 1}},
		"Person": {audit.Filter{Actor: "ada"}, []int64{1, 2}}, "ActorID": {audit.Filter{Actor: token.String()}, []int64{2}},
		"Action": {audit.Filter{Action: "RunWorkflow"}, []int64{1, 2}}, "Kind": {audit.Filter{Kind: "token"}, []int64{3}},
		"ObjectName": {audit.Filter{Object: "smoke"}, []int64{1, 3}}, "ObjectID": {audit.Filter{Object: "8"}, []int64{2}},
		"Outcome": {audit.Filter{Outcome: audit.Refused}, []int64{2}}, "From": {audit.Filter{From: "192.0.2.1"}, []int64{1}},
		"Since": {audit.Filter{Since: f.now.Add(-2 * time.Hour)}, []int64{2, 3}}, "Until": {audit.Filter{Until: f.now}, []int64{1, 2}},
		"Several": {audit.Filter{Actor: "ada", Outcome: audit.Done}, []int64{1}}, "None": {audit.Filter{Actor: "nobody"}, nil},
	} {
		for _, size := range []int{1, 10} {
			var got []int64
			for tc.filter.Size, tc.filter.After = size, ""; ; {
				page, err := f.AuditEntries(f.as(t), tc.filter)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Entries {
					got = append(got, e.Number)
				}
				if tc.filter.After = page.Next; page.Next == "" {
					break
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%s by %d: %v, want %v", name, size, got, tc.want)
			}
		}
	}
}

func auditTenancy(t *testing.T, f *fixture) {
	foreign := uuid.New()
	for _, org := range []tenant.ID{foreign, foreign, f.member.Organization} {
		if err := f.AppendAudit(t.Context(), audit.Entry{Organization: org, Action: "X", Outcome: audit.Done}); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.record(t); len(got) != 1 || got[0].Organization != f.member.Organization {
		t.Errorf("entries %+v", got)
	}
	if _, err := f.AuditEntries(t.Context(), audit.Filter{}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("without a viewer: %v", err)
	}
}

// auditHostileText proves that what a database does not keep as it is does not break the chain.
func auditHostileText(t *testing.T, f *fixture) {
	for _, text := range []string{"a\x00b", "\xff", strings.Repeat("ä", 10_000), "\u2028", ""} {
		if err := f.AppendAudit(t.Context(), audit.Entry{
			Organization: f.member.Organization, Action: "X", Outcome: audit.Failed, Actor: audit.Actor{Name: text}, Object: audit.Object{Name: text},
			Details: map[string]string{"reason": text, text: "x"},
		}); err != nil {
			t.Fatalf("%.20q: %v", text, err)
		}
	}
	f.record(t)
}

// suspension proves that a suspended organization starts nothing, and that what waited is started afterwards.
func suspension() map[string]func(*testing.T, *fixture) {
	return map[string]func(*testing.T, *fixture){"StartsAreHeld": func(t *testing.T, f *fixture) {
		agent := f.agent(t, f.cluster)
		epoch, err := f.OpenSession(agent, cluster.Hello{})
		if err != nil {
			t.Fatal(err)
		}
		f.queued(t)
		starts := func() int {
			t.Helper()
			got, err := f.TakeCommands(agent, epoch, 10, time.Minute, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return len(got)
		}
		if _, err := f.SetOrganizationState(t.Context(), "default", tenant.Suspended); err != nil {
			t.Fatal(err)
		}
		if n := starts(); n != 0 {
			t.Errorf("%d starts of a suspended organization", n)
		}
		if waiting, err := f.WaitingCommands(t.Context(), []cluster.ID{f.cluster.ID}, time.Minute); err != nil || len(waiting) != 0 {
			t.Errorf("agents are woken for what is held: %v, %v", waiting, err)
		}
		if _, err := f.CreateSession(t.Context(), tenant.Member{ID: f.member.Subject, Organization: f.member.Organization}, tenant.Session{ExpiresAt: f.now.Add(time.Hour)}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a member signs in: %v", err)
		}
		if _, err := f.TokenByHash(t.Context(), hash("st_first")); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a token is taken: %v", err)
		}
		if _, err := f.SetOrganizationState(t.Context(), "default", tenant.Active); err != nil {
			t.Fatal(err)
		}
		if n := starts(); n != 1 {
			t.Errorf("%d starts afterwards, want the one that waited", n)
		}
	}}
}
