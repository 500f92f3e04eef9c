// Package ansi turns a line of terminal output, which nobody may trust, into runs of plain text with classes from a fixed list.
//
// Colours and weights (SGR) become classes; hyperlinks survive when they are http or https; every other escape sequence is
// dropped; control characters and characters that reorder text are shown as visible signs. What comes out holds no control
// character but the tab, is valid UTF-8, and never has more runs than the line had bytes.
package ansi

import (
	"strings"
	"unicode/utf8"
)

// Run is a piece of a line in one style.
type Run struct {
	Text  string
	Class string // class names separated by spaces; empty for plain text
	Link  string // http or https address; empty for none
}

// Decoder decodes the lines of one log in order; the style goes on from line to line as on a terminal. The zero value is ready.
type Decoder struct {
	style style
}

// Line decodes one line without its line break. A hyperlink ends with its line: a log that forgets to close one must not turn
// the rest of the page into a link.
func (d *Decoder) Line(raw []byte) []Run {
	l := line{style: d.style}
	for rest := trimReturn(raw); len(rest) > 0; {
		rest = l.next(rest)
	}
	d.style = l.style
	l.flush()
	return linkify(l.runs)
}

// trimReturn drops the carriage returns of a line break as Windows writes it.
func trimReturn(raw []byte) []byte {
	for len(raw) > 0 && raw[len(raw)-1] == '\r' {
		raw = raw[:len(raw)-1]
	}
	return raw
}

// line is one line being decoded.
type line struct {
	style style
	link  string
	text  strings.Builder
	runs  []Run
}

// next consumes one character or one escape sequence.
func (l *line) next(b []byte) []byte {
	switch c := b[0]; {
	case c == esc:
		return l.escape(b)
	case c == '\r':
		// The terminal would write over what stands there: progress bars keep their last state.
		l.text.Reset()
		l.runs = nil
		return b[1:]
	case c < utf8.RuneSelf:
		l.text.WriteString(visibleASCII(c))
		return b[1:]
	}
	r, size := utf8.DecodeRune(b)
	l.text.WriteString(visible(r))
	return b[size:]
}

// flush ends the run that is being written.
func (l *line) flush() {
	if l.text.Len() == 0 {
		return
	}
	l.runs = append(l.runs, Run{Text: l.text.String(), Class: l.style.class(), Link: l.link})
	l.text.Reset()
}

func visibleASCII(c byte) string {
	switch {
	case c == '\t':
		return "\t"
	case c < 0x20:
		return string(rune(0x2400) + rune(c))
	case c == 0x7f:
		return "␡"
	}
	return string(rune(c))
}

// visible returns r, or a sign for it when it would be invisible or would reorder the text around it.
func visible(r rune) string {
	switch {
	case r >= 0x80 && r <= 0x9f:
		return "\uFFFD"
	case reorders(r):
		const hex = "0123456789ABCDEF"
		return "[U+" + string([]byte{hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15]}) + "]"
	}
	return string(r)
}

// reorders reports the characters that change the direction or the lines of the text after them.
func reorders(r rune) bool {
	return r == 0x061c || r == 0x200e || r == 0x200f || (r >= 0x2028 && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069)
}
