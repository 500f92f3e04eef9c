// Package junit reads the JUnit XML family.
package junit

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/xmlread"
)

// Parse reads a report and calls emit for every case in order of the file. It needs memory for one case, not for the file. An error
// wraps results.ErrUnreadable unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	x, err := xmlread.New(r, xmlread.Depth)
	if err != nil {
		return results.Summary{}, err
	}
	p := &junit{xml: x, list: results.NewListing(emit)}
	err = p.run()
	return p.list.Summary(), err
}

// junit is the state of one parse.
type junit struct {
	xml   *xmlread.Reader
	list  *results.Listing
	stack []suiteState
	root  bool
	hosts bool // the hostname of a suite names its variant
}

type suiteState struct {
	results.Suite
	nested bool // has suites in it: its counts repeat theirs
	host   string
}

func (p *junit) run() error {
	for {
		t, err := p.xml.Token()
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
		return fmt.Errorf("%w: no <testsuites> or <testsuite> element; is this JUnit XML?", results.ErrUnreadable)
	}
	return nil
}

func (p *junit) start(e xml.StartElement) error {
	name := e.Name.Local
	if !p.root && name != "testsuites" && name != "testsuite" {
		return fmt.Errorf("%w: the root element is <%s>, not <testsuites> or <testsuite>", results.ErrUnreadable, results.Cut(name, 64))
	}
	if !p.root {
		p.root, p.hosts = true, playwright(e)
	}
	switch name {
	case "testsuite":
		p.startSuite(e)
	case "testcase":
		return p.testcase(e)
	case "system-err", "system-out":
		text, err := p.xml.Text(results.MaxDetail)
		if err == nil && name == "system-err" && len(p.stack) > 0 {
			p.stack[len(p.stack)-1].SystemErr = text
		}
		return err
	}
	return nil
}

// playwright recognises a report of Playwright, which puts the project where others put the machine: only it writes a root with an
// empty id and an empty name.
func playwright(root xml.StartElement) bool {
	empty := 0
	for _, a := range root.Attr {
		if (a.Name.Local == "id" || a.Name.Local == "name") && a.Value == "" {
			empty++
		}
	}
	return empty == 2
}

func (p *junit) startSuite(e xml.StartElement) {
	if n := len(p.stack); n > 0 {
		p.stack[n-1].nested = true
	}
	failures, errs := xmlread.AttrInt(e, "failures"), xmlread.AttrInt(e, "errors")
	p.stack = append(p.stack, suiteState{Suite: results.Suite{
		Name: results.Cut(xmlread.Attr(e, "name"), results.MaxName), Declared: results.Counts{Tests: xmlread.AttrInt(e, "tests"), Bad: failures + errs}, Errors: errs,
	}, host: results.Cut(xmlread.Attr(e, "hostname"), results.MaxName)})
}

func (p *junit) endSuite() {
	n := len(p.stack) - 1
	s := p.stack[n]
	p.stack = p.stack[:n]
	if s.nested {
		return
	}
	p.list.Declare(s.Suite)
}

func (p *junit) testcase(e xml.StartElement) error {
	c := results.Case{
		Suite: p.suitePath(), Class: xmlread.Attr(e, "classname"), Name: xmlread.Attr(e, "name"), File: xmlread.Attr(e, "file"), Outcome: results.Passed,
		Duration: xmlread.Seconds(xmlread.Attr(e, "time")),
	}
	if c.File == "" {
		c.File = fileOf(c.Suite, c.Class)
	}
	if n := len(p.stack); n > 0 && p.hosts {
		c.Variant = p.stack[n-1].host
	}
	bad, err := p.children(&c)
	if err != nil {
		return err
	}
	if n := len(p.stack); n > 0 {
		p.stack[n-1].Listed.Tests++
		if bad {
			p.stack[n-1].Listed.Bad++
		}
	}
	return p.list.AddCarrying(c, bad)
}

// fileOf is the file of a test whose report has no attribute for it: Playwright has its path as the class, Mocha and bats as the suite.
func fileOf(suite, class string) string {
	switch {
	case suite == "pytest":
		return pytestFile(class)
	case isSource(class):
		return class
	case isSource(suite):
		return suite
	}
	return ""
}

// isSource recognizes the path of a file that holds tests by its extension.
func isSource(name string) bool {
	if strings.ContainsAny(name, " \t\n›") {
		return false
	}
	return slices.Contains([]string{".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".py", ".rb", ".bats", ".feature", ".robot"}, path.Ext(name))
}

// pytestFile is the file of a test whose module pytest writes with dots, the classes behind it: "tests.test_cart.TestTotals". The family
// xunit2, which is pytest's own, has no attribute for it. Modules are lower case by convention (PEP 8), classes are not.
func pytestFile(class string) string {
	var parts []string
	for part := range strings.SplitSeq(class, ".") {
		if part == "" || part[0] >= 'A' && part[0] <= 'Z' {
			break
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, "/") + ".py"
}

// children reads the inside of a testcase. The first failure or error gives the message; skipped outweighs both, since node's
// "todo" cases carry a failure that the tool itself does not count; bad tells whether there was one.
func (p *junit) children(c *results.Case) (bad bool, err error) {
	for {
		t, err := p.xml.Token()
		if err != nil {
			return false, xmlread.UnexpectedEnd(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return bad, nil
		case xml.StartElement:
			text, err := p.xml.Text(results.MaxDetail)
			if err != nil {
				return false, err
			}
			bad = bad || t.Name.Local == "failure" || t.Name.Local == "error"
			apply(c, t, text)
		}
	}
}

func apply(c *results.Case, e xml.StartElement, text string) {
	switch e.Name.Local {
	case "failure":
		fail(c, results.Failed, e, text)
	case "error":
		fail(c, results.Errored, e, text)
	case "skipped":
		c.Outcome, c.Message, c.Detail = results.Skipped, results.FirstLine(xmlread.Attr(e, "message"), text), ""
	case "rerunFailure", "flakyFailure":
		c.Earlier = append(c.Earlier, results.Failed)
	case "rerunError", "flakyError":
		c.Earlier = append(c.Earlier, results.Errored)
	}
}

func fail(c *results.Case, o results.Outcome, e xml.StartElement, text string) {
	if c.Outcome != results.Passed {
		return
	}
	c.Outcome = o
	c.Message = results.FirstLine(xmlread.Attr(e, "message"), text, xmlread.Attr(e, "type"))
	c.Detail = strings.TrimSpace(text)
}

func (p *junit) suitePath() string {
	names := make([]string, len(p.stack))
	for i, s := range p.stack {
		names[i] = s.Name
	}
	return results.Path(names...)
}
