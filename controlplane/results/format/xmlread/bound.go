package xmlread

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/seatrial/seatrial/controlplane/results"
)

const (
	maxRun   = 256 << 10 // bytes kept of one text, CDATA section or attribute value
	maxTag   = 2 << 20   // bytes of one tag, with what is kept of its values
	maxAttrs = 1_000     // attributes of one tag
	maxPI    = 4 << 10   // bytes of one processing instruction
	peek     = 16        // longest entity that is looked at as a whole
)

// bound passes XML on and leaves out what would need memory: the rest of overlong texts and values, and comments. The decoder
// behind it keeps whole tokens, and tools put megabytes of program output into one. It also replaces references to characters
// that XML cannot hold, which tools write for control bytes, and refuses document types before any entity could be defined.
type bound struct {
	in    *bufio.Reader
	state func(*bound, byte) error
	quote byte
	run   int // bytes passed of the current text or value
	tag   int // bytes passed of the current tag
	attrs int
	total int64
	out   []byte
	next  int // of out
	err   error
}

func newBound(r io.Reader) *bound {
	return &bound{in: bufio.NewReaderSize(r, 32<<10), state: (*bound).text}
}

// ReadByte makes the decoder read without a buffer of its own.
func (b *bound) ReadByte() (byte, error) {
	for b.next == len(b.out) {
		if b.err != nil {
			return 0, b.err
		}
		b.out, b.next = b.out[:0], 0
		b.err = b.step()
	}
	c := b.out[b.next]
	b.next++
	return c, nil
}

func (b *bound) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c, err := b.ReadByte()
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		p[n] = c
		n++
	}
	return n, nil
}

// step takes some bytes from in and puts what is kept of them into out.
func (b *bound) step() error {
	for len(b.out) < 4<<10 {
		c, err := b.in.ReadByte()
		if err != nil {
			return err //nolint:wrapcheck // io.EOF has a meaning for the decoder, others are wrapped below it
		}
		if b.total++; b.total > results.MaxBytes {
			return fmt.Errorf("%w: it is larger than %d MiB", results.ErrUnreadable, results.MaxBytes>>20)
		}
		if err := b.state(b, c); err != nil {
			return err
		}
	}
	return nil
}

func (b *bound) text(c byte) error {
	switch c {
	case '<':
		return b.markup()
	case '&':
		b.entity()
	default:
		b.keep(c)
	}
	return nil
}

// keep passes a byte of a text or value while there is room, and never half a character.
func (b *bound) keep(c byte) {
	if b.run < maxRun || b.run < maxRun+utf8.UTFMax && !utf8.RuneStart(c) {
		b.out = append(b.out, c)
		b.run++
		return
	}
	b.run = maxRun + utf8.UTFMax
}

// entity passes the reference after an ampersand as a whole or not at all.
func (b *bound) entity() {
	ahead, _ := b.in.Peek(peek) // shorter at the end of the file
	end := bytes.IndexByte(ahead, ';')
	if end < 0 {
		b.keep('&') // not well-formed, as the decoder will say
		return
	}
	whole := "&" + string(ahead[:end+1])
	if char, numeric := reference(whole); numeric && !allowed(char) {
		whole = "\uFFFD"
	}
	if b.run+len(whole) <= maxRun {
		b.out = append(b.out, whole...)
		b.run += len(whole)
	}
	b.skip(end + 1)
}

// skip leaves out n bytes that were looked at.
func (b *bound) skip(n int) {
	d, _ := b.in.Discard(n) // they are in the buffer
	b.total += int64(d)
}

// reference returns the character of a numeric reference such as &#27; or &#x1B;.
func reference(s string) (char rune, ok bool) {
	digits, base := s[1:len(s)-1], 10
	if len(digits) < 2 || digits[0] != '#' {
		return 0, false
	}
	if digits = digits[1:]; digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	return rune(min(n, utf8.MaxRune+1)), err == nil
}

// allowed reports whether XML can hold a character.
func allowed(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= ' ' && c <= 0xD7FF || c >= 0xE000 && c <= 0xFFFD || c >= 0x10000 && c <= utf8.MaxRune
}

// markup decides by what follows a "<" in text.
func (b *bound) markup() error {
	const comment, cdata = "!--", "![CDATA["
	ahead, _ := b.in.Peek(len(cdata)) // shorter at the end of the file
	b.run, b.tag, b.attrs = 0, 0, 0
	switch {
	case bytes.HasPrefix(ahead, []byte(comment)):
		b.skip(len(comment))
		b.out = append(b.out, "<!--"...)
		b.state = (*bound).comment
	case bytes.HasPrefix(ahead, []byte(cdata)):
		b.skip(len(cdata))
		b.out = append(b.out, "<![CDATA["...)
		b.state = (*bound).cdata
	case bytes.HasPrefix(ahead, []byte("!")):
		return fmt.Errorf("%w: a document type is not accepted", results.ErrUnreadable)
	case bytes.HasPrefix(ahead, []byte("?")):
		b.out = append(b.out, '<')
		b.state = (*bound).instruction
	default:
		b.out = append(b.out, '<')
		b.state = (*bound).element
	}
	return nil
}

// ends passes the end of a section and returns to text when it is there; c is its first byte.
func (b *bound) ends(c byte, end string) bool {
	if c != end[0] {
		return false
	}
	if ahead, _ := b.in.Peek(len(end) - 1); string(ahead) != end[1:] { // shorter at the end of the file
		return false
	}
	b.skip(len(end) - 1)
	b.out = append(b.out, end...)
	b.run, b.state = 0, (*bound).text
	return true
}

func (b *bound) comment(c byte) error {
	b.ends(c, "-->")
	return nil
}

func (b *bound) cdata(c byte) error {
	if !b.ends(c, "]]>") {
		b.keep(c)
	}
	return nil
}

func (b *bound) instruction(c byte) error {
	if b.ends(c, "?>") {
		return nil
	}
	if b.tag++; b.tag > maxPI {
		return fmt.Errorf("%w: a processing instruction is longer than %d bytes", results.ErrUnreadable, maxPI)
	}
	b.out = append(b.out, c)
	return nil
}

func (b *bound) element(c byte) error {
	b.out = append(b.out, c)
	b.tag++
	switch c {
	case '>':
		b.run, b.state = 0, (*bound).text
	case '=':
		b.attrs++
	case '"', '\'':
		b.run, b.quote, b.state = 0, c, (*bound).value
	}
	if b.attrs > maxAttrs || b.tag > maxTag {
		return fmt.Errorf("%w: an element has more than %d attributes or %d KiB of them", results.ErrUnreadable, maxAttrs, maxTag>>10)
	}
	return nil
}

func (b *bound) value(c byte) error {
	switch c {
	case b.quote:
		b.out = append(b.out, c)
		b.tag += b.run
		b.state = (*bound).element
	case '&':
		b.entity()
	default:
		b.keep(c)
	}
	return nil
}
