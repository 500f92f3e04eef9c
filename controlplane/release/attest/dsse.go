package attest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
)

// PayloadType is that of every envelope: the payload is an in-toto statement in JSON.
const PayloadType = "application/vnd.in-toto+json"

const (
	maxSignatures = 16
	maxSignature  = 1 << 10 // bytes of a signature or of the id of its key
)

// Envelope is a DSSE envelope: the bytes of a statement with signatures. It is foreign until Verify said otherwise.
type Envelope struct {
	PayloadType string
	Payload     []byte
	Signatures  []Signature
}

// Signature is one signature of an envelope. KeyID is a hint that nobody signed: it chooses which key is tried first and decides
// nothing.
type Signature struct {
	KeyID string
	Sig   []byte
}

// Signed is what a signature vouches for.
type Signed struct {
	Payload []byte       // the verified bytes: read these and no others
	Keys    []key.Public // whose signatures hold, in the order of the signatures; at least one
}

type wireEnvelope struct {
	PayloadType string          `json:"payloadType"`
	Payload     string          `json:"payload"`
	Signatures  []wireSignature `json:"signatures"`
}

type wireSignature struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   string `json:"sig"`
}

// PAE returns the bytes that DSSE signs: version, type and body, each with its length, so that no part can pass for another. See
// https://github.com/secure-systems-lab/dsse/blob/master/protocol.md.
func PAE(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Sign puts the bytes of a statement into an envelope with a signature of each key. Without keys, or with one twice, it is Invalid.
func Sign(payload []byte, keys ...key.Private) (Envelope, error) {
	if len(payload) == 0 {
		return Envelope{}, fault.New(fault.Invalid, "there is nothing to sign")
	}
	signatures, err := sign(PAE(PayloadType, payload), keys)
	if err != nil {
		return Envelope{}, err
	}
	return Envelope{PayloadType: PayloadType, Payload: payload, Signatures: signatures}, nil
}

// Verify returns the bytes that at least one key of the ring signed. A signature of a key that is not in the ring is passed over.
// It is Invalid when no signature holds, or when one key signed twice.
//
// Verify knows no time: whether a key was in use when the statement was made is for Open, which most callers want.
func Verify(e Envelope, ring key.Ring) (Signed, error) {
	if err := checkType(e.PayloadType); err != nil {
		return Signed{}, err
	}
	keys, err := verify(PAE(e.PayloadType, e.Payload), e.Signatures, ring)
	if err != nil {
		return Signed{}, err
	}
	return Signed{Payload: e.Payload, Keys: keys}, nil
}

// Open verifies an envelope and reads its statement. It is Invalid also when none of the keys was in use at the time that the
// statement gives for itself; a statement without a time needs a key that is not retired. Keys holds only those that were in use.
func Open(e Envelope, ring key.Ring) (Statement, []key.Public, error) {
	signed, err := Verify(e, ring)
	if err != nil {
		return Statement{}, nil, err
	}
	s, err := ParseStatement(signed.Payload)
	if err != nil {
		return Statement{}, nil, err
	}
	keys, err := key.InUse(signed.Keys, s.time())
	if err != nil {
		return Statement{}, nil, err
	}
	return s, keys, nil
}

func checkType(payloadType string) error {
	if payloadType != PayloadType {
		return fault.New(fault.Invalid, "the envelope holds %.100q, not %s", payloadType, PayloadType)
	}
	return nil
}

func sign(message []byte, keys []key.Private) ([]Signature, error) {
	if len(keys) == 0 || len(keys) > maxSignatures {
		return nil, fault.New(fault.Invalid, "%d keys to sign with: 1 to %d are needed", len(keys), maxSignatures)
	}
	signatures := make([]Signature, len(keys))
	for i, k := range keys {
		id := k.Public().ID()
		if slices.ContainsFunc(signatures[:i], func(s Signature) bool { return s.KeyID == id }) {
			return nil, fault.New(fault.Invalid, "key %s is to sign twice", id)
		}
		sig, err := k.Sign(message)
		if err != nil {
			return nil, err
		}
		signatures[i] = Signature{KeyID: id, Sig: sig}
	}
	return signatures, nil
}

// verify returns the keys whose signatures of the message hold.
func verify(message []byte, signatures []Signature, ring key.Ring) ([]key.Public, error) {
	if err := checkSignatures(signatures); err != nil {
		return nil, err
	}
	var keys []key.Public
	for _, s := range signatures {
		k, ok := ring.Signer(message, s.Sig, s.KeyID)
		if !ok {
			continue
		}
		if slices.ContainsFunc(keys, func(other key.Public) bool { return other.ID() == k.ID() }) {
			return nil, fault.New(fault.Invalid, "key %s signed twice", k.ID())
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fault.New(fault.Invalid, "no signature is of a trusted key over these bytes").
			WithHint("the bytes were changed, or the key is missing in the key list")
	}
	return keys, nil
}

// checkSignatures refuses lists that make a reader count wrong.
func checkSignatures(signatures []Signature) error {
	if len(signatures) == 0 || len(signatures) > maxSignatures {
		return fault.New(fault.Invalid, "%d signatures: 1 to %d are needed", len(signatures), maxSignatures)
	}
	for i, s := range signatures {
		if len(s.Sig) == 0 || len(s.Sig) > maxSignature || len(s.KeyID) > maxSignature {
			return fault.New(fault.Invalid, "signature %d is empty or too long", i+1)
		}
		for _, other := range signatures[:i] {
			if bytes.Equal(s.Sig, other.Sig) || (s.KeyID != "" && s.KeyID == other.KeyID) {
				return fault.New(fault.Invalid, "signature %d comes twice", i+1)
			}
		}
	}
	return nil
}

// MarshalJSON writes the envelope with the standard alphabet of base64.
func (e Envelope) MarshalJSON() ([]byte, error) {
	w := wireEnvelope{PayloadType: e.PayloadType, Payload: base64.StdEncoding.EncodeToString(e.Payload), Signatures: toWire(e.Signatures)}
	return json.Marshal(w)
}

// ParseEnvelope reads an envelope in JSON. Payload and signatures may be in either alphabet of base64, with or without padding. It
// is Invalid when it is no envelope of a statement, or has no signature or one twice. Nothing is verified.
func ParseEnvelope(data []byte) (Envelope, error) {
	if len(data) > MaxLine {
		return Envelope{}, fault.New(fault.Exhausted, "an envelope of %d bytes: at most %d are read", len(data), MaxLine)
	}
	var w wireEnvelope
	if err := decode(data, &w, "envelope"); err != nil {
		return Envelope{}, err
	}
	if err := checkType(w.PayloadType); err != nil {
		return Envelope{}, err
	}
	payload, err := decodeBase64(w.Payload)
	if err != nil {
		return Envelope{}, fault.Wrap(fault.Invalid, err, "payload of the envelope")
	}
	signatures, err := fromWire(w.Signatures)
	if err != nil {
		return Envelope{}, err
	}
	return Envelope{PayloadType: w.PayloadType, Payload: payload, Signatures: signatures}, nil
}

func toWire(signatures []Signature) []wireSignature {
	wire := make([]wireSignature, len(signatures))
	for i, s := range signatures {
		wire[i] = wireSignature{KeyID: s.KeyID, Sig: base64.StdEncoding.EncodeToString(s.Sig)}
	}
	return wire
}

func fromWire(wire []wireSignature) ([]Signature, error) {
	signatures := make([]Signature, len(wire))
	for i, w := range wire {
		sig, err := decodeBase64(w.Sig)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, fmt.Sprintf("signature %d", i+1))
		}
		signatures[i] = Signature{KeyID: w.KeyID, Sig: sig}
	}
	if err := checkSignatures(signatures); err != nil {
		return nil, err
	}
	return signatures, nil
}

// decodeBase64 reads either alphabet, but neither line breaks, which the decoder would skip, nor bits that stand for nothing.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("base64 with line breaks")
	}
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	if len(text)%4 == 0 {
		encoding = encoding.WithPadding(base64.StdPadding)
	}
	return encoding.Strict().DecodeString(text)
}
