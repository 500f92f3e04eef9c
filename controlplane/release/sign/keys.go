package sign

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// stored is a key as the database keeps it. The list of an organization begins with the newest.
type stored struct {
	Private string    `json:"private"` // PEM
	Created time.Time `json:"created"`
	Retired time.Time `json:"retired,omitzero"`

	Revoked *key.Revocation `json:"revoked,omitempty"`
}

// signer is the key that signs, and since when.
type signer struct {
	key   key.Private
	since time.Time
}

// Ring returns the public keys of an organization that is named: the one that signs, and those that did. There is none before the
// first bundle. Everybody may see them.
func (s *Service) Ring(ctx context.Context, organization string) (key.Ring, error) {
	id, err := s.cfg.Store.OrganizationID(ctx, organization)
	if err != nil {
		return key.Ring{}, fmt.Errorf("find the organization: %w", err)
	}
	return s.ring(ctx, id)
}

func (s *Service) ring(ctx context.Context, organization tenant.ID) (key.Ring, error) {
	text, err := s.cfg.Store.SigningKeys(ctx, organization)
	if err != nil {
		return key.Ring{}, fmt.Errorf("read the signing keys: %w", err)
	}
	list, err := read(text)
	if err != nil {
		return key.Ring{}, err
	}
	public := make([]key.Public, len(list))
	for i, k := range list {
		private, err := key.ParsePrivate([]byte(k.Private))
		if err != nil {
			return key.Ring{}, errDamaged()
		}
		public[i] = private.Public()
		public[i].NotBefore, public[i].RetiredAt, public[i].Revoked = k.Created, k.Retired, k.Revoked
	}
	return key.NewRing(public...) //nolint:wrapcheck // a fault that speaks for itself
}

// Rotate retires the key that signs in the viewer's organization and makes a new one. What the old one signed stays good. It needs
// ScopeAdmin, and is Exhausted when the list of keys is full.
func (s *Service) Rotate(ctx context.Context) (key.Ring, error) {
	viewer, err := tenant.Require(ctx, tenant.ScopeAdmin)
	if err != nil {
		return key.Ring{}, err
	}
	if err := s.cfg.Store.ChangeSigningKeys(ctx, viewer.Organization, s.rotated); err != nil {
		return key.Ring{}, fmt.Errorf("rotate the signing key: %w", err)
	}
	ring, err := s.ring(ctx, viewer.Organization)
	if err != nil {
		return key.Ring{}, err
	}
	s.cfg.Log.InfoContext(ctx, "signing key rotated", "organization", viewer.Organization, "key", ring.Keys()[0].ID(), "actor", viewer.Name)
	return ring, nil
}

// RevokeKey takes trust from a key of the viewer's organization, by its ID: from now on, or, when it is compromised, whatever time a statement
// gives. The key that signs is retired and followed by a new one. It needs ScopeAdmin. It is NotFound when the organization has no such key,
// Invalid without a reason, and Conflict when there is nothing left to say against it.
func (s *Service) RevokeKey(ctx context.Context, id, reason string, compromised bool) (key.Ring, error) {
	viewer, err := tenant.Require(ctx, tenant.ScopeAdmin)
	if err != nil {
		return key.Ring{}, err
	}
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > maxReason {
		return key.Ring{}, fault.New(fault.Invalid, "say in 1 to %d bytes why the key is revoked", maxReason).WithField("reason")
	}
	note := audit.Of(ctx)
	note.On(audit.Object{Kind: "signing-key", ID: id})
	note.Detail("reason", reason)
	note.Detail("compromised", strconv.FormatBool(compromised))
	change := func(old []byte) ([]byte, error) { return s.revoked(old, id, reason, compromised) }
	if err := s.cfg.Store.ChangeSigningKeys(ctx, viewer.Organization, change); err != nil {
		return key.Ring{}, fmt.Errorf("revoke the signing key: %w", err)
	}
	s.cfg.Log.WarnContext(ctx, "signing key revoked", "organization", viewer.Organization, "key", id, "compromised", compromised, "actor", viewer.Name)
	return s.ring(ctx, viewer.Organization)
}

// maxReason is how many bytes a reason may have: it stands in the list that everybody reads.
const maxReason = 200

