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

func scopes() []tenant.Scope {
	return []tenant.Scope{tenant.ScopeRead, tenant.ScopeRun, tenant.ScopeCatalog, tenant.ScopeRelease, tenant.ScopeAdmin}
}

// held returns the scopes that a viewer may use.
func held(v tenant.Viewer) []tenant.Scope {
	var out []tenant.Scope
	for _, s := range scopes() {
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
		if !slices.Contains(held(v), scope) {
			return nil, fault.New(fault.Invalid, "%s cannot give the scope %q", v.Name, scope).WithField("scopes").
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
	token, expires, err := s.Accounts.CreateToken(ctx, r.GetTeam(), r.GetName(), wanted, life)
	if err != nil {
		return nil, fmt.Errorf("create token: %w", err)
	}
	return &apiv1.CreateTokenResponse{Token: token, ExpiresAt: timeOf(expires)}, nil
}

// SignIn implements IdentityServiceHandler.
func (s *server) SignIn(ctx context.Context, r *apiv1.SignInRequest) (*apiv1.SignInResponse, error) {
	remote := ""
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		remote = hostOf(info.Peer().Addr)
	}
	v, err := s.Accounts.SignIn(ctx, r.GetEmail(), r.GetPassword(), remote)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	ctx = tenant.WithViewer(ctx, v)
	name := r.GetTokenName()
	if name == "" {
		name = "seatrial login of " + v.Name
	}
	token, expires, err := s.Accounts.CreateToken(ctx, "", name, held(v), tokenLife)
	if err != nil {
		return nil, fmt.Errorf("sign in: make token: %w", err)
	}
	organization, _, err := s.Accounts.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	return &apiv1.SignInResponse{Token: token, ExpiresAt: timeOf(expires), Organization: organization}, nil
}
