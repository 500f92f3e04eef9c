package api

import (
	"context"
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/federate"
	"github.com/seatrial/seatrial/controlplane/tenant"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// Access keeps how the viewer's organization lets people and pipelines in. Implemented by federate.
type Access interface {
	Access(ctx context.Context) (tenant.Access, error)
	SetAccess(ctx context.Context, a tenant.Access) error
	IdentityProviders(ctx context.Context) ([]tenant.IdentityProvider, error)
	SetIdentityProvider(ctx context.Context, p tenant.IdentityProvider) error
	DeleteIdentityProvider(ctx context.Context, name string) error
	TrustRules(ctx context.Context) ([]tenant.TrustRule, error)
	SetTrustRule(ctx context.Context, r tenant.TrustRule) error
	DeleteTrustRule(ctx context.Context, name string) error
	// Exchange returns a token for that of a pipeline. It needs no viewer.
	Exchange(ctx context.Context, x federate.Exchange) (secret string, made tenant.Token, err error)
}

// ExchangeToken implements IdentityServiceHandler.
func (s *server) ExchangeToken(ctx context.Context, r *apiv1.ExchangeTokenRequest) (*apiv1.ExchangeTokenResponse, error) {
	remote := ""
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		remote = hostOf(info.Peer().Addr)
	}
	secret, made, err := s.Access.Exchange(ctx, federate.Exchange{Organization: r.GetOrganization(), Rule: r.GetRule(), Token: r.GetToken(), Remote: remote})
	if err != nil {
		return nil, fmt.Errorf("exchange token: %w", err)
	}
	return &apiv1.ExchangeTokenResponse{Token: secret, ExpiresAt: timeOf(made.ExpiresAt), Scopes: scopeNames(made.Scopes), Team: made.TeamName}, nil
}

func scopeNames(scopes []tenant.Scope) []string {
	out := make([]string, len(scopes))
	for i, scope := range scopes {
		out[i] = string(scope)
	}
	return out
}

// GetAccess implements AccessServiceHandler.
func (s *server) GetAccess(ctx context.Context, _ *apiv1.GetAccessRequest) (*apiv1.GetAccessResponse, error) {
	a, err := s.Access.Access(ctx)
	if err != nil {
		return nil, fmt.Errorf("get access: %w", err)
	}
	return &apiv1.GetAccessResponse{Access: accessOf(a)}, nil
}

func accessOf(a tenant.Access) *apiv1.Access {
	return &apiv1.Access{SsoRequired: a.SSORequired, BreakGlass: a.BreakGlass, Visibility: string(a.Visibility)}
}

// SetAccess implements AccessServiceHandler.
func (s *server) SetAccess(ctx context.Context, r *apiv1.SetAccessRequest) (*apiv1.SetAccessResponse, error) {
	a, err := s.Access.Access(ctx)
	if err != nil {
		return nil, fmt.Errorf("set access: %w", err)
	}
	if r.SsoRequired != nil {
		a.SSORequired = r.GetSsoRequired()
	}
	if r.BreakGlass != nil {
		a.BreakGlass = r.GetBreakGlass()
	}
	if r.Visibility != nil {
		a.Visibility = tenant.Visibility(r.GetVisibility())
	}
	if err := s.Access.SetAccess(ctx, a); err != nil {
		return nil, fmt.Errorf("set access: %w", err)
	}
	return &apiv1.SetAccessResponse{Access: accessOf(a)}, nil
}

// ListIdentityProviders implements AccessServiceHandler.
func (s *server) ListIdentityProviders(ctx context.Context, _ *apiv1.ListIdentityProvidersRequest) (*apiv1.ListIdentityProvidersResponse, error) {
	list, err := s.Access.IdentityProviders(ctx)
	if err != nil {
		return nil, fmt.Errorf("list identity providers: %w", err)
	}
	organization, _, err := s.Accounts.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("list identity providers: %w", err)
	}
	out := &apiv1.ListIdentityProvidersResponse{}
	for _, p := range list {
		out.Providers = append(out.Providers, s.providerOf(p, organization))
	}
	return out, nil
}

func (s *server) providerOf(p tenant.IdentityProvider, organization string) *apiv1.IdentityProvider {
	return &apiv1.IdentityProvider{
		Name: p.Name, Issuer: p.Issuer, ClientId: p.ClientID, SecretKept: p.SecretKept, Domains: p.Domains, Scopes: p.Scopes, GroupsClaim: p.GroupsClaim,
		Teams: mappingsOf(p.Teams), Roles: mappingsOf(p.Roles), DefaultRole: string(p.DefaultRole), DefaultTeam: p.DefaultTeam, TrustEmail: p.TrustEmail,
		Owners: p.Owners, RedirectUrl: s.PublicURL + federate.CallbackPath(organization, p.Name),
	}
}

