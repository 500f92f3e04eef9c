package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	// SessionLifetime is how long a browser stays signed in at most.
	SessionLifetime = 12 * time.Hour
	// CookieLifetime is how long a cookie is good for. It is renewed while the browser is used, so that a copy of one is worth little.
	CookieLifetime = 2 * time.Hour

	renewAfter    = 5 * time.Minute
	halfwayFor    = 5 * time.Minute
	maxBrowser    = 200 // bytes of what a browser calls itself
	codeField     = "code"
	passwordField = "password"
)

// SignIn checks a password, and the code where there is a second factor, and returns the member. It takes as long for an address
// that nobody has, and its message is the same. A code that is needed and was not given is fault.Unauthenticated with the field "code".
func (a *Auth) SignIn(ctx context.Context, e tenant.Entry) (tenant.Viewer, error) {
	m, err := a.member(ctx, e.Email, e.Password, e.Remote)
	if err != nil {
		return tenant.Viewer{}, err
	}
	if err := a.byPassword(ctx, m); err != nil {
		return tenant.Viewer{}, err
	}
	if m.Factor.On() {
		if err := a.checkCode(ctx, m, e.Code); err != nil {
			return tenant.Viewer{}, err
		}
	}
	return viewerOf(m), nil
}

// StartSession signs a member in and returns the cookie for the browser, or what to present with the code.
func (a *Auth) StartSession(ctx context.Context, e tenant.Entry) (tenant.Ticket, error) {
	m, err := a.half(ctx, e)
	if err != nil {
		return tenant.Ticket{}, err
	}
	if err := a.byPassword(ctx, m); err != nil {
		return tenant.Ticket{}, err
	}
	if m.Factor.On() {
		if e.Code == "" {
			halfway, expires, err := a.halfway.sign(ctx, m.ID, m.ID, m.Organization, halfwayFor)
			return tenant.Ticket{Halfway: halfway, Expires: expires}, err
		}
		if err := a.checkCode(ctx, m, e.Code); err != nil {
			return tenant.Ticket{}, err
		}
	}
	return a.Admit(ctx, m, e)
}

// byPassword refuses who has to sign in by an identity provider. It comes after the check of the password: strangers learn nothing.
func (a *Auth) byPassword(ctx context.Context, m tenant.Member) error {
	access, err := a.accounts.AccessOf(ctx, m.Organization)
	if err != nil || !access.SSORequired || (access.BreakGlass && m.Role == tenant.RoleOwner) {
		return err
	}
	org, _, err := a.accounts.Names(tenant.WithViewer(ctx, viewerOf(m)), m.Organization, uuid.Nil)
	if err != nil {
		return err
	}
	return fault.New(fault.Forbidden, "members of %s do not sign in with passwords", org).WithField("sso").
		WithHint("Sign in by the identity provider of the organization, in the browser. For a command line, make a token there: seatrial login --token.")
}

// half returns who has given a password: just now, or a few minutes ago.
func (a *Auth) half(ctx context.Context, e tenant.Entry) (tenant.Member, error) {
	if e.Halfway == "" {
		return a.member(ctx, e.Email, e.Password, e.Remote)
	}
	c, err := a.halfway.check(ctx, e.Halfway)
	if err != nil {
		return tenant.Member{}, fault.Wrap(fault.Unauthenticated, err, "signing in took too long").WithField(passwordField).
			WithHint("Give e-mail and password again.")
	}
	m, err := a.accounts.MemberByID(ctx, c.subject)
	if fault.Is(err, fault.NotFound) {
		return tenant.Member{}, fault.New(fault.Unauthenticated, "you are no member any more").WithField(passwordField)
	}
	return m, err
}

