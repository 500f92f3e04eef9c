package link

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	renewPrefix  = "seatrial-agent-renew:"
	renewTimeout = 15 * time.Second
	// A token is kept so long at least, whatever the clocks say: when it is refused it goes at once.
	minLife = time.Minute
	// After a renewal that failed, calls use the old token for so long before one tries again.
	renewAgain = 10 * time.Second
)

// tokens hands out the agent's short-lived token and renews it at a third of its life, when a call needs one.
type tokens struct {
	dial    func() (*grpc.ClientConn, error)
	agentID string
	address string
	secure  bool
	rotate  time.Duration // how old a key may become; 0 means any age
	now     func() time.Time
	turn    chan struct{} // gets a signal when keepKeys has something to do

	mu      sync.Mutex
	key     ed25519.PrivateKey
	next    ed25519.PrivateKey // about to take its place
	since   time.Time          // when key was made
	known   bool               // the control plane has registered next
	unsaved bool               // key was used and is not stored as the agent's own yet
	wanted  bool               // the key is to be changed
	token   string
	renewAt time.Time
	expires time.Time
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (t *tokens) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := t.get(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (t *tokens) RequireTransportSecurity() bool { return t.secure }

func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.token != "" && now.Before(t.renewAt) {
		return t.token, nil
	}
	err := t.renew(ctx)
	if err != nil && t.token != "" && now.Before(t.expires) {
		t.renewAt = now.Add(renewAgain)
		return t.token, nil // good for two thirds of its life yet
	}
	return t.token, err
}

// set takes a token that was received now.
func (t *tokens) set(token string, expires time.Time) {
	now := time.Now()
	life := max(expires.Sub(now), minLife)
	t.token, t.expires, t.renewAt = token, now.Add(life), now.Add(life/3)
}

// drop forgets the token that the control plane has refused.
func (t *tokens) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = ""
}

func (t *tokens) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	conn, err := t.dial()
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight
	identity := agentv1.NewAgentIdentityClient(conn)
	// With a change under way the control plane may take either key: the agent may have been stopped at any point of it.
	first, second := t.key, t.next
	if t.known {
		first, second = t.next, t.key
	}
	err = t.renewWith(ctx, identity, first)
	if errors.Is(err, ErrRevoked) && second != nil {
		if err2 := t.renewWith(ctx, identity, second); err2 == nil {
			return nil
		}
	}
	return err
}

// renewWith signs with a key. The first use of a new one is the end of the old one.
func (t *tokens) renewWith(ctx context.Context, identity agentv1.AgentIdentityClient, key ed25519.PrivateKey) error {
	challenge, err := identity.Challenge(ctx, &agentv1.ChallengeRequest{AgentId: t.agentID})
	if err != nil {
		return t.failed(err)
	}
	renewed, err := identity.Renew(ctx, &agentv1.RenewRequest{
		AgentId: t.agentID, Nonce: challenge.GetNonce(),
		Signature: ed25519.Sign(key, append([]byte(renewPrefix), challenge.GetNonce()...)),
	})
	if err != nil {
		return t.failed(err)
	}
	if !key.Equal(t.key) {
		t.key, t.next, t.known, t.since, t.unsaved = key, nil, false, t.now(), true
	}
	t.wanted = renewed.GetRotateKey() || (t.rotate > 0 && t.now().Sub(t.since) >= t.rotate)
	t.set(renewed.GetToken(), renewed.GetTokenExpiresAt().AsTime())
	t.signal()
	return nil
}

// failed marks the refusal of the key itself: no new token will help.
func (t *tokens) failed(err error) error {
	switch {
	case refused(err):
		return fmt.Errorf("%w: %w", ErrRevoked, err)
	case status.Code(err) == codes.Unavailable:
		return unreachable(t.address, err)
	default:
		return fmt.Errorf("renew token: %w", err)
	}
}
