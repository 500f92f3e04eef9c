package key_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
)

var update = flag.Bool("update", false, "write the golden files")

// The secret keys of tests 1 and 2 of RFC 8032.
const (
	seed1 = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
	seed2 = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
)

func day(n int) time.Time { return time.Date(2026, 10, n, 12, 0, 0, 0, time.UTC) }

func encode(t *testing.T, typ string, der []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
}

func pkcs8(t *testing.T, k any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	return encode(t, "PRIVATE KEY", der, err)
}

func pkix(t *testing.T, k any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k)
	return encode(t, "PUBLIC KEY", der, err)
}

func private(t *testing.T, seed string) key.Private {
	t.Helper()
	raw, err := hex.DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	k, err := key.ParsePrivate(pkcs8(t, ed25519.NewKeyFromSeed(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func curve(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ring(t *testing.T, keys ...key.Public) key.Ring {
	t.Helper()
	r, err := key.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPrivate_Golden(t *testing.T) {
	t.Parallel()
	k := private(t, seed1)
	sig, err := k.Sign(nil)
	const want = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
	if err != nil || hex.EncodeToString(sig) != want {
		t.Errorf("%x, %v: RFC 8032, test 1", sig, err)
	}
	raw, _ := pem.Decode(k.Public().PEM())
	sum := sha256.Sum256(raw.Bytes)
	if id := k.Public().ID(); id != hex.EncodeToString(sum[:16]) || id != "06e3fd8fda29bb60ab59557de61edb0a" {
		t.Errorf("id %s", id)
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	k, err := key.Generate()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := key.ParsePrivate(secret)
	if err != nil || again.Public().ID() != k.Public().ID() {
		t.Fatalf("%v, %v", again, err)
	}
	sig, err := again.Sign([]byte("text"))
	if err != nil || !k.Public().Verifies([]byte("text"), sig) || k.Public().Verifies([]byte("test"), sig) {
		t.Errorf("%v: the key that was read is not the one that was written", err)
	}
	if other, err := key.Generate(); err != nil || other.Public().ID() == k.Public().ID() {
		t.Errorf("%v: two keys are the same", err)
	}
}

func TestPrivate_IsNeverPrinted(t *testing.T) {
	t.Parallel()
	k := private(t, seed1)
	secret, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "k", k)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "k", k)
	_, err = json.Marshal(map[string]any{"k": k})
	shown := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		shown += fmt.Sprintf(verb+verb+verb, k, []any{k}, struct{ k key.Private }{k})
	}
	block, _ := pem.Decode(secret)
	for _, form := range []string{string(secret[30:60]), seed1[:16], "157, 97, 177", "[157 97 177", fmt.Sprintf("%x", block.Bytes[16:24])} {
		if strings.Contains(shown, form) {
			t.Errorf("the secret is in %s", shown)
		}
	}
	if err == nil {
		t.Error("the secret was written into JSON")
	}
}

func TestParsePrivate_Err(t *testing.T) {
	t.Parallel()
	good, err := private(t, seed1).PEM()
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		text   []byte
		reason string
	}{
		"Nothing": {nil, "no PEM"},
		"Public":  {private(t, seed1).Public().PEM(), "that one cannot sign"},
		"ECDSA":   {pkcs8(t, curve(t, elliptic.P256())), "such keys only verify"},
		"RSA":     {pkcs8(t, weak), "another algorithm"},
		"Two":     {append(bytes.Clone(good), good...), "which one?"},
		"Broken":  {bytes.Replace(good, []byte("M"), []byte("A"), 1), "not PKCS#8"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if k, err := key.ParsePrivate(tc.text); !fault.Is(err, fault.Invalid) {
				t.Errorf("%v, %v, want Invalid: %s", k, err, tc.reason)
			}
		})
	}
	if _, err := (key.Private{}).Sign(nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v: an empty key signs nothing", err)
	}
	if _, err := (key.Private{}).PEM(); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v: an empty key has no secret", err)
	}
}

func TestParsePublic(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := private(t, seed1).PEM()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		text   []byte
		want   string // algorithm; empty when it is Invalid
		reason string
	}{
		"Ed25519": {private(t, seed1).Public().PEM(), key.Ed25519, "ours"},
		"P256":    {pkix(t, curve(t, elliptic.P256()).Public()), key.ECDSA, "of other systems"},
		"P384":    {pkix(t, curve(t, elliptic.P384()).Public()), "", "another curve"},
		"RSA":     {pkix(t, weak.Public()), "", "another algorithm"},
		"Secret":  {secret, "", "a secret where a public key belongs is a mistake to tell of"},
		"Text":    {[]byte("key"), "", "no PEM"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := key.ParsePublic(tc.text)
			if tc.want == "" && !fault.Is(err, fault.Invalid) {
				t.Errorf("%v, %v, want Invalid: %s", k, err, tc.reason)
			}
			if tc.want != "" && (err != nil || k.Algorithm() != tc.want || !bytes.Equal(k.PEM(), tc.text)) {
				t.Errorf("%v, %v: %s", k, err, tc.reason)
			}
		})
	}
}