// Admit opens a session of a member whose identity is beyond doubt.
func (a *Auth) Admit(ctx context.Context, m tenant.Member, e tenant.Entry) (tenant.Ticket, error) {
	now := a.now()
	id, err := a.accounts.CreateSession(ctx, m, tenant.Session{
		Remote: e.Remote, Browser: e.Browser[:min(len(e.Browser), maxBrowser)], ExpiresAt: now.Add(SessionLifetime),
	})
	if err != nil {
		return tenant.Ticket{}, err
	}
	cookie, expires, err := a.sessions.sign(ctx, m.ID, id, m.Organization, CookieLifetime)
	v := viewerOf(m)
	v.Credential = id
	return tenant.Ticket{Cookie: cookie, Expires: expires, Viewer: v}, err
}

// Cookie returns the viewer of a session cookie.
func (a *Auth) Cookie(ctx context.Context, value string) (tenant.Viewer, error) {
	v, _, err := a.session(ctx, value)
	return v, err
}

func (a *Auth) session(ctx context.Context, value string) (tenant.Viewer, credential, error) {
	c, err := a.sessions.check(ctx, value)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return tenant.Viewer{}, c, fault.New(fault.Unauthenticated, "your session expired on %s", c.expires.Format(time.RFC1123)).
			WithHint("Sign in again.")
	case err != nil:
		return tenant.Viewer{}, c, fault.Wrap(fault.Unauthenticated, err, "you are not signed in").WithHint("Sign in.")
	}
	m, err := a.accounts.SessionMember(ctx, c.id)
	if fault.Is(err, fault.NotFound) || (err == nil && m.ID != c.subject) {
		return tenant.Viewer{}, c, fault.New(fault.Unauthenticated, "you have signed out").WithHint("Sign in again.")
	}
	if err != nil {
		return tenant.Viewer{}, c, err
	}
	v := viewerOf(m)
	v.Credential = c.id
	return v, c, nil
}

// Visit returns the viewer of a session cookie, and a new cookie when the old one is no longer fresh. The old one stays good until it
// expires: other requests of the same browser are on their way with it.
func (a *Auth) Visit(ctx context.Context, value, remote string) (tenant.Ticket, error) {
	v, c, err := a.session(ctx, value)
	if err != nil || a.now().Sub(c.issued) < renewAfter {
		return tenant.Ticket{Viewer: v}, err
	}
	ends, err := a.accounts.SeeSession(ctx, c.id, remote)
	if err != nil {
		return tenant.Ticket{}, err
	}
	life := min(CookieLifetime, ends.Sub(a.now()))
	if life <= 0 {
		return tenant.Ticket{Viewer: v}, nil
	}
	cookie, expires, err := a.sessions.sign(ctx, c.subject, c.id, c.organization, life)
	return tenant.Ticket{Cookie: cookie, Expires: expires, Viewer: v}, err
}

// SignOut ends a session. A cookie that does not hold is no error: it is signed out already.
func (a *Auth) SignOut(ctx context.Context, cookie string) error {
	c, err := a.sessions.check(ctx, cookie)
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
	email = NormalEmail(email)
	giveBack, err := a.try("email:"+email, remote)
	if err != nil {
		return tenant.Member{}, err
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
		WithHint("Check both, and the keyboard layout. An administrator can invite you anew.")
}

// try takes one try at proving something, of a key and of a network address. It can be given back.
func (a *Auth) try(key, remote string) (giveBack func(), err error) {
	keys := []string{key}
	if !a.proxied {
		keys = append(keys, "remote:"+remote)
	}
	giveBack, ok := a.limit.allow(keys...)
	if !ok {
		return nil, fault.New(fault.Exhausted, "too many tries at signing in").WithHint("Wait a minute, then try again.")
	}
	return giveBack, nil
}

// NormalEmail is the form in which addresses are kept and compared.
func NormalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

func viewerOf(m tenant.Member) tenant.Viewer {
	v := tenant.Viewer{
		Kind: tenant.KindMember, Organization: m.Organization, Team: m.Team, Teams: teamsOf(m), Subject: m.ID, Name: m.Email, Role: m.Role,
	}
	v.Confined = m.Confined && !v.Allows(tenant.ScopeAdmin)
	return v
}

func teamsOf(m tenant.Member) []uuid.UUID {
	out := make([]uuid.UUID, len(m.Teams))
	for i, t := range m.Teams {
		out[i] = t.ID
	}
	return out
}
