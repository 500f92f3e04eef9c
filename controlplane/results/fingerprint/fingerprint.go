// Package fingerprint names a failure by what went wrong, whatever the times, addresses and numbers in its message.
package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
)

// version is in every fingerprint and in what is hashed. A change of the rules below needs a new one: fingerprints are stored, and
// waivers are bound to them.
const version = "fp1"

const maxNorm = 1024 // bytes of a normalized text

// Of returns the fingerprint of a failure: what kind it is, its message, and the frame in which it happened, if known.
func Of(kind, message, topFrame string) string {
	h := sha256.New()
	for _, part := range []string{version, kind, Normalize(message), Normalize(topFrame)} {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part + ","))
	}
	return version + ":" + hex.EncodeToString(h.Sum(nil)[:8])
}

// Kind returns the kind of a failure by its outcome.
func Kind(o results.Outcome) string {
	switch o {
	case results.Failed:
		return "failure"
	case results.TimedOut:
		return "timeout"
	default:
		return "error"
	}
}

// OfCase returns the fingerprint of a case that failed, none of one that did not.
func OfCase(c results.Case) string {
	if !c.Outcome.Bad() {
		return ""
	}
	return Of(Kind(c.Outcome), c.Message, TopFrame(c.Detail))
}

// mask replaces what differs between two occurrences of the same failure.
type mask struct {
	pattern *regexp.Regexp
	with    string
}

// The masks in the order in which they apply. Names of pods end in letters without vowels, as Kubernetes makes them.
var (
	isoTime   = regexp.MustCompile(`\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?`)
	uuid      = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)
	digest    = regexp.MustCompile(`sha256:[0-9a-fA-F]+`)
	pointer   = regexp.MustCompile(`\b0[xX][0-9a-fA-F]+`)
	ipv4      = regexp.MustCompile(`\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d{1,5})?\b`)
	hexDigits = regexp.MustCompile(`\b[0-9a-fA-F]{12,64}\b`)
	filePath  = regexp.MustCompile(`(?:\b[A-Za-z]:|\.{1,2})?(?:[/\\][\w.@+~-]+)+[/\\]([\w.@+~-]+)`)
	podSuffix = regexp.MustCompile(`-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b`)
	number    = regexp.MustCompile(`\d+(?:\.\d+)?`)
)

func masks() []mask {
	return []mask{
		{isoTime, "<time>"},
		{uuid, "<uuid>"},
		{digest, "<digest>"},
		{pointer, "<hex>"},
		{ipv4, "<ip>"},
		{hexDigits, "<hex>"},
		{filePath, "<path>/${1}"},
		{podSuffix, "-<pod>"},
		{number, "<n>"},
	}
}

// Normalize returns a text without what differs between two occurrences of the same failure.
func Normalize(s string) string {
	const looked = 16 << 10 // far more than is kept
	s = results.StripEscapes(results.Cut(s, looked))
	for _, m := range masks() {
		s = m.pattern.ReplaceAllString(s, m.with)
	}
	return results.Cut(strings.Join(strings.Fields(s), " "), maxNorm)
}
