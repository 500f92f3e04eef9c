package trigger

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// CreateReceiver makes an address for a kind of sender, with its secret, which is shown once.
func (s *Service) CreateReceiver(ctx context.Context, name, kind, team string) (Receiver, string, error) {
	if _, err := tenant.Require(ctx, tenant.ScopeAdmin); err != nil {
		return Receiver{}, "", err //nolint:wrapcheck // a fault that speaks for itself
	}
	if !slices.Contains(ReceiverKinds(), kind) {
		return Receiver{}, "", fault.New(fault.Invalid, "%q does not send events", kind).WithField("kind").
			WithHint("Senders are %s.", strings.Join(ReceiverKinds(), ", "))
	}
	secret := newSecret()
	r, err := s.store.CreateReceiver(ctx, Receiver{Name: name, Kind: kind}, secret, team)
	if err != nil {
		return r, "", fmt.Errorf("create receiver: %w", err)
	}
	return r, secret, nil
}

// newSecret is a key as Standard Webhooks writes it, which the forges take as well.
func newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// RotateReceiver gives a receiver a new secret, which is shown once. The old one is refused from then on.
func (s *Service) RotateReceiver(ctx context.Context, name string) (string, error) {
	if _, err := tenant.Require(ctx, tenant.ScopeAdmin); err != nil {
		return "", err //nolint:wrapcheck // a fault that speaks for itself
	}
	secret := newSecret()
	if err := s.store.RotateReceiver(ctx, name, secret); err != nil {
		return "", fmt.Errorf("rotate secret: %w", err)
	}
	return secret, nil
}

// RemoveReceiver closes an address.
func (s *Service) RemoveReceiver(ctx context.Context, name string) error {
	if _, err := tenant.Require(ctx, tenant.ScopeAdmin); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	return s.store.RemoveReceiver(ctx, name) //nolint:wrapcheck // a fault that speaks for itself
}

// Receivers lists them by name.
func (s *Service) Receivers(ctx context.Context) ([]Receiver, error) {
	return s.store.Receivers(ctx) //nolint:wrapcheck // a fault that speaks for itself
}
