package app_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/pquerna/otp/totp"
	"google.golang.org/grpc/metadata"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
	"github.com/seatrial/seatrial/ui/web/view"
)

// forms are how a secret may stand in a log: as it is, escaped, in hexadecimal, and in base64 at each of the three places of a group.
func forms(secret string) []string {
	out := []string{secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret))}
	for shift := range 3 {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			text := e.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
			out = append(out, text[(shift*8+5)/6:len(text)-4]) // what the neighbours do not change
		}
	}
	return out
}

// Whatever people, pipelines and agents present, and whatever is made for them, nothing of it is in the log, even when that tells all.
func TestRun_LogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	secrets := map[string]string{"password": password, "first token": f.token, "client secret": f.idp.Secret, "password at the provider": "tide tables"}
	ctx := t.Context()
	f.trust(t, func(*apiv1.IdentityProvider) {})
	f.idp.Know(t, ada("makers"))

	v := newVisitor(t, f.url)
	var urls []*url.URL
	v.CheckRedirect = func(r *http.Request, _ []*http.Request) error { urls = append(urls, r.URL); return nil }
	v.signIn(corporate)
	for _, u := range urls {
		for _, name := range []string{"code", "state", "nonce"} {
			if value := u.Query().Get(name); value != "" {
				secrets[name+" of a sign-in"] = value
			}
		}
	}
	at, err := url.Parse(f.url)
	worked(t, err)
	for _, c := range v.Jar.Cookies(at) {
		if c.Name == view.SessionCookie {
			secrets["cookie"] = c.Value
		}
	}

	o := newVisitor(t, f.url)
	secrets["wrong password"] = "battery staple that is wrong"
	o.post(f.url+"/login", url.Values{"email": {"admin@localhost"}, "password": {secrets["wrong password"]}})
	o.post(f.url+"/login", url.Values{"email": {"admin@localhost"}, "password": {password}})
	_, _, page := o.post(f.url+"/o/default/settings/account/factor", nil)
	if m := regexp.MustCompile(`id="secret"[^>]*>([A-Z2-7 ]+)<`).FindStringSubmatch(page); m != nil {
		secrets["second factor"] = strings.ReplaceAll(m[1], " ", "")
		code, err := totp.GenerateCode(secrets["second factor"], time.Now())
		worked(t, err)
		_, _, page = o.post(f.url+"/o/default/settings/account/factor/on", url.Values{"code": {code}})
		if m := regexp.MustCompile(`[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}`).FindString(page); m != "" {
			secrets["recovery code"] = m
		}
	}
	secrets["new password"] = "a quite different horse"
	o.post(f.url+"/o/default/settings/account/password", url.Values{"password": {password}, "new": {secrets["new password"]}})

	identity := apiv1connect.NewIdentityServiceClient(f.clients(f.token).http, f.url)
	made, err := identity.CreateToken(ctx, &apiv1.CreateTokenRequest{Name: "ci"})
	worked(t, err)
	secrets["API token"] = made.GetToken()
	secrets["unknown token"] = "st_" + strings.Repeat("unknown", 7)
	for _, bad := range []string{secrets["unknown token"], made.GetToken()} {
		_, _ = f.clients(bad).clusters.ListClusters(ctx, &apiv1.ListClustersRequest{})
	}
	invited, err := f.people.InviteMember(ctx, &apiv1.InviteMemberRequest{Email: "eve@acme.example", Role: "viewer"})
	worked(t, err)
	secrets["invitation"] = invited.GetUrl()[strings.LastIndex(invited.GetUrl(), "/")+1:]
	o.get(invited.GetUrl())
	secrets["password of an invitation"] = "sea of many names"
	newVisitor(t, f.url).post(invited.GetUrl(), url.Values{"name": {"Eve"}, "password": {secrets["password of an invitation"]}})

	enrolled, err := f.clients(f.token).clusters.EnrollCluster(ctx, &apiv1.EnrollClusterRequest{Name: "eu", Namespace: "tests"})
	worked(t, err)
	secrets["bootstrap token"] = enrolled.GetBootstrapToken()
	agent := f.enrol(t, enrolled.GetAgentCa(), enrolled.GetBootstrapToken())
	agent.connect(t)
	sent, _ := metadata.FromOutgoingContext(agent.ctx)
	secrets["agent's token"] = strings.TrimPrefix(sent.Get("authorization")[0], "Bearer ")

	secrets["token for git"] = "ghp_a-token-of-a-forge"
	repositories := apiv1connect.NewCatalogServiceClient(f.clients(f.token).http, f.url)
	_, err = repositories.AddRepository(ctx, &apiv1.AddRepositoryRequest{Name: "tests", Url: "https://127.0.0.1:1/acme/tests.git", User: "git", Token: secrets["token for git"]})
	worked(t, err)
	_, _ = repositories.SyncRepository(ctx, &apiv1.SyncRepositoryRequest{Name: "tests"})

	i := newIssuer(t)
	_, err = f.access.SetTrustRule(ctx, &apiv1.SetTrustRuleRequest{Rule: &apiv1.TrustRule{
		Name: "ci", Issuer: i.url, Audience: audience, Claims: []*apiv1.ClaimCondition{{Claim: "repository", Values: []string{"octo-org/octo-repo"}}},
	}})
	worked(t, err)
	secrets["pipeline's token"] = i.sign(t, jwt.SigningMethodRS256, "r", i.rsa, i.github(audience))
	exchanged, err := identity.ExchangeToken(ctx, &apiv1.ExchangeTokenRequest{Organization: "default", Token: secrets["pipeline's token"]})
	worked(t, err)
	secrets["exchanged token"] = exchanged.GetToken()
	secrets["refused token"] = i.sign(t, jwt.SigningMethodRS256, "r", i.rsa, i.github("https://elsewhere.example"))
	_, _ = identity.ExchangeToken(ctx, &apiv1.ExchangeTokenRequest{Organization: "default", Token: secrets["refused token"]})

	worked(t, f.stop())
	log := f.log.String()
	for _, what := range []string{"signed in by an identity provider", "invitation accepted", "agent connected", "token is exchanged", "token is refused"} {
		if !strings.Contains(log, what) {
			t.Errorf("the log does not tell of %q:\n%.2000s", what, log)
		}
	}
	const most = 22
	for what, secret := range secrets {
		if len(secret) < 10 {
			t.Errorf("%s: %q is too short to be looked for", what, secret)
		}
		for _, form := range forms(secret) {
			if form = form[max(0, len(form)-200):]; strings.Contains(log, form) {
				t.Errorf("the log holds the %s, as %q", what, form)
			}
		}
	}
	if len(secrets) < most {
		t.Errorf("%d secrets are known, at least %d were meant", len(secrets), most)
	}
	t.Logf("figures: %d secrets looked for in %d bytes of log, in %d forms each", len(secrets), len(log), len(forms("0123456789")))
}
