package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

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
	maxTokenName    = 100
	hintLength      = 6 // characters of a secret that are kept: enough to tell tokens apart, far too few to guess the rest
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
	switch {
	case !t.RevokedAt.IsZero():
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "the token %q was revoked on %s by %s", t.Name,
			t.RevokedAt.Format(time.RFC1123), t.Revoker).WithHint(makeOne)
	case !a.now().Before(t.ExpiresAt):
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "the token %q expired on %s; create a new one", t.Name,
			t.ExpiresAt.Format(time.RFC1123)).WithHint(makeOne)
	}
	if err := a.accounts.TouchToken(ctx, t); err != nil {
		a.log.WarnContext(ctx, "the use of a token was not noted", "token", t.ID, "error", err) // no reason to refuse it
	}
	return bearer(t), nil
}

// bearer is the viewer of a token. One that stands for a member may what its scopes and the member's role allow, today.
func bearer(t tenant.Token) tenant.Viewer {
	v := tenant.Viewer{
		Kind: tenant.KindToken, Organization: t.Organization, Team: t.Team, Subject: t.ID, Credential: t.ID, Name: t.Name, Maker: t.Maker, Scopes: t.Scopes, Limits: t.Limits,
	}
	if t.Member != nil {
		m := viewerOf(*t.Member)
		v.Team, v.Teams, v.Role = m.Team, m.Teams, m.Role
		v.Scopes = slices.DeleteFunc(slices.Clone(t.Scopes), func(s tenant.Scope) bool { return !m.Allows(s) })
	}
	v.Confined = t.Confined && !v.Allows(tenant.ScopeAdmin)
	return v
}

// CreateToken makes an API token of a team. Its scopes must be the viewer's own: nobody hands on more than they have.
func (a *Auth) CreateToken(ctx context.Context, n tenant.NewToken) (secret string, made tenant.Token, err error) {
	v, ok := tenant.FromContext(ctx)
	if !ok {
		return "", made, fault.New(fault.Unauthenticated, "no credential was given")
	}
	if n, err = a.complete(v, n); err != nil {
		return "", made, err
	}
	token, hash, err := newSecret(TokenPrefix)
	if err != nil {
		return "", made, err
	}
	t := tenant.Token{
		TeamName: n.Team, Name: n.Name, Maker: v.Person(), Hash: hash, Hint: token[:len(TokenPrefix)+hintLength], Scopes: n.Scopes,
		Limits: n.Limits, ExpiresAt: a.now().Add(n.Lifetime),
	}
	if n.Personal {
		t.Member = &tenant.Member{ID: v.Subject}
	}
	made, err = a.accounts.CreateToken(ctx, t)
	if err != nil {
		return "", made, err
	}
	return token, made, nil
}

// complete fills in what was left out, and checks that the viewer may make such a token.
func (a *Auth) complete(v tenant.Viewer, n tenant.NewToken) (tenant.NewToken, error) {
	if len(n.Scopes) == 0 {
		n.Scopes = []tenant.Scope{tenant.ScopeRead, tenant.ScopeRun}
	}
	for _, s := range n.Scopes {
		if err := mayGrant(v, s); err != nil {
			return n, err
		}
	}
	if err := n.Limits.Check(); err != nil {
		return n, err
	}
	if len(v.Limits.Workflows)+len(v.Limits.Environments) > 0 {
		return n, fault.New(fault.Forbidden, "a token that is limited cannot make another")
	}
	if v.Kind == tenant.KindToken && v.Role == "" && !v.Allows(tenant.ScopeAdmin) {
		return n, fault.New(fault.Forbidden, "a token of a pipeline makes no others").
			WithHint("Make it as a person, with: seatrial login, or use a token with the scope admin.")
	}
	if n.Personal && v.Kind != tenant.KindMember {
		return n, fault.New(fault.Forbidden, "only a member has personal tokens")
	}
	switch {
	case n.Name == "" || len(n.Name) > maxTokenName:
		return n, fault.New(fault.Invalid, "a token has a name of 1 to %d bytes", maxTokenName).WithField("name").WithHint("Say what it is for.")
	case n.Lifetime < 0 || n.Lifetime > maxLifetime:
		return n, fault.New(fault.Invalid, "a token lives at most a year").WithField("lifetime")
	case n.Lifetime == 0:
		n.Lifetime = defaultLifetime
	}
	return n, nil
}

// Tokens lists the tokens that the viewer may know of: all for those who administer the organization, else those of the own teams.
func (a *Auth) Tokens(ctx context.Context) ([]tenant.Token, error) {
	v, err := tenant.Require(ctx, tenant.ScopeRead)
	if err != nil {
		return nil, err
	}
	all, err := a.accounts.Tokens(ctx)
	return slices.DeleteFunc(all, func(t tenant.Token) bool { return !knows(v, t) }), err
}

// knows reports whether somebody may see and revoke a token. A personal one is its member's business, and the administrators'.
func knows(v tenant.Viewer, t tenant.Token) bool {
	if t.Member != nil {
		return v.Allows(tenant.ScopeAdmin) || made(v, t.Member.Email)
	}
	return v.Acts(t.Team)
}

// made reports whether the viewer is, or stands for, a member. A token of a pipeline does not, whoever made it.
func made(v tenant.Viewer, email string) bool { return v.Role != "" && v.Person() == email }

// RevokeToken makes a token useless at once. It takes a maintainer of its team, an administrator, or whom it stands for.
func (a *Auth) RevokeToken(ctx context.Context, id uuid.UUID) error {
	v, err := tenant.Require(ctx, tenant.ScopeRead)
	if err != nil {
		return err
	}
	all, err := a.accounts.Tokens(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(t tenant.Token) bool { return t.ID == id && knows(v, t) })
	if i < 0 {
		return fault.New(fault.NotFound, "there is no token %s", id).WithHint("List what there is with: seatrial token list.")
	}
	if t := all[i]; t.Member == nil && !made(v, t.Maker) && t.ID != v.Subject && !v.Allows(tenant.ScopeCatalog) {
		return fault.New(fault.Forbidden, "%s may not revoke the tokens of others", v.Name).WithHint("Ask a maintainer of the team %s.", t.TeamName)
	}
	return a.accounts.RevokeToken(ctx, id)
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
