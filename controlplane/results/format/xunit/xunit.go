// Package xunit reads the XML reports of xUnit.net version 2 and later.
package xunit

import (
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/xmlread"
)

// Parse reads a report and calls emit for every test, and for every error outside of one. An error wraps results.ErrUnreadable
// unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	x, err := xmlread.New(r, xmlread.Depth)
	if err != nil {
		return results.Summary{}, err
	}
	p := &parser{xml: x, list: results.NewListing(emit)}
	err = p.run()
	return p.list.Summary(), err
}

type parser struct {
	xml  *xmlread.Reader
	list *results.Listing
}

func (p *parser) run() error {
	root, err := p.xml.Root()
	if err != nil {
		return err
	}
	switch root.Name.Local {
	case "assemblies":
		err = p.xml.Children(func(e xml.StartElement) error {
			if e.Name.Local == "assembly" {
				return p.assembly(e)
			}
			return nil
		})
	case "assembly":
		err = p.assembly(root)
	default:
		return fmt.Errorf("%w: the root element is <%s>, not <assemblies>", results.ErrUnreadable, results.Cut(root.Name.Local, 64))
	}
	if err != nil {
		return err
	}
	return p.xml.End()
}

func (p *parser) assembly(e xml.StartElement) error {
	before := p.list.Listed()
	full := strings.ReplaceAll(xmlread.Attr(e, "name"), `\`, "/") // the path of a file on the machine that ran it
	name := path.Base(full)
	err := p.xml.Children(func(c xml.StartElement) error {
		switch c.Name.Local {
		case "collection":
			return p.xml.Children(p.test)
		case "errors":
			return p.xml.Children(func(c xml.StartElement) error { return p.broke(c, name) })
		}
		return nil
	})
	after := p.list.Listed()
	p.list.Declare(results.Suite{
		Name: name,
		Declared: results.Counts{
			Tests: xmlread.AttrInt(e, "total"), Bad: xmlread.AttrInt(e, "failed") + xmlread.AttrInt(e, "errors"),
		},
		Errors: xmlread.AttrInt(e, "errors"),
		Listed: results.Counts{Tests: after.Tests - before.Tests, Bad: after.Bad - before.Bad},
	})
	return err
}

func (p *parser) test(e xml.StartElement) error {
	if e.Name.Local != "test" {
		return nil
	}
	c := results.Case{
		Class: xmlread.Attr(e, "type"), Name: xmlread.Attr(e, "name"), File: xmlread.Attr(e, "source-file"),
		Duration: xmlread.Seconds(xmlread.Attr(e, "time")),
	}
	switch xmlread.Attr(e, "result") {
	case "Pass":
		c.Outcome = results.Passed
	case "Fail":
		c.Outcome = results.Failed
	case "Skip", "NotRun":
		c.Outcome = results.Skipped
	default:
		c.Outcome = results.Errored
	}
	err := p.xml.Children(func(inner xml.StartElement) (err error) {
		switch inner.Name.Local {
		case "failure":
			return p.failure(&c)
		case "reason":
			text, err := p.xml.Text(results.MaxDetail)
			c.Message = results.FirstLine(text)
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.list.Add(c)
}

// broke takes an error outside of a test, such as a fixture that cannot be cleaned up.
func (p *parser) broke(e xml.StartElement, assembly string) error {
	if e.Name.Local != "error" {
		return nil
	}
	c := results.Case{
		Suite: assembly, Class: xmlread.Attr(e, "name"), Name: "«" + xmlread.Attr(e, "type") + "»", Outcome: results.Errored, Synthetic: true,
	}
	err := p.xml.Children(func(inner xml.StartElement) error {
		if inner.Name.Local == "failure" {
			return p.failure(&c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.list.Add(c)
}

func (p *parser) failure(c *results.Case) error {
	message, stack := "", ""
	err := p.xml.Children(func(e xml.StartElement) (err error) {
		switch e.Name.Local {
		case "message":
			message, err = p.xml.Text(results.MaxDetail)
		case "stack-trace":
			stack, err = p.xml.Text(results.MaxDetail)
		}
		return err
	})
	c.Message, c.Detail = results.FirstLine(message, stack), strings.TrimSpace(message+"\n"+stack)
	return err
}
