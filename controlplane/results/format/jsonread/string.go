package jsonread

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted takes the rest of a string whose opening quote was taken and returns the first limit bytes of it. Raw control bytes are
// let through: tools copy program output into reports, and a stray byte must not cost the whole evidence.
func (j *Reader) quoted(limit int) string {
	j.text = j.text[:0]
	for j.err == nil {
		switch c := j.next(); c {
		case '"':
			return j.cut(limit)
		case '\\':
			j.escape(limit)
		default:
			if len(j.text) < limit {
				j.text = append(j.text, c)
			}
		}
	}
	return ""
}

// cut returns the text without the half of a character that the limit left.
func (j *Reader) cut(limit int) string {
	b := j.text[:min(len(j.text), limit)]
	if len(b) == limit {
		for n := 0; n < utf8.UTFMax && len(b) > 0; n++ {
			if r, size := utf8.DecodeLastRune(b); r != utf8.RuneError || size > 1 {
				break
			}
			b = b[:len(b)-1]
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

func (j *Reader) escape(limit int) {
	var r rune
	switch c := j.next(); c {
	case '"', '\\', '/':
		r = rune(c)
	case 'b':
		r = '\b'
	case 'f':
		r = '\f'
	case 'n':
		r = '\n'
	case 'r':
		r = '\r'
	case 't':
		r = '\t'
	case 'u':
		r = j.character()
	default:
		j.malformed("%q after a backslash", c)
		return
	}
	if len(j.text)+utf8.RuneLen(r) <= limit {
		j.text = utf8.AppendRune(j.text, r)
	}
}

// character takes the digits of an escaped character and, of a pair, the second half.
func (j *Reader) character() rune {
	r := j.hex()
	if !utf16.IsSurrogate(r) {
		return r
	}
	const second = len(`\uffff`)
	ahead, _ := j.in.Peek(second) // shorter at the end of the file
	if len(ahead) < second || ahead[0] != '\\' || ahead[1] != 'u' {
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(string(ahead[2:]), 16, 16)
	pair := utf16.DecodeRune(r, rune(n))
	if err != nil || pair == utf8.RuneError { // what follows is a character of its own
		return utf8.RuneError
	}
	for range second {
		j.next()
	}
	return pair
}

func (j *Reader) hex() rune {
	var digits [4]byte
	for i := range digits {
		digits[i] = j.next()
	}
	n, err := strconv.ParseUint(string(digits[:]), 16, 16)
	if err != nil {
		j.malformed("%q is no character", string(digits[:]))
		return utf8.RuneError
	}
	return rune(n)
}
