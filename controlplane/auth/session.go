package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// SessionLifetime is how long a browser stays signed in.
const SessionLifetime = 12 * time.Hour

// SignIn checks a password and returns the member. It takes as long for an address that nobody has, and its message is the same.
func (a *Auth) SignIn(ctx context.Context, email, password, remote string) (tenant.Viewer, error) {
	m, err := a.member(ctx, email, password, remote)
	if err != nil {
		return tenant.Viewer{}, err
	}
	return viewerOf(m), nil
}

// StartSession signs a member in and returns the value for the cookie of the browser.
func (a *Auth) StartSession(ctx context.Context, email, password, remote string) (cookie string, expires time.Time, v tenant.Viewer, err error) {
	m, err := a.member(ctx, email, password, remote)
	if err != nil {
		return "", time.Time{}, v, err
	}
	id, err := a.accounts.CreateSession(ctx, m, a.now().Add(SessionLifetime))
	if err != nil {
		return "", time.Time{}, v, err
	}
	cookie, expires, err = a.sessions.sign(m.ID, id, m.Organization, SessionLifetime)
	return cookie, expires, viewerOf(m), err
}

// Cookie returns the viewer of a session cookie.
func (a *Auth) Cookie(ctx context.Context, value string) (tenant.Viewer, error) {
	c, err := a.sessions.check(value)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "your session expired on %s", c.expires.Format(time.RFC1123)).
			WithHint("Sign in again.")
	case err != nil:
		return tenant.Viewer{}, fault.Wrap(fault.Unauthenticated, err, "you are not signed in").WithHint("Sign in.")
	}
	m, err := a.accounts.SessionMember(ctx, c.id)
	if fault.Is(err, fault.NotFound) || (err == nil && m.ID != c.subject) {
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "you have signed out").WithHint("Sign in again.")
	}
	if err != nil {
		return tenant.Viewer{}, err
	}
	v := viewerOf(m)
	v.Credential = c.id
	return v, nil
}

// SignOut ends a session. A cookie that does not hold is no error: it is signed out already.
func (a *Auth) SignOut(ctx context.Context, cookie string) error {
	c, err := a.sessions.check(cookie)
	if err != nil {
		return nil //nolint:nilerr // such a cookie opens nothing, which is what the caller wants
	}
	if m, err := a.accounts.SessionMember(ctx, c.id); err == nil {
		v := viewerOf(m)
		v.Credential = c.id
		audit.Of(ctx).By(v)
	}
	return a.accounts.EndSession(ctx, c.id)
}

func (a *Auth) member(ctx context.Context, email, password, remote string) (tenant.Member, error) {
	email = normalEmail(email)
	keys := []string{"email:" + email}
	if !a.proxied {
		keys = append(keys, "remote:"+remote)
	}
	giveBack, ok := a.limit.allow(keys...)
	if !ok {
		return tenant.Member{}, fault.New(fault.Exhausted, "too many tries at signing in").WithHint("Wait a minute, then try again.")
	}
	members, err := a.accounts.MembersByEmail(ctx, email)
	if err != nil {
		return tenant.Member{}, err
	}
	if len(members) > 0 {
		audit.Of(ctx).By(viewerOf(members[0])) // a wrong password is put on record where the address is known
	}
	if len(members) == 0 {
		members = []tenant.Member{{}} // the time for one password is spent all the same
	}
	for _, m := range members {
		ok, err := a.hasher.verify(ctx, password, m.PasswordHash)
		if err != nil {
			return tenant.Member{}, err
		}
		if ok {
			giveBack()
			audit.Of(ctx).By(viewerOf(m))
			return m, nil
		}
	}
	return tenant.Member{}, fault.New(fault.Unauthenticated, "the e-mail address and the password do not belong together").
		WithHint("Check both, and the keyboard layout. An administrator can set a new password.")
}

func normalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

func viewerOf(m tenant.Member) tenant.Viewer {
	return tenant.Viewer{
		Kind: tenant.KindMember, Organization: m.Organization, Team: m.Team, Subject: m.ID, Name: m.Email, Role: m.Role,
	}
}
