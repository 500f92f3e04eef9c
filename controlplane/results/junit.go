package results

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

// Limits of a report. They are far above what tools write and keep a hostile file from hurting.
const (
	MaxDetail = 64 << 10 // bytes of Case.Detail
	maxDepth  = 64       // nested elements
	maxCases  = 5_000_000
	maxSuites = 1_000 // disagreeing suites that are kept
	maxName   = 4 << 10
	suiteSep  = " › "
)

// ErrUnreadable means that the bytes are not a report of the format; the wrapping error says where and why.
var ErrUnreadable = errors.New("unreadable report")

// ParseJUnit reads a report of the JUnit XML family and calls emit for every case in order of the file. It needs memory for one
// case, not for the file. An error wraps ErrUnreadable unless emit or r caused it.
func ParseJUnit(r io.Reader, emit func(Case) error) (Summary, error) {
	text, err := asUTF8(r)
	if err != nil {
		return Summary{}, err
	}
	p := &junit{dec: xml.NewDecoder(newBound(text)), emit: emit}
	p.dec.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil } // asUTF8 did it
	err = p.run()
	return p.sum, err
}

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
				return nil, fmt.Errorf("%w: encoding %q is not known", ErrUnreadable, m[1])
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

// junit is the state of one parse.
type junit struct {
	dec   *xml.Decoder
	emit  func(Case) error
	sum   Summary
	depth int
	stack []suiteState
	root  bool
}

type suiteState struct {
	Suite
	nested bool // has suites in it: its counts repeat theirs
}

func (p *junit) token() (xml.Token, error) {
	t, err := p.dec.Token()
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("%w: line %d: %s", ErrUnreadable, syntax.Line, syntax.Msg)
	}
	if err != nil && strings.HasPrefix(err.Error(), "xml: ") { // the decoder's own errors have no type of their own
		return nil, fmt.Errorf("%w: %s", ErrUnreadable, strings.TrimPrefix(err.Error(), "xml: "))
	}
	switch t.(type) {
	case xml.StartElement:
		if p.depth++; p.depth > maxDepth {
			return nil, fmt.Errorf("%w: elements are nested deeper than %d", ErrUnreadable, maxDepth)
		}
	case xml.EndElement:
		p.depth--
	}
	return t, err
}

func (p *junit) run() error {
	for {
		t, err := p.token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := p.start(t); err != nil {
				return err
			}
		case xml.EndElement:
			if t.Name.Local == "testsuite" {
				p.endSuite()
			}
		}
	}
	if !p.root {
		return fmt.Errorf("%w: no <testsuites> or <testsuite> element; is this JUnit XML?", ErrUnreadable)
	}
	return nil
}

func (p *junit) start(e xml.StartElement) error {
	name := e.Name.Local
	if !p.root && name != "testsuites" && name != "testsuite" {
		return fmt.Errorf("%w: the root element is <%s>, not <testsuites> or <testsuite>", ErrUnreadable, cut(name, 64))
	}
	p.root = true
	switch name {
	case "testsuite":
		p.startSuite(e)
	case "testcase":
		return p.testcase(e)
	case "system-err", "system-out":
		text, err := p.text(MaxDetail)
		if err == nil && name == "system-err" && len(p.stack) > 0 {
			p.stack[len(p.stack)-1].SystemErr = text
		}
		return err
	}
	return nil
}

func (p *junit) startSuite(e xml.StartElement) {
	if n := len(p.stack); n > 0 {
		p.stack[n-1].nested = true
	}
	failures, errs := attrInt(e, "failures"), attrInt(e, "errors")
	p.stack = append(p.stack, suiteState{Suite: Suite{
		Name: cut(attr(e, "name"), maxName), Declared: Counts{Tests: attrInt(e, "tests"), Bad: failures + errs}, Errors: errs,
	}})
}

