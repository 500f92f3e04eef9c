// Package canonical writes JSON in one form: the same value always gives the same bytes, so that a digest or a signature over them
// means the value.
//
// It is the form of RFC 8785 (members in the order of their UTF-16 names, no white space, no escapes that are not needed) but for
// one thing: numbers keep all of their digits, where RFC 8785 rounds to a double.
package canonical

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/seatrial/seatrial/controlplane/fault"
)

const (
	maxDepth    = 64     // nesting of a JSON text
	maxExponent = 10_000 // of a number, either way
	// Numbers are written out up to this many digits before the point and zeros behind it, and with an exponent beyond: RFC 8785.
	plainDigits = 21
	plainZeros  = 6
)

// JSON returns the canonical text of a value. One that cannot be written as JSON is Invalid; see Text.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "value cannot be written as JSON")
	}
	return Text(b.Bytes())
}

// Text returns the canonical form of a JSON text. A text that is no JSON or not UTF-8, that repeats a member, nests more than 64
// levels deep or has a number with an exponent beyond 10,000 is Invalid.
func Text(data []byte) ([]byte, error) {
	text, err := rewrite(data)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "JSON cannot be read")
	}
	return text, nil
}

// Decode reads a JSON text that Text accepts into a value. Members that the value has no place for are ignored.
func Decode(data []byte, into any) error {
	if _, err := Text(data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fault.Wrap(fault.Invalid, err, "JSON cannot be read")
	}
	return nil
}

func rewrite(data []byte) ([]byte, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("the text is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	c := writer{dec: dec}
	if err := c.value(0); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return c.out.Bytes(), nil
}

// writer copies a JSON text. It walks tokens, since a decoded map no longer shows a member that came twice.
type writer struct {
	dec *json.Decoder
	out bytes.Buffer
}

func (c *writer) value(depth int) error {
	token, err := c.dec.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == maxDepth {
			return fmt.Errorf("more than %d levels", maxDepth)
		}
		if t == '{' {
			return c.object(depth + 1)
		}
		return c.array(depth + 1)
	case string:
		writeString(&c.out, t)
	case json.Number:
		text, err := number(t.String())
		if err != nil {
			return err
		}
		c.out.WriteString(text)
	case bool:
		c.out.WriteString(strconv.FormatBool(t))
	default:
		c.out.WriteString("null")
	}
	return nil
}

func (c *writer) array(depth int) error {
	c.out.WriteByte('[')
	for i := 0; c.dec.More(); i++ {
		if i > 0 {
			c.out.WriteByte(',')
		}
		if err := c.value(depth); err != nil {
			return err
		}
	}
	c.out.WriteByte(']')
	_, err := c.dec.Token()
	return err
}

func (c *writer) object(depth int) error {
	type member struct {
		name  string
		order []uint16
		text  []byte
	}
	var members []member
	for c.dec.More() {
		token, err := c.dec.Token()
		if err != nil {
			return err
		}
		name, ok := token.(string)
		if !ok {
			return fmt.Errorf("%v is no name of a member", token)
		}
		inner := writer{dec: c.dec}
		if err := inner.value(depth); err != nil {
			return err
		}
		members = append(members, member{name, utf16.Encode([]rune(name)), inner.out.Bytes()})
	}
	slices.SortFunc(members, func(a, b member) int { return slices.Compare(a.order, b.order) })
	c.out.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			if m.name == members[i-1].name {
				return fmt.Errorf("member %q comes twice", m.name)
			}
			c.out.WriteByte(',')
		}
		writeString(&c.out, m.name)
		c.out.WriteByte(':')
		c.out.Write(m.text)
	}
	c.out.WriteByte('}')
	_, err := c.dec.Token()
	return err
}

// writeString does not leave escaping to encoding/json, whose choice of escapes has changed between releases of Go.
func writeString(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	plain := 0 // where what needs no escape begins
	for i := range len(s) {
		c := s[i] // every byte that needs an escape is ASCII
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b.WriteString(s[plain:i])
		plain = i + 1
		if short := strings.IndexByte("\b\t\n\f\r\"\\", c); short >= 0 {
			b.WriteByte('\\')
			b.WriteByte(`btnfr"\`[short])
		} else {
			fmt.Fprintf(b, `\u%04x`, c)
		}
	}
	b.WriteString(s[plain:])
	b.WriteByte('"')
}

// number returns the canonical text of a JSON number without going through a double, which would lose digits.
func number(text string) (string, error) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	shift := 0
	if exponent != "" {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || shift > maxExponent || shift < -maxExponent {
			return "", fmt.Errorf("the exponent of %.40s is out of bounds", text)
		}
	}
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	point := len(whole) + shift - (len(whole) + len(fraction) - len(digits)) // place of the decimal point within digits
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return "0", nil
	}
	sign := ""
	if negative {
		sign = "-"
	}
	return sign + layout(digits, point), nil
}

// layout writes 0.digits × 10^point as ECMAScript does.
func layout(digits string, point int) string {
	switch n := len(digits); {
	case n <= point && point <= plainDigits:
		return digits + strings.Repeat("0", point-n)
	case 0 < point && point <= plainDigits:
		return digits[:point] + "." + digits[point:]
	case -plainZeros < point && point <= 0:
		return "0." + strings.Repeat("0", -point) + digits
	case n == 1:
		return fmt.Sprintf("%se%+d", digits, point-1)
	}
	return fmt.Sprintf("%s.%se%+d", digits[:1], digits[1:], point-1)
}
