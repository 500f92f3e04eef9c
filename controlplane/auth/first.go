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
	if password == "" {
		raw, err := randomBytes(passwordBytes)
		if err != nil {
			return First{}, false, err
		}
		password = strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return First{}, false, err
	}
	token, sum, err := newSecret(TokenPrefix)
	if err != nil {
		return First{}, false, err
	}
	email = NormalEmail(email)
	created, err = a.accounts.Bootstrap(ctx, tenant.First{
		Organization: "default", Team: "default",
		Admin: tenant.Member{Email: email, PasswordHash: hash, Role: tenant.RoleOwner},
		Token: tenant.Token{
			Name: "first", Maker: email, Hash: sum, Hint: token[:len(TokenPrefix)+hintLength], ExpiresAt: a.now().Add(defaultLifetime),
			Scopes: tenant.Scopes(),
		},
	})
	if err != nil || !created {
		return First{}, false, err
	}
	return First{Organization: "default", Email: email, Password: password, Token: token}, true, nil
}
