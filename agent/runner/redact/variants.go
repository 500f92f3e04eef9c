package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// MinLength is the length below which a value is not redacted: shorter ones occur in honest text.
const MinLength = 6

// Variants returns the patterns for secret values: the values, each line of those with several, and how they look in base64,
// in URLs and in JSON.
func Variants(secrets []string) []string {
	seen := map[string]bool{}
	var out []string
	add := func(p string) {
		if len(p) >= MinLength && !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	for _, secret := range secrets {
		forms := []string{secret, strings.TrimSpace(secret)}
		for line := range strings.Lines(secret) {
			forms = append(forms, strings.TrimSpace(line))
		}
		for _, f := range forms {
			if len(f) < MinLength {
				continue
			}
			add(f)
			for _, e := range encodings(f) {
				add(e)
			}
		}
	}
	return out
}

func encodings(s string) []string {
	out := []string{url.QueryEscape(s), url.PathEscape(s)}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding, base64.StdEncoding, base64.URLEncoding} {
		out = append(out, enc.EncodeToString([]byte(s)), enc.EncodeToString([]byte(s+"\n")))
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
