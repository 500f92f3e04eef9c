package tenant

import (
	"time"

	"github.com/google/uuid"
)

// Member is a person in an organization.
type Member struct {
	ID           uuid.UUID
	Organization ID
	Team         uuid.UUID // owns the tokens made at sign-in
	Email        string
	PasswordHash string
	Role         Role
}

// Token is an API token of a team. The secret itself is known to its holder only.
type Token struct {
	ID           uuid.UUID
	Organization ID
	Team         uuid.UUID
	TeamName     string
	Name         string
	Maker        string // e-mail of the member who made it; empty when nobody knows
	Hash         []byte // SHA-256 of the secret
	Scopes       []Scope
	CreatedAt    time.Time
	ExpiresAt    time.Time
	LastUsedAt   time.Time // zero when never; to the minute
}

// First is what an empty instance starts with.
type First struct {
	Organization string
	Team         string
	Admin        Member // e-mail, password hash and role set
	Token        Token  // name, hash, scopes and expiry set
}
