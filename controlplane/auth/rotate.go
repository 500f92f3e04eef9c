package auth

import (
	"bytes"
	"context"
	"crypto/ed25519"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const rotateContext = "seatrial-agent-rotate:"

// RevokeCluster takes the right of a cluster's agent away. Every call of it is refused from now on, and the replicas end its streams.
func (a *Auth) RevokeCluster(ctx context.Context, name, reason string) (cluster.Cluster, error) {
	if err := administers(ctx, "revoking an agent"); err != nil {
		return cluster.Cluster{}, err
	}
	c, err := a.agents.RevokeAgent(ctx, name, reason)
	if err != nil {
		return c, err
	}
	if a.bus != nil {
		a.bus.Publish(ctx, cluster.TopicRevoked)
	}
	a.log.InfoContext(ctx, "agent revoked", "cluster", c.ID, "reason", reason)
	return c, nil
}

// RotateClusterKey asks a cluster's agent to take another key, which it hears of at its next renewal.
func (a *Auth) RotateClusterKey(ctx context.Context, name string) (cluster.Cluster, error) {
	if err := administers(ctx, "asking for another key"); err != nil {
		return cluster.Cluster{}, err
	}
	return a.agents.AskRotation(ctx, name)
}

func administers(ctx context.Context, what string) error {
	if v, ok := tenant.FromContext(ctx); !ok || !v.Allows(tenant.ScopeAdmin) {
		return fault.New(fault.Forbidden, "%s needs the scope %q", what, tenant.ScopeAdmin).
			WithHint("Sign in as an administrator of the organization, or use a token with that scope.")
	}
	return nil
}

// RotateKey registers a second key of an agent when a key that holds has signed it and the agent proves that it has it. The first use
// of the new key is the end of the old one: an agent that stops at any moment still has a key that holds. No time ends the old key,
// because an agent may be away for any time between the two.
func (a *Auth) RotateKey(ctx context.Context, id cluster.ID, nonce, key, signature, proof []byte) error {
	if len(key) != ed25519.PublicKeySize {
		return fault.New(fault.Invalid, "the new public key has %d bytes instead of %d", len(key), ed25519.PublicKeySize).
			WithField("new_public_key")
	}
	issued, err := a.checkNonce(id, nonce)
	if err != nil {
		return err
	}
	found, err := a.identity(ctx, id)
	if err != nil {
		return err
	}
	message := bytes.Join([][]byte{[]byte(rotateContext), key, nonce}, nil)
	if _, ok := signedBy(found, message, signature); !ok || !ed25519.Verify(key, message, proof) {
		return fault.New(fault.Unauthenticated, "the signatures do not fit the agent's keys").WithHint(enrollAgain)
	}
	if err := a.spend(ctx, id, issued); err != nil {
		return err
	}
	if bytes.Equal(key, found.PublicKey) {
		return nil // it is the one already
	}
	return a.agents.AddKey(ctx, id, key)
}

// signedBy returns the key of an agent that has signed a message.
func signedBy(id cluster.Identity, message, signature []byte) (key []byte, ok bool) {
	for _, key := range [][]byte{id.PublicKey, id.NextKey} {
		if len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message, signature) {
			return key, true
		}
	}
	return nil, false
}
