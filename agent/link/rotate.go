package link

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	rotatePrefix = "seatrial-agent-rotate:"
	// A change of the key that did not come about is tried again this seldom: the key that the agent has still holds.
	rotateAgain = 10 * time.Minute
	// What is not stored yet would be found out at the next start, one refusal later.
	storeAgain = time.Minute
)

// keepKeys changes the agent's key when the control plane asks for it, or when it has become old. In this order, so that an agent that
// is stopped anywhere in between has a key that holds:
//
//  1. the new key is stored in the Secret beside the old one;
//  2. the control plane registers it, signed with both: now either holds;
//  3. the agent renews its token with it: now the old one is worth nothing;
//  4. the new key takes the old one's place in the Secret.
//
// An agent that finds a new key beside its own at its start goes on with it: the control plane takes one of the two.
func (l *Link) keepKeys(ctx context.Context) {
	if l.o.Vault.Secrets == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.tokens.turn:
		}
		err := l.turnKey(ctx)
		if err == nil {
			continue
		}
		wait := rotateAgain
		if errors.Is(err, errNotStored) {
			wait = storeAgain
		}
		if ctx.Err() == nil {
			l.o.Log.WarnContext(ctx, "the agent's key is not changed, the one that it has still holds", "error", err, "in", wait.String())
		}
		if pause(ctx, wait) != nil {
			return
		}
		l.tokens.signal()
	}
}

var errNotStored = errors.New("the new key is in use and not stored as the agent's own yet")

func (l *Link) turnKey(ctx context.Context) error {
	key, next, due, unsaved := l.tokens.keys()
	if unsaved {
		return l.adoptKey(ctx, key)
	}
	if !due {
		return nil
	}
	if next == nil {
		var err error
		if _, next, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return fmt.Errorf("generate key: %w", err)
		}
		if err := l.o.Vault.Propose(ctx, next); err != nil {
			return err
		}
		l.tokens.propose(next)
	}
	if err := l.register(ctx, key, next); err != nil {
		return err
	}
	l.tokens.registered()
	if _, err := l.tokens.get(ctx); err != nil {
		return err
	}
	if key, _, _, unsaved = l.tokens.keys(); !unsaved {
		return errors.New("the control plane registered the new key and does not take it")
	}
	return l.adoptKey(ctx, key)
}

func (l *Link) adoptKey(ctx context.Context, key ed25519.PrivateKey) error {
	if err := l.o.Vault.Adopt(ctx, key, l.o.now()); err != nil {
		return fmt.Errorf("%w: %w", errNotStored, err)
	}
	l.tokens.saved()
	l.o.Log.InfoContext(ctx, "the agent has a new key")
	return nil
}

// register makes a new key known, signed with the one that holds and, as a proof that the agent has it, with itself.
func (l *Link) register(ctx context.Context, key, next ed25519.PrivateKey) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	conn, err := l.o.dial()
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight
	identity := agentv1.NewAgentIdentityClient(conn)
	challenge, err := identity.Challenge(ctx, &agentv1.ChallengeRequest{AgentId: l.tokens.agentID})
	if err != nil {
		return l.tokens.failed(err)
	}
	public, ok := next.Public().(ed25519.PublicKey)
	if !ok {
		return errors.New("the new key is not an Ed25519 key")
	}
	message := slices.Concat([]byte(rotatePrefix), public, challenge.GetNonce())
	if _, err := identity.RotateKey(ctx, &agentv1.RotateKeyRequest{
		AgentId: l.tokens.agentID, Nonce: challenge.GetNonce(), NewPublicKey: public,
		Signature: ed25519.Sign(key, message), NewSignature: ed25519.Sign(next, message),
	}); err != nil {
		return fmt.Errorf("register the new key: %w", err)
	}
	return nil
}

// signal wakes keepKeys.
func (t *tokens) signal() {
	select {
	case t.turn <- struct{}{}:
	default:
	}
}

// keys returns the keys and what is to be done with them. A change that was begun is due.
func (t *tokens) keys() (key, next ed25519.PrivateKey, due, unsaved bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.key, t.next, t.wanted || t.next != nil, t.unsaved
}

func (t *tokens) propose(next ed25519.PrivateKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next, t.known = next, false
}

// registered makes the next token come with the new key, now.
func (t *tokens) registered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known, t.renewAt = true, time.Time{}
}

func (t *tokens) saved() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unsaved = false
}