// revoked marks a key in a list. A key that was revoked may be said to be compromised later; nothing is taken back.
func (s *Service) revoked(old []byte, id, reason string, compromised bool) ([]byte, error) {
	list, err := read(old)
	if err != nil {
		return nil, err
	}
	for i := range list {
		private, err := key.ParsePrivate([]byte(list[i].Private))
		if err != nil {
			return nil, errDamaged()
		}
		if private.Public().ID() != id {
			continue
		}
		k := &list[i]
		if k.Revoked != nil && (k.Revoked.Compromised || !compromised) {
			return nil, fault.New(fault.Conflict, "the key %s was revoked already, at %s", id, k.Revoked.At.UTC().Format(time.RFC3339))
		}
		at := later(s.now(), k.Created) // another replica's clock may be ahead
		if k.Revoked != nil {
			at = k.Revoked.At
		}
		k.Revoked = &key.Revocation{At: at, Reason: reason, Compromised: compromised}
		if k.Retired.IsZero() { // the one that signs: readers that know of no revocation see it retired, and another one follows
			if len(list) >= key.MaxKeys {
				return nil, fault.New(fault.Exhausted, "the organization has had %d signing keys, and readers take no longer list", len(list))
			}
			k.Retired = at
			return grown(list, at)
		}
		text, err := json.Marshal(list)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "write the signing keys")
		}
		return text, nil
	}
	return nil, fault.New(fault.NotFound, "the organization has no signing key %q", id).WithField("key_id").WithHint("List them with: seatrial release keys.")
}

// rotated puts a new key before the old ones.
func (s *Service) rotated(old []byte) ([]byte, error) {
	list, err := read(old)
	if err != nil {
		return nil, err
	}
	if len(list) >= key.MaxKeys {
		return nil, fault.New(fault.Exhausted, "the organization has had %d signing keys, and readers take no longer list", len(list))
	}
	at := s.now()
	if len(list) > 0 { // another replica's clock may be ahead: no key is retired before it came into use
		at = later(at, list[0].Created)
		list[0].Retired = at
	}
	return grown(list, at)
}

// grown writes a list with one more key, which is in use from a time on.
func grown(list []stored, at time.Time) ([]byte, error) {
	fresh, err := key.Generate()
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	secret, err := fresh.PEM()
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	text, err := json.Marshal(slices.Insert(list, 0, stored{Private: string(secret), Created: at}))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "write the signing keys")
	}
	return text, nil
}

// signer returns the key that signs for an organization, and makes it when there is none.
func (s *Service) signer(ctx context.Context, organization tenant.ID) (signer, error) {
	text, err := s.cfg.Store.SigningKeys(ctx, organization)
	if err != nil {
		return signer{}, fmt.Errorf("read the signing keys: %w", err)
	}
	if len(text) == 0 {
		if text, err = s.first(ctx, organization); err != nil {
			return signer{}, fmt.Errorf("make the signing key: %w", err)
		}
	}
	list, err := read(text)
	if err != nil {
		return signer{}, err
	}
	if len(list) == 0 || !list[0].Retired.IsZero() {
		return signer{}, fault.New(fault.Internal, "the organization has no key that signs")
	}
	private, err := key.ParsePrivate([]byte(list[0].Private))
	if err != nil {
		return signer{}, errDamaged()
	}
	return signer{key: private, since: list[0].Created}, nil
}

// first makes the first key. Of several callers one does, and all get it.
func (s *Service) first(ctx context.Context, organization tenant.ID) (text []byte, err error) {
	made := false
	err = s.cfg.Store.ChangeSigningKeys(ctx, organization, func(old []byte) ([]byte, error) {
		if made = len(old) == 0; !made {
			text = old
			return old, nil
		}
		var err error
		text, err = grown(nil, s.now())
		return text, err
	})
	if err == nil && made {
		s.cfg.Log.InfoContext(ctx, "signing key made", "organization", organization)
	}
	return text, err
}

func read(text []byte) ([]stored, error) {
	var list []stored
	if len(text) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, errDamaged()
	}
	return list, nil
}

// errDamaged leaves the cause out: it may quote what it could not read.
func errDamaged() error {
	return fault.New(fault.Internal, "the signing keys of the organization cannot be read")
}
