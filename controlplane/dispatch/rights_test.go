package dispatch_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// TestDispatcher_Rights runs a workflow that its team keeps to itself, and one with tokens that are limited.
func TestDispatcher_Rights(t *testing.T) {
	t.Parallel()
	owner := id(0x7e)
	tests := map[string]struct {
		team       uuid.UUID
		limits     tenant.Limits
		restricted bool
		ok         bool
		reason     string
	}{
		"Shared":           {id(1), tenant.Limits{}, false, true, "any team may run what is shared"},
		"RestrictedOwner":  {owner, tenant.Limits{}, true, true, "its own team runs it"},
		"RestrictedOther":  {id(1), tenant.Limits{}, true, false, "the team keeps it to itself"},
		"Workflow":         {owner, tenant.Limits{Workflows: []string{"sh*"}}, false, true, "the pattern fits"},
		"OtherWorkflow":    {owner, tenant.Limits{Workflows: []string{"pay-*"}}, false, false, "the token is for others"},
		"OtherEnvironment": {owner, tenant.Limits{Environments: []string{"production"}}, false, false, "the token is for others"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			w := b.store.workflows["shop"]
			w.TeamID, w.Team, w.Restricted = owner, "web", tc.restricted
			b.store.workflows["shop"] = w
			ctx := tenant.WithViewer(t.Context(), tenant.Viewer{
				Kind: tenant.KindToken, Organization: id(0xa), Name: "ci", Team: tc.team, Scopes: []tenant.Scope{tenant.ScopeRun}, Limits: tc.limits,
			})
			e, _, err := b.Start(ctx, execution.Request{Workflow: "shop"})
			if (err == nil) != tc.ok || (err != nil && !fault.Is(err, fault.Forbidden)) {
				t.Fatalf("error %v: %s", err, tc.reason)
			}
			if !tc.ok {
				return
			}
			other := tenant.Viewer{
				Kind: tenant.KindToken, Organization: id(0xa), Name: "other", Scopes: []tenant.Scope{tenant.ScopeRun}, Limits: tenant.Limits{Workflows: []string{"pay-*"}},
			}
			if err := b.Cancel(tenant.WithViewer(t.Context(), other), e.ID, ""); !fault.Is(err, fault.Forbidden) {
				t.Errorf("cancelled with a token for other workflows: %v", err)
			}
		})
	}
}

func TestDispatcher_Quota(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.quota, b.store.use = tenant.Quota{Queued: 5}, tenant.Quota{Queued: 5}
	if _, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "shop"}); !fault.Is(err, fault.Exhausted) {
		t.Errorf("one more run than may wait: %v", err)
	}
	b.store.use.Queued = 4
	if _, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "shop"}); err != nil {
		t.Errorf("there is a place: %v", err)
	}
}
