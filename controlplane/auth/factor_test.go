package auth_test

import (
	"context"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// signedIn returns a context of the admin in a browser.
func (i *instance) signedIn(t *testing.T) context.Context {
	t.Helper()
	v, err := i.Cookie(t.Context(), i.cookie(t))
	if err != nil {
		t.Fatal(err)
	}
	return tenant.WithViewer(t.Context(), v)
}

// enable turns the second factor of the admin on, and returns its secret and the recovery codes.
func (i *instance) enable(t *testing.T) (secret string, recovery []string) {
	t.Helper()
	ctx := i.signedIn(t)
	address, err := i.ProposeFactor(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "otpauth" {
		t.Fatalf("address %q, %v", address, err)
	}
	secret = u.Query().Get("secret")
	if _, err := i.ConfirmFactor(ctx, "000000"); !fault.Is(err, fault.Invalid) {
		t.Errorf("confirmed with a wrong code: %v", err)
	}
	if recovery, err = i.ConfirmFactor(ctx, i.code(t, secret)); err != nil {
		t.Fatal(err)
	}
	i.clock.advance(time.Minute) // that code is used up
	return secret, recovery
}

func (i *instance) code(t *testing.T, secret string) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, i.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func (i *instance) entry(code string) tenant.Entry {
	return tenant.Entry{Email: adminEmail, Password: i.first.Password, Code: code, Remote: "192.0.2.1"}
}

func TestAuth_SecondFactor(t *testing.T) {
	t.Parallel()
	i := setup(t)
	secret, recovery := i.enable(t)
	if len(recovery) != 10 || slices.Contains(recovery, "") {
		t.Fatalf("recovery codes %q", recovery)
	}
	if _, err := i.SignIn(t.Context(), i.entry("")); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("without a code: %v", err)
	}
	half, err := i.StartSession(t.Context(), i.entry(""))
	if err != nil || half.Cookie != "" || half.Halfway == "" {
		t.Fatalf("after the password: %+v, %v", half, err)
	}
	wantUnauthenticated(t, second(i.Cookie(t.Context(), half.Halfway)), "half way is no session")
	code := i.code(t, secret)
	in, err := i.StartSession(t.Context(), tenant.Entry{Halfway: half.Halfway, Code: code, Remote: "192.0.2.1"})
	if err != nil || in.Cookie == "" {
		t.Fatalf("with the code: %+v, %v", in, err)
	}
	wantUnauthenticated(t, second(i.SignIn(t.Context(), i.entry(code))), "a code is good once: who looked over a shoulder has nothing")
	for n, want := range []bool{true, false} {
		if _, err := i.SignIn(t.Context(), i.entry(recovery[3])); (err == nil) != want {
			t.Errorf("use %d of a recovery code: %v", n, err)
		}
	}
	wantUnauthenticated(t, second(i.StartSession(t.Context(), tenant.Entry{Halfway: in.Cookie, Code: recovery[4]})), "a cookie does not stand for the password")
	i.clock.advance(10 * time.Minute)
	wantUnauthenticated(t, second(i.StartSession(t.Context(), tenant.Entry{Halfway: half.Halfway, Code: i.code(t, secret)})), "the password was given too long ago")
	if err := i.DropFactor(i.signedInWith(t, recovery[5]), "guess"); !fault.Is(err, fault.Invalid) {
		t.Errorf("turned off with a wrong password: %v", err)
	}
	if err := i.DropFactor(i.signedInWith(t, recovery[6]), i.first.Password); err != nil {
		t.Fatal(err)
	}
	if _, err := i.SignIn(t.Context(), i.entry("")); err != nil {
		t.Errorf("after it was turned off: %v", err)
	}
}

func (i *instance) signedInWith(t *testing.T, code string) context.Context {
	t.Helper()
	ticket, err := i.StartSession(t.Context(), i.entry(code))
	if err != nil {
		t.Fatal(err)
	}
	return tenant.WithViewer(t.Context(), ticket.Viewer)
}

func second[T any](_ T, err error) error { return err }

// TestAuth_SecondFactor_Limit proves that a million codes cannot be tried.
func TestAuth_SecondFactor_Limit(t *testing.T) {
	t.Parallel()
	i := setup(t)
	i.enable(t)
	half, err := i.StartSession(t.Context(), i.entry(""))
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; !fault.Is(err, fault.Exhausted); n++ {
		if n == 30 {
			t.Fatal("codes can be guessed at without limit")
		}
		_, err = i.StartSession(t.Context(), tenant.Entry{Halfway: half.Halfway, Code: "000000"})
	}
}

func TestAuth_ChangePassword(t *testing.T) {
	t.Parallel()
	i := setup(t)
	mine, other := i.cookie(t), i.cookie(t)
	v, err := i.Cookie(t.Context(), mine)
	if err != nil {
		t.Fatal(err)
	}
	ctx := tenant.WithViewer(t.Context(), v)
	if err := i.ChangePassword(ctx, "guess", "battery staple"); !fault.Is(err, fault.Invalid) {
		t.Errorf("with a wrong password: %v", err)
	}
	if err := i.ChangePassword(ctx, i.first.Password, "short"); !fault.Is(err, fault.Invalid) {
		t.Errorf("to a short one: %v", err)
	}
	if err := i.ChangePassword(ctx, i.first.Password, "battery staple"); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Cookie(t.Context(), mine); err != nil {
		t.Errorf("the session that changed it ended: %v", err)
	}
	wantUnauthenticated(t, second(i.Cookie(t.Context(), other)), "whoever knew the old password is out")
	wantUnauthenticated(t, second(i.SignIn(t.Context(), i.entry(""))), "the old password")
}

// TestAuth_Visit proves that a cookie that is used lives on, and that one which is copied does not live long.
func TestAuth_Visit(t *testing.T) {
	t.Parallel()
	i := setup(t)
	first := i.cookie(t)
	if ticket, err := i.Visit(t.Context(), first, "192.0.2.2"); err != nil || ticket.Cookie != "" {
		t.Errorf("a fresh cookie was renewed: %+v, %v", ticket, err)
	}
	cookie := first
	for n := 0; n < 11; n++ { // somebody who works for eleven hours
		i.clock.advance(time.Hour)
		ticket, err := i.Visit(t.Context(), cookie, "192.0.2.2")
		if err != nil || ticket.Cookie == "" {
			t.Fatalf("hour %d: %+v, %v", n, ticket, err)
		}
		cookie = ticket.Cookie
	}
	wantUnauthenticated(t, second(i.Cookie(t.Context(), first)), "the first cookie is long over")
	if v, err := i.Cookie(t.Context(), cookie); err != nil {
		t.Error(err)
	} else if list, err := i.Sessions(tenant.WithViewer(t.Context(), v)); err != nil || len(list) != 1 || list[0].Remote != "192.0.2.2" {
		t.Errorf("sessions %+v, %v", list, err)
	}
	i.clock.advance(auth.SessionLifetime - 11*time.Hour + time.Minute)
	wantUnauthenticated(t, second(i.Visit(t.Context(), cookie, "")), "after half a day the password is asked for")
}

func TestAuth_Tokens(t *testing.T) {
	t.Parallel()
	i := setup(t)
	ctx := i.as(t)
	mine, login, err := i.CreateToken(ctx, tenant.NewToken{Name: "login", Scopes: tenant.Scopes(), Personal: true})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := i.Bearer(t.Context(), mine); err != nil || v.Role != tenant.RoleOwner || !v.Owner() || len(v.Teams) != 1 {
		t.Errorf("a personal token acts as %+v, %v", v, err)
	}
	secret, _, err := i.CreateToken(ctx, tenant.NewToken{Name: "ci", Limits: tenant.Limits{Workflows: []string{"pay-*"}}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := i.Bearer(t.Context(), secret)
	if err != nil || v.Workflow("pay-api") != nil || v.Workflow("shop") == nil {
		t.Errorf("limits %+v, %v", v.Limits, err)
	}
	ci := tenant.WithViewer(t.Context(), v)
	if _, _, err := i.CreateToken(ci, tenant.NewToken{Name: "more", Scopes: []tenant.Scope{tenant.ScopeRead}}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the token of a pipeline made another: %v", err)
	}
	if list, err := i.Tokens(ci); err != nil || slices.ContainsFunc(list, func(t tenant.Token) bool { return t.ID == login.ID }) {
		t.Errorf("a pipeline sees %d tokens, the personal one among them; %v", len(list), err)
	}
	if err := i.RevokeToken(ci, login.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("a pipeline revoked a personal token: %v", err)
	}
	if err := i.RevokeToken(ctx, login.ID); err != nil {
		t.Fatal(err)
	}
	wantUnauthenticated(t, second(i.Bearer(t.Context(), mine)), "it was revoked")
}

// TestAuth_PersonalToken follows the role of its member: whoever is made a viewer only looks, also with an old token.
func TestAuth_PersonalToken(t *testing.T) {
	t.Parallel()
	i := setup(t)
	secret, _, err := i.CreateToken(i.as(t), tenant.NewToken{Name: "login", Scopes: tenant.Scopes(), Personal: true})
	if err != nil {
		t.Fatal(err)
	}
	bea, err := i.store.CreateInvitation(i.as(t), tenant.Invitation{Email: "bea@example.test", Role: tenant.RoleOwner, Hash: []byte("h"), ExpiresAt: i.clock.now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.store.AcceptInvitation(t.Context(), bea, "Bea", "x"); err != nil {
		t.Fatal(err)
	}
	if err := i.store.SetRole(i.as(t), adminEmail, tenant.RoleViewer); err != nil {
		t.Fatal(err)
	}
	v, err := i.Bearer(t.Context(), secret)
	if err != nil || v.Allows(tenant.ScopeRun) || !v.Allows(tenant.ScopeRead) || v.Owner() {
		t.Errorf("viewer %+v, %v", v, err)
	}
}
