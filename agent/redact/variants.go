package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

const (
	// MinLength is the length below which a value is not redacted: shorter ones occur in honest text.
	MinLength = 6
	// MaxBytes is how long all patterns may be together: a Set takes about 60 bytes of memory for each.
	MaxBytes = 512 << 10
	// maxEncoded is the length up to which it is also hidden how a value looks in other forms; it is that of the longest keys.
	maxEncoded = 8 << 10
	// minLastLine is the length from which the last line of a folded text is hidden: a shorter one may stand in honest text.
	minLastLine = 16
)

// Variants returns the patterns for secret values: the values, each line of those with several, and how they look in base64,
// in URLs and in JSON. Left says how many values are not hidden, as the patterns would be longer than MaxBytes.
func Variants(secrets []string) (patterns []string, left int) {
	seen := map[string]bool{}
	room := MaxBytes
	add := func(p string) bool {
		switch {
		case len(p) < MinLength || seen[p]:
			return true
		case len(p) > room:
			return false
		}
		seen[p] = true
		room -= len(p)
		patterns = append(patterns, p)
		return true
	}
	// as they are first: their encodings are rarely seen
	for _, secret := range secrets {
		if slices.ContainsFunc(forms(secret), func(form string) bool { return !add(form) }) {
			left++
		}
	}
	for _, secret := range secrets {
		for _, form := range forms(secret) {
			if len(form) < MinLength || len(form) > maxEncoded {
				continue
			}
			for _, e := range encodings(form) {
				add(e)
			}
		}
	}
	return patterns, left
}

// forms are a value and its lines. A long one is hidden by its lines alone.
func forms(secret string) []string {
	var out []string
	if len(secret) <= maxEncoded || !strings.Contains(secret, "\n") {
		out = append(out, secret, strings.TrimSpace(secret))
	}
	for line := range strings.Lines(secret) {
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

func encodings(s string) []string {
	out := []string{url.QueryEscape(s), url.PathEscape(s)}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding, base64.StdEncoding, base64.URLEncoding} {
		out = append(out, enc.EncodeToString([]byte(s)), enc.EncodeToString([]byte(s+"\n")))
	}
	for _, n := range []int{76, 64} { // as the programs base64 and openssl fold it
		for _, end := range []string{"", "\n"} {
			out = append(out, folded(base64.StdEncoding.EncodeToString([]byte(s+end)), n)...)
		}
	}
	for _, html := range []bool{true, false} {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(html)
		if enc.Encode(s) == nil { // a string always encodes
			out = append(out, strings.Trim(strings.TrimSuffix(b.String(), "\n"), `"`))
		}
	}
	return out
}

// folded are the lines of a text when they have n bytes each; none when it is one line.
func folded(text string, n int) []string {
	var out []string
	for len(text) > n {
		out = append(out, text[:n])
		text = text[n:]
	}
	if len(out) > 0 && len(text) >= minLastLine {
		out = append(out, text)
	}
	return out
}
