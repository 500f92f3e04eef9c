package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const (
	tokenLife    = 90 * 24 * time.Hour
	maxTokenLife = 366 * 24 * time.Hour
)

// held returns the scopes that a viewer may use.
func held(v tenant.Viewer) []tenant.Scope {
	var out []tenant.Scope
	for _, s := range tenant.Scopes() {
		if v.Allows(s) {
			out = append(out, s)
		}
	}
	return out
}

// WhoAmI implements IdentityServiceHandler.
func (s *server) WhoAmI(ctx context.Context, _ *apiv1.WhoAmIRequest) (*apiv1.WhoAmIResponse, error) {
	v, _ := tenant.FromContext(ctx) // the interceptor put it there
	organization, team, err := s.Accounts.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("who am I: %w", err)
	}
	out := &apiv1.WhoAmIResponse{
		Organization: organization, Team: team, Subject: v.Name, Role: string(v.Role), ServerVersion: s.Version,
	}
	for _, scope := range held(v) {
		out.Scopes = append(out.Scopes, string(scope))
	}
	return out, nil
}

// CreateToken implements IdentityServiceHandler.
func (s *server) CreateToken(ctx context.Context, r *apiv1.CreateTokenRequest) (*apiv1.CreateTokenResponse, error) {
	v, _ := tenant.FromContext(ctx) // the interceptor put it there
	wanted := []tenant.Scope{tenant.ScopeRead, tenant.ScopeRun}
	if len(r.GetScopes()) > 0 {
		wanted = nil
	}
	for _, scope := range r.GetScopes() {
		wanted = append(wanted, tenant.Scope(scope))
	}
	for _, scope := range wanted {
		if !slices.Contains(tenant.Scopes(), scope) {
			return nil, fault.New(fault.Invalid, "there is no scope %q", scope).WithField("scopes").WithHint("Scopes: %q.", tenant.Scopes())
		}
		if !slices.Contains(held(v), scope) {
			return nil, fault.New(fault.Forbidden, "%s cannot give the scope %q", v.Name, scope).WithField("scopes").
				WithHint("Scopes you can give: %q.", held(v))
		}
	}
	life := tokenLife
	if r.GetLifetime() != nil {
		life = r.GetLifetime().AsDuration()
	}
	switch {
	case life == 0:
		life = tokenLife
	case life < 0 || life > maxTokenLife:
		return nil, fault.New(fault.Invalid, "a token lives at most %d days", int(maxTokenLife.Hours()/24)).WithField("lifetime")
	}
	secret, made, err := s.Accounts.CreateToken(ctx, tenant.NewToken{
		Team: r.GetTeam(), Name: r.GetName(), Scopes: wanted, Lifetime: life,
		Limits: tenant.Limits{Workflows: r.GetWorkflows(), Environments: r.GetEnvironments()},
	})
	if err != nil {
		return nil, fmt.Errorf("create token: %w", err)
	}
	return &apiv1.CreateTokenResponse{Token: secret, ExpiresAt: timeOf(made.ExpiresAt)}, nil
}

// ListTokens implements IdentityServiceHandler.
func (s *server) ListTokens(ctx context.Context, _ *apiv1.ListTokensRequest) (*apiv1.ListTokensResponse, error) {
	list, err := s.Accounts.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	out := &apiv1.ListTokensResponse{}
	for _, t := range list {
		token := &apiv1.Token{
			Id: t.ID.String(), Name: t.Name, Team: t.TeamName, Hint: t.Hint, Workflows: t.Limits.Workflows, Environments: t.Limits.Environments,
			Maker: t.Maker, CreatedAt: timeOf(t.CreatedAt), ExpiresAt: timeOf(t.ExpiresAt), LastUsedAt: timeOf(t.LastUsedAt),
		}
		for _, scope := range t.Scopes {
			token.Scopes = append(token.Scopes, string(scope))
		}
		if t.Member != nil {
			token.Member = t.Member.Email
		}
		out.Tokens = append(out.Tokens, token)
	}
	return out, nil
}

// RevokeToken implements IdentityServiceHandler.
func (s *server) RevokeToken(ctx context.Context, r *apiv1.RevokeTokenRequest) (*apiv1.RevokeTokenResponse, error) {
	id, err := idOf(r.GetId(), "id")
	if err != nil {
		return nil, err
	}
	if err := s.Accounts.RevokeToken(ctx, id); err != nil {
		return nil, fmt.Errorf("revoke token: %w", err)
	}
	return &apiv1.RevokeTokenResponse{}, nil
}

// SignIn implements IdentityServiceHandler.
func (s *server) SignIn(ctx context.Context, r *apiv1.SignInRequest) (*apiv1.SignInResponse, error) {
	remote := ""
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		remote = hostOf(info.Peer().Addr)
	}
	v, err := s.Accounts.SignIn(ctx, tenant.Entry{Email: r.GetEmail(), Password: r.GetPassword(), Code: r.GetCode(), Remote: remote})
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	ctx = tenant.WithViewer(ctx, v)
	name := r.GetTokenName()
	if name == "" {
		name = "seatrial login of " + v.Name
	}
	secret, made, err := s.Accounts.CreateToken(ctx, tenant.NewToken{Name: name, Scopes: held(v), Lifetime: tokenLife, Personal: true})
	if err != nil {
		return nil, fmt.Errorf("sign in: make token: %w", err)
	}
	organization, _, err := s.Accounts.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	return &apiv1.SignInResponse{Token: secret, ExpiresAt: timeOf(made.ExpiresAt), Organization: organization}, nil
}
