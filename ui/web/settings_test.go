package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

const settings = "/o/acme/settings/"

// TestSettings_Forms sends every form of the settings: what works leads back to its page, or shows a secret once.
func TestSettings_Forms(t *testing.T) {
	t.Parallel()
	id := func(name string) string { return viewfake.ID(name).String() }
	tests := map[string]struct {
		path string
		form url.Values
		code int
		says string // on the page that follows
	}{
		"CreateTeam":    {"teams", url.Values{"name": {"search"}}, http.StatusSeeOther, ">search</th>"},
		"TeamTwice":     {"teams", url.Values{"name": {"payments"}}, http.StatusConflict, "There is a team"},
		"RenameTeam":    {"teams/retired/rename", url.Values{"name": {"gone"}}, http.StatusSeeOther, ">gone</th>"},
		"DeleteTeam":    {"teams/retired/delete", nil, http.StatusSeeOther, "payments"},
		"DeleteNothing": {"teams/none/delete", nil, http.StatusNotFound, "nothing at this address"},
		"Invite":        {"members", url.Values{"email": {"eva@acme.example"}, "role": {"viewer"}, "team": {"payments"}}, http.StatusOK, "/invitations/st_inv_secret"},
		"InviteWrong":   {"members", url.Values{"email": {"eva"}, "role": {"viewer"}}, http.StatusUnprocessableEntity, "is no e-mail address"},
		"Role":          {"members/cyd@acme.example/role", url.Values{"role": {"maintainer"}}, http.StatusSeeOther, "cyd@acme.example"},
		"Join":          {"members/cyd@acme.example/join", url.Values{"team": {"retired"}}, http.StatusSeeOther, "<li>retired</li>"},
		"Leave":         {"members/ada@acme.example/leave", url.Values{"team": {"payments"}}, http.StatusSeeOther, "Ada"},
		"Remove":        {"members/cyd@acme.example/remove", nil, http.StatusSeeOther, "Beatrice"},
		"Withdraw":      {"invitations/" + id("invitation") + "/withdraw", nil, http.StatusSeeOther, "Invite somebody"},
		"BadID":         {"invitations/7/withdraw", nil, http.StatusNotFound, "nothing at this address"},
		"Token":         {"tokens", url.Values{"name": {"ci"}, "team": {"payments"}, "days": {"30"}, "scope": {"run"}, "workflows": {"a-*, b"}}, http.StatusOK, "st_abcdefghijklmnopqrstuvwxyz"},
		"TokenPattern":  {"tokens", url.Values{"name": {"ci"}, "days": {"30"}, "scope": {"run"}, "workflows": {"[a"}}, http.StatusUnprocessableEntity, "is no pattern"},
		"TokenDays":     {"tokens", url.Values{"name": {"ci"}, "days": {"400"}, "scope": {"run"}}, http.StatusUnprocessableEntity, "1 to 366 days"},
		"TokenScopes":   {"tokens", url.Values{"name": {"ci"}, "days": {"30"}}, http.StatusUnprocessableEntity, "Choose what the token may do"},
		"Revoke":        {"tokens/" + id("token ci") + "/revoke", nil, http.StatusSeeOther, "nightly"},
		"Password":      {"account/password", url.Values{"password": {"correct horse"}, "new": {"battery staple"}}, http.StatusSeeOther, "all other sessions have ended"},
		"PasswordWrong": {"account/password", url.Values{"password": {"guess"}, "new": {"battery staple"}}, http.StatusUnprocessableEntity, "This is not your password"},
		"Session":       {"account/sessions/" + id("session phone") + "/end", nil, http.StatusSeeOther, "(this one)"},
		"Factor":        {"account/factor", nil, http.StatusOK, "JBSW Y3DP"},
		"FactorWrong":   {"account/factor/on", url.Values{"code": {"1"}, "address": {"otpauth://totp/x?secret=JBSWY3DP"}}, http.StatusUnprocessableEntity, "JBSW Y3DP"},
		"FactorOn":      {"account/factor/on", url.Values{"code": {viewfake.Code}}, http.StatusOK, "abcd-efgh-ijkl-mnop"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, viewfake.Sample())
			got := s.post(t, settings+tc.path, tc.form)
			if got.code != tc.code {
				t.Fatalf("status %d, want %d: %.300s", got.code, tc.code, got.body)
			}
			if got.code == http.StatusSeeOther {
				got = s.get(t, got.header.Get("Location"))
			}
			wellFormed(t, got.body)
			if !strings.Contains(got.body, tc.says) {
				t.Errorf("the page does not say %q", tc.says)
			}
		})
	}
}

