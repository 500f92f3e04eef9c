package auth_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const rotateContext = "seatrial-agent-rotate:"

// rotate registers a second key, with signatures by the keys given.
func (i *instance) rotate(t *testing.T, a agent, fresh, by, proof ed25519.PrivateKey) error {
	t.Helper()
	i.clock.advance(time.Millisecond) // each nonce is newer than the one before
	nonce, err := i.Challenge(t.Context(), a.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	public := fresh.Public().(ed25519.PublicKey)
	message := slices.Concat([]byte(rotateContext), public, nonce)
	return i.RotateKey(t.Context(), a.Cluster, nonce, public, ed25519.Sign(by, message), ed25519.Sign(proof, message))
}

func (i *instance) renew(t *testing.T, a agent, with ed25519.PrivateKey) (asked bool, err error) {
	t.Helper()
	i.clock.advance(time.Millisecond) // each nonce is newer than the one before
	nonce, err := i.Challenge(t.Context(), a.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	id, err := i.Renew(t.Context(), a.Cluster, nonce, agent{key: with}.sign(nonce))
	return id.RotationAsked, err
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestAuth_RotateKey: both keys hold until the new one is used.
func TestAuth_RotateKey(t *testing.T) {
	t.Parallel()
	i := setup(t)
	a := i.agent(t, "harbour")
	if _, err := i.RotateClusterKey(i.as(t), "harbour"); err != nil {
		t.Fatal(err)
	}
	if asked, err := i.renew(t, a, a.key); err != nil || !asked {
		t.Fatalf("the agent is asked: %t, %v", asked, err)
	}
	fresh := newKey(t)
	for range 2 { // the answer was lost
		if err := i.rotate(t, a, fresh, a.key, fresh); err != nil {
			t.Fatal(err)
		}
	}
	if asked, err := i.renew(t, a, a.key); err != nil || !asked {
		t.Errorf("the old key, as long as the new one was not used: %t, %v", asked, err)
	}
	if asked, err := i.renew(t, a, fresh); err != nil || asked {
		t.Errorf("the new key: asked %t, %v", asked, err)
	}
	if err := i.rotate(t, a, fresh, fresh, fresh); err != nil {
		t.Errorf("registered again after its first use: %v", err)
	}
	_, err := i.renew(t, a, a.key)
	wantUnauthenticated(t, err, "the old key is worth nothing once the new one was used")
	wantUnauthenticated(t, i.rotate(t, a, newKey(t), a.key, newKey(t)), "and cannot bring another one in")
	if _, err := i.renew(t, a, fresh); err != nil {
		t.Errorf("the new key, once more: %v", err)
	}
}

func TestAuth_RotateKey_Refused(t *testing.T) {
	t.Parallel()
	i := setup(t)
	a, b := i.agent(t, "harbour"), i.agent(t, "dock")
	fresh := newKey(t)
	wantUnauthenticated(t, i.rotate(t, a, fresh, fresh, fresh), "no key that holds has signed it")
	wantUnauthenticated(t, i.rotate(t, a, fresh, b.key, fresh), "another agent has signed it")
	wantUnauthenticated(t, i.rotate(t, a, fresh, a.key, a.key), "the agent does not have the new key")
	nonce, err := i.Challenge(t.Context(), a.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	public := fresh.Public().(ed25519.PublicKey)
	renewal := a.sign(nonce)
	wantUnauthenticated(t, i.RotateKey(t.Context(), a.Cluster, nonce, public, renewal, renewal), "a signature made for a renewal")
	if err := i.RotateKey(t.Context(), a.Cluster, nonce, bytes.Repeat([]byte{1}, 31), nil, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("a key of another length: %v", err)
	}
	if _, err := i.RevokeCluster(i.as(t), "harbour", "stolen"); err != nil {
		t.Fatal(err)
	}
	err = i.rotate(t, a, fresh, a.key, fresh)
	wantUnauthenticated(t, err, "the agent was revoked")
	if err == nil || !strings.Contains(err.Error(), "the agent was revoked: stolen") {
		t.Errorf("it does not say why: %v", err)
	}
	viewer := i.admin
	viewer.Role, viewer.Scopes = tenant.RoleViewer, []tenant.Scope{tenant.ScopeRead}
	ctx := tenant.WithViewer(t.Context(), viewer)
	_, revoke := i.RevokeCluster(ctx, "dock", "")
	_, rotate := i.RotateClusterKey(ctx, "dock")
	if !fault.Is(revoke, fault.Forbidden) || !fault.Is(rotate, fault.Forbidden) {
		t.Errorf("by whoever may only look: %v", errors.Join(revoke, rotate))
	}
}
