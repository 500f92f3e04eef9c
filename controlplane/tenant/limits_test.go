package tenant_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func TestViewer_Limits(t *testing.T) {
	t.Parallel()
	v := tenant.Viewer{Kind: tenant.KindToken, Name: "ci", Limits: tenant.Limits{Workflows: []string{"pay-*", "smoke"}}}
	for name, ok := range map[string]bool{"pay-api": true, "smoke": true, "smoke-2": false, "checkout": false, "": false} {
		if err := v.Workflow(name); (err == nil) != ok || (err != nil && !fault.Is(err, fault.Forbidden)) {
			t.Errorf("workflow %q: %v", name, err)
		}
	}
	if err := v.Environment("production"); err != nil {
		t.Errorf("without a limit of environments: %v", err)
	}
}

func TestLimits_Check(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		limits tenant.Limits
		ok     bool
	}{
		"None":    {tenant.Limits{}, true},
		"Good":    {tenant.Limits{Workflows: []string{"a-*"}, Environments: []string{"staging"}}, true},
		"Broken":  {tenant.Limits{Workflows: []string{"[a"}}, false},
		"Empty":   {tenant.Limits{Environments: []string{""}}, false},
		"TooMany": {tenant.Limits{Workflows: strings.Split(strings.Repeat("a ", 60), " ")[:60]}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := tc.limits.Check(); (err == nil) != tc.ok || (err != nil && !fault.Is(err, fault.Invalid)) {
				t.Errorf("%+v: %v", tc.limits, err)
			}
		})
	}
}

func TestViewer_Acts(t *testing.T) {
	t.Parallel()
	own, other, foreign := uuid.New(), uuid.New(), uuid.New()
	tests := map[string]struct {
		viewer tenant.Viewer
		want   bool
		reason string
	}{
		"Token":      {tenant.Viewer{Kind: tenant.KindToken, Team: own, Scopes: []tenant.Scope{tenant.ScopeCatalog}}, true, "it is the team's"},
		"TokenOther": {tenant.Viewer{Kind: tenant.KindToken, Team: foreign, Scopes: []tenant.Scope{tenant.ScopeCatalog}}, false, "it is another team's"},
		"TokenAdmin": {tenant.Viewer{Kind: tenant.KindToken, Team: foreign, Scopes: []tenant.Scope{tenant.ScopeAdmin}}, true, "it administers"},
		"Member":     {tenant.Viewer{Kind: tenant.KindMember, Team: other, Teams: []uuid.UUID{other, own}, Role: tenant.RoleMaintainer}, true, "is in the team, too"},
		"Outsider":   {tenant.Viewer{Kind: tenant.KindMember, Team: other, Teams: []uuid.UUID{other}, Role: tenant.RoleMaintainer}, false, "is in another team"},
		"Admin":      {tenant.Viewer{Kind: tenant.KindMember, Role: tenant.RoleAdmin}, true, "administers"},
		"System":     {tenant.Viewer{Kind: tenant.KindSystem}, true, "the control plane itself"},
		"Nobody":     {tenant.Viewer{}, false, "the zero value may do nothing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.viewer.Acts(own); got != tc.want {
				t.Errorf("acts %t: %s", got, tc.reason)
			}
		})
	}
}
