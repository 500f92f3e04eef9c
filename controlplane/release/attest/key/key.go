// Package key holds the keys that sign statements and those that are trusted to have signed them.
package key

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// The algorithms of keys, as a key list names them.
const (
	Ed25519 = "Ed25519"
	ECDSA   = "ECDSA-P256" // over SHA-256; such keys only verify here
)

const (
	privateBlock = "PRIVATE KEY" // PKCS#8
	publicBlock  = "PUBLIC KEY"  // PKIX

	idSize = 16 // bytes of the digest that are the id
)

// Private signs. It never shows its secret when it is printed.
type Private struct {
	secret func() ed25519.PrivateKey // nothing that fmt follows: it does not ask a field of another struct how to print it
	public Public
}

// Public verifies. ECDSA keys of other systems are taken beside our Ed25519 ones.
type Public struct {
	// NotBefore is when the key came into use; the zero time means always.
	NotBefore time.Time
	// RetiredAt is when the key signed for the last time; the zero time means that it is in use. What it signed before stays good,
	// by the time that the statement gives: a key that was stolen is revoked as compromised, since its thief chooses that time.
	RetiredAt time.Time
	// Revoked is what was said against the key; nil means nothing.
	Revoked *Revocation

	key       crypto.PublicKey
	algorithm string
	id        string
	pkix      []byte
}

// Revocation takes trust from a key that is still on the list, so that readers say why they refuse it.
type Revocation struct {
	At     time.Time `json:"at"` // what is said to be made then or later does not hold
	Reason string    `json:"reason,omitempty"`
	// Compromised says that somebody else may have signed with the key, whatever time a statement gives: none of it holds.
	Compromised bool `json:"compromised,omitempty"`
}

// covers reports whether what is said to be made at a time does not hold. A statement without a time never does.
func (r *Revocation) covers(at time.Time) bool {
	return r != nil && (r.Compromised || at.IsZero() || !at.Before(r.At))
}

// Generate makes an Ed25519 key out of the system's randomness.
func Generate() (Private, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return Private{}, fault.Wrap(fault.Internal, err, "make a signing key")
	}
	return newPrivate(key)
}

// ParsePrivate reads an Ed25519 key in PEM (PKCS#8). Anything else is Invalid.
func ParsePrivate(text []byte) (Private, error) {
	der, err := block(text, privateBlock)
	if err != nil {
		return Private{}, fault.Wrap(fault.Invalid, err, "signing key cannot be read")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return Private{}, fault.Wrap(fault.Invalid, err, "signing key cannot be read")
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return Private{}, fault.New(fault.Invalid, "the signing key is a %T, not one of Ed25519", parsed).
			WithHint("openssl genpkey -algorithm ed25519")
	}
	return newPrivate(key)
}

func newPrivate(key ed25519.PrivateKey) (Private, error) {
	public, err := newPublic(key.Public())
	if err != nil {
		return Private{}, err
	}
	return Private{secret: func() ed25519.PrivateKey { return key }, public: public}, nil
}

// Public returns the key that verifies, without times.
func (k Private) Public() Public { return k.public }

// PEM returns the secret, in PKCS#8. An empty key is Invalid.
func (k Private) PEM() ([]byte, error) {
	if k.secret == nil {
		return nil, errEmpty()
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.secret())
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "write a signing key")
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), nil
}

// Format prints the id, whatever the verb: a secret must not come into a log because somebody printed what holds it.
func (k Private) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("signing key " + k.public.id)) // a printer has nobody to tell
}

// LogValue is the id, too.
func (k Private) LogValue() slog.Value { return slog.StringValue("signing key " + k.public.id) }

// MarshalText refuses: a secret is written by PEM only, and on purpose.
func (k Private) MarshalText() ([]byte, error) {
	return nil, fault.New(fault.Internal, "a signing key is not written along with other things")
}

func errEmpty() error { return fault.New(fault.Invalid, "the signing key is empty") }

// Sign returns the signature of a message: 64 bytes, the same each time. An empty key is Invalid.
func (k Private) Sign(message []byte) ([]byte, error) {
	if k.secret == nil {
		return nil, errEmpty()
	}
	return ed25519.Sign(k.secret(), message), nil
}

// ParsePublic reads an Ed25519 or ECDSA-P256 key in PEM (PKIX). Anything else is Invalid.
func ParsePublic(text []byte) (Public, error) {
	der, err := block(text, publicBlock)
	if err != nil {
		return Public{}, fault.Wrap(fault.Invalid, err, "public key cannot be read")
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return Public{}, fault.Wrap(fault.Invalid, err, "public key cannot be read")
	}
	return newPublic(key)
}

