package ansi

import (
	"bytes"
	"strings"
)

const (
	esc = 0x1b
	bel = 0x07
)

// escape consumes the escape sequence that b begins with and acts on it when it is one of the two kinds that are kept.
func (l *line) escape(b []byte) []byte {
	if len(b) == 1 {
		return nil
	}
	switch c := b[1]; {
	case c == '[':
		return l.control(b[2:])
	case c == ']':
		body, rest := stringBody(b[2:])
		l.hyperlink(body)
		return rest
	case c == 'P' || c == 'X' || c == '^' || c == '_':
		_, rest := stringBody(b[2:])
		return rest
	case c >= 0x20 && c <= 0x7e:
		return short(b[1:])
	}
	// Not a sequence at all: the escape character is a control character like any other.
	l.text.WriteString(visibleASCII(esc))
	return b[1:]
}

// control consumes a control sequence after its opening: parameters, intermediates, a final character. Only colours and weights
// are acted on; cursor movements mean nothing in a log.
func (l *line) control(b []byte) []byte {
	i := 0
	for i < len(b) && b[i] >= 0x20 && b[i] <= 0x3f {
		i++
	}
	if i == len(b) {
		return nil
	}
	if b[i] < 0x40 || b[i] > 0x7e {
		return b[i:]
	}
	if b[i] == 'm' {
		next := l.style
		next.apply(string(b[:i]))
		if next != l.style {
			l.flush()
			l.style = next
		}
	}
	return b[i+1:]
}

// stringBody splits a string sequence from what follows its terminator. One that is not terminated ends with the line: it must
// not swallow the rest of the log.
func stringBody(b []byte) (body, rest []byte) {
	for i, c := range b {
		if c == bel {
			return b[:i], b[i+1:]
		}
		if c == esc && i+1 < len(b) && b[i+1] == '\\' {
			return b[:i], b[i+2:]
		}
	}
	return b, nil
}

// hyperlink opens or closes a link when body is the operating system command for it.
func (l *line) hyperlink(body []byte) {
	params, ok := bytes.CutPrefix(body, []byte("8;"))
	if !ok {
		return
	}
	_, address, ok := bytes.Cut(params, []byte(";"))
	if !ok {
		return
	}
	l.flush()
	l.link = safeLink(string(address))
}

// short consumes a sequence of intermediates and one final character, such as the choice of a character set.
func short(b []byte) []byte {
	i := 0
	for i < len(b) && b[i] >= 0x20 && b[i] <= 0x2f {
		i++
	}
	if i < len(b) && b[i] >= 0x30 && b[i] <= 0x7e {
		i++
	}
	return b[i:]
}

// maxLink is how long an address may be.
const maxLink = 2048

// safeLink returns an address that may be linked to, else nothing.
func safeLink(s string) string {
	if len(s) > maxLink || (!strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://")) {
		return ""
	}
	for _, r := range s {
		if r <= 0x20 || r >= 0x7f || strings.ContainsRune("\"'<>\\`", r) {
			return ""
		}
	}
	return s
}
