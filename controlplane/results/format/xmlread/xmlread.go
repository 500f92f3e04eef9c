// Package xmlread walks foreign XML in bounded memory.
package xmlread

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
)

// Depth is how deep elements of ordinary reports may be nested.
const Depth = 64

// Reader reads one document from its first byte to its last. Errors wrap results.ErrUnreadable unless the source caused them.
type Reader struct {
	dec   *xml.Decoder
	depth int
	limit int
}

// New returns a reader that accepts elements nested as deep as limit.
func New(r io.Reader, limit int) (*Reader, error) {
	text, err := asUTF8(r)
	if err != nil {
		return nil, err
	}
	x := &Reader{dec: xml.NewDecoder(newBound(text)), limit: limit}
	x.dec.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil } // asUTF8 did it
	return x, nil
}

// Token returns the next token, or io.EOF.
func (x *Reader) Token() (xml.Token, error) {
	t, err := x.dec.Token()
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("%w: line %d: %s", results.ErrUnreadable, syntax.Line, syntax.Msg)
	}
	if err != nil && strings.HasPrefix(err.Error(), "xml: ") { // the decoder's own errors have no type of their own
		return nil, fmt.Errorf("%w: %s", results.ErrUnreadable, strings.TrimPrefix(err.Error(), "xml: "))
	}
	switch t.(type) {
	case xml.StartElement:
		if x.depth++; x.depth > x.limit {
			return nil, fmt.Errorf("%w: elements are nested deeper than %d", results.ErrUnreadable, x.limit)
		}
	case xml.EndElement:
		x.depth--
	}
	return t, err
}

// Root opens the root element.
func (x *Reader) Root() (xml.StartElement, error) {
	for {
		t, err := x.Token()
		if errors.Is(err, io.EOF) {
			return xml.StartElement{}, fmt.Errorf("%w: the file is empty", results.ErrUnreadable)
		}
		if err != nil {
			return xml.StartElement{}, err
		}
		if e, ok := t.(xml.StartElement); ok {
			return e, nil
		}
	}
}

// Children calls each for every child of the element that was opened last, up to its end. What each leaves unread of a child is
// skipped.
func (x *Reader) Children(each func(xml.StartElement) error) error {
	for {
		t, err := x.Token()
		if err != nil {
			return UnexpectedEnd(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			inside := x.depth
			if err := each(t); err != nil {
				return err
			}
			if x.depth == inside {
				if err := x.Skip(); err != nil {
					return err
				}
			}
		}
	}
}

// Skip reads to the end of the element that was opened last.
func (x *Reader) Skip() error {
	_, err := x.Text(0)
	return err
}

// End reads what follows the root element, which must be nothing.
func (x *Reader) End() error {
	for {
		t, err := x.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, ok := t.(xml.StartElement); ok {
			return fmt.Errorf("%w: there is more than one root element", results.ErrUnreadable)
		}
	}
}

// Text returns the character data up to the end of the element that was opened last, inner elements left out, cut at limit.
func (x *Reader) Text(limit int) (string, error) {
	var b strings.Builder
	for depth := 1; depth > 0; {
		t, err := x.Token()
		if err != nil {
			return "", UnexpectedEnd(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if room := limit - b.Len(); depth == 1 && room > 0 {
				b.WriteString(strings.ToValidUTF8(string(t[:min(len(t), room)]), ""))
			}
		}
	}
	return b.String(), nil
}

// UnexpectedEnd turns the end of the file inside an element into an error of the report.
func UnexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file ends inside an element", results.ErrUnreadable)
	}
	return err
}

// Attr returns an attribute by its local name.
func Attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// AttrInt returns a count; what makes no sense is zero.
func AttrInt(e xml.StartElement, name string) int {
	n, err := strconv.Atoi(strings.TrimSpace(Attr(e, name)))
	if err != nil || n < 0 || n > results.MaxCases {
		return 0
	}
	return n
}

// Seconds reads a time attribute as tools write it: "1,234.5", "-0.000000", "NaN", empty. What makes no sense is zero.
func Seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(s), ",", ""), 64)
	if err != nil || math.IsNaN(f) || f <= 0 || f > (365*24*time.Hour).Seconds() {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}