func TestWorkflow_Owner(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	const at = "/o/acme/workflows/checkout-api"
	for path, tc := range map[string]struct {
		form url.Values
		says string
	}{"/owner": {url.Values{"team": {"retired"}}, "Owned by retired"}, "/restricted": {url.Values{"restricted": {"yes"}}, "run by it only"}} {
		if got := s.post(t, at+path, tc.form); got.code != http.StatusSeeOther {
			t.Fatalf("%s: status %d", path, got.code)
		}
		if got := s.get(t, at); !strings.Contains(got.body, tc.says) {
			t.Errorf("the page does not say %q", tc.says)
		}
	}
	s.world.Member.Viewer.Role = tenant.RoleMaintainer
	if got := s.get(t, at); strings.Contains(got.body, "Hand it to the team") {
		t.Error("a maintainer of another team is offered to change it")
	}
}

// TestSettings_Roles shows the forms only to those who may send them.
func TestSettings_Roles(t *testing.T) {
	t.Parallel()
	for role, want := range map[tenant.Role][3]bool{ // invites, changes an owner, makes an admin token
		tenant.RoleOwner: {true, true, true}, tenant.RoleAdmin: {true, false, true}, tenant.RoleMaintainer: {false, false, false}, tenant.RoleViewer: {false, false, false},
	} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			w := viewfake.Sample()
			w.Member.Viewer.Role = role
			s := setup(t, w)
			members, tokens := s.get(t, settings+"members").body, s.get(t, settings+"tokens").body
			got := [3]bool{
				strings.Contains(members, "Make a link"), strings.Contains(members, "members/ada@acme.example/role"), strings.Contains(tokens, `value="admin"`),
			}
			if got != want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// TestSettings_Refused leaves a person who is not allowed with a page that says so.
func TestSettings_Refused(t *testing.T) {
	t.Parallel()
	w := viewfake.Sample()
	w.People().Refuse = fault.New(fault.Forbidden, "ada may not do this")
	for _, path := range []string{"teams", "members", "members/cyd@acme.example/remove", "teams/retired/delete"} {
		if got := setup(t, w).post(t, settings+path, url.Values{"name": {"x"}, "email": {"x@y"}}); got.code != http.StatusForbidden || !strings.Contains(got.body, "Ada may not do this") {
			t.Errorf("%s: status %d", path, got.code)
		}
	}
}

func TestInvitation(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	at := "/invitations/" + viewfake.Link
	short := s.post(t, at, url.Values{"name": {"Dan"}, "password": {"short"}})
	if short.code != http.StatusUnprocessableEntity || !strings.Contains(short.body, "shorter than 10") || !strings.Contains(short.body, `value="Dan"`) {
		t.Errorf("a short password: status %d", short.code)
	}
	if strings.Contains(strings.ReplaceAll(short.body, `action="`+at, ""), viewfake.Link) {
		t.Error("the secret stands elsewhere in the page")
	}
	good := s.post(t, at, url.Values{"name": {"Dan"}, "password": {"correct horse"}})
	if good.code != http.StatusSeeOther || !strings.Contains(good.header.Get("Set-Cookie"), "HttpOnly") {
		t.Errorf("accepted: status %d, %v", good.code, good.header)
	}
	again := s.get(t, at)
	if again.code != http.StatusUnprocessableEntity || !strings.Contains(again.body, "has been used already") {
		t.Errorf("used twice: status %d", again.code)
	}
}

// TestSignIn_SecondFactor asks for the code on a page of its own, and never for the password again.
func TestSignIn_SecondFactor(t *testing.T) {
	t.Parallel()
	w := viewfake.Sample()
	s := setup(t, w)
	s.post(t, settings+"account/factor/on", url.Values{"code": {viewfake.Code}})
	login := func(form url.Values) answer { return s.do(t, formRequest(t, "/login", form)) }
	half := login(url.Values{"email": {"ada@acme.example"}, "password": {w.Password}, "next": {"/o/acme/tests"}})
	if half.code != http.StatusOK || half.header.Get("Set-Cookie") != "" || !strings.Contains(half.body, `value="halfway"`) || strings.Contains(half.body, `type="password"`) {
		t.Fatalf("after the password: status %d\n%s", half.code, half.body)
	}
	wrong := login(url.Values{"halfway": {"halfway"}, "code": {"000000"}})
	if wrong.code != http.StatusUnauthorized || !strings.Contains(wrong.body, "The code is wrong") || !strings.Contains(wrong.body, `value="halfway"`) {
		t.Errorf("a wrong code: status %d", wrong.code)
	}
	good := login(url.Values{"halfway": {"halfway"}, "code": {viewfake.Code}, "next": {"/o/acme/tests"}})
	if good.code != http.StatusSeeOther || good.header.Get("Location") != "/o/acme/tests" || good.header.Get("Set-Cookie") == "" {
		t.Errorf("the right code: status %d, %v", good.code, good.header)
	}
	off := func(password string) answer {
		return s.post(t, settings+"account/factor/off", url.Values{"password": {password}})
	}
	if got := off("guess"); got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, "This is not your password") {
		t.Errorf("turned off with a wrong password: status %d", got.code)
	}
	if got := off(w.Password); got.code != http.StatusSeeOther {
		t.Errorf("turned off: status %d", got.code)
	}
}
