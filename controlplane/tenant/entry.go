package tenant

import "time"

// Entry is what somebody presents to be let in.
type Entry struct {
	Email, Password string
	Code            string // of the authenticator app, or a recovery code; only when asked for
	Halfway         string // in the place of e-mail and password: what an earlier try with them returned
	Remote          string // network address
	Browser         string // what it calls itself
}

// Ticket lets a browser in. Without a cookie a code is still needed: with Halfway the password need not be given again.
type Ticket struct {
	Cookie  string
	Expires time.Time
	Viewer  Viewer
	Halfway string
}

// NewToken asks for an API token.
type NewToken struct {
	Name     string
	Team     string // empty for the viewer's
	Scopes   []Scope
	Limits   Limits
	Lifetime time.Duration // 90 days when zero
	Personal bool          // it stands for the viewer, a member: it may what the member may, and ends with the membership
}

// NewInvitation asks for an invitation.
type NewInvitation struct {
	Email    string
	Role     Role
	Team     string        // empty for the viewer's
	Lifetime time.Duration // a week when zero
}
