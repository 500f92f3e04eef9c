package tenant

import (
	"time"

	"github.com/google/uuid"
)

// Member is a person in an organization.
type Member struct {
	ID           uuid.UUID
	Organization ID
	Team         uuid.UUID // owns the tokens made at sign-in; one of Teams
	Teams        []TeamRef // by name
	Email        string
	Name         string // empty when not said
	PasswordHash string
	Role         Role
	Factor       Factor
	CreatedAt    time.Time
	Confined     bool // the organization keeps its teams apart; known of those who are signed in
}

// TeamRef names a team.
type TeamRef struct {
	ID   uuid.UUID
	Name string
}

// Team is a group in an organization, with how much it has.
type Team struct {
	TeamRef
	CreatedAt   time.Time
	Members     int
	Tokens      int // that have neither expired nor been revoked
	Owns        int // workflows, templates, policies, environments, releases and trust rules
	Invitations int // that are open
}

// Factor is the second factor of a member. The secret is set as soon as it is handed out, and counts once it is confirmed.
type Factor struct {
	Secret   string
	Since    time.Time // when it was confirmed; zero when it is not
	Used     int64     // period of the last code that was used
	Recovery []string  // hex SHA-256 of the recovery codes that are left
}

// On reports whether a code is asked for at sign-in.
func (f Factor) On() bool { return !f.Since.IsZero() }

// Invitation lets somebody become a member, once.
type Invitation struct {
	ID               uuid.UUID
	Organization     ID
	OrganizationName string
	Team             TeamRef
	Email            string
	Role             Role
	Maker            string // who invited
	Hash             []byte // SHA-256 of the secret in the link
	CreatedAt        time.Time
	ExpiresAt        time.Time
	AcceptedAt       time.Time // zero when not
	WithdrawnAt      time.Time // zero when not
}

// Open reports whether the invitation can still be accepted.
func (i Invitation) Open(now time.Time) bool {
	return i.AcceptedAt.IsZero() && i.WithdrawnAt.IsZero() && now.Before(i.ExpiresAt)
}

// Session is a sign-in of a member in a browser.
type Session struct {
	ID        uuid.UUID
	Remote    string // network address that it was last used from
	Browser   string // what the browser called itself
	CreatedAt time.Time
	SeenAt    time.Time // to a few minutes
	ExpiresAt time.Time
}

// Token is an API token of a team. The secret itself is known to its holder only.
type Token struct {
	ID           uuid.UUID
	Organization ID
	Team         uuid.UUID
	TeamName     string
	Name         string
	Maker        string  // e-mail of the member who made it; empty when nobody knows
	Member       *Member // whom it stands for: it may what the member may; nil for one of a pipeline
	Hint         string  // how the secret begins, to tell tokens apart
	Hash         []byte  // SHA-256 of the secret
	Scopes       []Scope
	Limits       Limits
	CreatedAt    time.Time
	ExpiresAt    time.Time
	LastUsedAt   time.Time // zero when never; to the minute
	RevokedAt    time.Time // zero when not
	Revoker      string
	Confined     bool      // the organization keeps its teams apart; known of a token that was presented
	Rule         uuid.UUID // the trust rule by which a pipeline got it; zero for others
}

// First is what an empty instance starts with.
type First struct {
	Organization string
	Team         string
	Admin        Member // e-mail, password hash and role set
	Token        Token  // name, hash, scopes and expiry set
}
