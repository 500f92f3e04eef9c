// Package say words what is wrong with a document.
package say

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// Shorten cuts a text that is quoted in a message.
func Shorten(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// DidYouMean returns a suggestion for a mistyped name, to be put behind a message.
func DidYouMean(got string, names []string) string {
	if len(got) > 64 {
		return ""
	}
	best, bestDistance := "", 1+min(2, len(got)/2)
	for _, name := range names {
		d := levenshtein.Distance(strings.ToLower(got), strings.ToLower(name), nil)
		if d < bestDistance {
			best, bestDistance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
