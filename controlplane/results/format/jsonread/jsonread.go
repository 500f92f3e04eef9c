// Package jsonread walks foreign JSON in bounded memory.
package jsonread

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
)

const (
	maxText  = results.MaxDetail // bytes kept of one string
	maxDepth = 200
)

// Reader reads one document from its first byte to its last. Like a bufio.Scanner it keeps the first error: after one, every read
// returns nothing, and Err tells. Errors wrap results.ErrUnreadable unless the source or Fail caused them.
type Reader struct {
	in     *bufio.Reader
	err    error
	depth  int
	values int // begun so far
	total  int64
	text   []byte
}

// New returns a reader. A byte order mark is skipped.
func New(r io.Reader) *Reader {
	j := &Reader{in: bufio.NewReaderSize(r, 32<<10)}
	if mark, _ := j.in.Peek(3); string(mark) == "\xef\xbb\xbf" { // shorter at the end of the file
		_, _ = j.in.Discard(3) // it is in the buffer
	}
	return j
}

// Err returns the first error.
func (j *Reader) Err() error { return j.err }

// Fail makes err the first error, unless there was one or err is nil.
func (j *Reader) Fail(err error) {
	if j.err == nil {
		j.err = err
	}
}

func (j *Reader) malformed(format string, args ...any) {
	j.Fail(fmt.Errorf("%w: byte %d: %s", results.ErrUnreadable, j.total, fmt.Sprintf(format, args...)))
}

// next takes one byte; zero after an error.
func (j *Reader) next() byte {
	if j.err != nil {
		return 0
	}
	c, err := j.in.ReadByte()
	switch {
	case errors.Is(err, io.EOF):
		j.malformed("the file ends inside a value")
	case err != nil:
		j.Fail(fmt.Errorf("read report: %w", err))
	}
	if j.total++; j.total > results.MaxBytes {
		j.malformed("it is larger than %d MiB", results.MaxBytes>>20)
	}
	if j.err != nil {
		return 0
	}
	return c
}

func (j *Reader) back() {
	if j.err == nil {
		_ = j.in.UnreadByte() // follows a read
		j.total--
	}
}

// blank takes white space and returns the byte behind it, which it leaves.
func (j *Reader) blank() byte {
	for {
		switch c := j.next(); c {
		case ' ', '\t', '\n', '\r':
		default:
			j.back()
			return c
		}
	}
}

// Kind returns the first byte of the value that comes next, or zero after an error.
func (j *Reader) Kind() byte { return j.blank() }

func (j *Reader) enter() bool {
	j.next()
	if j.depth++; j.depth > maxDepth {
		j.malformed("values are nested deeper than %d", maxDepth)
	}
	return j.err == nil
}

// Object calls each with the name of every member of the object that comes next. What each leaves unread is skipped, as is a value
// that is no object.
func (j *Reader) Object(each func(key string)) {
	if j.blank() != '{' {
		j.Skip()
		return
	}
	j.values++
	j.list('}', func() {
		if j.blank() != '"' {
			j.malformed("a member has no name")
			return
		}
		j.next()
		key := j.quoted(results.MaxName)
		if j.blank() != ':' {
			j.malformed("no colon after a name")
			return
		}
		j.next()
		j.value(func() { each(key) })
	})
}

// Array calls each for every element of the array that comes next. What each leaves unread is skipped, as is a value that is no
// array.
func (j *Reader) Array(each func()) {
	if j.blank() != '[' {
		j.Skip()
		return
	}
	j.values++
	j.list(']', func() { j.value(each) })
}

// list takes what stands between two brackets, separated by commas.
func (j *Reader) list(end byte, item func()) {
	if !j.enter() {
		return
	}
	defer func() { j.depth-- }()
	if j.blank() == end {
		j.next()
		return
	}
	for j.err == nil {
		item()
		switch c := j.blank(); c {
		case ',':
			j.next()
		case end:
			j.next()
			return
		default:
			j.malformed("%q where a comma or %q belongs", c, end)
		}
	}
}

func (j *Reader) value(each func()) {
	before := j.values
	if each(); j.values == before {
		j.Skip()
	}
}

// Skip takes the next value and drops it.
func (j *Reader) Skip() {
	switch c := j.blank(); c {
	case '{':
		j.Object(func(string) { j.Skip() })
	case '[':
		j.Array(j.Skip)
	case '"':
		j.values++
		j.next()
		j.quoted(0)
	default:
		j.literal()
	}
}

// Text takes the next value: of a string what is in it, cut at results.MaxDetail bytes, of a number, true or false its text, of
// anything else nothing.
func (j *Reader) Text() string {
	switch j.blank() {
	case '"':
		j.values++
		j.next()
		return j.quoted(maxText)
	case '{', '[':
		j.Skip()
		return ""
	}
	if s := j.literal(); s != "null" {
		return s
	}
	return ""
}

// literal takes a number, true, false or null.
func (j *Reader) literal() string {
	const longest = 400 // digits of a number that somebody means
	j.values++
	var b [longest]byte
	n := 0
	for j.err == nil {
		c := j.literalByte()
		if c == 0 {
			break
		}
		if n == longest {
			j.malformed("a number is too long")
			return ""
		}
		b[n] = c
		n++
	}
	s := string(b[:n])
	switch s {
	case "true", "false", "null":
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); (err != nil && !errors.Is(err, strconv.ErrRange)) || strings.Trim(s, "0123456789+-.eE") != "" {
		j.malformed("%q is no value", results.Cut(s, 20))
		return ""
	}
	return s
}

// literalByte takes a byte that may stand in a literal; zero when there is none. A literal may end the file.
func (j *Reader) literalByte() byte {
	ahead, err := j.in.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		j.Fail(fmt.Errorf("read report: %w", err))
	}
	if len(ahead) == 0 {
		return 0
	}
	switch c := ahead[0]; {
	case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '+', c == '.':
		return j.next()
	}
	return 0
}

// Number takes the next value; what is no finite number is zero.
func (j *Reader) Number() float64 {
	f, err := strconv.ParseFloat(strings.TrimSpace(j.Text()), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// Int takes the next value as a count; what makes no sense is zero.
func (j *Reader) Int() int {
	f := j.Number()
	if f < 0 || f > math.MaxInt32 {
		return 0
	}
	return int(f)
}

// Bool takes the next value and tells whether it is true.
func (j *Reader) Bool() bool { return j.Text() == "true" }

// Duration takes the next value as a number of units; what makes no sense is zero.
func (j *Reader) Duration(unit time.Duration) time.Duration {
	f := j.Number() * float64(unit)
	if f <= 0 || f > float64(365*24*time.Hour) {
		return 0
	}
	return time.Duration(f)
}

// Texts takes the next value: the strings of an array, at most n of them, or one string.
func (j *Reader) Texts(n int) []string {
	if j.blank() != '[' {
		if s := j.Text(); s != "" {
			return []string{s}
		}
		return nil
	}
	var all []string
	j.Array(func() {
		if len(all) < n {
			all = append(all, j.Text())
		}
	})
	return all
}

// End takes what follows the document, which must be nothing.
func (j *Reader) End() {
	for j.err == nil {
		c, err := j.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			j.Fail(fmt.Errorf("read report: %w", err))
		case c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != 0:
			j.malformed("%q after the end", c)
		}
	}
}
