package auth

import (
	"context"
	"fmt"
)

// names of the settings that hold the keys of signers.
const (
	sessionKeys = "auth/session-key"
	factorKeys  = "auth/factor-key"
	agentKeys   = "auth/agent-key"
)

// RotateSigningKeys has a new key sign each kind of token from now on. What the key before it has signed holds until it expires; with forget
// it is void, as it has to be when somebody else may have that key. Replicas that run notice by themselves.
func (a *Auth) RotateSigningKeys(ctx context.Context, forget bool) error {
	for _, name := range []string{sessionKeys, factorKeys, agentKeys} {
		fresh, err := randomBytes(keySize)
		if err != nil {
			return err
		}
		if err := a.keys.ChangeSetting(ctx, name, func(old []byte) ([]byte, error) {
			seeds := append([]byte{}, fresh...)
			if !forget && len(old) >= keySize {
				seeds = append(seeds, old[:keySize]...)
			}
			return seeds, nil
		}); err != nil {
			return fmt.Errorf("rotate %s: %w", name, err)
		}
	}
	return nil
}
