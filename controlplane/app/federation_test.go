package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// issuer is the identity provider of a pipeline: it serves its settings and its keys.
type issuer struct {
	url   string
	rsa   *rsa.PrivateKey
	ec    *ecdsa.PrivateKey
	asked atomic.Int64 // for its keys
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	var err error
	i.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	worked(t, err)
	i.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	worked(t, err)
	b64 := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.url, "jwks_uri": i.url + "/keys", "authorization_endpoint": i.url + "/auth", "token_endpoint": i.url + "/token",
			"id_token_signing_alg_values_supported": []string{"RS256", "ES256", "HS256", "none"}, // what it offers does not count
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{
			{"kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256", "n": b64(i.rsa.N.Bytes()), "e": b64(big.NewInt(int64(i.rsa.E)).Bytes())},
			{"kty": "EC", "kid": "e", "use": "sig", "crv": "P-256", "x": b64(i.ec.X.FillBytes(make([]byte, 32))), "y": b64(i.ec.Y.FillBytes(make([]byte, 32)))},
		}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// sign makes a token with a method and a key.
func (i *issuer) sign(t *testing.T, method jwt.SigningMethod, kid string, key any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = kid
	out, err := token.SignedString(key)
	worked(t, err)
	return out
}

// github are the claims of a token of GitHub Actions, as its documentation shows them.
func (i *issuer) github(audience string) jwt.MapClaims {
	now := time.Now()
	return jwt.MapClaims{
		"jti": "b6a7f7a1", "sub": "repo:octo-org/octo-repo:environment:prod", "environment": "prod", "aud": audience, "ref": "refs/heads/main",
		"sha": "5a4c0ffee", "repository": "octo-org/octo-repo", "repository_owner": "octo-org", "actor_id": "12", "repository_visibility": "private",
		"repository_id": "74", "repository_owner_id": "65", "run_id": "5567", "run_number": "10", "run_attempt": "2", "runner_environment": "github-hosted",
		"actor": "octocat", "workflow": "example-workflow", "head_ref": "", "base_ref": "", "event_name": "workflow_dispatch", "ref_type": "branch",
		"ref_protected": "true", "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main", "iss": i.url,
		"nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(),
	}
}

// gitlab are the claims of an id token of GitLab, as its documentation shows them.
func (i *issuer) gitlab(audience string) jwt.MapClaims {
	now := time.Now()
	return jwt.MapClaims{
		"namespace_id": "72", "namespace_path": "my-group", "project_id": "20", "project_path": "my-group/my-project", "user_id": "1", "user_login": "sample-user",
		"user_email": "sample-user@example.com", "pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "feature-branch-1", "ref_type": "branch",
		"ref_path": "refs/heads/feature-branch-1", "ref_protected": "false", "groups_direct": []string{"mygroup/mysubgroup", "myothergroup/myothersubgroup"},
		"environment": "test-environment2", "environment_protected": "false", "deployment_tier": "testing", "runner_id": 1, "runner_environment": "self-hosted",
		"sha": "714a629c", "project_visibility": "public", "iss": i.url, "sub": "project_path:my-group/my-project:ref_type:branch:ref:feature-branch-1",
		"aud": []string{audience, "https://vault.example"}, "iat": now.Unix(), "nbf": now.Add(-5 * time.Second).Unix(), "exp": now.Add(time.Hour).Unix(), "jti": "235b3a54",
	}
}

const audience = "https://seatrial.example"

// exchanging is a program with trust rules for pipelines of an issuer.
type exchanging struct {
	*federated
	*issuer
	identity apiv1connect.IdentityServiceClient
}

func newExchanging(t *testing.T) *exchanging {
	t.Helper()
	p := start(t, t.TempDir(), "--outbound-allow", "127.0.0.0/8")
	c := p.clients(p.token)
	f := &federated{
		program: p, access: apiv1connect.NewAccessServiceClient(c.http, p.url), people: apiv1connect.NewPeopleServiceClient(c.http, p.url),
		audit: apiv1connect.NewAuditServiceClient(c.http, p.url),
	}
	x := &exchanging{f, newIssuer(t), apiv1connect.NewIdentityServiceClient(http.DefaultClient, p.url)}
	_, err := x.people.CreateTeam(t.Context(), &apiv1.CreateTeamRequest{Name: "payments"})
	worked(t, err)
	x.rule(t, "github", "read,run", "repository=octo-org/octo-repo", "ref=refs/heads/main|refs/heads/release/*", "environment=prod")
	x.rule(t, "gitlab", "read,run,release", "project_path=my-group/*", "groups_direct=mygroup/**")
	return x
}

func (x *exchanging) rule(t *testing.T, name, scopes string, claims ...string) {
	t.Helper()
	r := &apiv1.TrustRule{
		Name: name, Team: "payments", Issuer: x.url, Audience: audience, Scopes: strings.Split(scopes, ","), Workflows: []string{"checkout*"},
		Lifetime: durationpb.New(10 * time.Minute),
	}
	for _, text := range claims {
		claim, values, _ := strings.Cut(text, "=")
		r.Claims = append(r.Claims, &apiv1.ClaimCondition{Claim: claim, Values: strings.Split(values, "|")})
	}
	_, err := x.access.SetTrustRule(t.Context(), &apiv1.SetTrustRuleRequest{Rule: r})
	worked(t, err)
}

func (x *exchanging) exchange(t *testing.T, token string) (*apiv1.ExchangeTokenResponse, error) {
	t.Helper()
	return x.identity.ExchangeToken(t.Context(), &apiv1.ExchangeTokenRequest{Organization: "default", Token: token})
}

// The tokens of real pipelines, as documented, are exchanged for tokens of the team with the scopes and limits of the rule.
func TestRun_ExchangeToken(t *testing.T) {
	t.Parallel()
	x := newExchanging(t)
	_, err := x.clients(x.token).workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: strings.Replace(document, "name: checkout", "name: other", 1)})
	worked(t, err)
	tests := map[string]struct {
		token  string
		scopes []string
	}{
		"GitHub": {x.sign(t, jwt.SigningMethodRS256, "r", x.rsa, x.github(audience)), []string{"read", "run"}},
		"GitLab": {x.sign(t, jwt.SigningMethodRS256, "r", x.rsa, x.gitlab(audience)), []string{"read", "run", "release"}},
		"ECDSA":  {x.sign(t, jwt.SigningMethodES256, "e", x.ec, x.github(audience)), []string{"read", "run"}},
	}
	for name, tc := range tests {
		got, err := x.exchange(t, tc.token)
		if err != nil || got.GetTeam() != "payments" || !slices.Equal(got.GetScopes(), tc.scopes) {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
		if left := time.Until(got.GetExpiresAt().AsTime()); left > 10*time.Minute || left < 9*time.Minute {
			t.Errorf("%s: it lives %s", name, left)
		}
		c := x.clients(got.GetToken())
		who, err := apiv1connect.NewIdentityServiceClient(c.http, x.program.url).WhoAmI(t.Context(), &apiv1.WhoAmIRequest{})
		if err != nil || who.GetTeam() != "payments" || !slices.Equal(who.GetScopes(), tc.scopes) || !strings.Contains(who.GetSubject(), ":") {
			t.Errorf("%s: %v, %v", name, who, err)
		}
		if _, err := c.executions.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{Workflow: "other"}); connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Errorf("%s: a workflow that the rule does not name: %v", name, err)
		}
		if _, err := c.executions.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{Workflow: "checkout"}); connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("%s: a workflow that the rule names, and there is not: %v", name, err)
		}
		if _, err := apiv1connect.NewAccessServiceClient(c.http, x.program.url).ListTrustRules(t.Context(), &apiv1.ListTrustRulesRequest{}); connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Errorf("%s: it administers: %v", name, err)
		}
	}
	got, err := x.exchange(t, tests["GitHub"].token)
	worked(t, err)
	_, err = x.access.DeleteTrustRule(t.Context(), &apiv1.DeleteTrustRuleRequest{Name: "github"})
	worked(t, err)
	if _, err := x.clients(got.GetToken()).workflows.ListWorkflows(t.Context(), &apiv1.ListWorkflowsRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("a token outlives its rule: %v", err)
	}
	if _, err := x.exchange(t, tests["GitHub"].token); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("the rule is gone: %v", err)
	}
}

