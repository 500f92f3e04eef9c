package runspec

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Annotation is where a document carries its envelope.
const Annotation = "seatrial.dev/signature"

const (
	// PayloadType is that of an envelope: no signature over another kind of statement can pass for one of these.
	PayloadType = "application/vnd.seatrial.run-specification+json"
	// Type is the type of every statement.
	Type = "https://seatrial.dev/run-specification/v1"
)

// What is read at most.
const (
	MaxSpecifications = 500       // of a statement: each assignment carries them all
	maxEnvelope       = 128 << 10 // bytes
	maxSignatures     = 16
	maxKeys           = 16
)

// Statement is what a signature vouches for.
type Statement struct {
	Type         string `json:"type"`
	Organization string `json:"organization"`
	Workflow     string `json:"workflow"`
	// SignedAt is the signer's clock.
	SignedAt time.Time `json:"signedAt"`
	// ExpiresAt is when the statement is worth nothing any more; the zero time means never.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// Namespaces are those in which it may run; none means all that the agent allows.
	Namespaces []string `json:"namespaces,omitempty"`
	// Specifications are their digests, sorted.
	Specifications []string `json:"specifications"`
}

// Digest names a specification: hex SHA-256.
func Digest(specification []byte) string {
	sum := sha256.Sum256(specification)
	return hex.EncodeToString(sum[:])
}

type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   []byte `json:"sig"`
}

// Sign returns the envelope of a statement. The function signs bytes with the Ed25519 key that the id is of.
func Sign(s Statement, keyID string, sign func([]byte) ([]byte, error)) ([]byte, error) {
	s.Type, s.SignedAt, s.ExpiresAt = Type, s.SignedAt.UTC(), s.ExpiresAt.UTC()
	if n := len(s.Specifications); n == 0 || n > MaxSpecifications {
		return nil, fmt.Errorf("%d different runs to sign: 1 to %d can be; give steps what sets runs apart as environment variables, "+
			"or split the workflow", n, MaxSpecifications)
	}
	payload, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the statement: %w", err)
	}
	sig, err := sign(pae(payload))
	if err != nil {
		return nil, err
	}
	out, err := json.Marshal(envelope{PayloadType, payload, []signature{{keyID, sig}}})
	if err == nil && len(out) > maxEnvelope {
		err = fmt.Errorf("the signed statement has %d KiB; the limit is %d KiB", len(out)>>10, maxEnvelope>>10)
	}
	return out, err
}

// pae is what DSSE signs: version, type and body, each with its length, so that no part can pass for another.
func pae(payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(PayloadType), PayloadType, len(payload), payload)
}

// Faults of an envelope.
var (
	errShape  = errors.New("it is no envelope of a run specification")
	errSigner = errors.New("it is of none of the keys that are trusted")
)

// Open returns the statement of an envelope that one of the keys has signed. Nothing of it is looked at before that. Whether it has
// expired is for Check.
func Open(text []byte, keys []Key) (Statement, Key, error) {
	e, err := parse(text)
	if err != nil {
		return Statement{}, Key{}, err
	}
	message := pae(e.Payload)
	for _, s := range e.Signatures {
		for _, k := range keys { // the id of the key is a hint that nobody signed
			if ed25519.Verify(k.public, message, s.Sig) {
				out, err := read(e.Payload)
				return out, k, err
			}
		}
	}
	return Statement{}, Key{}, errSigner
}

func parse(text []byte) (envelope, error) {
	var e envelope
	if len(text) > maxEnvelope {
		return e, fmt.Errorf("%w: it has %d KiB", errShape, len(text)>>10)
	}
	if err := strict(text, &e); err != nil {
		return e, fmt.Errorf("%w: %w", errShape, err)
	}
	if e.PayloadType != PayloadType || len(e.Signatures) == 0 || len(e.Signatures) > maxSignatures {
		return e, errShape
	}
	return e, nil
}

// read reads a statement that is verified. A member that is not known may be a limit, so it is refused.
func read(payload []byte) (Statement, error) {
	var s Statement
	if err := strict(payload, &s); err != nil {
		return s, fmt.Errorf("%w: %w", errShape, err)
	}
	if s.Type != Type {
		return s, fmt.Errorf("%w: a statement of type %.100q is not known here", errShape, s.Type)
	}
	return s, nil
}

// strict reads the one JSON value of a text, of which every member is known.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err //nolint:wrapcheck // the caller says of what
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows it")
	}
	return nil
}

// Peek returns the statement of an envelope without asking who signed it: for people to look at, never to decide upon.
func Peek(text []byte) (Statement, error) {
	e, err := parse(text)
	if err != nil {
		return Statement{}, err
	}
	return read(e.Payload)
}

// Key is an Ed25519 key that is trusted.
type Key struct {
	public ed25519.PublicKey
	id     string
}

// ID names the key: the first 16 bytes of the SHA-256 of its PKIX form, in hex.
func (k Key) ID() string { return k.id }

// ParseKeys reads public keys in PEM (PKIX), one after another. There has to be one at least.
func ParseKeys(text string) ([]Key, error) {
	var keys []Key
	for rest := []byte(text); strings.TrimSpace(string(rest)) != ""; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("what follows the last key is no PEM")
		}
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("there is a %.40q among the keys; write a public key with: openssl pkey -in key.pem -pubout", block.Type)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("a public key cannot be read: %w", err)
		}
		public, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("a public key is a %T, not one of Ed25519; make one with: openssl genpkey -algorithm ed25519", parsed)
		}
		keys = append(keys, newKey(public, block.Bytes))
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fmt.Errorf("%d keys: 1 to %d are needed, as PEM", len(keys), maxKeys)
	}
	return keys, nil
}

func newKey(public ed25519.PublicKey, pkix []byte) Key {
	sum := sha256.Sum256(pkix)
	return Key{public, hex.EncodeToString(sum[:16])}
}

// IDs names keys for people.
func IDs(keys []Key) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.id
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