func TestPublic_VerifiesECDSA(t *testing.T) {
	t.Parallel()
	secret := curve(t, elliptic.P256())
	k, err := key.ParsePublic(pkix(t, secret.Public()))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("text"))
	sig, err := ecdsa.SignASN1(rand.Reader, secret, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	if !k.Verifies([]byte("text"), sig) || k.Verifies([]byte("test"), sig) || k.Verifies([]byte("text"), nil) || k.Verifies([]byte("text"), make([]byte, 64)) {
		t.Error("a signature in ASN.1")
	}
}

// The example of the DSSE specification, whose signature is r and s in a row.
func TestPublic_VerifiesExampleOfDSSE(t *testing.T) {
	t.Parallel()
	x, _ := new(big.Int).SetString("46950820868899156662930047687818585632848591499744589407958293238635476079160", 10)
	y, _ := new(big.Int).SetString("5640078356564379163099075877009565129882514886557779369047442380624545832820", 10)
	point := slices.Concat([]byte{4}, x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32)))
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	k, err := key.ParsePublic(pkix(t, public))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := base64.StdEncoding.DecodeString("A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==")
	if err != nil {
		t.Fatal(err)
	}
	if !k.Verifies([]byte("DSSEv1 29 http://example.com/HelloWorld 11 hello world"), sig) {
		t.Error("the example does not verify")
	}
}

func TestInUse(t *testing.T) {
	t.Parallel()
	old := private(t, seed1).Public()
	old.NotBefore, old.RetiredAt = day(1), day(10)
	now := private(t, seed2).Public()
	now.NotBefore = day(10)
	always := private(t, seed1).Public()
	tests := map[string]struct {
		keys   []key.Public
		at     time.Time
		want   int
		says   string
		reason string
	}{
		"Before":      {[]key.Public{old}, day(9), 1, "", "what was signed before it was retired stays good"},
		"First":       {[]key.Public{old}, day(1), 1, "", "from that moment on"},
		"Retired":     {[]key.Public{old}, day(10), 0, "was retired at 2026-10-10T12:00:00Z", "not from that moment on"},
		"Early":       {[]key.Public{now}, day(9), 0, "came into use at 2026-10-10T12:00:00Z", "it did not exist"},
		"OneOfTwo":    {[]key.Public{old, now}, day(11), 1, "", "the one in use is enough"},
		"Always":      {[]key.Public{always}, day(1), 1, "", "without times"},
		"NoTime":      {[]key.Public{now}, time.Time{}, 1, "", "not retired: good at any time"},
		"NoTimeOld":   {[]key.Public{old}, time.Time{}, 0, "does not say when", "nobody knows whether it was before"},
		"OtherZone":   {[]key.Public{old}, day(10).In(time.FixedZone("", 7200)).Add(-time.Nanosecond), 1, "", "an instant, not a clock's face"},
		"BothRefused": {[]key.Public{old, now}, day(1).Add(-time.Hour), 0, "; ", "each says why"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := key.InUse(tc.keys, tc.at)
			if len(got) != tc.want || (tc.want == 0) != fault.Is(err, fault.Invalid) {
				t.Fatalf("%v, %v: %s", got, err, tc.reason)
			}
			if err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v does not say %q", err, tc.says)
			}
		})
	}
}

