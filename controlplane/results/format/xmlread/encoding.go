package xmlread

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"

	"github.com/seatrial/seatrial/controlplane/results"
)

var declaredEncoding = regexp.MustCompile(`^\s*<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// asUTF8 removes a byte order mark, converts the declared encoding, and replaces what XML cannot hold: tools copy program output
// into reports, and a stray control byte must not cost the whole evidence.
func asUTF8(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 4<<10)
	head, err := b.Peek(1 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read report: %w", err)
	}
	var in io.Reader = b
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		in = transform.NewReader(b, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder())
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		if _, err := b.Discard(3); err != nil {
			return nil, fmt.Errorf("read report: %w", err)
		}
	default:
		if m := declaredEncoding.FindSubmatch(head); m != nil && !strings.EqualFold(string(m[1]), "utf-8") {
			if in, err = charset.NewReaderLabel(string(m[1]), b); err != nil {
				return nil, fmt.Errorf("%w: encoding %q is not known", results.ErrUnreadable, m[1])
			}
		}
	}
	clean := runes.Map(func(c rune) rune {
		if allowed(c) {
			return c
		}
		return '\uFFFD'
	})
	return transform.NewReader(in, transform.Chain(runes.ReplaceIllFormed(), clean)), nil
}
