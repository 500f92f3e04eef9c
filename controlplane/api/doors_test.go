package api_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/federate"
	"github.com/seatrial/seatrial/controlplane/tenant"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// doors are how people and pipelines get into a world.
type doors struct{ *world }

func (d doors) did(ctx context.Context, what string) error { return folk(d).did(ctx, what) }

func (d doors) Access(ctx context.Context) (tenant.Access, error) {
	return tenant.Access{SSORequired: true, BreakGlass: true, Visibility: tenant.VisibleAll}, d.check(ctx)
}

func (d doors) SetAccess(ctx context.Context, a tenant.Access) error {
	what := "visibility " + string(a.Visibility)
	if a.SSORequired {
		what += ", sso"
	}
	if a.BreakGlass {
		what += ", break glass"
	}
	return d.did(ctx, what)
}

func (d doors) IdentityProviders(ctx context.Context) ([]tenant.IdentityProvider, error) {
	return []tenant.IdentityProvider{{
		Name: "corporate", Issuer: "https://login.test", ClientSecret: "hush", SecretKept: true, Teams: []tenant.Mapping{{Group: "g", To: "qa"}},
	}}, d.check(ctx)
}

func (d doors) SetIdentityProvider(ctx context.Context, p tenant.IdentityProvider) error {
	return d.did(ctx, "provider "+p.Name+" "+p.Issuer+" "+p.ClientSecret+" "+p.Roles[0].Group)
}

func (d doors) DeleteIdentityProvider(ctx context.Context, name string) error {
	return d.did(ctx, "delete provider "+name)
}

func (d doors) TrustRules(ctx context.Context) ([]tenant.TrustRule, error) {
	return []tenant.TrustRule{{Name: "ci", Lifetime: time.Hour, Conditions: []tenant.Condition{{Claim: "ref", Patterns: []string{"main"}}}}}, d.check(ctx)
}

func (d doors) SetTrustRule(ctx context.Context, r tenant.TrustRule) error {
	return d.did(ctx, "rule "+r.Name+" for "+r.Audience+" "+r.Conditions[0].Claim+" "+r.Lifetime.String())
}

func (d doors) DeleteTrustRule(ctx context.Context, name string) error {
	return d.did(ctx, "delete rule "+name)
}

func (d doors) Exchange(_ context.Context, x federate.Exchange) (string, tenant.Token, error) {
	if x.Token != "theirs" || x.Remote == "" {
		return "", tenant.Token{}, fault.New(fault.Unauthenticated, "no trust rule takes this token")
	}
	return "st_new", tenant.Token{TeamName: "qa", Scopes: []tenant.Scope{tenant.ScopeRun}, ExpiresAt: time.Unix(9, 0)}, nil
}

func doorCalls() map[string]call {
	return map[string]call{
		"GetAccess": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.access.GetAccess(ctx, &apiv1.GetAccessRequest{})
			return err
		}},
		"SetAccess": {"admin", func(ctx context.Context, b *bench) error {
			teams := "teams"
			_, err := b.access.SetAccess(ctx, &apiv1.SetAccessRequest{Visibility: &teams})
			return err
		}},
		"ListIdentityProviders": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.access.ListIdentityProviders(ctx, &apiv1.ListIdentityProvidersRequest{})
			return err
		}},
		"SetIdentityProvider": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.access.SetIdentityProvider(ctx, &apiv1.SetIdentityProviderRequest{
				Provider: &apiv1.IdentityProvider{Name: "corporate", Issuer: "https://login.test", Roles: []*apiv1.GroupMapping{{Group: "leads", To: "admin"}}}, ClientSecret: "hush",
			})
			return err
		}},
		"DeleteIdentityProvider": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.access.DeleteIdentityProvider(ctx, &apiv1.DeleteIdentityProviderRequest{Name: "corporate"})
			return err
		}},
		"ListTrustRules": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.access.ListTrustRules(ctx, &apiv1.ListTrustRulesRequest{})
			return err
		}},
		"SetTrustRule": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.access.SetTrustRule(ctx, &apiv1.SetTrustRuleRequest{Rule: &apiv1.TrustRule{
				Name: "ci", Claims: []*apiv1.ClaimCondition{{Claim: "ref", Values: []string{"main"}}}, Lifetime: durationpb.New(time.Minute),
			}})
			return err
		}},
		"DeleteTrustRule": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.access.DeleteTrustRule(ctx, &apiv1.DeleteTrustRuleRequest{Name: "ci"})
			return err
		}},
	}
}

func TestAccess_Calls(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	for _, name := range []string{"SetAccess", "SetIdentityProvider", "DeleteIdentityProvider", "SetTrustRule", "DeleteTrustRule"} {
		if err := doorCalls()[name].do(t.Context(), b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := []string{
		"visibility teams, sso, break glass", "provider corporate https://login.test hush leads", "delete provider corporate",
		"rule ci for https://seatrial.test ref 1m0s", "delete rule ci",
	}
	if !slices.Equal(b.world.done, want) {
		t.Errorf("done %q, want %q", b.world.done, want)
	}
	list, err := b.access.ListIdentityProviders(t.Context(), &apiv1.ListIdentityProvidersRequest{})
	if err != nil || list.GetProviders()[0].GetRedirectUrl() == "" || !list.GetProviders()[0].GetSecretKept() {
		t.Errorf("%v, %v", list, err)
	}
}

func TestIdentity_ExchangeToken(t *testing.T) {
	t.Parallel()
	b := setup(t, "", api.Timing{}) // no other credential is needed
	res, err := b.identity.ExchangeToken(t.Context(), &apiv1.ExchangeTokenRequest{Organization: "acme", Token: "theirs"})
	if err != nil || res.GetToken() != "st_new" || res.GetTeam() != "qa" || !slices.Equal(res.GetScopes(), []string{"run"}) {
		t.Errorf("%v, %v", res, err)
	}
	if _, err := b.identity.ExchangeToken(t.Context(), &apiv1.ExchangeTokenRequest{Organization: "acme", Token: "forged"}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("a token that nobody trusts: %v", err)
	}
}
