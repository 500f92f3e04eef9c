package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
)

// A nonce is the time it was issued (8 bytes), randomness (16), and an HMAC over both and the agent's id. So a challenge, which
// anybody may ask for, costs no storage; using one up is a single conditional update.
const (
	nonceLifetime = time.Minute
	nonceHead     = 8
	nonceBody     = nonceHead + 16
	nonceSize     = nonceBody + sha256.Size
)

// Challenge returns a nonce that lives one minute and can be used once. An unknown agent gets one too: it tells nothing.
func (a *Auth) Challenge(_ context.Context, id cluster.ID) ([]byte, error) {
	body, err := randomBytes(nonceBody)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint64(body, uint64(a.now().UnixNano()))
	return append(body, a.nonceSum(id, body)...), nil
}

// Renew checks the signature over the nonce and returns the identity.
func (a *Auth) Renew(ctx context.Context, id cluster.ID, nonce, signature []byte) (cluster.Identity, error) {
	issued, err := a.checkNonce(id, nonce)
	if err != nil {
		return cluster.Identity{}, err
	}
	found, err := a.identity(ctx, id)
	if err != nil {
		return cluster.Identity{}, err
	}
	key, ok := signedBy(found, append([]byte(renewContext), nonce...), signature)
	if !ok {
		return cluster.Identity{}, fault.New(fault.Unauthenticated, "the signature does not fit the agent's key").WithHint(enrollAgain)
	}
	if err := a.spend(ctx, id, issued); err != nil {
		return cluster.Identity{}, err
	}
	if bytes.Equal(key, found.PublicKey) {
		return found, nil
	}
	// Its use proves that the agent has stored the new key: only now the old one goes.
	if err := a.agents.PromoteKey(ctx, id, key); err != nil {
		return cluster.Identity{}, err
	}
	found.PublicKey, found.NextKey, found.RotationAsked = key, nil, false
	return found, nil
}

// spend uses a nonce up. It comes after the check of a signature, so that nobody but the agent can use its nonces up.
func (a *Auth) spend(ctx context.Context, id cluster.ID, issued int64) error {
	fresh, err := a.agents.SpendNonce(ctx, id, issued)
	if err == nil && !fresh {
		err = fault.New(fault.Unauthenticated, "the nonce was used already").WithHint("Ask for a new one.")
	}
	return err
}

func (a *Auth) checkNonce(id cluster.ID, nonce []byte) (issued int64, err error) {
	if len(nonce) != nonceSize || !hmac.Equal(nonce[nonceBody:], a.nonceSum(id, nonce[:nonceBody])) {
		return 0, fault.New(fault.Unauthenticated, "the nonce is not one of ours").WithHint("Ask for a new one.")
	}
	issued = int64(binary.BigEndian.Uint64(nonce)) //nolint:gosec // the sum says that it is a time of ours
	if age := a.now().Sub(time.Unix(0, issued)); age > nonceLifetime {
		return 0, fault.New(fault.Unauthenticated, "the nonce has expired").WithHint("Ask for a new one.")
	}
	return issued, nil
}

func (a *Auth) nonceSum(id cluster.ID, body []byte) []byte {
	mac := hmac.New(sha256.New, a.nonceKey)
	mac.Write(bytes.Join([][]byte{id[:], body}, nil))
	return mac.Sum(nil)
}
