package auth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func TestAuth_Bearer(t *testing.T) {
	t.Parallel()
	i := setup(t)
	v, err := i.Bearer(t.Context(), i.first.Token)
	if err != nil || v.Kind != tenant.KindToken || v.Organization != i.admin.Organization || !v.Allows(tenant.ScopeAdmin) {
		t.Fatalf("viewer %+v, %v", v, err)
	}
	tests := map[string]struct{ token, reason string }{
		"ErrEmpty":     {"", "no credential"},
		"ErrUnknown":   {auth.TokenPrefix + strings.Repeat("a", 52), "never made"},
		"ErrForeign":   {"ghp_" + strings.Repeat("a", 36), "not one of ours"},
		"ErrBootstrap": {i.enroll(t, "harbour"), "a bootstrap token enrols an agent and does nothing else"},
		"ErrAgent":     {i.agentToken(t, i.agent(t, "dock")), "an agent's token is for the agents' port"},
		"ErrCookie":    {i.cookie(t), "a cookie is for browsers"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := i.Bearer(t.Context(), tc.token)
			wantUnauthenticated(t, err, tc.reason)
		})
	}
}

// TestAuth_Bearer_TellsExpiredFromUnknown matters to whoever reads the message of a pipeline that broke overnight.
func TestAuth_Bearer_TellsExpiredFromUnknown(t *testing.T) {
	t.Parallel()
	i := setup(t)
	token, made, err := i.CreateToken(i.as(t), tenant.NewToken{Name: "nightly", Lifetime: time.Hour})
	if err != nil || !made.ExpiresAt.Equal(i.clock.now().Add(time.Hour)) {
		t.Fatalf("made %+v, %v", made, err)
	}
	if _, err := i.Bearer(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	i.clock.advance(time.Hour)
	_, expired := i.Bearer(t.Context(), token)
	_, unknown := i.Bearer(t.Context(), token+"x")
	wantUnauthenticated(t, expired, "it expired")
	wantUnauthenticated(t, unknown, "it does not exist")
	if !strings.Contains(expired.Error(), "nightly") || !strings.Contains(expired.Error(), "expired") || strings.Contains(unknown.Error(), "expired") {
		t.Errorf("expired: %q, unknown: %q", expired, unknown)
	}
}

func TestAuth_CreateToken(t *testing.T) {
	t.Parallel()
	i := setup(t)
	reader := tenant.Viewer{Kind: tenant.KindToken, Organization: i.admin.Organization, Team: i.admin.Team, Scopes: []tenant.Scope{tenant.ScopeRead}}
	tests := map[string]struct {
		viewer tenant.Viewer
		team   string
		scopes []tenant.Scope
		life   time.Duration
		want   fault.Kind
		reason string
	}{
		"OK":           {i.admin, "default", []tenant.Scope{tenant.ScopeAdmin}, time.Hour, "", "an owner may everything"},
		"OKDefaults":   {i.admin, "", nil, 0, "", "read and run, for ninety days"},
		"ErrMore":      {reader, "", []tenant.Scope{tenant.ScopeRun}, 0, fault.Forbidden, "nobody hands on more than they have"},
		"ErrDefaults":  {reader, "", nil, 0, fault.Forbidden, "the defaults are more than this one has"},
		"ErrScope":     {i.admin, "", []tenant.Scope{"root"}, 0, fault.Invalid, "there is no such scope"},
		"ErrTooLong":   {i.admin, "", nil, 10 * 366 * 24 * time.Hour, fault.Invalid, "forgotten tokens must end"},
		"ErrNegative":  {i.admin, "", nil, -time.Hour, fault.Invalid, "it would never hold"},
		"ErrTeam":      {i.admin, "nobody", nil, 0, fault.NotFound, "there is no such team"},
		"ErrNoViewer":  {tenant.Viewer{}, "", nil, 0, fault.Forbidden, "the empty viewer has no scope"},
		"ErrOtherTeam": {tenant.Viewer{Kind: tenant.KindMember, Role: tenant.RoleOwner, Organization: newID(t)}, "default", nil, 0, fault.NotFound, "the team is another organization's"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, _, err := i.CreateToken(tenant.WithViewer(t.Context(), tc.viewer), tenant.NewToken{Team: tc.team, Name: "ci", Scopes: tc.scopes, Lifetime: tc.life})
			if tc.want != "" {
				if !fault.Is(err, tc.want) {
					t.Errorf("error %v, want %s: %s", err, tc.want, tc.reason)
				}
				return
			}
			v, again := i.Bearer(t.Context(), token)
			if err != nil || again != nil || v.Team != i.admin.Team {
				t.Errorf("viewer %+v, %v, %v: %s", v, err, again, tc.reason)
			}
		})
	}
}

func TestAuth_Describe(t *testing.T) {
	t.Parallel()
	i := setup(t)
	if org, team, err := i.Describe(i.as(t)); err != nil || org != "default" || team != "default" {
		t.Errorf("%q %q, %v", org, team, err)
	}
	if _, _, err := i.Describe(t.Context()); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("without a viewer: %v", err)
	}
}
