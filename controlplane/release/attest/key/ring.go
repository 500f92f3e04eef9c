package key

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/canonical"
)

// Format is the format of a key list.
const Format = "https://seatrial.dev/keys/v1"

// Path is where a control plane serves the key list of an organization, whose name follows.
const Path = "/.well-known/seatrial/keys/"

// Limits of a key list.
const (
	MaxKeys = 256
	MaxList = 1 << 20 // bytes
)

// Ring is the public keys that a reader trusts: the one in use and those before it. The zero value trusts nothing.
type Ring struct{ keys []Public }

type wireRing struct {
	Format string    `json:"format"`
	Keys   []wireKey `json:"keys"`
}

type wireKey struct {
	ID        string     `json:"id"`
	Algorithm string     `json:"algorithm"`
	PEM       string     `json:"pem"`
	NotBefore *time.Time `json:"notBefore,omitempty"`
	RetiredAt *time.Time `json:"retiredAt,omitempty"`

	Revoked *Revocation `json:"revoked,omitempty"`
}

// NewRing returns a ring of keys. A key that is empty, comes twice or was retired before it came into use is Invalid.
func NewRing(keys ...Public) (Ring, error) {
	if len(keys) > MaxKeys {
		return Ring{}, fault.New(fault.Exhausted, "%d keys in a list: at most %d are read", len(keys), MaxKeys)
	}
	for i, k := range keys {
		field := fmt.Sprintf("keys[%d]", i)
		switch {
		case k.key == nil:
			return Ring{}, fault.New(fault.Invalid, "key %d is empty", i+1).WithField(field)
		case slices.ContainsFunc(keys[:i], func(other Public) bool { return other.id == k.id }):
			return Ring{}, fault.New(fault.Invalid, "key %s is in the list twice", k.id).WithField(field)
		case !k.RetiredAt.IsZero() && k.RetiredAt.Before(k.NotBefore):
			return Ring{}, fault.New(fault.Invalid, "key %s was retired before it came into use", k.id).WithField(field)
		}
	}
	return Ring{keys: slices.Clone(keys)}, nil
}

// Keys returns the keys, in their order.
func (r Ring) Keys() []Public { return slices.Clone(r.keys) }

// MarshalJSON writes the key list.
func (r Ring) MarshalJSON() ([]byte, error) {
	w := wireRing{Format: Format, Keys: make([]wireKey, len(r.keys))}
	for i, k := range r.keys {
		w.Keys[i] = wireKey{
			ID: k.id, Algorithm: k.algorithm, PEM: string(k.PEM()), NotBefore: optional(k.NotBefore), RetiredAt: optional(k.RetiredAt), Revoked: k.Revoked,
		}
	}
	return json.Marshal(w)
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}

// ParseRing reads a key list. A list of another format, and a key whose id or algorithm is not that of its PEM, are Invalid: the
// list is either good as a whole or not trusted at all. Field of the fault names the key.
func ParseRing(data []byte) (Ring, error) {
	if len(data) > MaxList {
		return Ring{}, fault.New(fault.Exhausted, "a key list of %d bytes: at most %d are read", len(data), MaxList)
	}
	var w wireRing
	if err := canonical.Decode(data, &w); err != nil {
		return Ring{}, fault.Wrap(fault.Invalid, err, "key list")
	}
	if w.Format != Format {
		return Ring{}, fault.New(fault.Invalid, "the key list has the format %.100q, not %s", w.Format, Format).WithField("format")
	}
	if len(w.Keys) > MaxKeys {
		return Ring{}, fault.New(fault.Exhausted, "%d keys in a list: at most %d are read", len(w.Keys), MaxKeys).WithField("keys")
	}
	keys := make([]Public, len(w.Keys))
	for i, wire := range w.Keys {
		var err error
		if keys[i], err = wire.key(fmt.Sprintf("keys[%d]", i)); err != nil {
			return Ring{}, err
		}
	}
	return NewRing(keys...)
}

func (w wireKey) key(field string) (Public, error) {
	k, err := ParsePublic([]byte(w.PEM))
	switch {
	case err != nil:
		return Public{}, fault.Wrap(fault.Invalid, err, field).WithField(field + ".pem")
	case w.ID != k.id:
		return Public{}, fault.New(fault.Invalid, "%s says it is %.100q, but its PEM is key %s", field, w.ID, k.id).WithField(field + ".id")
	case w.Algorithm != k.algorithm:
		return Public{}, fault.New(fault.Invalid, "%s says it is of %.40q, but its PEM is of %s", field, w.Algorithm, k.algorithm).
			WithField(field + ".algorithm")
	}
	if w.RetiredAt != nil && w.RetiredAt.IsZero() { // the year 1 would read as "in use"
		return Public{}, fault.New(fault.Invalid, "%s was retired in the year 1", field).WithField(field + ".retiredAt")
	}
	if w.Revoked != nil && w.Revoked.At.IsZero() {
		return Public{}, fault.New(fault.Invalid, "%s was revoked without a time", field).WithField(field + ".revoked.at")
	}
	k.Revoked = w.Revoked
	if w.NotBefore != nil {
		k.NotBefore = *w.NotBefore
	}
	if w.RetiredAt != nil {
		k.RetiredAt = *w.RetiredAt
	}
	return k, nil
}

// Signer returns the key that made a signature of a message. All are tried: the hint, which may be the id of a key, only says which
// one first.
func (r Ring) Signer(message, sig []byte, hint string) (Public, bool) {
	for _, first := range []bool{true, false} {
		for _, k := range r.keys {
			if (k.id == hint) == first && k.Verifies(message, sig) {
				return k, true
			}
		}
	}
	return Public{}, false
}
