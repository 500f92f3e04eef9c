package auth

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	minPassword = 10   // characters
	maxPassword = 1024 // bytes: hashing more would cost without gain
)

// HashPassword returns the hash under which a new password is stored. One that is too short to hold is fault.Invalid.
func (a *Auth) HashPassword(ctx context.Context, password string) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return "", fault.New(fault.Invalid, "the password is shorter than %d characters", minPassword).WithField(passwordField).
			WithHint("A few words that belong together only for you are easy to keep in mind and hard to guess.")
	case len(password) > maxPassword:
		return "", fault.New(fault.Invalid, "the password is longer than %d bytes", maxPassword).WithField(passwordField)
	}
	return a.hasher.hash(ctx, password)
}

// NewSecret makes the secret of a link and the hash under which it is stored.
func (a *Auth) NewSecret(prefix string) (secret string, hash []byte, err error) {
	return newSecret(prefix)
}

// NewTokenSecret makes the secret of an API token, the hash under which it is stored, and the part of it that is shown.
func (a *Auth) NewTokenSecret() (secret string, hash []byte, hint string, err error) {
	secret, hash, err = newSecret(TokenPrefix)
	if err != nil {
		return "", nil, "", err
	}
	return secret, hash, secret[:len(TokenPrefix)+hintLength], nil
}

// HashSecret returns the hash under which a secret is stored.
func (a *Auth) HashSecret(secret string) []byte { return hashOf(secret) }

// Self returns the record of the viewer, who must be a member.
func (a *Auth) Self(ctx context.Context) (tenant.Member, error) { return a.self(ctx) }

func (a *Auth) self(ctx context.Context) (tenant.Member, error) {
	v, ok := tenant.FromContext(ctx)
	if !ok || v.Kind != tenant.KindMember || v.Subject == uuid.Nil {
		return tenant.Member{}, fault.New(fault.Forbidden, "only a person who is signed in may do this")
	}
	m, err := a.accounts.MemberByID(ctx, v.Subject)
	if err == nil && m.Organization != v.Organization {
		err = fault.New(fault.NotFound, "there is no such member")
	}
	return m, err
}

// prove checks the password of somebody who is signed in already, as often as at signing in.
func (a *Auth) prove(ctx context.Context, m tenant.Member, password string) error {
	giveBack, ok := a.limit.allow("email:" + m.Email)
	if !ok {
		return fault.New(fault.Exhausted, "too many passwords were tried").WithField(passwordField).WithHint("Wait a minute, then try again.")
	}
	good, err := a.hasher.verify(ctx, password, m.PasswordHash)
	if err != nil {
		return err
	}
	if !good {
		return fault.New(fault.Invalid, "this is not your password").WithField(passwordField)
	}
	giveBack()
	return nil
}

// ChangePassword gives the viewer a new password. All other sessions of the viewer end.
func (a *Auth) ChangePassword(ctx context.Context, password, next string) error {
	m, err := a.self(ctx)
	if err != nil {
		return err
	}
	if err := a.prove(ctx, m, password); err != nil {
		return err
	}
	hash, err := a.HashPassword(ctx, next)
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return f.WithField("new")
		}
		return err
	}
	v, _ := tenant.FromContext(ctx)
	return a.accounts.SetPassword(ctx, m.ID, hash, v.Credential)
}

// Sessions lists the sessions of the viewer.
func (a *Auth) Sessions(ctx context.Context) ([]tenant.Session, error) {
	if _, err := a.self(ctx); err != nil {
		return nil, err
	}
	return a.accounts.Sessions(ctx)
}

// EndSession ends a session of the viewer.
func (a *Auth) EndSession(ctx context.Context, id uuid.UUID) error {
	if _, err := a.self(ctx); err != nil {
		return err
	}
	return a.accounts.EndOwnSession(ctx, id)
}
