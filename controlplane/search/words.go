package search

import (
	"slices"
	"strings"
	"unicode"
)

const (
	// maxWord is how many bytes of a word count.
	maxWord = 48
	// maxWords is how many words of an entry count, those of its title first.
	maxWords = 48
	// maxAsked is how many words of a question count.
	maxAsked = 8
)

// Words returns the words that something is found by, each once: runs of letters and digits in lower case. A run of several words, such as
// TestCheckoutPays, is found from each of them on: testcheckoutpays, checkoutpays, pays.
func Words(texts ...string) []string {
	var out []string
	seen := map[string]bool{}
	for _, text := range texts {
		for _, run := range runs(text) {
			for _, from := range humps(run) {
				w := short(strings.ToLower(run[from:]))
				if seen[w] {
					continue
				}
				if len(out) == maxWords {
					return out
				}
				seen[w], out = true, append(out, w)
			}
		}
	}
	return out
}

// Asked returns the words of a question: beginnings of words, as long ones as there are.
func Asked(text string) []string {
	var out []string
	for _, run := range runs(text) {
		if w := short(strings.ToLower(run)); !slices.Contains(out, w) && len(out) < maxAsked {
			out = append(out, w)
		}
	}
	return out
}

func runs(text string) []string {
	return strings.FieldsFunc(strings.ToValidUTF8(text, " "), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
}

// humps are the places in a run where a word begins: the first, and each capital after a letter that is none, or before one.
func humps(run string) []int {
	out := []int{0}
	runes, at := []rune(run), 0
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			out = append(out, at)
		}
		at += len(string(r))
	}
	return out
}

// short cuts a word between two characters.
func short(w string) string {
	if len(w) <= maxWord {
		return w
	}
	return strings.ToValidUTF8(w[:maxWord], "")
}

// After is the first word in the order of bytes that does not begin with a prefix; nil when there is none.
func After(prefix string) []byte {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return b[:i+1]
		}
	}
	return nil
}
