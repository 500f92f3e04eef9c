package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func doors() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"ProviderKeepsItsSecret": providerSecret,
		"LastProviderStays":      lastProvider,
		"LastOwnerStaysByGroup":  lastOwnerByGroup,
		"GroupsLetInNoMore":      groupsEnd,
		"TrustRule":              trustRule,
		"TeamsApart":             teamsApart,
		"ForeignDoors":           foreignDoors,
	}
}

func anything(*tenant.IdentityProvider) error { return nil }

func corporate() tenant.IdentityProvider {
	return tenant.IdentityProvider{Name: "corporate", Issuer: "https://login.test", ClientID: "c", ClientSecret: "hush", Owners: true}
}

// trusted stores a provider and returns it as sign-in finds it.
func (f *fixture) trusted(t *testing.T, p tenant.IdentityProvider) tenant.IdentityProvider {
	t.Helper()
	if err := f.SetIdentityProvider(f.as(t), p, anything); err != nil {
		t.Fatal(err)
	}
	got, err := f.Provider(t.Context(), "default", p.Name)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func providerSecret(t *testing.T, f *fixture) {
	p := corporate()
	if got := f.trusted(t, p); got.ClientSecret != "hush" || !got.SecretKept || got.OrganizationName != "default" {
		t.Errorf("%+v", got)
	}
	list, err := f.IdentityProviders(f.as(t))
	if err != nil || len(list) != 1 || list[0].ClientSecret != "" || !list[0].SecretKept {
		t.Errorf("the list shows %+v, %v", list, err)
	}
	p.ClientSecret, p.ClientID = "", "other"
	if got := f.trusted(t, p); got.ClientSecret != "hush" || got.ClientID != "other" {
		t.Errorf("an empty secret is not the one there was: %+v", got)
	}
	p.Issuer = "https://elsewhere.test"
	if got := f.trusted(t, p); got.ClientSecret != "" || got.SecretKept {
		t.Errorf("the secret goes to another server: %+v", got)
	}
	p.Teams = []tenant.Mapping{{Group: "g", To: "absent"}}
	if err := f.SetIdentityProvider(f.as(t), p, anything); !fault.Is(err, fault.NotFound) {
		t.Errorf("a team that there is not: %v", err)
	}
	refused := fault.New(fault.Forbidden, "no")
	if err := f.SetIdentityProvider(f.as(t), corporate(), func(old *tenant.IdentityProvider) error {
		if old == nil || old.Issuer != "https://elsewhere.test" {
			t.Errorf("asked about %+v", old)
		}
		return refused
	}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("not allowed: %v", err)
	}
	if _, err := f.CreateTeam(f.as(t), "web"); err != nil {
		t.Fatal(err)
	}
	p.Teams, p.DefaultTeam = []tenant.Mapping{{Group: "g", To: "web"}}, "web"
	f.trusted(t, p)
	if err := f.RenameTeam(f.as(t), "web", "shop"); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Provider(t.Context(), "default", "corporate"); err != nil || got.Teams[0].To != "shop" || got.DefaultTeam != "shop" {
		t.Errorf("a team that was renamed: %+v, %v", got, err)
	}
}

func lastProvider(t *testing.T, f *fixture) {
	ctx := f.as(t)
	required := tenant.Access{SSORequired: true, BreakGlass: true, Visibility: tenant.VisibleAll}
	if err := f.SetAccess(ctx, required); !fault.Is(err, fault.Conflict) {
		t.Errorf("asked for without a provider: %v", err)
	}
	f.trusted(t, corporate())
	if err := f.SetAccess(ctx, required); err != nil {
		t.Fatal(err)
	}
	if got, err := f.AccessOf(t.Context(), f.member.Organization); err != nil || got != required {
		t.Errorf("%+v, %v", got, err)
	}
	if err := f.DeleteIdentityProvider(ctx, "corporate", anything); !fault.Is(err, fault.Conflict) {
		t.Errorf("the last one goes: %v", err)
	}
	if err := f.SetAccess(ctx, tenant.Access{BreakGlass: true, Visibility: tenant.VisibleAll}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []fault.Kind{"", fault.NotFound} {
		if err := f.DeleteIdentityProvider(ctx, "corporate", anything); (err == nil) != (want == "") || (err != nil && !fault.Is(err, want)) {
			t.Errorf("delete: %v, want %q", err, want)
		}
	}
}

func lastOwnerByGroup(t *testing.T, f *fixture) {
	p := corporate()
	p.Roles = []tenant.Mapping{{Group: "all", To: "viewer"}}
	who := tenant.Identity{Subject: "1", Email: boss, Groups: []string{"all"}}
	if m, err := f.AdmitIdentity(t.Context(), f.trusted(t, p), who); err != nil || m.Role != tenant.RoleOwner {
		t.Errorf("the last owner became %s, %v", m.Role, err)
	}
	p.Owners = false
	if _, err := f.AdmitIdentity(t.Context(), f.trusted(t, p), who); !fault.Is(err, fault.Forbidden) {
		t.Errorf("an owner by a provider of an admin: %v", err)
	}
}

func groupsEnd(t *testing.T, f *fixture) {
	p := corporate()
	p.Roles = []tenant.Mapping{{Group: "makers", To: "maintainer"}}
	p = f.trusted(t, p)
	who := tenant.Identity{Subject: "7", Email: bea, Name: "Bea", Groups: []string{"makers"}}
	m, err := f.AdmitIdentity(t.Context(), p, who)
	if err != nil || m.Role != tenant.RoleMaintainer || m.Name != "Bea" || len(m.Teams) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	id, err := f.CreateSession(t.Context(), m, tenant.Session{ExpiresAt: f.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	who.Groups = nil
	if _, err := f.AdmitIdentity(t.Context(), p, who); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without the group: %v", err)
	}
	if _, err := f.SessionMember(t.Context(), id); !fault.Is(err, fault.NotFound) {
		t.Errorf("the session goes on: %v", err)
	}
	who.Groups = []string{"makers"}
	if again, err := f.AdmitIdentity(t.Context(), p, who); err != nil || again.ID != m.ID {
		t.Errorf("back in the group: %v, %v", again.ID, err)
	}
	who.Email = "" // the subject is enough from now on
	if again, err := f.AdmitIdentity(t.Context(), p, who); err != nil || again.ID != m.ID {
		t.Errorf("without an address: %v, %v", again.ID, err)
	}
}

func ciRule() tenant.TrustRule {
	return tenant.TrustRule{
		Name: "ci", Issuer: "https://ci.test", Audience: "a", Conditions: []tenant.Condition{{Claim: "ref", Patterns: []string{"main"}}},
		Scopes: []tenant.Scope{tenant.ScopeRun}, Lifetime: time.Minute, Maker: boss, Team: tenant.TeamRef{Name: "default"}, Limits: tenant.Limits{Workflows: []string{"a-*"}},
	}
}

// exchanged makes a token by the one rule there is.
func (f *fixture) exchanged(t *testing.T, secret string) (tenant.Token, error) {
	t.Helper()
	rules, err := f.TrustRulesOf(t.Context(), "default", "https://ci.test")
	if err != nil || len(rules) != 1 {
		t.Fatalf("%v, %v", rules, err)
	}
	r := rules[0]
	v := tenant.Viewer{Kind: tenant.KindToken, Organization: r.Organization, Team: r.Team.ID, Scopes: r.Scopes}
	return f.Exchanged(tenant.WithViewer(t.Context(), v), r, tenant.Token{Name: "ci: x", Hash: hash(secret), Scopes: r.Scopes, Limits: r.Limits, ExpiresAt: f.now.Add(r.Lifetime)})
}

func trustRule(t *testing.T, f *fixture) {
	ctx := f.as(t)
	if err := f.SetTrustRule(ctx, ciRule()); err != nil {
		t.Fatal(err)
	}
	made, err := f.exchanged(t, "one")
	if err != nil || made.TeamName != "default" || made.Limits.Workflows[0] != "a-*" {
		t.Fatalf("%+v, %v", made, err)
	}
	if list, err := f.TrustRules(ctx); err != nil || len(list) != 1 || !list[0].UsedAt.Equal(f.now) || list[0].Conditions[0].Patterns[0] != "main" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := f.SetTrustRule(ctx, ciRule()); err != nil {
		t.Fatal(err)
	}
	if old, err := f.TokenByHash(t.Context(), hash("one")); err != nil || old.RevokedAt.IsZero() {
		t.Errorf("a token of the rule before: %+v, %v", old, err)
	}
	if _, err := f.exchanged(t, "two"); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(2 * time.Hour)
	if _, err := f.exchanged(t, "three"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.TokenByHash(t.Context(), hash("two")); !fault.Is(err, fault.NotFound) {
		t.Errorf("tokens that are over add up: %v", err)
	}
	if err := f.DeleteTrustRule(ctx, "ci"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.TokenByHash(t.Context(), hash("three")); !fault.Is(err, fault.NotFound) {
		t.Errorf("a token outlives its rule: %v", err)
	}
	if err := f.DeleteTrustRule(ctx, "ci"); !fault.Is(err, fault.NotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

func teamsApart(t *testing.T, f *fixture) {
	ctx := f.as(t)
	if err := f.SetAccess(ctx, tenant.Access{BreakGlass: true, Visibility: tenant.VisibleTeams}); err != nil {
		t.Fatal(err)
	}
	n := f.assigned(t)
	if _, err := f.CreateTeam(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	m := f.invited(t, tenant.RoleMaintainer)
	id, err := f.CreateSession(t.Context(), m, tenant.Session{ExpiresAt: f.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	sees := func(what string, want bool) {
		t.Helper()
		m, err := f.SessionMember(t.Context(), id)
		if err != nil || !m.Confined {
			t.Fatalf("%s: confined %t, %v", what, m.Confined, err)
		}
		v := tenant.Viewer{Kind: tenant.KindMember, Organization: m.Organization, Team: m.Team, Subject: m.ID, Name: m.Email, Role: m.Role, Confined: true}
		for _, team := range m.Teams {
			v.Teams = append(v.Teams, team.ID)
		}
		ctx := tenant.WithViewer(t.Context(), v)
		for thing, err := range map[string]error{
			"workflow": second(f.Workflow(ctx, f.workflow.Name)), "environment": second(f.Environment(ctx, f.env.Name)), "execution": second(f.Execution(ctx, n.Execution.ID)),
		} {
			if (err == nil) != want || (err != nil && !fault.Is(err, fault.NotFound)) {
				t.Errorf("%s: %s: %v", what, thing, err)
			}
		}
		if list, _, err := f.Executions(ctx, "", "", 10, ""); err != nil || (len(list) > 0) != want {
			t.Errorf("%s: %d executions, %v", what, len(list), err)
		}
	}
	sees("in the team", true)
	if err := f.JoinTeam(ctx, bea, "web"); err != nil {
		t.Fatal(err)
	}
	if err := f.LeaveTeam(ctx, bea, "default"); err != nil {
		t.Fatal(err)
	}
	sees("in another team", false)
}

func foreignDoors(t *testing.T, f *fixture) {
	f.trusted(t, corporate())
	if err := f.SetTrustRule(f.as(t), ciRule()); err != nil {
		t.Fatal(err)
	}
	ctx := foreigner(t)
	for what, err := range map[string]error{
		"delete provider": f.DeleteIdentityProvider(ctx, "corporate", anything), "delete rule": f.DeleteTrustRule(ctx, "ci"),
		"provider of another name": second(f.Provider(context.WithoutCancel(t.Context()), "absent", "corporate")),
	} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	providers, err := f.IdentityProviders(ctx)
	rules, again := f.TrustRules(ctx)
	if err != nil || again != nil || len(providers)+len(rules) > 0 {
		t.Errorf("a foreign organization sees %v and %v, %v %v", providers, rules, err, again)
	}
	if list, err := f.TrustRulesOf(t.Context(), "absent", "https://ci.test"); err != nil || len(list) > 0 {
		t.Errorf("rules of nobody: %v, %v", list, err)
	}
	if _, err := f.SetOrganizationState(t.Context(), "default", tenant.Suspended); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Provider(t.Context(), "default", "corporate"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the provider of a suspended organization: %v", err)
	}
	if list, err := f.TrustRulesOf(t.Context(), "default", "https://ci.test"); err != nil || len(list) > 0 {
		t.Errorf("rules of a suspended organization: %v, %v", list, err)
	}
}
