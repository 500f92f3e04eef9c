package redact_test

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/agent/redact"
)

// whole is the definition that the stream must equal: every byte of every occurrence is covered, each run becomes one mask.
func whole(patterns []string, text []byte) string {
	covered := make([]bool, len(text))
	for _, p := range patterns {
		for i := 0; p != "" && i+len(p) <= len(text); i++ {
			if string(text[i:i+len(p)]) == p {
				for j := range len(p) {
					covered[i+j] = true
				}
			}
		}
	}
	var b strings.Builder
	for i, c := range text {
		switch {
		case !covered[i]:
			b.WriteByte(c)
		case i == 0 || !covered[i-1]:
			b.WriteString(redact.Mask)
		}
	}
	return b.String()
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		patterns     []string
		in, want     string
		reason       string
		heldBackWhen string
	}{
		"Plain":       {patterns: []string{"s3cret-value"}, in: "a s3cret-value b", want: "a *** b", reason: "a value is hidden"},
		"Overlapping": {patterns: []string{"abcdef", "defghi"}, in: "xabcdefghiy", want: "x***y", reason: "no tail of the second shows"},
		"Nested":      {patterns: []string{"abcdefgh", "cdef"}, in: "abcdefgx", want: "ab***gx", reason: "the short one matches alone"},
		"Touching":    {patterns: []string{"secret"}, in: "secretsecret", want: "***", reason: "the number of values is not shown"},
		"Self":        {patterns: []string{"aaaaaa"}, in: "aaaaaaaa", want: "***", reason: "a value overlaps itself"},
		"AtEnd":       {patterns: []string{"secret"}, in: "x secre", want: "x secre", reason: "a prefix alone is no secret"},
		"None":        {patterns: nil, in: "secret", want: "secret", reason: "nothing to hide"},
		"Binary":      {patterns: []string{"\x00\xff\x00\xff\x00\xff"}, in: "\xff\x00\xff\x00\xff\x00\xff!", want: "\xff***!", reason: "bytes, not text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := redact.Compile(tc.patterns).String(tc.in); got != tc.want {
				t.Errorf("got %q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestVariants(t *testing.T) {
	t.Parallel()
	secret := "p\"ss w<rd/+é\nsecond line of it"
	patterns, left := redact.Variants([]string{secret, "short"})
	r := redact.Compile(patterns).Stream()
	if left != 0 {
		t.Errorf("%d values are left", left)
	}
	for name, text := range map[string]string{
		"Value":      secret,
		"Line":       "second line of it",
		"Base64":     base64.StdEncoding.EncodeToString([]byte(secret)),
		"Base64Echo": base64.StdEncoding.EncodeToString([]byte(secret + "\n")),
		"Base64URL":  base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"Query":      url.QueryEscape(secret),
		"JSON":       `p\"ss w<rd/+é\nsecond line of it`,
		"JSONHTML":   `p\"ss w\u003crd/+é\nsecond line of it`,
	} {
		if got := r.String("[" + text + "]"); got != "[***]" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if got := r.String("short"); got != "short" {
		t.Errorf("a value under the minimum was redacted: %q", got)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add([]byte("the secret is secretsecre"), "secret", "ecrets", []byte{3, 1})
	f.Add([]byte("aaaaaaaaaa"), "aaaa", "aa", []byte{1})
	f.Add([]byte("abababcab"), "ababc", "bab", []byte{0, 2})
	f.Fuzz(func(t *testing.T, text []byte, a, b string, cuts []byte) {
		patterns := []string{a, b}
		r := redact.Compile(patterns).Stream()
		var got []byte
		rest := text
		for _, c := range cuts {
			n := min(int(c), len(rest))
			got = r.Append(got, rest[:n])
			rest = rest[n:]
		}
		got = r.Flush(r.Append(got, rest))
		if want := whole(patterns, text); string(got) != want {
			t.Fatalf("patterns %q, text %q cut at %v:\n got %q\nwant %q", patterns, text, cuts, got, want)
		}
	})
}

func BenchmarkRedactor(b *testing.B) {
	patterns, _ := redact.Variants([]string{"ghp_0123456789abcdef", "another-secret-value"})
	r := redact.Compile(patterns).Stream()
	chunk := bytes.Repeat([]byte("2026-01-01 12:00:00 INFO request handled in 12ms path=/api/v1/items\n"), 4096)
	b.SetBytes(int64(len(chunk)))
	var out []byte
	for b.Loop() {
		out = r.Append(out[:0], chunk)
	}
}
