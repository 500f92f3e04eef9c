package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

const accessPage, pipelinesPage = "/o/acme/settings/access", "/o/acme/settings/pipelines"

func TestAccess_Provider(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	form := url.Values{
		"name": {"okta"}, "issuer": {"https://acme.okta.example"}, "client_id": {"c"}, "client_secret": {"hush"}, "domains": {"acme.example, acme.test"},
		"teams": {"cn=pay,ou=x=payments\r\n\r\n"}, "roles": {"leads=admin"}, "default_role": {"viewer"}, "trust_email": {"on"},
	}
	if got := s.post(t, accessPage+"/providers", form); got.code != http.StatusSeeOther {
		t.Fatalf("%d %s", got.code, got.body)
	}
	a := s.world.Access()
	want := tenant.IdentityProvider{
		Name: "okta", Issuer: "https://acme.okta.example", ClientID: "c", SecretKept: true, Domains: []string{"acme.example", "acme.test"}, DefaultRole: tenant.RoleViewer,
		Teams: []tenant.Mapping{{Group: "cn=pay,ou=x", To: "payments"}}, Roles: []tenant.Mapping{{Group: "leads", To: "admin"}}, TrustEmail: true,
	}
	if diff := cmp.Diff(want, a.Known[len(a.Known)-1]); diff != "" || a.Secret != "hush" {
		t.Errorf("secret %q (-want +got):\n%s", a.Secret, diff)
	}
	for field, value := range map[string]string{"issuer": "http://elsewhere.example", "teams": "no mapping", "roles": "leads=king", "domains": "@", "name": "No Name"} {
		bad := url.Values{}
		for k, v := range form {
			bad[k] = v
		}
		bad.Set(field, value)
		got := s.post(t, accessPage+"/providers", bad)
		if got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, "aria-invalid") || strings.Contains(got.body, "hush") {
			t.Errorf("%s %q: %d, or the secret is shown", field, value, got.code)
		}
	}
	if got := s.get(t, accessPage+"?provider=corporate"); !strings.Contains(got.body, `value="https://login.acme.example"`) || !strings.Contains(got.body, "One is kept") {
		t.Errorf("the form is not filled in")
	}
	if got := s.post(t, accessPage+"/okta/delete", nil); got.code != http.StatusSeeOther || len(a.Known) != 1 {
		t.Errorf("delete: %d, left %d", got.code, len(a.Known))
	}
}

func TestAccess_Settings(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	got := s.post(t, accessPage, url.Values{"sso_required": {"on"}, "visibility": {"teams"}})
	want := tenant.Access{SSORequired: true, BreakGlass: !s.world.Member.Viewer.Owner(), Visibility: tenant.VisibleTeams}
	if got.code != http.StatusSeeOther || s.world.Access().Asks != want {
		t.Errorf("%d %+v, want %+v", got.code, s.world.Access().Asks, want)
	}
}

func TestPipelines(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	form := url.Values{
		"name": {"deploy"}, "issuer": {"https://token.actions.githubusercontent.com"}, "audience": {"https://seatrial.test"}, "team": {"payments"}, "minutes": {"15"},
		"claims": {"repository=acme/shop\nref=refs/heads/main|refs/tags/v*"}, "scope": {"read", "release"}, "workflows": {"shop-*"},
	}
	if got := s.post(t, pipelinesPage, form); got.code != http.StatusSeeOther {
		t.Fatalf("%d %s", got.code, got.body)
	}
	a := s.world.Access()
	want := tenant.TrustRule{
		Name: "deploy", Issuer: "https://token.actions.githubusercontent.com", Audience: "https://seatrial.test", Team: tenant.TeamRef{Name: "payments"},
		Conditions: []tenant.Condition{{Claim: "repository", Patterns: []string{"acme/shop"}}, {Claim: "ref", Patterns: []string{"refs/heads/main", "refs/tags/v*"}}},
		Scopes:     []tenant.Scope{"read", "release"}, Limits: tenant.Limits{Workflows: []string{"shop-*"}}, Lifetime: 15 * time.Minute,
	}
	if diff := cmp.Diff(want, a.Rules[len(a.Rules)-1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for field, value := range map[string]string{"claims": "ref=refs/heads/main", "minutes": "61", "scope": "", "issuer": "x"} {
		bad := url.Values{}
		for k, v := range form {
			bad[k] = slices.Clone(v)
		}
		if bad.Set(field, value); value == "" {
			bad.Del(field)
		}
		if got := s.post(t, pipelinesPage, bad); got.code != http.StatusUnprocessableEntity {
			t.Errorf("%s %q: %d", field, value, got.code)
		}
	}
	if got := s.post(t, pipelinesPage+"/deploy/delete", nil); got.code != http.StatusSeeOther || len(a.Rules) != 2 {
		t.Errorf("delete: %d, left %d", got.code, len(a.Rules))
	}
}

func TestSSO(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	if got := s.get(t, "/login/sso?organization=acme&next=/o/acme/catalog"); !strings.Contains(got.body, `href="/login/sso/acme/corporate?next=%2Fo%2Facme%2Fcatalog"`) {
		t.Errorf("no way to sign in: %s", got.body)
	}
	if got := s.get(t, "/login/sso?organization=unknown"); !strings.Contains(got.body, "No single sign-on is set up") {
		t.Error("an unknown organization is not told of")
	}
	begin := s.get(t, "/login/sso/acme/corporate?next=https://evil.example/")
	kept := begin.header.Get("Set-Cookie")
	if begin.code != http.StatusSeeOther || !strings.HasPrefix(begin.header.Get("Location"), "https://login.acme.example/") {
		t.Fatalf("%d to %s", begin.code, begin.header.Get("Location"))
	}
	for _, part := range []string{"seatrial_sign_in=begun/;", "HttpOnly", "SameSite=Lax", "Max-Age=600"} {
		if !strings.Contains(kept, part) {
			t.Errorf("the cookie %q has no %s", kept, part)
		}
	}
	finish := func(query string) answer {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/login/sso/acme/corporate/callback?"+query, http.NoBody)
		r.AddCookie(&http.Cookie{Name: "seatrial_sign_in", Value: viewfake.Begun + "/o/acme/catalog"})
		return s.do(t, r)
	}
	good := finish("state=right&code=c")
	if cookies := strings.Join(good.header.Values("Set-Cookie"), "\n"); good.code != http.StatusSeeOther || good.header.Get("Location") != "/o/acme/catalog" ||
		!strings.Contains(cookies, view.SessionCookie+"=valid") || !strings.Contains(cookies, "seatrial_sign_in=; ") {
		t.Errorf("%d to %s with %s", good.code, good.header.Get("Location"), cookies)
	}
	bad := finish("state=wrong&code=secret-code")
	if bad.code != http.StatusUnauthorized || strings.Contains(bad.body, "secret-code") || strings.Contains(strings.Join(bad.header.Values("Set-Cookie"), ""), view.SessionCookie+"=") {
		t.Errorf("a forged way back: %d %s", bad.code, bad.body)
	}
	s.world.Access().Refuse = fault.New(fault.Forbidden, "ada@acme.example is no member of acme").WithHint("Ask an admin.")
	if got := finish("state=right"); got.code != http.StatusForbidden || !strings.Contains(got.body, "ada@acme.example is no member of acme.") {
		t.Errorf("refused: %d %s", got.code, got.body)
	}
	if got := s.get(t, "/login"); got.code == http.StatusOK && !strings.Contains(got.body, "/login/sso") {
		t.Error("the sign-in page does not lead to single sign-on")
	}
}
