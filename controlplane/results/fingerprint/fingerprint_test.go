package fingerprint_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/fingerprint"
)

func TestOf_Golden(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ message, want, reason string }{
		"Refused":    {"Error: connect ECONNREFUSED 10.42.0.17:8080 at 2026-10-20T12:00:01.123Z pod cart-7d9f8b6c54-x2x4z", "fp1:649b72b52e25e7c0", "an address, a time and a pod"},
		"RefusedToo": {"Error: connect ECONNREFUSED 10.42.3.201:8080 at 2026-10-21T08:11:59Z pod cart-6c5d4f7b98-q9w8r", "fp1:649b72b52e25e7c0", "others"},
		"TimedOut":   {"Error: connect ETIMEDOUT 10.42.0.17:8080 at 2026-10-20T12:00:01.123Z pod cart-7d9f8b6c54-x2x4z", "fp1:54df579c0435a606", "another cause"},
		"Numbers":    {"expected 3 to equal 4", "fp1:0ea3fa8bb01d974c", "over-merges by design"},
		"NumbersToo": {"expected 17 to equal 4", "fp1:0ea3fa8bb01d974c", "over-merges by design"},
		"Coloured":   {"\x1b[31mexpected\x1b[0m 3 to equal \x1b[1;32m4\x1b[0m", "fp1:0ea3fa8bb01d974c", "colours are no text"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fingerprint.Of("failure", tc.message, ""); got != tc.want {
				t.Errorf("%s, want %s: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, want, reason string }{
		"Time":    {"at 2026-10-20 12:00:01,5 and 2026-10-20T12:00:01+02:00", "at <time> and <time>", "both forms"},
		"UUID":    {"order 0197aa00-1111-7222-8333-444455556666 lost", "order <uuid> lost", "before numbers"},
		"Digest":  {"image x@sha256:deadbeefdeadbeef gone", "image x@<digest> gone", "before hex"},
		"Pointer": {"panic 0x550fc0", "panic <hex>", "before numbers"},
		"Commit":  {"commit 0123456789abcdef0123456789abcdef01234567", "commit <hex>", "hex of 12 to 64"},
		"Word":    {"deadbeef is a word", "deadbeef is a word", "shorter than 12"},
		"Path":    {"open /home/ci/shop/j/a.test.js: no such file", "open <path>/a.test.js: no such file", "the name of the file tells"},
		"Windows": {`open C:\src\shop\a.cs`, `open <path>/a.cs`, "the name of the file tells"},
		"Slash":   {"and/or 1/2", "and/or <n>/<n>", "no path"},
		"Pod":     {"pod checkout-7d9f8b6c54-x2x4z", "pod checkout-<pod>", "no vowels"},
		"NoPod":   {"pod checkout-service-green", "pod checkout-service-green", "words"},
		"Float":   {"took 1.25 s of 1", "took <n> s of <n>", "one number"},
		"Blank":   {" a\n\t b ", "a b", "one blank"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fingerprint.Normalize(tc.in); got != tc.want {
				t.Errorf("%q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestNormalize_Cut(t *testing.T) {
	t.Parallel()
	if got := fingerprint.Normalize(strings.Repeat("€", 5_000)); len(got) > 1024 || !utf8.ValidString(got) {
		t.Errorf("%d bytes", len(got))
	}
}

func TestOfCase(t *testing.T) {
	t.Parallel()
	c := results.Case{Outcome: results.Failed, Message: "m", Detail: "m\n    at node:internal/x:1:1\n    at Object.<anonymous> (/src/cart.js:3:5)\n"}
	moved := c
	moved.Detail = strings.ReplaceAll(c.Detail, "cart.js:3:5", "cart.js:9:1")
	other := c
	other.Detail = strings.ReplaceAll(c.Detail, "cart.js", "pay.js")
	errored := c
	errored.Outcome = results.Errored
	switch fp := fingerprint.OfCase(c); {
	case fp != fingerprint.OfCase(moved):
		t.Error("a line that moved is the same failure")
	case fp == fingerprint.OfCase(other):
		t.Error("the same words elsewhere are another failure")
	case fp == fingerprint.OfCase(errored):
		t.Error("an error is no failed assertion")
	}
	if got := fingerprint.OfCase(results.Case{Outcome: results.Passed}); got != "" {
		t.Errorf("%q for a pass", got)
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add("Error: connect ECONNREFUSED 10.42.0.17:8080 at 2026-10-20T12:00:01.123Z pod cart-7d9f8b6c54-x2x4z /a/b/c.go")
	f.Fuzz(func(t *testing.T, s string) {
		if got := fingerprint.Normalize(s); len(got) > 1024 || utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("%q of %q", got, s)
		}
	})
}
