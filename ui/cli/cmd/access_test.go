package cmd_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

// doors is how people and pipelines get into the organization.
type doors struct {
	apiv1connect.UnimplementedAccessServiceHandler
}

func (doors) GetAccess(context.Context, *apiv1.GetAccessRequest) (*apiv1.GetAccessResponse, error) {
	return &apiv1.GetAccessResponse{Access: &apiv1.Access{BreakGlass: true, Visibility: "all"}}, nil
}

func (doors) SetAccess(_ context.Context, r *apiv1.SetAccessRequest) (*apiv1.SetAccessResponse, error) {
	return &apiv1.SetAccessResponse{Access: &apiv1.Access{SsoRequired: r.GetSsoRequired(), BreakGlass: r.BreakGlass == nil || r.GetBreakGlass(), Visibility: "all"}}, nil
}

func (doors) ListIdentityProviders(context.Context, *apiv1.ListIdentityProvidersRequest) (*apiv1.ListIdentityProvidersResponse, error) {
	return &apiv1.ListIdentityProvidersResponse{Providers: []*apiv1.IdentityProvider{{
		Name: "corporate", Issuer: "https://login.acme.example", ClientId: "seatrial", Domains: []string{"acme.example"}, Teams: []*apiv1.GroupMapping{{Group: "pay", To: "payments"}},
		RedirectUrl: "https://seatrial.test/login/sso/acme/corporate/callback",
	}}}, nil
}

func (doors) SetIdentityProvider(_ context.Context, r *apiv1.SetIdentityProviderRequest) (*apiv1.SetIdentityProviderResponse, error) {
	p := r.GetProvider()
	if r.GetClientSecret() != "hush" || p.GetTeams()[0].GetGroup() != "cn=pay" || p.GetRoles()[0].GetTo() != "admin" {
		return nil, connect.NewError(connect.CodeInvalidArgument, textError("not what was meant"))
	}
	p.RedirectUrl = "https://seatrial.test/login/sso/acme/" + p.GetName() + "/callback"
	return &apiv1.SetIdentityProviderResponse{Provider: p}, nil
}

func (doors) DeleteIdentityProvider(context.Context, *apiv1.DeleteIdentityProviderRequest) (*apiv1.DeleteIdentityProviderResponse, error) {
	return &apiv1.DeleteIdentityProviderResponse{}, nil
}

func (doors) ListTrustRules(context.Context, *apiv1.ListTrustRulesRequest) (*apiv1.ListTrustRulesResponse, error) {
	return &apiv1.ListTrustRulesResponse{Rules: []*apiv1.TrustRule{{
		Name: "ci", Team: "payments", Issuer: "https://gitlab.com", Audience: "https://seatrial.test", Scopes: []string{"read", "run"}, Lifetime: durationpb.New(time.Hour),
		Claims: []*apiv1.ClaimCondition{{Claim: "project_path", Values: []string{"acme/shop", "acme/cart"}}}, UsedAt: instant(0),
	}}}, nil
}

func (doors) SetTrustRule(_ context.Context, r *apiv1.SetTrustRuleRequest) (*apiv1.SetTrustRuleResponse, error) {
	if rule := r.GetRule(); rule.GetIssuer() != "https://token.actions.githubusercontent.com" || len(rule.GetClaims()) != 2 || rule.GetClaims()[1].GetValues()[1] != "refs/tags/*" {
		return nil, connect.NewError(connect.CodeInvalidArgument, textError("not what was meant"))
	}
	return &apiv1.SetTrustRuleResponse{}, nil
}

func (doors) DeleteTrustRule(context.Context, *apiv1.DeleteTrustRuleRequest) (*apiv1.DeleteTrustRuleResponse, error) {
	return &apiv1.DeleteTrustRuleResponse{}, nil
}

func (p *plane) ExchangeToken(_ context.Context, r *apiv1.ExchangeTokenRequest) (*apiv1.ExchangeTokenResponse, error) {
	if r.GetToken() == "forged" {
		return nil, connect.NewError(connect.CodeUnauthenticated, textError("no trust rule of the organization takes this token"))
	}
	token := "st_for " + r.GetOrganization() + " " + r.GetToken()
	if r.GetRule() != "" {
		token += " by " + r.GetRule()
	}
	return &apiv1.ExchangeTokenResponse{Token: token, ExpiresAt: instant(0), Team: "payments"}, nil
}

