// Package textread reads foreign lines in bounded memory.
package textread

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
)

// MaxLine is how much of a line is kept.
const MaxLine = 1 << 20

// Reader returns one line after the other.
type Reader struct {
	in    *bufio.Reader
	total int64
	line  []byte
}

// New returns a reader. A byte order mark is skipped.
func New(r io.Reader) *Reader {
	t := &Reader{in: bufio.NewReaderSize(r, 32<<10)}
	if mark, _ := t.in.Peek(3); string(mark) == "\xef\xbb\xbf" { // shorter at the end of the file
		_, _ = t.in.Discard(3) // it is in the buffer
	}
	return t
}

// Line returns the next line without its end, or io.EOF. The bytes are valid until the next call; whole tells whether they are all.
func (t *Reader) Line() (line []byte, whole bool, err error) {
	t.line, whole = t.line[:0], true
	for {
		part, err := t.in.ReadSlice('\n')
		if t.total += int64(len(part)); t.total > results.MaxBytes {
			return nil, false, fmt.Errorf("%w: it is larger than %d MiB", results.ErrUnreadable, results.MaxBytes>>20)
		}
		room := MaxLine - len(t.line)
		if whole = whole && len(part) <= room; !whole {
			part = part[:max(0, min(room, len(part)))]
		}
		t.line = append(t.line, part...)
		switch {
		case err == nil:
			return trim(t.line), whole, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(t.line) > 0:
			return trim(t.line), whole, nil
		case errors.Is(err, io.EOF):
			return nil, false, io.EOF
		default:
			return nil, false, fmt.Errorf("read report: %w", err)
		}
	}
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

// Clean returns foreign bytes as text.
func Clean(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
