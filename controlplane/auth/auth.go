// Package auth checks credentials and turns them into viewers: passwords and browser sessions of members, API tokens of teams, and
// the keys and short-lived tokens of agents. It also makes them.
package auth

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// AccountStore keeps members, their sessions and API tokens.
type AccountStore interface {
	// Bootstrap fills an empty instance; it reports false when it is not empty.
	Bootstrap(ctx context.Context, first tenant.First) (created bool, err error)
	// MembersByEmail searches all organizations.
	MembersByEmail(ctx context.Context, email string) ([]tenant.Member, error)
	// MemberByID searches all organizations.
	MemberByID(ctx context.Context, id uuid.UUID) (tenant.Member, error)
	SessionStore
	TokenStore
	FactorStore
	Names(ctx context.Context, organization tenant.ID, team uuid.UUID) (org, group string, err error)
	// AccessOf returns how an organization lets its people in, whoever asks.
	AccessOf(ctx context.Context, organization tenant.ID) (tenant.Access, error)
}

// SessionStore keeps sign-ins.
type SessionStore interface {
	CreateSession(ctx context.Context, m tenant.Member, of tenant.Session) (id uuid.UUID, err error)
	// SessionMember returns fault.NotFound for a session that is over.
	SessionMember(ctx context.Context, id uuid.UUID) (tenant.Member, error)
	// SeeSession notes that a session was used just now, and returns when it ends.
	SeeSession(ctx context.Context, id uuid.UUID, remote string) (ends time.Time, err error)
	EndSession(ctx context.Context, id uuid.UUID) error
	// Sessions lists those of the viewer that are not over.
	Sessions(ctx context.Context) ([]tenant.Session, error)
	// EndOwnSession ends one of the viewer.
	EndOwnSession(ctx context.Context, id uuid.UUID) error
}

// TokenStore keeps API tokens.
type TokenStore interface {
	CreateToken(ctx context.Context, t tenant.Token) (tenant.Token, error)
	// TokenByHash also returns what has expired or was revoked.
	TokenByHash(ctx context.Context, hash []byte) (tenant.Token, error)
	// TouchToken stores that the token was used just now; it may skip writes.
	TouchToken(ctx context.Context, t tenant.Token) error
	// Tokens lists those of the viewer's organization that were not revoked.
	Tokens(ctx context.Context) ([]tenant.Token, error)
	RevokeToken(ctx context.Context, id uuid.UUID) error
}

// FactorStore keeps what proves who a member is.
type FactorStore interface {
	// SetPassword ends all sessions of the member but one.
	SetPassword(ctx context.Context, id uuid.UUID, hash string, keep uuid.UUID) error
	SetFactor(ctx context.Context, id uuid.UUID, f tenant.Factor) error
	// UseCode reports false when the code of this period, or of a later one, was used before.
	UseCode(ctx context.Context, id uuid.UUID, period int64) (fresh bool, err error)
	// UseRecovery spends a recovery code; it reports false when there is none of this hash.
	UseRecovery(ctx context.Context, id uuid.UUID, hash string) (spent bool, err error)
}

// AgentStore keeps the identities of agents.
type AgentStore interface {
	EnrollCluster(ctx context.Context, e cluster.Enrolment) (cluster.Cluster, cluster.Environment, error)
	SpendBootstrap(ctx context.Context, a cluster.Arrival) (cluster.Identity, error)
	AgentIdentity(ctx context.Context, id cluster.ID) (cluster.Identity, error)
	// SpendNonce reports false when a nonce issued then or later was used before.
	SpendNonce(ctx context.Context, id cluster.ID, issued int64) (fresh bool, err error)
	// RevokeAgent takes the right of a cluster's agent away until the cluster is enrolled again.
	RevokeAgent(ctx context.Context, name, reason string) (cluster.Cluster, error)
	// AskRotation notes that a cluster's agent is to take another key; fault.Conflict when it has no agent.
	AskRotation(ctx context.Context, name string) (cluster.Cluster, error)
	// AddKey registers a second key, PromoteKey lets it take the first one's place.
	AddKey(ctx context.Context, id cluster.ID, key []byte) error
	PromoteKey(ctx context.Context, id cluster.ID, key []byte) error
}

// Bus tells the other replicas that something has changed; losing a hint costs latency only.
type Bus interface {
	Publish(ctx context.Context, topic string)
}

// KeyStore keeps the secrets of the instance.
type KeyStore interface {
	// SettingOrCreate returns the value of key, storing fresh when there is none.
	SettingOrCreate(ctx context.Context, key string, fresh []byte) ([]byte, error)
	Setting(ctx context.Context, key string) ([]byte, error)
	// ChangeSetting replaces a value by what change makes of it, which may be called again.
	ChangeSetting(ctx context.Context, key string, change func(old []byte) ([]byte, error)) error
}

// Config is what an Auth is made of. Clock may be left out.
type Config struct {
	Accounts AccountStore
	Agents   AgentStore
	Keys     KeyStore
	Bus      Bus // may be nil: then connections of a revoked agent end a few seconds later
	Log      *slog.Logger
	Clock    func() time.Time
	// Proxied says that all people come by the address of a proxy: tries at signing in are counted for each account only.
	Proxied bool
	// HashMemory is how many KiB the hash of a new password takes: what is recommended when zero.
	HashMemory uint32
}

// Auth checks and makes credentials. It may be used from many goroutines, and several replicas share one set of keys.
type Auth struct {
	accounts AccountStore
	agents   AgentStore
	keys     KeyStore
	bus      Bus
	log      *slog.Logger
	now      func() time.Time
	hasher   *hasher
	limit    *limiter
	proxied  bool
	sessions *signer
	halfway  *signer // of those who have given the password and not yet the code
	tokens   *signer
	nonceKey []byte
}

// New loads the keys, made at the first start.
func New(ctx context.Context, c Config) (*Auth, error) {
	a := &Auth{accounts: c.Accounts, agents: c.Agents, keys: c.Keys, bus: c.Bus, log: c.Log.With("component", "auth"), now: c.Clock, proxied: c.Proxied}
	if a.now == nil {
		a.now = time.Now
	}
	a.hasher, a.limit = newHasher(cmp.Or(c.HashMemory, argonMemory)), newLimiter(a.now)
	var err error
	if a.sessions, err = loadSigner(ctx, c.Keys, sessionKeys, audienceWeb, a.now); err != nil {
		return nil, err
	}
	if a.halfway, err = loadSigner(ctx, c.Keys, factorKeys, audienceFactor, a.now); err != nil {
		return nil, err
	}
	if a.tokens, err = loadSigner(ctx, c.Keys, agentKeys, audienceAgent, a.now); err != nil {
		return nil, err
	}
	fresh, err := randomBytes(keySize)
	if err != nil {
		return nil, err
	}
	a.nonceKey, err = c.Keys.SettingOrCreate(ctx, "auth/nonce-key", fresh)
	return a, err
}
