package expr

import "strings"

const (
	opening = "${{"
	closing = "}}"
	escaped = "$" + opening
)

// part is a piece of a template: text, with escapes resolved, or the inside of an expression.
type part struct {
	text   string
	expr   bool
	offset int // of the part in the template
}

// Escape returns a template that stands for text as it is.
func Escape(text string) string { return strings.ReplaceAll(text, opening, escaped) }

// IsPlain reports whether a template stands for itself.
func IsPlain(template string) bool { return !strings.Contains(template, opening) }

// split cuts a template into parts. Text between two expressions is one part, also when escapes are in it.
func split(template string) ([]part, *Error) {
	var parts []part
	var text strings.Builder
	for at := 0; ; {
		i := strings.Index(template[at:], opening)
		if i < 0 {
			text.WriteString(template[at:])
			return flush(parts, &text), nil
		}
		start := at + i
		if start > at && template[start-1] == '$' {
			text.WriteString(template[at : start-1])
			text.WriteString(opening)
			at = start + len(opening)
			continue
		}
		text.WriteString(template[at:start])
		inside := start + len(opening)
		n := expressionEnd(template[inside:])
		if n < 0 {
			return nil, fail(start, `"${{" without "}}"; write "$${{" for a literal "${{"`)
		}
		parts = append(flush(parts, &text), part{text: template[inside : inside+n], expr: true, offset: start})
		at = inside + n + len(closing)
	}
}

func flush(parts []part, text *strings.Builder) []part {
	if text.Len() == 0 {
		return parts
	}
	parts = append(parts, part{text: text.String()})
	text.Reset()
	return parts
}

// expressionEnd returns the offset of the "}}" that ends the expression at the start of s, or -1. Braces of map literals and
// braces in strings do not end it.
func expressionEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"', '\'':
			n := stringEnd(s[i:], rawPrefix(s[:i]))
			if n < 0 {
				return -1
			}
			i += n - 1
		case '{':
			depth++
		case '}':
			if depth > 0 {
				depth--
			} else if strings.HasPrefix(s[i:], closing) {
				return i
			}
		}
	}
	return -1
}

// stringEnd returns the length of the CEL string literal at the start of s, or -1 when it does not end.
func stringEnd(s string, raw bool) int {
	quote := s[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s, triple) {
		quote = triple
	}
	for i := len(quote); i < len(s); i++ {
		if s[i] == '\\' && !raw {
			i++
			continue
		}
		if strings.HasPrefix(s[i:], quote) {
			return i + len(quote)
		}
	}
	return -1
}

// rawPrefix reports whether the string that follows before is raw: r"…", also with b for bytes.
func rawPrefix(before string) bool {
	i := len(before)
	for i > 0 && strings.ContainsRune("rRbB", rune(before[i-1])) {
		i--
	}
	if i > 0 && (isWord(before[i-1]) || len(before)-i > 2) {
		return false
	}
	return strings.ContainsAny(before[i:], "rR")
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// encode returns the template for the runner that stands for parts: text is escaped, expressions are left as they were written.
func encode(parts []part) string {
	var b strings.Builder
	for i, p := range parts {
		switch {
		case p.expr:
			b.WriteString(opening + p.text + closing)
		case i+1 < len(parts):
			b.WriteString(beforeExpression(p.text))
		default:
			b.WriteString(Escape(p.text))
		}
	}
	return b.String()
}

// beforeExpression escapes text that an expression follows: a dollar sign at its end would turn the expression into an escape,
// so the last ones are written as an expression themselves.
func beforeExpression(text string) string {
	trimmed := strings.TrimRight(text, "$")
	dollars := text[len(trimmed):]
	if dollars == "" {
		return Escape(text)
	}
	return Escape(trimmed) + opening + ` "` + dollars + `" ` + closing
}
