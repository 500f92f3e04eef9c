package app_test

import (
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// visitor is a browser without a screen.
type visitor struct {
	*testing.T
	*http.Client
	base string
}

func newVisitor(t *testing.T, base string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	worked(t, err)
	return &visitor{t, &http.Client{Jar: jar}, base}
}

// get asks for a page, and post sends a form; they return where the browser ended, the status and the text.
func (v *visitor) get(address string) (at *url.URL, code int, body string) {
	v.Helper()
	res, err := v.Get(address) //nolint:bodyclose // read closes it
	worked(v.T, err)
	return v.read(res)
}

func (v *visitor) post(address string, form url.Values) (at *url.URL, code int, body string) {
	v.Helper()
	res, err := v.PostForm(address, form) //nolint:bodyclose // read closes it
	worked(v.T, err)
	return v.read(res)
}

func (v *visitor) read(res *http.Response) (at *url.URL, code int, body string) {
	v.Helper()
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	worked(v.T, err)
	return res.Request.URL, res.StatusCode, string(text)
}

var hidden = regexp.MustCompile(`name="id"\s+value="([^"]+)"`)

// signIn goes by the identity provider, as a person does, and returns where that ended.
func (v *visitor) signIn(path string) (at *url.URL, code int, body string) {
	v.Helper()
	at, code, body = v.get(v.base + path)
	m := hidden.FindStringSubmatch(body)
	if m == nil {
		v.Fatalf("the provider shows no form at %s: %d %s", at, code, body)
	}
	return v.post(at.Scheme+"://"+at.Host+"/login/username", url.Values{"username": {"ada"}, "password": {"tide tables"}, "id": {m[1]}})
}

// federated is a program whose first organization trusts a real identity provider.
type federated struct {
	*program
	idp    *harness.IdentityProvider
	access apiv1connect.AccessServiceClient
	people apiv1connect.PeopleServiceClient
	audit  apiv1connect.AuditServiceClient
}

func newFederated(t *testing.T) *federated {
	t.Helper()
	p := start(t, t.TempDir(), "--admin-password", password, "--outbound-allow", "127.0.0.0/8", "--listen", free(t), // the provider is told the address
		"--log-level", "debug")
	c := p.clients(p.token)
	f := &federated{
		program: p, access: apiv1connect.NewAccessServiceClient(c.http, p.url), people: apiv1connect.NewPeopleServiceClient(c.http, p.url),
		audit: apiv1connect.NewAuditServiceClient(c.http, p.url), idp: harness.OpenID(t, p.url+"/login/sso/default/corporate/callback"),
	}
	for _, team := range []string{"payments", "search"} {
		_, err := f.people.CreateTeam(t.Context(), &apiv1.CreateTeamRequest{Name: team})
		worked(t, err)
	}
	return f
}

// free returns an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	lis, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	worked(t, err)
	defer func() { _ = lis.Close() }()
	return lis.Addr().String()
}

// trust sets the provider up.
func (f *federated) trust(t *testing.T, change func(*apiv1.IdentityProvider)) {
	t.Helper()
	p := &apiv1.IdentityProvider{
		Name: "corporate", Issuer: f.idp.Issuer, ClientId: "seatrial", Domains: []string{"acme.example"}, DefaultRole: "viewer", DefaultTeam: "default",
		Teams: []*apiv1.GroupMapping{{Group: "pay", To: "payments"}, {Group: "find", To: "search"}},
		Roles: []*apiv1.GroupMapping{{Group: "leads", To: "admin"}, {Group: "makers", To: "maintainer"}},
	}
	change(p)
	_, err := f.access.SetIdentityProvider(t.Context(), &apiv1.SetIdentityProviderRequest{Provider: p, ClientSecret: f.idp.Secret})
	worked(t, err)
}

func (f *federated) member(t *testing.T, email string) *apiv1.Member {
	t.Helper()
	list, err := f.people.ListMembers(t.Context(), &apiv1.ListMembersRequest{})
	worked(t, err)
	for _, m := range list.GetMembers() {
		if m.GetEmail() == email {
			return m
		}
	}
	return nil
}

func ada(groups ...string) harness.Account {
	return harness.Account{ID: "a-1", Username: "ada", Password: "tide tables", Name: "Ada Lovelace", Email: "Ada@acme.example", Verified: true, Groups: groups}
}

const corporate = "/login/sso/default/corporate"

