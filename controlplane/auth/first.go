package auth

import (
	"context"
	"encoding/base32"
	"strings"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

const passwordBytes = 15 // 24 characters

// First is how to use a new instance. It exists once, to be shown once.
type First struct {
	Organization string
	Email        string
	Password     string
	Token        string // an API token with every scope
}

// Bootstrap fills an empty instance with its first organization, team and administrator. It reports false when there is one
// already. With an empty password it makes one up.
func (a *Auth) Bootstrap(ctx context.Context, email, password string) (first First, created bool, err error) {
	first, rows, err := a.first(ctx, "default", email, password)
	if err != nil {
		return First{}, false, err
	}
	created, err = a.accounts.Bootstrap(ctx, rows)
	if err != nil || !created {
		return First{}, false, err
	}
	return first, true, nil
}

// madeUp returns a password that nobody can guess.
func madeUp() (string, error) {
	raw, err := randomBytes(passwordBytes)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)), err
}

// NewOrganization returns an organization with its first administrator and token, to be stored, and the credentials, to be shown once. With
// an empty password it makes one up.
func (a *Auth) NewOrganization(ctx context.Context, name, email, password string) (First, tenant.First, error) {
	return a.first(ctx, name, email, password)
}

// NewPassword makes a password up, and returns it with its hash.
func (a *Auth) NewPassword(ctx context.Context) (password, hash string, err error) {
	if password, err = madeUp(); err != nil {
		return "", "", err
	}
	hash, err = a.hasher.hash(ctx, password)
	return password, hash, err
}

func (a *Auth) first(ctx context.Context, name, email, password string) (first First, rows tenant.First, err error) {
	if password == "" {
		if password, err = madeUp(); err != nil {
			return first, rows, err
		}
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return first, rows, err
	}
	token, sum, err := newSecret(TokenPrefix)
	if err != nil {
		return first, rows, err
	}
	email = NormalEmail(email)
	return First{Organization: name, Email: email, Password: password, Token: token}, tenant.First{
		Organization: name, Team: "default",
		Admin: tenant.Member{Email: email, PasswordHash: hash, Role: tenant.RoleOwner},
		Token: tenant.Token{
			Name: "first", Maker: email, Hash: sum, Hint: token[:len(TokenPrefix)+hintLength], ExpiresAt: a.now().Add(defaultLifetime),
			Scopes: tenant.Scopes(),
		},
	}, nil
}
