package jmeter

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
)

const (
	maxField  = results.MaxName // bytes kept of one
	maxFields = 200             // of a record
)

// usual are the columns that JMeter writes by default, also when it leaves out the header.
func usual() []string {
	return []string{
		"timeStamp", "elapsed", "label", "responseCode", "responseMessage", "threadName", "dataType", "success", "failureMessage",
	}
}

func (t *tally) csv(b *bufio.Reader) error {
	if mark, _ := b.Peek(3); string(mark) == "\xef\xbb\xbf" { // shorter at the end of the file
		_, _ = b.Discard(3) // it is in the buffer
	}
	c := &records{in: b, separator: separator(b)}
	first, err := c.next()
	if err != nil {
		return ended(err)
	}
	columns, header := usual(), slices.Contains(first, "label") && slices.Contains(first, "success")
	switch {
	case header:
		columns = first
	case len(first) < 8 || !digits(first[0]) || !digits(first[1]):
		return fmt.Errorf("%w: the first line has no columns label and success; is this a JTL file?", results.ErrUnreadable)
	default:
		t.record(columns, first)
	}
	for line := 2; ; line++ {
		values, err := c.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(values) == 1 && values[0] == "" {
			continue
		}
		if len(values) <= slices.Index(columns, "success") {
			return fmt.Errorf("%w: record %d has %d fields; was the file cut off?", results.ErrUnreadable, line, len(values))
		}
		t.record(columns, values)
	}
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file is empty", results.ErrUnreadable)
	}
	return err
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// separator finds what stands behind the first column: jmeter.save.saveservice.default_delimiter changes it.
func separator(b *bufio.Reader) byte {
	head, _ := b.Peek(256) // shorter at the end of the file
	for _, c := range head {
		switch c {
		case ',', ';', '\t', '|':
			return c
		case '\n':
			return ','
		}
	}
	return ','
}

func (t *tally) record(columns, values []string) {
	get := func(name string) string {
		if i := slices.Index(columns, name); i >= 0 && i < len(values) {
			return values[i]
		}
		return ""
	}
	ms, _ := strconv.ParseFloat(get("elapsed"), 64) // what makes no sense is zero
	t.add(sample{
		label: label{name: get("label")}, ok: strings.EqualFold(get("success"), "true"), elapsed: milliseconds(ms),
		message: results.FirstLine(get("failureMessage"), get("responseCode")+" "+get("responseMessage")),
	})
}

// records reads CSV in bounded memory: the rest of overlong fields and records is dropped.
type records struct {
	in        *bufio.Reader
	separator byte
	total     int64
	field     []byte
	fields    []string
}

func (c *records) next() ([]string, error) {
	c.fields, c.field = nil, c.field[:0]
	quoted, any := false, false
	for {
		b, err := c.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && quoted:
			return nil, fmt.Errorf("%w: the file ends inside a quoted field", results.ErrUnreadable)
		case errors.Is(err, io.EOF) && !any:
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			c.end()
			return c.fields, nil
		case err != nil:
			return nil, fmt.Errorf("read report: %w", err)
		}
		if c.total++; c.total > results.MaxBytes {
			return nil, fmt.Errorf("%w: it is larger than %d MiB", results.ErrUnreadable, results.MaxBytes>>20)
		}
		any = true
		switch {
		case b == '"':
			quoted = c.quote(quoted)
		case quoted:
			c.keep(b)
		case b == c.separator:
			c.end()
		case b == '\n':
			c.end()
			return c.fields, nil
		case b != '\r':
			c.keep(b)
		}
	}
}

// quote takes a quote: two inside a quoted field stand for one.
func (c *records) quote(quoted bool) bool {
	if !quoted {
		return true
	}
	if ahead, _ := c.in.Peek(1); len(ahead) == 1 && ahead[0] == '"' { // none at the end of the file
		_, _ = c.in.Discard(1) // it is in the buffer
		c.keep('"')
		return true
	}
	return false
}

func (c *records) keep(b byte) {
	if len(c.field) < maxField {
		c.field = append(c.field, b)
	}
}

func (c *records) end() {
	if len(c.fields) < maxFields {
		c.fields = append(c.fields, strings.ToValidUTF8(string(c.field), "\uFFFD"))
	}
	c.field = c.field[:0]
}
