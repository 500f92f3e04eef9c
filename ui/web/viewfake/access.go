package viewfake

import (
	"context"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/view"
)

// Begun is what a browser keeps of a sign-in by the identity provider of the sample.
const Begun = "begun"

// Access returns how the organization lets people and pipelines in.
func (w *World) Access() *Access { return &w.access }

// Access is that of a world. Fill it before it is served.
type Access struct {
	world  *World
	Asks   tenant.Access
	Known  []tenant.IdentityProvider
	Rules  []tenant.TrustRule
	Refuse error // of a sign-in
	Secret string
}

// Ways lists the identity providers of the sample's organization.
func (a *Access) Ways(_ context.Context, organization string) (out []string, err error) {
	for _, p := range a.Known {
		if organization == a.world.Member.Organization {
			out = append(out, p.Name)
		}
	}
	return out, nil
}

// Begin sends the browser to a provider that nobody runs.
func (a *Access) Begin(ctx context.Context, organization, provider, base, next string) (to, kept string, err error) {
	if names, _ := a.Ways(ctx, organization); !slices.Contains(names, provider) {
		return "", "", fault.New(fault.NotFound, "there is no such way to sign in")
	}
	return "https://login.acme.example/auth?redirect_uri=" + base, Begun + next, a.Refuse
}

// Finish lets in who kept what Begin gave.
func (a *Access) Finish(_ context.Context, back view.Back, _ tenant.Entry) (view.Ticket, string, error) {
	if a.Refuse != nil {
		return view.Ticket{}, "", a.Refuse
	}
	if len(back.Kept) < len(Begun) || back.Query.Get("state") != "right" {
		return view.Ticket{}, "", fault.New(fault.Unauthenticated, "this sign-in was not begun in this browser").WithHint("Start again.")
	}
	return view.Ticket{Cookie: "valid", ExpiresAt: a.world.Now().Add(time.Hour)}, back.Kept[len(Begun):], nil
}

// Access returns what is asked for.
func (a *Access) Access(ctx context.Context) (tenant.Access, error) {
	return a.Asks, a.world.allowed(ctx)
}

// SetAccess changes it.
func (a *Access) SetAccess(ctx context.Context, to tenant.Access) error {
	if to.SSORequired && len(a.Known) == 0 {
		return fault.New(fault.Conflict, "without an identity provider nobody could sign in").WithField("sso_required")
	}
	a.Asks = to
	return a.world.allowed(ctx)
}

// IdentityProviders lists them.
func (a *Access) IdentityProviders(ctx context.Context) ([]tenant.IdentityProvider, error) {
	return a.Known, a.world.allowed(ctx)
}

// SetIdentityProvider adds or replaces one.
func (a *Access) SetIdentityProvider(ctx context.Context, p tenant.IdentityProvider) error {
	if err := p.Check(); err != nil {
		return err
	}
	a.Secret, p.SecretKept, p.ClientSecret = p.ClientSecret, p.ClientSecret != "", ""
	a.Known = append(slices.DeleteFunc(a.Known, func(o tenant.IdentityProvider) bool { return o.Name == p.Name }), p)
	return a.world.allowed(ctx)
}

// DeleteIdentityProvider removes one.
func (a *Access) DeleteIdentityProvider(ctx context.Context, name string) error {
	a.Known = slices.DeleteFunc(a.Known, func(o tenant.IdentityProvider) bool { return o.Name == name })
	return a.world.allowed(ctx)
}

// TrustRules lists them.
func (a *Access) TrustRules(ctx context.Context) ([]tenant.TrustRule, error) {
	return a.Rules, a.world.allowed(ctx)
}

// SetTrustRule adds or replaces one.
func (a *Access) SetTrustRule(ctx context.Context, r tenant.TrustRule) error {
	if err := r.Check(); err != nil {
		return err
	}
	a.Rules = append(slices.DeleteFunc(a.Rules, func(o tenant.TrustRule) bool { return o.Name == r.Name }), r)
	return a.world.allowed(ctx)
}

// DeleteTrustRule removes one.
func (a *Access) DeleteTrustRule(ctx context.Context, name string) error {
	a.Rules = slices.DeleteFunc(a.Rules, func(o tenant.TrustRule) bool { return o.Name == name })
	return a.world.allowed(ctx)
}

// sampleAccess is that of an organization with one provider and two kinds of pipelines.
func sampleAccess(a *Access) {
	a.Asks = tenant.Access{SSORequired: true, BreakGlass: true, Visibility: tenant.VisibleAll}
	a.Known = []tenant.IdentityProvider{{
		Name: "corporate", Issuer: "https://login.acme.example", ClientID: "seatrial", SecretKept: true, Domains: []string{"acme.example"},
		Teams: []tenant.Mapping{{Group: "eng-payments", To: "payments"}}, Roles: []tenant.Mapping{{Group: "platform", To: "admin"}}, DefaultRole: tenant.RoleViewer,
	}}
	a.Rules = []tenant.TrustRule{
		{
			Name: "checkout", Team: tenant.TeamRef{Name: "payments"}, Issuer: "https://token.actions.githubusercontent.com", Audience: "https://seatrial.acme.example",
			Conditions: []tenant.Condition{{Claim: "repository", Patterns: []string{"acme/checkout"}}, {Claim: "ref", Patterns: []string{"refs/heads/main", "refs/heads/release/*"}}},
			Scopes:     []tenant.Scope{tenant.ScopeRead, tenant.ScopeRun}, Lifetime: time.Hour, UsedAt: a.world.Now().Add(-3 * time.Minute),
			Limits: tenant.Limits{Workflows: []string{"checkout-*"}},
		},
		{
			Name: "search", Team: tenant.TeamRef{Name: "storefront-and-search"}, Issuer: "https://gitlab.com", Audience: "https://seatrial.acme.example",
			Conditions: []tenant.Condition{{Claim: "namespace_path", Patterns: []string{"acme"}}}, Scopes: []tenant.Scope{tenant.ScopeRead}, Lifetime: time.Hour,
		},
	}
}
