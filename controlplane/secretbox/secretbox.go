// Package secretbox encrypts the secrets that the control plane stores, with keys that can be exchanged while it runs.
//
// A sealed value is an envelope: the value is encrypted with a key of its own (AES-256-GCM), and that key with one of the ring. Where the
// value is stored is authenticated with both, so that a value which somebody moves to another row does not open there.
package secretbox

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/fault"
)

const (
	magic   = "\x00seatrial-sealed-1\x00" // no JSON and no key begins so
	keySize = 32
)

// Sealed reports whether a value is an envelope.
func Sealed(value []byte) bool { return bytes.HasPrefix(value, []byte(magic)) }

// Box seals and opens values. It may be used from many goroutines.
type Box struct{ ring *Ring }

// New returns a box with the keys of a ring.
func New(r *Ring) *Box { return &Box{ring: r} }

// Seal encrypts a value for a place, such as the id of its row, with the newest key.
func (b *Box) Seal(place string, value []byte) ([]byte, error) {
	own := make([]byte, keySize)
	_, _ = rand.Read(own) // it never fails
	body, err := encrypt(own, label(place, "value"), value)
	if err != nil {
		return nil, err
	}
	return b.wrap(place, own, body)
}

// Open decrypts a value that was sealed for a place. It is fault.Unavailable when the key is not in the ring, and fault.Internal when the
// value was changed, or sealed for another place.
func (b *Box) Open(place string, sealed []byte) ([]byte, error) {
	own, body, _, err := b.unwrap(place, sealed)
	if err != nil {
		return nil, err
	}
	value, err := decrypt(own, label(place, "value"), body)
	if err != nil {
		return nil, damaged(place)
	}
	return value, nil
}

// Renew wraps the key of a sealed value by the newest one; changed is false when it is already.
func (b *Box) Renew(place string, sealed []byte) (renewed []byte, changed bool, err error) {
	own, body, id, err := b.unwrap(place, sealed)
	if err != nil || id == b.ring.newest().id {
		return sealed, false, err
	}
	renewed, err = b.wrap(place, own, body)
	return renewed, true, err
}

func (b *Box) wrap(place string, own, body []byte) ([]byte, error) {
	k := b.ring.newest()
	wrapped, err := encrypt(k.secret, label(place, "key "+k.id), own)
	if err != nil {
		return nil, err
	}
	out := []byte(magic)
	for _, part := range [][]byte{[]byte(k.id), wrapped} {
		out = binary.BigEndian.AppendUint16(out, uint16(len(part))) //nolint:gosec // G115: an id and a wrapped key are short
		out = append(out, part...)
	}
	return append(out, body...), nil
}

func (b *Box) unwrap(place string, sealed []byte) (own, body []byte, id string, err error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(magic))
	if !ok {
		return nil, nil, "", fault.New(fault.Internal, "the secret %s is stored in plain text, which is not accepted", place)
	}
	name, rest, ok := part(rest)
	wrapped, body, whole := part(rest)
	if !ok || !whole {
		return nil, nil, "", damaged(place)
	}
	id = string(name)
	k, err := b.ring.find(id)
	if err != nil {
		return nil, nil, "", err
	}
	if own, err = decrypt(k.secret, label(place, "key "+id), wrapped); err != nil {
		return nil, nil, "", damaged(place)
	}
	return own, body, id, nil
}

// part cuts a part with its length before it off.
func part(b []byte) (first, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

func damaged(place string) error {
	return fault.New(fault.Internal, "the secret %s does not open: it was changed, or moved here from another place", place)
}

// label is what is authenticated with a ciphertext: what it is, and where it belongs.
func label(place, what string) []byte { return []byte(magic + what + "\x00" + place) }

func encrypt(secret, with, plain []byte) ([]byte, error) {
	g, err := aead(secret)
	if err != nil {
		return nil, err
	}
	return g.Seal(nil, nil, plain, with), nil //nolint:gosec // G407: it makes a random nonce itself and takes none
}

func decrypt(secret, with, sealed []byte) ([]byte, error) {
	g, err := aead(secret)
	if err != nil {
		return nil, err
	}
	return g.Open(nil, nil, sealed, with) //nolint:wrapcheck // the caller says what was to be opened, and nothing of the cause
}

// aead returns AES-256-GCM with a random nonce before each ciphertext.
func aead(secret []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	g, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	return g, nil
}