// A person signs in by a real provider, becomes a member, and has at each sign-in the role and the teams of the groups of that day.
func TestRun_SignInByProvider(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	f.trust(t, func(*apiv1.IdentityProvider) {})
	steps := []struct {
		name   string
		groups []string
		role   string
		teams  []string
	}{
		{"NewByGroup", []string{"pay", "makers"}, "maintainer", []string{"payments"}},
		{"Promoted", []string{"pay", "leads", "makers"}, "admin", []string{"payments"}},
		{"Moved", []string{"find", "makers"}, "maintainer", []string{"search"}},
		{"NoGroups", nil, "viewer", []string{"default"}},
	}
	for _, step := range steps {
		f.idp.Know(t, ada(step.groups...))
		v := newVisitor(t, f.url)
		at, code, body := v.signIn(corporate + "?next=/o/default/catalog")
		if code != http.StatusOK || at.Path != "/o/default/catalog" {
			t.Fatalf("%s: ended at %s with %d: %.800s", step.name, at, code, body)
		}
		m := f.member(t, "ada@acme.example")
		if m.GetRole() != step.role || !slices.Equal(m.GetTeams(), step.teams) || m.GetName() != "Ada Lovelace" {
			t.Errorf("%s: %v", step.name, m)
		}
	}
	entries, err := f.audit.ListAuditEntries(t.Context(), &apiv1.ListAuditEntriesRequest{Actor: "ada@acme.example", Action: "SignIn"})
	worked(t, err)
	if n := len(entries.GetEntries()); n != len(steps) || entries.GetEntries()[0].GetDetails()["provider"] != "corporate" {
		t.Errorf("%d sign-ins are on record: %v", n, entries.GetEntries())
	}
}

// Whom the settings do not let in stays out, whatever the provider says.
func TestRun_SignInByProviderRefused(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	plain := func(*apiv1.IdentityProvider) {}
	invited := func(p *apiv1.IdentityProvider) { p.DefaultRole, p.Roles, p.Teams = "", nil, nil }
	tests := map[string]struct {
		settings func(*apiv1.IdentityProvider)
		account  harness.Account
		want     string
	}{
		"NotVerified": {plain, func() harness.Account { a := ada(); a.Verified = false; return a }(), "does not vouch"},
		"OtherDomain": {plain, func() harness.Account { a := ada(); a.Email = "ada@elsewhere.example"; return a }(), "does not vouch"},
		"NotInvited":  {invited, ada("makers"), "is no member"},
		"AnOwner":     {func(p *apiv1.IdentityProvider) { p.Domains = nil }, func() harness.Account { a := ada(); a.Email = "admin@localhost"; return a }(), "Owners do not sign in"},
		"NoAddress":   {plain, func() harness.Account { a := ada(); a.Email = ""; return a }(), "does not vouch"},
	}
	for name, tc := range tests {
		f.trust(t, tc.settings)
		f.idp.Know(t, tc.account)
		v := newVisitor(t, f.url)
		_, code, body := v.signIn(corporate)
		if code != http.StatusForbidden || !strings.Contains(body, tc.want) {
			t.Errorf("%s: %d %.800s", name, code, body)
		}
		if _, code, _ := v.get(f.url + "/o/default"); code == http.StatusOK && f.member(t, "ada@acme.example") != nil {
			t.Errorf("%s: became a member", name)
		}
	}
	f.trust(t, invited)
	f.idp.Know(t, ada())
	_, err := f.people.InviteMember(t.Context(), &apiv1.InviteMemberRequest{Email: "ada@acme.example", Role: "maintainer", Team: "search"})
	worked(t, err)
	if at, code, body := newVisitor(t, f.url).signIn(corporate); code != http.StatusOK || at.Path != "/o/default" {
		t.Errorf("invited: %s %d %.500s", at, code, body)
	}
	if m := f.member(t, "ada@acme.example"); m.GetRole() != "maintainer" || !slices.Equal(m.GetTeams(), []string{"search"}) {
		t.Errorf("invited: %v", m)
	}
	thief := ada()
	thief.ID = "a-2" // another account of the same address
	f.idp.Know(t, thief)
	if _, code, body := newVisitor(t, f.url).signIn(corporate); code != http.StatusForbidden || !strings.Contains(body, "another account") {
		t.Errorf("another account: %d %.500s", code, body)
	}
}

