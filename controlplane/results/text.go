package results

import (
	"regexp"
	"strings"
)

// escapes are the sequences that colour a terminal, move its cursor or set its title.
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[@-Z\\\\-_])")

// StripEscapes removes terminal escape sequences.
func StripEscapes(s string) string {
	if !strings.Contains(s, "\x1b") {
		return s
	}
	return escapes.ReplaceAllString(s, "")
}

// FirstLine returns the first line with something in it of the first candidate that has one.
func FirstLine(candidates ...string) string {
	for _, c := range candidates {
		if line, _, _ := strings.Cut(strings.TrimSpace(c), "\n"); line != "" {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// Cut shortens s to at most n bytes without splitting a character.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// Separator stands between the names of suites in Case.Suite.
const Separator = " › "

// Path joins the names of suites, outermost first; empty ones are left out.
func Path(names ...string) string {
	kept := make([]string, 0, len(names))
	for _, n := range names {
		if n != "" {
			kept = append(kept, n)
		}
	}
	return Cut(strings.Join(kept, Separator), MaxName)
}
