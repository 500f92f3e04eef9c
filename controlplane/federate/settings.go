package federate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// SettingsStore keeps what the viewer's organization trusts.
type SettingsStore interface {
	AccessOf(ctx context.Context, org tenant.ID) (tenant.Access, error)
	SetAccess(ctx context.Context, a tenant.Access) error
	IdentityProviders(ctx context.Context) ([]tenant.IdentityProvider, error)
	// SetIdentityProvider and DeleteIdentityProvider ask allowed about the one of the name before they change it, nil when there is none.
	SetIdentityProvider(ctx context.Context, p tenant.IdentityProvider, allowed func(old *tenant.IdentityProvider) error) error
	DeleteIdentityProvider(ctx context.Context, name string, allowed func(old *tenant.IdentityProvider) error) error
	TrustRules(ctx context.Context) ([]tenant.TrustRule, error)
	SetTrustRule(ctx context.Context, r tenant.TrustRule) error
	DeleteTrustRule(ctx context.Context, name string) error
}

func admin(ctx context.Context) (tenant.Viewer, error) { return tenant.Require(ctx, tenant.ScopeAdmin) }

// Access returns how the viewer's organization lets its people in.
func (s *Service) Access(ctx context.Context) (tenant.Access, error) {
	v, err := tenant.Require(ctx, tenant.ScopeRead)
	if err != nil {
		return tenant.Access{}, err
	}
	return s.store.AccessOf(ctx, v.Organization)
}

// SetAccess changes how the viewer's organization lets its people in. Whether passwords of owners still do is for owners to decide.
func (s *Service) SetAccess(ctx context.Context, a tenant.Access) error {
	v, err := admin(ctx)
	if err != nil {
		return err
	}
	if a.Visibility != tenant.VisibleAll && a.Visibility != tenant.VisibleTeams {
		return fault.New(fault.Invalid, "members see %q or %q, not %q", tenant.VisibleAll, tenant.VisibleTeams, a.Visibility).WithField("visibility")
	}
	old, err := s.store.AccessOf(ctx, v.Organization)
	if err != nil {
		return err
	}
	if a.BreakGlass != old.BreakGlass && !v.Owner() {
		return fault.New(fault.Forbidden, "only an owner decides whether passwords of owners sign in").WithField("break_glass")
	}
	if err := s.store.SetAccess(ctx, a); err != nil {
		return fmt.Errorf("change access: %w", err)
	}
	s.log.InfoContext(ctx, "access changed", "sso_required", a.SSORequired, "break_glass", a.BreakGlass, "visibility", a.Visibility, "actor", v.Name)
	return nil
}

// IdentityProviders lists those of the viewer's organization, without their secrets.
func (s *Service) IdentityProviders(ctx context.Context) ([]tenant.IdentityProvider, error) {
	if _, err := admin(ctx); err != nil {
		return nil, err
	}
	return s.store.IdentityProviders(ctx)
}

// SetIdentityProvider makes an identity provider, or replaces that of the name, after asking its issuer for its settings. What may say who
// is an owner, owners alone set and change.
func (s *Service) SetIdentityProvider(ctx context.Context, p tenant.IdentityProvider) error {
	v, err := admin(ctx)
	if err != nil {
		return err
	}
	for i, d := range p.Domains {
		p.Domains[i] = strings.ToLower(strings.TrimSpace(d))
	}
	if err := p.Check(); err != nil {
		return err
	}
	if maps := slices.ContainsFunc(p.Roles, func(m tenant.Mapping) bool { return m.To == string(tenant.RoleOwner) }); maps && !p.Owners {
		return fault.New(fault.Invalid, "a group cannot stand for owners here").WithField("roles").
			WithHint("An owner has to allow first that this provider says who is an owner.")
	}
	allowed := func(old *tenant.IdentityProvider) error { return mayChange(v, old, p.Owners) }
	if _, err := s.issuer(ctx, p.Issuer); err != nil {
		return err
	}
	if err := s.store.SetIdentityProvider(ctx, p, allowed); err != nil {
		return fmt.Errorf("set identity provider %s: %w", p.Name, err)
	}
	s.log.InfoContext(ctx, "identity provider set", "provider", p.Name, "issuer", p.Issuer, "actor", v.Name)
	return nil
}

// mayChange refuses who would get an owner's rights by a provider of the own.
func mayChange(v tenant.Viewer, old *tenant.IdentityProvider, owners bool) error {
	if (owners || (old != nil && old.Owners)) && !v.Owner() {
		return fault.New(fault.Forbidden, "only an owner decides on a provider that says who is an owner").WithField("owners")
	}
	return nil
}

// DeleteIdentityProvider removes an identity provider. Who came by it stays a member.
func (s *Service) DeleteIdentityProvider(ctx context.Context, name string) error {
	v, err := admin(ctx)
	if err != nil {
		return err
	}
	if err := s.store.DeleteIdentityProvider(ctx, name, func(old *tenant.IdentityProvider) error { return mayChange(v, old, false) }); err != nil {
		return fmt.Errorf("delete identity provider %s: %w", name, err)
	}
	s.log.InfoContext(ctx, "identity provider deleted", "provider", name, "actor", v.Name)
	return nil
}

// TrustRules lists those of the viewer's organization.
func (s *Service) TrustRules(ctx context.Context) ([]tenant.TrustRule, error) {
	if _, err := admin(ctx); err != nil {
		return nil, err
	}
	return s.store.TrustRules(ctx)
}

// SetTrustRule makes a trust rule, or replaces that of the name. Nobody gives scopes that they have not.
func (s *Service) SetTrustRule(ctx context.Context, r tenant.TrustRule) error {
	v, err := admin(ctx)
	if err != nil {
		return err
	}
	if r.Lifetime == 0 {
		r.Lifetime = tenant.MaxExchanged
	}
	if len(r.Scopes) == 0 {
		r.Scopes = []tenant.Scope{tenant.ScopeRead, tenant.ScopeRun}
	}
	if err := r.Check(); err != nil {
		return err
	}
	for _, scope := range r.Scopes {
		if !v.Allows(scope) {
			return fault.New(fault.Forbidden, "you do not have the scope %q yourself", scope).WithField("scopes")
		}
	}
	if len(v.Limits.Workflows)+len(v.Limits.Environments) > 0 {
		return fault.New(fault.Forbidden, "a token that is limited makes no trust rules")
	}
	r.Maker = v.Person()
	if err := s.store.SetTrustRule(ctx, r); err != nil {
		return fmt.Errorf("set trust rule %s: %w", r.Name, err)
	}
	s.log.InfoContext(ctx, "trust rule set", "rule", r.Name, "issuer", r.Issuer, "actor", v.Name)
	return nil
}

// DeleteTrustRule removes a trust rule. Tokens that it made end with it.
func (s *Service) DeleteTrustRule(ctx context.Context, name string) error {
	v, err := admin(ctx)
	if err != nil {
		return err
	}
	if err := s.store.DeleteTrustRule(ctx, name); err != nil {
		return fmt.Errorf("delete trust rule %s: %w", name, err)
	}
	s.log.InfoContext(ctx, "trust rule deleted", "rule", name, "actor", v.Name)
	return nil
}