func mappingsOf(list []tenant.Mapping) (out []*apiv1.GroupMapping) {
	for _, m := range list {
		out = append(out, &apiv1.GroupMapping{Group: m.Group, To: m.To})
	}
	return out
}

func mappingsFrom(list []*apiv1.GroupMapping) (out []tenant.Mapping) {
	for _, m := range list {
		out = append(out, tenant.Mapping{Group: m.GetGroup(), To: m.GetTo()})
	}
	return out
}

// SetIdentityProvider implements AccessServiceHandler.
func (s *server) SetIdentityProvider(ctx context.Context, r *apiv1.SetIdentityProviderRequest) (*apiv1.SetIdentityProviderResponse, error) {
	of := r.GetProvider()
	p := tenant.IdentityProvider{
		Name: of.GetName(), Issuer: of.GetIssuer(), ClientID: of.GetClientId(), ClientSecret: r.GetClientSecret(), Domains: of.GetDomains(),
		Scopes: of.GetScopes(), GroupsClaim: of.GetGroupsClaim(), Teams: mappingsFrom(of.GetTeams()), Roles: mappingsFrom(of.GetRoles()),
		DefaultRole: tenant.Role(of.GetDefaultRole()), DefaultTeam: of.GetDefaultTeam(), TrustEmail: of.GetTrustEmail(), Owners: of.GetOwners(),
	}
	if err := s.Access.SetIdentityProvider(ctx, p); err != nil {
		return nil, fmt.Errorf("set identity provider: %w", err)
	}
	organization, _, err := s.Accounts.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("set identity provider: %w", err)
	}
	p.SecretKept = p.ClientSecret != "" || of.GetSecretKept()
	return &apiv1.SetIdentityProviderResponse{Provider: s.providerOf(p, organization)}, nil
}

// DeleteIdentityProvider implements AccessServiceHandler.
func (s *server) DeleteIdentityProvider(ctx context.Context, r *apiv1.DeleteIdentityProviderRequest) (*apiv1.DeleteIdentityProviderResponse, error) {
	return &apiv1.DeleteIdentityProviderResponse{}, s.Access.DeleteIdentityProvider(ctx, r.GetName())
}

// ListTrustRules implements AccessServiceHandler.
func (s *server) ListTrustRules(ctx context.Context, _ *apiv1.ListTrustRulesRequest) (*apiv1.ListTrustRulesResponse, error) {
	list, err := s.Access.TrustRules(ctx)
	if err != nil {
		return nil, fmt.Errorf("list trust rules: %w", err)
	}
	out := &apiv1.ListTrustRulesResponse{}
	for _, r := range list {
		rule := &apiv1.TrustRule{
			Name: r.Name, Team: r.Team.Name, Issuer: r.Issuer, Audience: r.Audience, Scopes: scopeNames(r.Scopes), Workflows: r.Limits.Workflows,
			Environments: r.Limits.Environments, Lifetime: durationpb.New(r.Lifetime), Maker: r.Maker, UsedAt: timeOf(r.UsedAt),
		}
		for _, c := range r.Conditions {
			rule.Claims = append(rule.Claims, &apiv1.ClaimCondition{Claim: c.Claim, Values: c.Patterns})
		}
		out.Rules = append(out.Rules, rule)
	}
	return out, nil
}

// SetTrustRule implements AccessServiceHandler. Without an audience it is the address of this control plane.
func (s *server) SetTrustRule(ctx context.Context, r *apiv1.SetTrustRuleRequest) (*apiv1.SetTrustRuleResponse, error) {
	of := r.GetRule()
	rule := tenant.TrustRule{
		Name: of.GetName(), Team: tenant.TeamRef{Name: of.GetTeam()}, Issuer: of.GetIssuer(), Audience: of.GetAudience(), Lifetime: of.GetLifetime().AsDuration(),
		Limits: tenant.Limits{Workflows: of.GetWorkflows(), Environments: of.GetEnvironments()},
	}
	if rule.Audience == "" {
		rule.Audience = s.PublicURL
	}
	for _, scope := range of.GetScopes() {
		rule.Scopes = append(rule.Scopes, tenant.Scope(scope))
	}
	for _, c := range of.GetClaims() {
		rule.Conditions = append(rule.Conditions, tenant.Condition{Claim: c.GetClaim(), Patterns: c.GetValues()})
	}
	return &apiv1.SetTrustRuleResponse{}, s.Access.SetTrustRule(ctx, rule)
}

// DeleteTrustRule implements AccessServiceHandler.
func (s *server) DeleteTrustRule(ctx context.Context, r *apiv1.DeleteTrustRuleRequest) (*apiv1.DeleteTrustRuleResponse, error) {
	return &apiv1.DeleteTrustRuleResponse{}, s.Access.DeleteTrustRule(ctx, r.GetName())
}
