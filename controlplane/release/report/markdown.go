package report

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
)

// markdown writes a report for the pages of pipelines.
func markdown(v view) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s is %s\n\n%s\n\n", Escape(v.Name), Escape(string(v.State)), v.Says)
	for _, f := range v.Facts {
		fmt.Fprintf(&b, "- %s: %s\n", f.Name, Escape(f.Value))
	}
	if link, ok := address(v.URL); ok {
		fmt.Fprintf(&b, "- Page: <%s>\n", link)
	}
	if len(v.Gaps) > 0 {
		b.WriteString("\n## Gaps\n\n")
		for _, gap := range v.Gaps {
			fmt.Fprintf(&b, "- %s\n", Escape(gap))
		}
	}
	markdownRules(&b, "The evidence is bad", v.Bad)
	markdownRules(&b, "Evidence is missing", v.Missing)
	if len(v.Matrix) > 0 {
		b.WriteString("\n## What was tested\n\n")
		markdownTable(&b, columns(), v.Matrix)
	}
	if len(v.Waivers) > 0 {
		b.WriteString("\n## Waivers\n\n")
		var rows [][]string
		for _, w := range v.Waivers {
			rows = append(rows, []string{w.Rule, w.For, w.Reason, w.Requester, w.Approvers, w.Until, w.State})
		}
		markdownTable(&b, waiverColumns(), rows)
	}
	markdownRules(&b, "What holds", v.Holding)
	return b.Bytes()
}

func waiverColumns() []string {
	return []string{"Rule", "For", "Reason", "Asked by", "Approved by", "Until", "State"}
}

func markdownRules(b *bytes.Buffer, title string, rules []rule) {
	if len(rules) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n", title)
	for _, r := range rules {
		fmt.Fprintf(b, "- **%s**", Escape(r.ID))
		if r.Description != "" {
			b.WriteString(": " + Escape(r.Description))
		}
		if r.Waived {
			b.WriteString(" (by waivers)")
		}
		b.WriteString("\n")
		for _, c := range r.Cells {
			markdownCell(b, c)
		}
	}
}

func markdownCell(b *bytes.Buffer, c cell) {
	fmt.Fprintf(b, "  - %s", Escape(c.Place))
	if c.Error != "" {
		b.WriteString(": " + Escape(c.Error))
	}
	b.WriteString("\n")
	for _, t := range c.Tests {
		fmt.Fprintf(b, "    - %s: %s\n", Escape(t.Name), Escape(t.Verdict))
	}
	if c.More > 0 {
		fmt.Fprintf(b, "    - and %d more\n", c.More)
	}
	if c.Open {
		b.WriteString("    - and perhaps others: not every test was looked at\n")
	}
}

func markdownTable(b *bytes.Buffer, header []string, rows [][]string) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat(" --- |", len(header)))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, text := range row {
			if text != "" {
				cells[i] = Escape(text)
			}
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
}

// special are the characters that mean something in Markdown wherever they stand.
const special = "\\`*_{}[]<>()#!|~&$^"

// Escape makes one line of foreign text plain text: no markup, no link, no mention of a person, no end of a table's cell.
func Escape(s string) string {
	if s == "" {
		return "–"
	}
	var b strings.Builder
	for i, r := range s {
		before, rest := s[:i], s[i:]
		switch {
		case strings.ContainsRune(special, r), before == "" && strings.ContainsRune("-+=", r), begins(before, rest):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		if r == '@' && mentions(before) {
			b.WriteRune('\u2060') // a joiner, which nobody sees: pages look for mentions in the text that is shown
		}
	}
	return b.String()
}

const maxNumber = 9 // digits of the number of an item; more are none

// begins reports whether a dot or a colon would make the text before it a number of a list, or what follows it a link.
func begins(before, rest string) bool {
	switch rest[0] {
	case '.':
		number := len(before) <= maxNumber && strings.Trim(before, "0123456789") == ""
		return number || strings.EqualFold(before[max(0, len(before)-len("www")):], "www")
	case ':':
		return strings.HasPrefix(rest, "://")
	}
	return false
}

// mentions reports whether an @ after a text names a person, where an address of mail would not.
func mentions(before string) bool {
	last := strings.TrimRightFunc(before, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
	return last == before
}

// address returns an address that can stand between < and >, if it is one of a page.
func address(url string) (string, bool) {
	web := strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
	bad := strings.ContainsFunc(url, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>\"\\`", r) })
	return url, web && !bad
}