func TestInUse_Revoked(t *testing.T) {
	t.Parallel()
	k := private(t, seed1).Public()
	k.NotBefore = day(1)
	k.Revoked = &key.Revocation{At: day(10), Reason: "the laptop was lost"}
	stolen := k
	stolen.Revoked = &key.Revocation{At: day(10), Compromised: true}
	for name, tc := range map[string]struct {
		key  key.Public
		at   time.Time
		says string // empty when it is believed
	}{
		"Before": {k, day(9), ""}, "Then": {k, day(10), "revoked at 2026-10-10"}, "Later": {k, day(11), "(the laptop was lost)"},
		"NoTime": {k, time.Time{}, "does not say when"}, "Stolen": {stolen, day(9), "as compromised"},
	} {
		_, err := key.InUse([]key.Public{tc.key}, tc.at)
		if (err == nil) != (tc.says == "") || (err != nil && !strings.Contains(err.Error(), tc.says)) || tc.key.InUse(tc.at) != (err == nil) && !tc.at.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := json.Marshal(ring(t, k, private(t, seed2).Public()))
	if err != nil {
		t.Fatal(err)
	}
	read, err := key.ParseRing(text)
	if err != nil || read.Keys()[0].Revoked == nil || *read.Keys()[0].Revoked != *k.Revoked || read.Keys()[1].Revoked != nil {
		t.Errorf("%s: %v", text, err)
	}
	if _, err := key.ParseRing([]byte(strings.Replace(string(text), "2026-10-10T12:00:00Z", "0001-01-01T00:00:00Z", 1))); !fault.Is(err, fault.Invalid) {
		t.Errorf("revoked in the year 1: %v", err)
	}
}

func TestRing_Golden(t *testing.T) {
	t.Parallel()
	old, now := private(t, seed1).Public(), private(t, seed2).Public()
	old.NotBefore, old.RetiredAt, now.NotBefore = day(1), day(10).In(time.FixedZone("", 3600)), day(10)
	got, err := json.MarshalIndent(ring(t, now, old), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const file = "testdata/keys.golden.json"
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
	r, err := key.ParseRing(want)
	if err != nil {
		t.Fatal(err)
	}
	keys := r.Keys()
	if len(keys) != 2 || keys[0].ID() != now.ID() || !keys[1].InUse(day(9)) || keys[1].InUse(day(10)) || keys[0].InUse(day(9)) {
		t.Errorf("%v", keys)
	}
}

func TestNewRing_Err(t *testing.T) {
	t.Parallel()
	k := private(t, seed1).Public()
	backwards := k
	backwards.NotBefore, backwards.RetiredAt = day(2), day(1)
	tests := map[string]struct {
		keys   []key.Public
		kind   fault.Kind
		reason string
	}{
		"Twice":     {[]key.Public{k, k}, fault.Invalid, "which times are its own?"},
		"Empty":     {[]key.Public{{}}, fault.Invalid, "no key"},
		"Backwards": {[]key.Public{backwards}, fault.Invalid, "never in use"},
		"Many":      {make([]key.Public, key.MaxKeys+1), fault.Exhausted, "bounded"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := key.NewRing(tc.keys...); !fault.Is(err, tc.kind) {
				t.Errorf("%v, want %s: %s", err, tc.kind, tc.reason)
			}
		})
	}
}

func TestParseRing_Err(t *testing.T) {
	t.Parallel()
	k := private(t, seed1).Public()
	good, err := json.Marshal(ring(t, k))
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, now string) []byte { return bytes.Replace(good, []byte(old), []byte(now), 1) }
	tests := map[string]struct {
		text   []byte
		kind   fault.Kind
		field  string
		reason string
	}{
		"Text":      {[]byte("keys"), fault.Invalid, "", "no JSON"},
		"Format":    {with("keys/v1", "keys/v2"), fault.Invalid, "format", "a later format may say other things"},
		"ID":        {with(k.ID(), private(t, seed2).Public().ID()), fault.Invalid, "keys[0].id", "people compare ids"},
		"Algorithm": {with(`"Ed25519"`, `"ECDSA-P256"`), fault.Invalid, "keys[0].algorithm", "not what it is"},
		"PEM":       {with("BEGIN PUBLIC", "BEGIN"), fault.Invalid, "keys[0].pem", "no key"},
		"YearOne":   {with(`"algorithm"`, `"retiredAt":"0001-01-01T00:00:00Z","algorithm"`), fault.Invalid, "keys[0].retiredAt", "would read as in use"},
		"Time":      {with(`"algorithm"`, `"retiredAt":"yesterday","algorithm"`), fault.Invalid, "", "no time"},
		"Member":    {with(`"algorithm"`, `"algorithm":"x","algorithm"`), fault.Invalid, "", "twice"},
		"Long":      {make([]byte, key.MaxList+1), fault.Exhausted, "", "bounded"},
		"Many":      {with(`"keys":[`, `"keys":[`+strings.Repeat("{},", key.MaxKeys)), fault.Exhausted, "keys", "bounded"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := key.ParseRing(tc.text)
			if !fault.Is(err, tc.kind) {
				t.Fatalf("%v, want %s: %s", err, tc.kind, tc.reason)
			}
			if f := (*fault.Error)(nil); errors.As(err, &f) && f.Field != tc.field {
				t.Errorf("field %q, want %q", f.Field, tc.field)
			}
		})
	}
}

func TestRing_Signer(t *testing.T) {
	t.Parallel()
	one, two := private(t, seed1), private(t, seed2)
	sig, err := two.Sign([]byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	both := ring(t, one.Public(), two.Public())
	tests := map[string]struct {
		ring   key.Ring
		hint   string
		ok     bool
		reason string
	}{
		"Right":   {both, two.Public().ID(), true, "the hint is right"},
		"Wrong":   {both, one.Public().ID(), true, "a hint decides nothing"},
		"None":    {both, "", true, "none is needed"},
		"Missing": {ring(t, one.Public()), two.Public().ID(), false, "not trusted"},
		"Empty":   {key.Ring{}, "", false, "nobody is trusted"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, ok := tc.ring.Signer([]byte("text"), sig, tc.hint)
			if ok != tc.ok || (ok && k.ID() != two.Public().ID()) {
				t.Errorf("%v, %t: %s", k, ok, tc.reason)
			}
		})
	}
}

func FuzzParseRing(f *testing.F) {
	golden, err := os.ReadFile("testdata/keys.golden.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := key.ParseRing(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Exhausted) {
				t.Errorf("%v is not classified", err)
			}
			return
		}
		written, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := key.ParseRing(written)
		if err != nil || len(again.Keys()) != len(r.Keys()) {
			t.Errorf("%d keys were read, %d again: %v", len(r.Keys()), len(again.Keys()), err)
		}
	})
}