func (p *junit) endSuite() {
	n := len(p.stack) - 1
	s := p.stack[n]
	p.stack = p.stack[:n]
	if s.nested {
		return
	}
	p.sum.Declared.Tests += s.Declared.Tests
	p.sum.Declared.Bad += s.Declared.Bad
	if s.Declared != s.Listed && len(p.sum.Suites) < maxSuites {
		p.sum.Suites = append(p.sum.Suites, s.Suite)
	}
}

func (p *junit) testcase(e xml.StartElement) error {
	c := Case{
		Suite: p.suitePath(), Class: cut(attr(e, "classname"), maxName), Name: cut(attr(e, "name"), maxName), File: cut(attr(e, "file"), maxName),
		Outcome: Passed, Duration: seconds(attr(e, "time")),
	}
	bad, err := p.children(&c)
	if err != nil {
		return err
	}
	p.count(bad)
	if p.sum.Observed.Add(c.Outcome); p.sum.Observed.Total > maxCases {
		return fmt.Errorf("%w: more than %d test cases", ErrUnreadable, maxCases)
	}
	return p.emit(c)
}

func (p *junit) count(bad bool) {
	all := []*Counts{&p.sum.Listed}
	if n := len(p.stack); n > 0 {
		all = append(all, &p.stack[n-1].Listed)
	}
	for _, c := range all {
		c.Tests++
		if bad {
			c.Bad++
		}
	}
}

// children reads the inside of a testcase. The first failure or error gives the message; skipped outweighs both, since node's
// "todo" cases carry a failure that the tool itself does not count; bad tells whether there was one.
func (p *junit) children(c *Case) (bad bool, err error) {
	for {
		t, err := p.token()
		if err != nil {
			return false, unexpectedEnd(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return bad, nil
		case xml.StartElement:
			text, err := p.text(MaxDetail)
			if err != nil {
				return false, err
			}
			bad = bad || t.Name.Local == "failure" || t.Name.Local == "error"
			c.apply(t, text)
		}
	}
}

func (c *Case) apply(e xml.StartElement, text string) {
	switch e.Name.Local {
	case "failure":
		c.bad(Failed, e, text)
	case "error":
		c.bad(Errored, e, text)
	case "skipped":
		c.Outcome, c.Message, c.Detail = Skipped, cut(firstLine(attr(e, "message"), text), maxName), ""
	case "rerunFailure", "rerunError", "flakyFailure", "flakyError":
		c.Retries++
	}
}

func (c *Case) bad(o Outcome, e xml.StartElement, text string) {
	if c.Outcome != Passed {
		return
	}
	c.Outcome = o
	c.Message = cut(firstLine(attr(e, "message"), text, attr(e, "type")), maxName)
	c.Detail = strings.TrimSpace(text)
}

// text returns the character data up to the end of the element that was just opened, inner elements left out, cut at limit.
func (p *junit) text(limit int) (string, error) {
	var b strings.Builder
	for depth := 1; depth > 0; {
		t, err := p.token()
		if err != nil {
			return "", unexpectedEnd(err)
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

func (p *junit) suitePath() string {
	names := make([]string, 0, len(p.stack))
	for _, s := range p.stack {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return cut(strings.Join(names, suiteSep), maxName)
}

func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file ends inside an element", ErrUnreadable)
	}
	return err
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func attrInt(e xml.StartElement, name string) int {
	n, err := strconv.Atoi(strings.TrimSpace(attr(e, name)))
	if err != nil || n < 0 || n > maxCases {
		return 0
	}
	return n
}

// seconds reads a time attribute as tools write it: "1,234.5", "-0.000000", "NaN", empty. What makes no sense is zero.
func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(s), ",", ""), 64)
	if err != nil || !(f > 0) || f > (365*24*time.Hour).Seconds() {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

func firstLine(candidates ...string) string {
	for _, c := range candidates {
		if line, _, _ := strings.Cut(strings.TrimSpace(c), "\n"); line != "" {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