func newPublic(key crypto.PublicKey) (Public, error) {
	k := Public{key: key}
	switch typed := key.(type) {
	case ed25519.PublicKey:
		k.algorithm = Ed25519
	case *ecdsa.PublicKey:
		if typed.Curve != elliptic.P256() {
			return Public{}, fault.New(fault.Invalid, "the public key is on another curve than P-256")
		}
		k.algorithm = ECDSA
	default:
		return Public{}, fault.New(fault.Invalid, "the public key is a %T, neither of %s nor of %s", key, Ed25519, ECDSA)
	}
	var err error
	if k.pkix, err = x509.MarshalPKIXPublicKey(key); err != nil {
		return Public{}, fault.Wrap(fault.Invalid, err, "public key cannot be written")
	}
	sum := sha256.Sum256(k.pkix)
	k.id = hex.EncodeToString(sum[:idSize])
	return k, nil
}

// ID names the key: the first 16 bytes of the SHA-256 of its PKIX form, in hex.
func (k Public) ID() string { return k.id }

// Algorithm is Ed25519 or ECDSA.
func (k Public) Algorithm() string { return k.algorithm }

// PEM returns the key in PKIX.
func (k Public) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: k.pkix})
}

// String returns the id.
func (k Public) String() string { return k.id }

// InUse reports whether the key signed at that time: not before it came into use, and before it was retired or revoked.
func (k Public) InUse(at time.Time) bool {
	return !k.Revoked.covers(at) && !at.Before(k.NotBefore) && (k.RetiredAt.IsZero() || at.Before(k.RetiredAt))
}

// Verifies reports whether sig is of this key over the message. An ECDSA signature is in ASN.1, as most tools write it, or r and s
// in a row, as in the example of the DSSE specification.
func (k Public) Verifies(message, sig []byte) bool {
	switch key := k.key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, sig)
	case *ecdsa.PublicKey:
		const half = 32
		digest := sha256.Sum256(message)
		if len(sig) == 2*half && ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])) {
			return true
		}
		return ecdsa.VerifyASN1(key, digest[:], sig)
	}
	return false
}

// InUse returns those of the keys that were in use at a time. The zero time, of a statement that gives none, takes keys that are not
// retired. When there is none it is Invalid, and the message says why of each key.
func InUse(keys []Public, at time.Time) ([]Public, error) {
	var used []Public
	var why []string
	for _, k := range keys {
		switch {
		case k.Revoked.covers(at):
			why = append(why, k.refusal(at))
		case at.IsZero() && k.RetiredAt.IsZero(), !at.IsZero() && k.InUse(at):
			used = append(used, k)
		case at.IsZero():
			why = append(why, fmt.Sprintf("key %s is retired, and the statement does not say when it was made", k.id))
		case at.Before(k.NotBefore):
			why = append(why, fmt.Sprintf("key %s came into use at %s, after this was made at %s", k.id, stamp(k.NotBefore), stamp(at)))
		default:
			why = append(why, fmt.Sprintf("key %s was retired at %s, before this was made at %s", k.id, stamp(k.RetiredAt), stamp(at)))
		}
	}
	if len(used) == 0 {
		return nil, fault.New(fault.Invalid, "%s", strings.Join(why, "; "))
	}
	return used, nil
}

// refusal says why a key that was revoked is not believed.
func (k Public) refusal(at time.Time) string {
	text := fmt.Sprintf("key %s was revoked at %s", k.id, stamp(k.Revoked.At))
	switch {
	case k.Revoked.Compromised:
		text += " as compromised, so that nothing it signed holds"
	case at.IsZero():
		text += ", and the statement does not say when it was made"
	default:
		text += ", before this was made at " + stamp(at)
	}
	if k.Revoked.Reason != "" {
		text += fmt.Sprintf(" (%.200s)", k.Revoked.Reason)
	}
	return text
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// block returns what the only PEM block of a text holds.
func block(text []byte, want string) ([]byte, error) {
	b, rest := pem.Decode(text)
	switch {
	case b == nil:
		return nil, errors.New("it is not in PEM")
	case b.Type != want:
		return nil, fmt.Errorf("the PEM block is a %.40q, not a %q", b.Type, want)
	case strings.TrimSpace(string(rest)) != "":
		return nil, errors.New("something follows the PEM block")
	}
	return b.Bytes, nil
}
