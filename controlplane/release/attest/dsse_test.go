package attest_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest"
	"github.com/seatrial/seatrial/controlplane/release/attest/canonical"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
)

func TestPAE_Golden(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ typ, body, want, reason string }{
		"Example": {"http://example.com/HelloWorld", "hello world", "DSSEv1 29 http://example.com/HelloWorld 11 hello world", "of the specification"},
		"Empty":   {"", "", "DSSEv1 0  0 ", "both lengths are there"},
		"Bytes":   {"é", "€\x00", "DSSEv1 2 é 4 €\x00", "lengths count bytes"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := attest.PAE(tc.typ, []byte(tc.body)); string(got) != tc.want {
				t.Errorf("%q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestSign_Golden(t *testing.T) {
	t.Parallel()
	e := signed(t, made(t)(attest.NewTestResult(subject(t), smoke())))
	text, err := canonical.JSON(e)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "envelope.golden.json", append(text, '\n'))
	if again := signed(t, made(t)(attest.NewTestResult(subject(t), smoke()))); cmp.Diff(e, again) != "" {
		t.Error("the same statement and key gave another signature")
	}
}

func TestSign_Err(t *testing.T) {
	t.Parallel()
	k := private(t, seed1)
	tests := map[string]struct {
		payload string
		keys    []key.Private
		reason  string
	}{
		"NoKey":    {"{}", nil, "an envelope without a signature says nothing"},
		"KeyTwice": {"{}", []key.Private{k, k}, "one signer is not two"},
		"EmptyKey": {"{}", []key.Private{{}}, "no secret"},
		"Nothing":  {"", []key.Private{k}, "nothing to sign"},
		"ManyKeys": {"{}", make([]key.Private, 17), "no reader would take it"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := attest.Sign([]byte(tc.payload), tc.keys...); !fault.Is(err, fault.Invalid) {
				t.Errorf("%v, want Invalid: %s", err, tc.reason)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	one, two := private(t, seed1), private(t, seed2)
	both := ring(t, one.Public(), two.Public())
	s := made(t)(attest.NewTestResult(subject(t), smoke()))
	change := func(e attest.Envelope, f func(*attest.Envelope)) attest.Envelope {
		e.Payload, e.Signatures = bytes.Clone(e.Payload), slices.Clone(e.Signatures)
		f(&e)
		return e
	}
	good, twofold := signed(t, s), signed(t, s, one, two)
	tests := map[string]struct {
		in     attest.Envelope
		ring   key.Ring
		want   []string // ids of keys; none when it is Invalid
		reason string
	}{
		"One":       {good, both, []string{one.Public().ID()}, "the usual case"},
		"Two":       {twofold, both, []string{one.Public().ID(), two.Public().ID()}, "both are reported"},
		"OneOfTwo":  {twofold, ring(t, two.Public()), []string{two.Public().ID()}, "a signature by somebody else does no harm"},
		"NoHint":    {change(good, func(e *attest.Envelope) { e.Signatures[0].KeyID = "" }), both, []string{one.Public().ID()}, "a hint is not needed"},
		"WrongHint": {change(good, func(e *attest.Envelope) { e.Signatures[0].KeyID = two.Public().ID() }), both, []string{one.Public().ID()}, "a hint decides nothing"},
		"Untrusted": {good, ring(t, two.Public()), nil, "not in the ring"},
		"EmptyRing": {good, key.Ring{}, nil, "nobody is trusted"},
		"Payload":   {change(good, func(e *attest.Envelope) { e.Payload[7] ^= 1 }), both, nil, "other bytes"},
		"Longer":    {change(good, func(e *attest.Envelope) { e.Payload = append(e.Payload, ' ') }), both, nil, "other bytes, though the same JSON"},
		"Signature": {change(good, func(e *attest.Envelope) { e.Signatures[0].Sig = e.Signatures[0].Sig[1:] }), both, nil, "cut"},
		"Type":      {change(good, func(e *attest.Envelope) { e.PayloadType = "application/json" }), both, nil, "a generic type means nothing"},
		"None":      {change(good, func(e *attest.Envelope) { e.Signatures = nil }), both, nil, "not signed"},
		"Twice": {change(good, func(e *attest.Envelope) {
			e.Signatures = append(e.Signatures, attest.Signature{Sig: e.Signatures[0].Sig})
		}), both, nil, "one signature is not two"},
		"HintTwice": {change(twofold, func(e *attest.Envelope) { e.Signatures[1].KeyID = e.Signatures[0].KeyID }), both, nil, "one key is not two"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := attest.Verify(tc.in, tc.ring)
			if tc.want == nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("%v, want Invalid: %s", err, tc.reason)
			}
			if tc.want != nil && (err != nil || cmp.Diff(tc.want, ids(got.Keys)) != "" || !bytes.Equal(got.Payload, good.Payload)) {
				t.Errorf("%v, %v: %s", ids(got.Keys), err, tc.reason)
			}
		})
	}
}

func ids(keys []key.Public) []string {
	var all []string
	for _, k := range keys {
		all = append(all, k.ID())
	}
	return all
}

// An ECDSA key may sign the same bytes twice, differently.
func TestVerify_ECDSASignsOnce(t *testing.T) {
	t.Parallel()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(secret.Public())
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.ParsePublic(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := made(t)(attest.NewTestResult(subject(t), smoke())).Encode()
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(attest.PAE(attest.PayloadType, payload))
	e := attest.Envelope{PayloadType: attest.PayloadType, Payload: payload}
	for n := 1; n <= 2; n++ {
		sig, err := ecdsa.SignASN1(rand.Reader, secret, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		e.Signatures = append(e.Signatures, attest.Signature{Sig: sig})
		if _, err := attest.Verify(e, ring(t, public)); (err == nil) != (n == 1) {
			t.Errorf("%d signatures of one key: %v", n, err)
		}
	}
}

func TestOpen_Times(t *testing.T) {
	t.Parallel()
	with := func(from, to int) key.Public {
		k := private(t, seed1).Public()
		k.NotBefore = day(from)
		if to > 0 {
			k.RetiredAt = day(to)
		}
		return k
	}
	result := made(t)(attest.NewTestResult(subject(t), smoke())) // of day 2
	verdict := made(t)(attest.NewReadiness(subject(t), readiness(attest.Ready)))
	foreign := attest.Statement{Type: attest.StatementType, Subject: subject(t), PredicateType: "https://example.com/x", Predicate: json.RawMessage(`{}`)}
	tests := map[string]struct {
		s      attest.Statement
		k      key.Public
		ok     bool
		reason string
	}{
		"InUse":        {result, with(1, 0), true, "the usual case"},
		"RetiredLater": {result, with(1, 4), true, "what it signed before stays good"},
		"Retired":      {result, with(1, 2), false, "it was over"},
		"Early":        {result, with(3, 0), false, "it was not yet in use"},
		"Readiness":    {verdict, with(1, 3), false, "each predicate says when it was made"},
		"SVR":          {made(t)(attest.NewSVR(verdict, verifier)), with(1, 3), false, "each predicate says when it was made"},
		"NoTime":       {foreign, with(1, 0), true, "a key that is in use"},
		"NoTimeOld":    {foreign, with(1, 4), false, "nobody knows whether it was in use"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, keys, err := attest.Open(signed(t, tc.s), ring(t, tc.k))
			if (err == nil) != tc.ok || (err != nil && !fault.Is(err, fault.Invalid)) {
				t.Fatalf("%v: %s", err, tc.reason)
			}
			if err == nil && (len(keys) != 1 || s.PredicateType != tc.s.PredicateType) {
				t.Errorf("%v, %v", s, keys)
			}
		})
	}
}

func TestParseEnvelope(t *testing.T) {
	t.Parallel()
	// Bytes that need the letters in which the alphabets differ, and padding.
	payload, sig := []byte("{\"a\":\"\xfb\xff\xbf\xfb\"} "), []byte("\xfb\xff\xbf\xff")
	text := func(payload, sig string) string {
		return fmt.Sprintf(`{"payloadType":%q,"payload":%q,"signatures":[{"keyid":"k","sig":%q}]}`, attest.PayloadType, payload, sig)
	}
	std, url := base64.StdEncoding, base64.URLEncoding
	good := text(std.EncodeToString(payload), std.EncodeToString(sig))
	tests := map[string]struct {
		in     string
		ok     bool
		reason string
	}{
		"Standard":     {good, true, "one alphabet"},
		"URL":          {text(url.EncodeToString(payload), url.EncodeToString(sig)), true, "the other"},
		"Unpadded":     {text(base64.RawURLEncoding.EncodeToString(payload), base64.RawStdEncoding.EncodeToString(sig)), true, "padding says nothing"},
		"NoHint":       {strings.Replace(good, `"keyid":"k",`, "", 1), true, "a hint is not needed"},
		"Unknown":      {strings.Replace(good, `{`, `{"x":1,`, 1), true, "other tools add members"},
		"Mixed":        {text("+/-_", "AAAA"), false, "no alphabet"},
		"LineBreak":    {text("AA\r\nAA", "AAAA"), false, "one text for the same bytes"},
		"LooseBits":    {text("AAAA", "AB=="), false, "one text for the same bytes"},
		"NoSignature":  {strings.Replace(good, `{"keyid":"k","sig":`+fmt.Sprintf("%q", std.EncodeToString(sig))+`}`, "", 1), false, "not signed"},
		"EmptySig":     {text("AAAA", ""), false, "not signed"},
		"SigTwice":     {strings.Replace(good, `"signatures":[`, `"signatures":[{"sig":"`+url.EncodeToString(sig)+`"},`, 1), false, "the same, in another alphabet"},
		"MemberTwice":  {strings.Replace(good, `{`, `{"payload":"AAAA",`, 1), false, "which one was signed?"},
		"OtherType":    {strings.Replace(good, attest.PayloadType, "application/json", 1), false, "not a statement"},
		"NoType":       {`{"payload":"AAAA","signatures":[{"sig":"AAAA"}]}`, false, "not a statement"},
		"List":         {"[" + good + "]", false, "not an envelope"},
		"Two":          {good + good, false, "which one?"},
		"LongHint":     {strings.Replace(good, `"k"`, `"`+strings.Repeat("k", 2000)+`"`, 1), false, "bounded"},
		"ManySigs":     {strings.Replace(good, `"signatures":[`, `"signatures":[`+strings.Repeat(`{"sig":"AAAA"},`, 20), 1), false, "bounded"},
		"NumberAsText": {strings.Replace(good, `"k"`, `1`, 1), false, "not an envelope"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := attest.ParseEnvelope([]byte(tc.in))
			if !tc.ok && !fault.Is(err, fault.Invalid) {
				t.Errorf("%v, want Invalid: %s", err, tc.reason)
			}
			if tc.ok && (err != nil || !bytes.Equal(e.Payload, payload) || !bytes.Equal(e.Signatures[0].Sig, sig)) {
				t.Errorf("%v, %v: %s", e, err, tc.reason)
			}
		})
	}
	if _, err := attest.ParseEnvelope(make([]byte, attest.MaxLine+1)); !fault.Is(err, fault.Exhausted) {
		t.Errorf("%v: bounded", err)
	}
}

// Every byte of an envelope is signed, but for the hint and the case of the members' names: what is verified stays the same then.
func TestVerify_EveryByte(t *testing.T) {
	t.Parallel()
	e := signed(t, made(t)(attest.NewTestResult(subject(t)[3:], smoke())))
	text, err := canonical.JSON(e)
	if err != nil {
		t.Fatal(err)
	}
	from, to := bytes.Index(text, []byte(`"keyid"`)), bytes.Index(text, []byte(`,"sig"`))
	const letterCase = 1 << 5
	r := trusted(t)
	for i := range text {
		for _, mask := range []byte{letterCase, 1 << (i % 8)} {
			text[i] ^= mask
			if changed, err := attest.ParseEnvelope(text); err == nil {
				got, err := attest.Verify(changed, r)
				if err == nil && mask != letterCase && (i < from || i >= to) {
					t.Errorf("byte %d, changed by %d: nobody noticed", i, mask)
				}
				if err == nil && !bytes.Equal(got.Payload, e.Payload) {
					t.Errorf("byte %d, changed by %d: other bytes are verified", i, mask)
				}
			}
			text[i] ^= mask
		}
	}
}

func FuzzParseEnvelope(f *testing.F) {
	text, err := canonical.JSON(signed(f, made(f)(attest.NewTestResult(subject(f), smoke()))))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	r := trusted(f)
	want := signed(f, made(f)(attest.NewTestResult(subject(f), smoke()))).Payload
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := attest.ParseEnvelope(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Exhausted) {
				t.Errorf("%v is not classified", err)
			}
			return
		}
		if signed, err := attest.Verify(e, r); err == nil && !bytes.Equal(signed.Payload, want) {
			t.Errorf("%q was never signed", signed.Payload)
		}
		written, err := canonical.JSON(e)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := attest.ParseEnvelope(written); err != nil || cmp.Diff(e, again) != "" {
			t.Errorf("%v becomes %v, %v", e, again, err)
		}
	})
}
