package ansi

import (
	"regexp"
	"strings"
)

var address = regexp.MustCompile(`https?://[!#-&(-;=?-\[\]_a-z~]+`)

// linkify makes links of the addresses in plain text.
func linkify(runs []Run) []Run {
	var out []Run
	for i, r := range runs {
		found := address.FindAllStringIndex(r.Text, -1)
		if r.Link != "" || len(found) == 0 {
			if out != nil {
				out = append(out, r)
			}
			continue
		}
		if out == nil {
			out = append(out, runs[:i]...)
		}
		out = append(out, split(r, found)...)
	}
	if out == nil {
		return runs
	}
	return out
}

func split(r Run, found [][]int) []Run {
	var out []Run
	plain := func(s string) {
		if s != "" {
			out = append(out, Run{Text: s, Class: r.Class})
		}
	}
	at := 0
	for _, f := range found {
		link := trimSentence(r.Text[f[0]:f[1]])
		if safeLink(link) == "" || strings.HasSuffix(link, "//") {
			continue
		}
		plain(r.Text[at:f[0]])
		out = append(out, Run{Text: link, Class: r.Class, Link: link})
		at = f[0] + len(link)
	}
	plain(r.Text[at:])
	return out
}

// trimSentence drops what belongs to the sentence around an address and not to the address.
func trimSentence(s string) string {
	if len(s) > maxLink {
		return "" // no link, and no time spent on it
	}
	for s != "" {
		last := s[len(s)-1]
		closes := (last == ')' && strings.Count(s, ")") > strings.Count(s, "(")) || (last == ']' && strings.Count(s, "]") > strings.Count(s, "["))
		if !closes && !strings.ContainsRune(".,;:!?*_", rune(last)) {
			return s
		}
		s = s[:len(s)-1]
	}
	return s
}
