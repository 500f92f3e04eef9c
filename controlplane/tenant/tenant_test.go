package tenant_test

import (
	"testing"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

func TestViewer_Allows(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		viewer tenant.Viewer
		scope  tenant.Scope
		want   bool
		reason string
	}{
		"NobodyMayNothing":   {tenant.Viewer{}, tenant.ScopeRead, false, "the zero value may do nothing"},
		"TokenHasScope":      {tenant.Viewer{Kind: tenant.KindToken, Scopes: []tenant.Scope{tenant.ScopeRun}}, tenant.ScopeRun, true, "it was given"},
		"TokenLacksScope":    {tenant.Viewer{Kind: tenant.KindToken, Scopes: []tenant.Scope{tenant.ScopeRun}}, tenant.ScopeAdmin, false, "it was not given"},
		"TokenIgnoresRole":   {tenant.Viewer{Kind: tenant.KindToken, Role: tenant.RoleOwner}, tenant.ScopeRead, false, "a token has scopes, not a role"},
		"AgentIgnoresRole":   {tenant.Viewer{Kind: tenant.KindAgent, Role: tenant.RoleOwner}, tenant.ScopeRead, false, "an agent speaks its own protocol only"},
		"OwnerMayAdmin":      {tenant.Viewer{Kind: tenant.KindMember, Role: tenant.RoleOwner}, tenant.ScopeAdmin, true, "owners may everything"},
		"MaintainerRuns":     {tenant.Viewer{Kind: tenant.KindMember, Role: tenant.RoleMaintainer}, tenant.ScopeRun, true, "maintainers work"},
		"MaintainerNotAdmin": {tenant.Viewer{Kind: tenant.KindMember, Role: tenant.RoleMaintainer}, tenant.ScopeAdmin, false, "clusters and tokens are the admins'"},
		"ViewerReads":        {tenant.Viewer{Kind: tenant.KindMember, Role: tenant.RoleViewer}, tenant.ScopeRead, true, "viewers look"},
		"ViewerDoesNotRun":   {tenant.Viewer{Kind: tenant.KindMember, Role: tenant.RoleViewer}, tenant.ScopeRun, false, "viewers only look"},
		"UnknownRole":        {tenant.Viewer{Kind: tenant.KindMember, Role: "captain"}, tenant.ScopeRead, false, "unknown means nothing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.viewer.Allows(tc.scope); got != tc.want {
				t.Errorf("Allows(%s) = %t: %s", tc.scope, got, tc.reason)
			}
		})
	}
}

func TestFromContext(t *testing.T) {
	t.Parallel()
	if _, ok := tenant.FromContext(t.Context()); ok {
		t.Error("a bare context has a viewer")
	}
	if v, ok := tenant.FromContext(tenant.System(t.Context())); !ok || v.Kind != tenant.KindSystem {
		t.Errorf("system context gave %+v, %t", v, ok)
	}
}
