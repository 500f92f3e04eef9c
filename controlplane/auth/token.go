package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	// TokenPrefix begins every API token, BootstrapPrefix every bootstrap token.
	TokenPrefix     = "st_"
	BootstrapPrefix = "st_boot_"

	secretSize      = 32
	defaultLifetime = 90 * 24 * time.Hour
	maxLifetime     = 366 * 24 * time.Hour
)

// newSecret makes a token of 256 random bits and the hash under which it is stored. So much randomness needs no slow hash.
func newSecret(prefix string) (token string, hash []byte, err error) {
	raw, err := randomBytes(secretSize)
	if err != nil {
		return "", nil, err
	}
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
	token = prefix + strings.ToLower(text)
	return token, hashOf(token), nil
}

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Bearer returns the viewer of an API token. A message tells an expired token from an unknown one: whoever holds a token that was
// once good may know.
func (a *Auth) Bearer(ctx context.Context, token string) (tenant.Viewer, error) {
	const makeOne = "Make a new token in the web pages or with: seatrial login."
	switch {
	case token == "":
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "no credential was given").WithHint("Run: seatrial login.")
	case strings.HasPrefix(token, BootstrapPrefix):
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "this is a bootstrap token, which only enrolls an agent").WithHint(makeOne)
	case !strings.HasPrefix(token, TokenPrefix):
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "this is not an API token; they begin with %s", TokenPrefix).WithHint(makeOne)
	}
	hash := hashOf(token)
	t, err := a.accounts.TokenByHash(ctx, hash)
	if fault.Is(err, fault.NotFound) || (err == nil && subtle.ConstantTimeCompare(t.Hash, hash) != 1) {
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "the token is unknown; it may have been deleted").WithHint(makeOne)
	}
	if err != nil {
		return tenant.Viewer{}, err
	}
	if !a.now().Before(t.ExpiresAt) {
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "the token %q expired on %s; create a new one", t.Name,
			t.ExpiresAt.Format(time.RFC1123)).WithHint(makeOne)
	}
	if err := a.accounts.TouchToken(ctx, t); err != nil {
		a.log.WarnContext(ctx, "the use of a token was not noted", "token", t.ID, "error", err) // no reason to refuse it
	}
	return tenant.Viewer{
		Kind: tenant.KindToken, Organization: t.Organization, Team: t.Team, Subject: t.ID, Credential: t.ID, Name: t.Name, Maker: t.Maker, Scopes: t.Scopes,
	}, nil
}

// CreateToken makes an API token of a team. Its scopes must be the viewer's own: nobody hands on more than they have.
func (a *Auth) CreateToken(ctx context.Context, team, name string, scopes []tenant.Scope, lifetime time.Duration) (string, time.Time, error) {
	v, ok := tenant.FromContext(ctx)
	if !ok {
		return "", time.Time{}, fault.New(fault.Unauthenticated, "no credential was given")
	}
	if len(scopes) == 0 {
		scopes = []tenant.Scope{tenant.ScopeRead, tenant.ScopeRun}
	}
	for _, s := range scopes {
		if err := mayGrant(v, s); err != nil {
			return "", time.Time{}, err
		}
	}
	switch {
	case lifetime < 0 || lifetime > maxLifetime:
		return "", time.Time{}, fault.New(fault.Invalid, "a token lives at most a year").WithField("lifetime")
	case lifetime == 0:
		lifetime = defaultLifetime
	}
	token, hash, err := newSecret(TokenPrefix)
	if err != nil {
		return "", time.Time{}, err
	}
	made, err := a.accounts.CreateToken(ctx, tenant.Token{
		TeamName: team, Name: name, Maker: v.Person(), Hash: hash, Scopes: scopes, ExpiresAt: a.now().Add(lifetime),
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return token, made.ExpiresAt, nil
}

func mayGrant(v tenant.Viewer, s tenant.Scope) error {
	switch s {
	case tenant.ScopeRead, tenant.ScopeRun, tenant.ScopeCatalog, tenant.ScopeRelease, tenant.ScopeAdmin:
	default:
		return fault.New(fault.Invalid, "there is no scope %q", s).WithField("scopes").WithHint("Scopes are read, run, catalog, release and admin.")
	}
	if !v.Allows(s) {
		return fault.New(fault.Forbidden, "you do not have the scope %q yourself", s).WithField("scopes").
			WithHint("Ask an administrator of the organization for the token.")
	}
	return nil
}

// Describe returns the names of the viewer's organization and team.
func (a *Auth) Describe(ctx context.Context) (organization, team string, err error) {
	v, ok := tenant.FromContext(ctx)
	if !ok {
		return "", "", fault.New(fault.Unauthenticated, "no credential was given")
	}
	return a.accounts.Names(ctx, v.Organization, v.Team)
}