// Whatever is wrong with a token, the answer is the same, and the record of the organization has the reason.
func TestRun_ExchangeTokenRefused(t *testing.T) {
	t.Parallel()
	x := newExchanging(t)
	with := func(change jwt.MapClaims) jwt.MapClaims {
		c := x.github(audience)
		maps.Copy(c, change)
		return c
	}
	good := func(c jwt.MapClaims) string { return x.sign(t, jwt.SigningMethodRS256, "r", x.rsa, c) }
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	worked(t, err)
	der, err := x509.MarshalPKIXPublicKey(&x.rsa.PublicKey)
	worked(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	stranger := newIssuer(t)
	parts := strings.Split(good(x.github(audience)), ".")
	tests := map[string]struct{ token, reason string }{
		"WrongAudience":   {good(x.github("https://elsewhere.example")), "audience"},
		"Expired":         {good(with(jwt.MapClaims{"exp": time.Now().Add(-time.Second).Unix()})), "does not hold"},
		"NoExpiry":        {good(with(jwt.MapClaims{"exp": nil})), "does not hold"},
		"NotYet":          {good(with(jwt.MapClaims{"nbf": time.Now().Add(time.Hour).Unix()})), "does not hold"},
		"WrongIssuer":     {stranger.sign(t, jwt.SigningMethodRS256, "r", stranger.rsa, stranger.github(audience)), "no rule is for its issuer"},
		"IssuerOfAnother": {stranger.sign(t, jwt.SigningMethodRS256, "r", stranger.rsa, x.github(audience)), "does not hold"},
		"AlgNone":         {x.sign(t, jwt.SigningMethodNone, "r", jwt.UnsafeAllowNoneSignatureType, x.github(audience)), "does not hold"},
		"KeyConfusion":    {x.sign(t, jwt.SigningMethodHS256, "r", public, x.github(audience)), "does not hold"},
		"KeyConfusionDER": {x.sign(t, jwt.SigningMethodHS256, "r", der, x.github(audience)), "does not hold"},
		"OtherKey":        {x.sign(t, jwt.SigningMethodRS256, "r", other, x.github(audience)), "does not hold"},
		"UnknownKey":      {x.sign(t, jwt.SigningMethodRS256, "zzz", other, x.github(audience)), "does not hold"},
		"Altered":         {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+x.url+`","aud":"`+audience+`"}`)) + "." + parts[2], "does not hold"},
		"NoSignature":     {parts[0] + "." + parts[1] + ".", "does not hold"},
		"NoToken":         {"st_nothing", "no signed token"},
		"OtherRepository": {good(with(jwt.MapClaims{"repository": "octo-org/octo-repo-evil"})), "repository"},
		"OtherCase":       {good(with(jwt.MapClaims{"repository": "Octo-Org/octo-repo"})), "repository"},
		"OtherBranch":     {good(with(jwt.MapClaims{"ref": "refs/heads/main2"})), "ref"},
		"DeeperBranch":    {good(with(jwt.MapClaims{"ref": "refs/heads/release/1/evil"})), "ref"},
		"NoEnvironment":   {good(with(jwt.MapClaims{"environment": nil})), "environment"},
		"NewLine":         {good(with(jwt.MapClaims{"environment": "prod\n"})), "environment"},
		"AnObject":        {good(with(jwt.MapClaims{"environment": map[string]string{"prod": "prod"}})), "environment"},
	}
	answers := map[string][]string{}
	for name, tc := range tests {
		got, err := x.exchange(t, tc.token)
		if err == nil {
			t.Fatalf("%s: got %v", name, got)
		}
		answers[err.Error()] = append(answers[err.Error()], name)
	}
	_, err = x.identity.ExchangeToken(t.Context(), &apiv1.ExchangeTokenRequest{Organization: "absent", Token: good(x.github(audience))})
	if err == nil {
		t.Fatal("an organization that there is not")
	}
	answers[strings.Replace(err.Error(), "absent", "default", 1)] = append(answers[strings.Replace(err.Error(), "absent", "default", 1)], "OtherOrganization")
	if len(answers) != 1 {
		t.Errorf("refusals differ: %v", answers)
	}
	entries, err := x.audit.ListAuditEntries(t.Context(), &apiv1.ListAuditEntriesRequest{Action: "ExchangeToken", PageSize: 100})
	worked(t, err)
	var reasons []string
	for _, e := range entries.GetEntries() {
		if e.GetOutcome() != "refused" || e.GetFrom() == "" {
			t.Errorf("entry %v", e)
		}
		reasons = append(reasons, e.GetDetails()["cause"])
	}
	if len(reasons) != len(tests) {
		t.Errorf("%d refusals are on record, there were %d", len(reasons), len(tests))
	}
	all := strings.Join(reasons, "\n")
	for name, tc := range tests {
		if !strings.Contains(all, tc.reason) {
			t.Errorf("%s: no entry says %q", name, tc.reason)
		}
	}
	if n := x.asked.Load(); n > 3 {
		t.Errorf("the issuer was asked for its keys %d times", n)
	}
	if _, err := x.exchange(t, good(x.github(audience))); err != nil {
		t.Errorf("the right one afterwards: %v", err)
	}
	for range 40 {
		_, err = x.exchange(t, "a.b.c")
	}
	if connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("guessing goes on and on: %v", err)
	}
}
