package viewfake

import (
	"context"
	"time"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// AppendAudit implements audit.Store.
func (w *World) AppendAudit(_ context.Context, e audit.Entry) error {
	w.keep(e, w.Now())
	return nil
}

func (w *World) keep(e audit.Entry, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.Number, e.At, e.Previous = int64(len(w.recorded)+1), at, audit.Start()
	if n := len(w.recorded); n > 0 {
		e.Previous = w.recorded[n-1].Hash
	}
	e.Hash = e.Sum(e.Previous)
	w.recorded = append(w.recorded, e)
}

// AuditEntries implements audit.Store: the newest first, by action, actor and outcome only.
func (w *World) AuditEntries(ctx context.Context, f audit.Filter) (audit.Page, error) {
	if err := w.allowed(ctx); err != nil {
		return audit.Page{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var page audit.Page
	for i := len(w.recorded) - 1; i >= 0; i-- {
		e := w.recorded[i]
		if page.Head.Number == 0 {
			page.Head = audit.Head{Number: e.Number, Hash: e.Hash}
		}
		if (f.Action == "" || f.Action == e.Action) && (f.Actor == "" || f.Actor == e.Actor.Name) && (f.Outcome == "" || f.Outcome == e.Outcome) {
			page.Entries = append(page.Entries, e)
		}
	}
	return page, nil
}

// Recorded returns what is on record, oldest first.
func (w *World) Recorded() []audit.Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]audit.Entry(nil), w.recorded...)
}

// record fills the audit log of the sample.
func (w *World) record() {
	v := w.Member.Viewer
	v.Credential = ID("session")
	ci := tenant.Viewer{Kind: tenant.KindToken, Organization: v.Organization, Subject: ID("token"), Credential: ID("token"), Name: "ci", Maker: v.Name}
	for i, e := range []audit.Entry{
		{Actor: audit.ActorOf(v), Action: "EnrollCluster", Object: audit.Object{Kind: "cluster", ID: ID("harbour").String(), Name: "harbour"}, From: "192.0.2.7", Outcome: audit.Done, Details: map[string]string{"environment": "staging-eu"}},
		{Actor: audit.ActorOf(ci), Action: "ApplyWorkflow", Object: audit.Object{Kind: "workflow", ID: ID("checkout-api").String(), Name: "checkout-api"}, From: "2001:db8::9", Outcome: audit.Done, Details: map[string]string{"revision": "4"}},
		{Actor: audit.ActorOf(ci), Action: "RotateSigningKey", From: "2001:db8::9", Outcome: audit.Refused, Details: map[string]string{"reason": "ci may not do this"}},
		{Actor: audit.Actor{Kind: tenant.KindSystem, Name: "operator root"}, Action: "ResumeOrganization", Object: audit.Object{Kind: "organization", Name: "acme"}, Outcome: audit.Failed},
	} {
		e.Organization = v.Organization
		w.keep(e, w.Now().Add(time.Duration(i-5)*time.Hour))
	}
}