// A way back that was not begun in this browser, or not like this, is none.
func TestRun_SignInByProviderForged(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	f.trust(t, func(*apiv1.IdentityProvider) {})
	f.idp.Know(t, ada("makers"))
	begin := func() (v *visitor, back *url.URL) {
		v = newVisitor(t, f.url)
		v.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if strings.HasSuffix(r.URL.Path, "/callback") && r.URL.Query().Get("code") != "" {
				back = r.URL
				return http.ErrUseLastResponse
			}
			return nil
		}
		v.signIn(corporate)
		v.CheckRedirect = nil
		if back == nil {
			t.Fatal("the provider sent nobody back")
		}
		return v, back
	}
	change := func(u *url.URL, name, value string) string {
		q := u.Query()
		q.Set(name, value)
		return f.url + u.Path + "?" + q.Encode()
	}
	v, back := begin()
	refused := map[string]func() (*url.URL, int, string){
		"OtherBrowser": func() (*url.URL, int, string) {
			o := newVisitor(t, f.url)
			return o.get(back.String())
		},
		"WrongState": func() (*url.URL, int, string) { v, back := begin(); return v.get(change(back, "state", "x")) },
		"NoState":    func() (*url.URL, int, string) { v, back := begin(); return v.get(change(back, "state", "")) },
		"WrongCode":  func() (*url.URL, int, string) { v, back := begin(); return v.get(change(back, "code", "x")) },
		"CodeOfAnother": func() (*url.URL, int, string) { // its challenge is of another browser
			_, first := begin()
			v, back := begin()
			return v.get(change(back, "code", first.Query().Get("code")))
		},
		"Refused": func() (*url.URL, int, string) {
			v, back := begin()
			return v.get(change(back, "error", "access_denied"))
		},
	}
	for name, try := range refused {
		if _, code, body := try(); code != http.StatusUnauthorized {
			t.Errorf("%s: %d %.600s", name, code, body)
		}
	}
	if at, code, _ := v.get(back.String()); code != http.StatusOK || at.Path != "/o/default" {
		t.Errorf("the right way back: %s %d", at, code)
	}
	if _, code, _ := v.get(back.String()); code != http.StatusUnauthorized {
		t.Errorf("the same way back again: %d", code)
	}
}

// An organization that asks for single sign-on takes no passwords but those of owners, as long as they want that.
func TestRun_SSORequired(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	yes, no := true, false
	_, err := f.access.SetAccess(t.Context(), &apiv1.SetAccessRequest{SsoRequired: &yes})
	if connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("without a provider: %v", err)
	}
	f.trust(t, func(*apiv1.IdentityProvider) {})
	made, err := f.people.InviteMember(t.Context(), &apiv1.InviteMemberRequest{Email: "bea@acme.example", Role: "admin"})
	worked(t, err)
	v := newVisitor(t, f.url)
	if _, code, body := v.post(made.GetUrl(), url.Values{"name": {"Bea"}, "password": {password}}); code != http.StatusOK {
		t.Fatalf("accept: %d %s", code, body)
	}
	_, err = f.access.SetAccess(t.Context(), &apiv1.SetAccessRequest{SsoRequired: &yes})
	worked(t, err)
	identity := apiv1connect.NewIdentityServiceClient(http.DefaultClient, f.url)
	signIn := func(email string) (page int, rpc connect.Code) {
		v := newVisitor(t, f.url)
		_, page, _ = v.post(f.url+"/login", url.Values{"email": {email}, "password": {password}})
		_, err := identity.SignIn(t.Context(), &apiv1.SignInRequest{Email: email, Password: password})
		if err != nil {
			rpc = connect.CodeOf(err)
		}
		return page, rpc
	}
	if page, rpc := signIn("bea@acme.example"); page != http.StatusForbidden || rpc != connect.CodePermissionDenied {
		t.Errorf("an admin's password: %d %v", page, rpc)
	}
	if page, rpc := signIn("admin@localhost"); page != http.StatusOK || rpc != 0 {
		t.Errorf("an owner's password: %d %v", page, rpc)
	}
	owner, err := identity.SignIn(t.Context(), &apiv1.SignInRequest{Email: "admin@localhost", Password: password})
	worked(t, err)
	asOwner := apiv1connect.NewAccessServiceClient(&http.Client{Transport: bearer(owner.GetToken())}, f.url)
	if _, err := f.access.SetAccess(t.Context(), &apiv1.SetAccessRequest{BreakGlass: &no}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a token that is no owner decides on owners: %v", err)
	}
	_, err = asOwner.SetAccess(t.Context(), &apiv1.SetAccessRequest{BreakGlass: &no})
	worked(t, err)
	if page, rpc := signIn("admin@localhost"); page != http.StatusForbidden || rpc != connect.CodePermissionDenied {
		t.Errorf("an owner's password without break-glass: %d %v", page, rpc)
	}
	if _, err := f.access.DeleteIdentityProvider(t.Context(), &apiv1.DeleteIdentityProviderRequest{Name: "corporate"}); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("the last provider can go: %v", err)
	}
}