func TestAccess(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.env["OIDC_SECRET"] = "hush"
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"Show":      {[]string{"access", "show"}, exitcode.Passed, "break-glass"},
		"Set":       {[]string{"access", "set", "--sso-required"}, exitcode.Passed, "Single sign-on required: true. Passwords of owners still sign in: true."},
		"List":      {[]string{"sso", "list"}, exitcode.Passed, "https://seatrial.test/login/sso/acme/corporate/callback"},
		"Provider":  {[]string{"sso", "set", "okta", "--issuer", "https://okta.example", "--client-id", "c", "--client-secret-env", "OIDC_SECRET", "--team", "cn=pay=payments", "--role", "leads=admin"}, exitcode.Passed, "sso/acme/okta/callback"},
		"NoSecret":  {[]string{"sso", "set", "okta", "--issuer", "https://okta.example", "--client-id", "c", "--client-secret-env", "EMPTY"}, exitcode.Usage, "EMPTY: the variable is empty"},
		"NoMapping": {[]string{"sso", "set", "okta", "--issuer", "https://okta.example", "--client-id", "c", "--team", "pay"}, exitcode.Usage, "GROUP=NAME"},
		"Remove":    {[]string{"sso", "delete", "okta"}, exitcode.Passed, "removed"},
		"Rules":     {[]string{"trust", "list"}, exitcode.Passed, "project_path=acme/shop|acme/cart"},
		"Rule":      {[]string{"trust", "set", "ci", "--issuer", "github", "--claim", "repository=acme/shop", "--claim", "ref=refs/heads/main|refs/tags/*"}, exitcode.Passed, "seatrial login --ci"},
		"NoClaim":   {[]string{"trust", "set", "ci", "--issuer", "github", "--claim", "repository"}, exitcode.Usage, "CLAIM=VALUE"},
		"RuleGone":  {[]string{"trust", "delete", "ci"}, exitcode.Passed, "removed"},
	} {
		r := s.run(t, tc.args...)
		if r.code != tc.code || !strings.Contains(r.out+r.err, tc.want) {
			t.Errorf("%s: exit code %d, output:\n%s%s", name, r.code, r.out, r.err)
		}
	}
}

// actions answers as GitHub does when a job asks for a token.
func actions(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer runner-secret" || r.URL.Query().Get("api-version") != "2.0" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"count": 1, "value": "token for " + r.URL.Query().Get("audience")})
	}))
	t.Cleanup(server.Close)
	return server.URL + "/token?api-version=2.0"
}

func TestExchange(t *testing.T) {
	t.Parallel()
	url := actions(t)
	for name, tc := range map[string]struct {
		env  map[string]string
		args []string
		code int
		want string
	}{
		"GitLab":   {map[string]string{"SEATRIAL_ID_TOKEN": "of gitlab", "SEATRIAL_ORGANIZATION": "acme"}, []string{"token", "exchange"}, exitcode.Passed, "st_for acme of gitlab"},
		"Variable": {map[string]string{"MY_TOKEN": "mine"}, []string{"token", "exchange", "--organization", "acme", "--id-token-env", "MY_TOKEN", "--rule", "r"}, exitcode.Passed, "st_for acme mine by r"},
		"GitHub": {
			map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner-secret"},
			[]string{"token", "exchange", "--organization", "acme", "--audience", "https://a.test"},
			exitcode.Passed, "st_for acme token for https://a.test",
		},
		"NoPermission":   {map[string]string{"GITHUB_ACTIONS": "true"}, []string{"token", "exchange", "--organization", "acme"}, exitcode.Usage, "id-token: write"},
		"NotDeclared":    {map[string]string{"GITLAB_CI": "true"}, []string{"token", "exchange", "--organization", "acme"}, exitcode.Usage, "id_tokens"},
		"Nowhere":        {nil, []string{"token", "exchange", "--organization", "acme"}, exitcode.Usage, "no token of a pipeline"},
		"NoOrganization": {map[string]string{"SEATRIAL_ID_TOKEN": "x"}, []string{"token", "exchange"}, exitcode.Usage, "--organization"},
		"WrongBearer":    {map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x"}, []string{"token", "exchange", "--organization", "acme"}, exitcode.Usage, "401"},
		"Refused":        {map[string]string{"SEATRIAL_ID_TOKEN": "forged", "SEATRIAL_ORGANIZATION": "acme"}, []string{"token", "exchange"}, exitcode.Errored, "no trust rule"},
		"Login":          {map[string]string{"SEATRIAL_ID_TOKEN": "of gitlab"}, []string{"login", "--ci", "--organization", "acme"}, exitcode.Passed, "Logged in"},
		"BothWays":       {map[string]string{"SEATRIAL_ID_TOKEN": "of gitlab"}, []string{"login", "--ci", "--token", "st_x"}, exitcode.Usage, "give one of them"},
	} {
		s := setup(t)
		for k, v := range tc.env {
			s.env[k] = v
		}
		r := s.run(t, tc.args...)
		if r.code != tc.code || !strings.Contains(r.out+r.err, tc.want) || strings.Contains(r.out+r.err, "runner-secret") {
			t.Errorf("%s: exit code %d, output:\n%s%s", name, r.code, r.out, r.err)
		}
	}
}
