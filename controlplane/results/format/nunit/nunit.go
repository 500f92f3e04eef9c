// Package nunit reads the XML reports of NUnit 2 and 3.
package nunit

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/xmlread"
)

// Parse reads a report and calls emit for every test, and for every set-up or tear-down that failed. An error wraps
// results.ErrUnreadable unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	x, err := xmlread.New(r, xmlread.Depth)
	if err != nil {
		return results.Summary{}, err
	}
	p := &parser{xml: x, list: results.NewListing(emit)}
	if err := p.run(); err != nil {
		return p.list.Summary(), err
	}
	return p.list.Summary(), nil
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
	var declared results.Counts
	switch root.Name.Local {
	case "test-run":
		declared = results.Counts{Tests: xmlread.AttrInt(root, "total"), Bad: xmlread.AttrInt(root, "failed")}
	case "test-results": // its total leaves out what did not run
		declared = results.Counts{Tests: xmlread.AttrInt(root, "total"), Bad: xmlread.AttrInt(root, "errors") + xmlread.AttrInt(root, "failures")}
	default:
		return fmt.Errorf("%w: the root element is <%s>, not <test-run> or <test-results>", results.ErrUnreadable, results.Cut(root.Name.Local, 64))
	}
	if err := p.xml.Children(func(e xml.StartElement) error { return p.node(e, nil) }); err != nil {
		return err
	}
	p.list.DeclareAll(declared)
	return p.xml.End()
}

// node takes a suite, a case or something that is skipped. Only fixtures and what is in them name a case; the namespaces and the
// assembly around them are in the name of the class already.
func (p *parser) node(e xml.StartElement, path []string) error {
	switch e.Name.Local {
	case "test-case":
		return p.test(e, path)
	case "results":
		return p.xml.Children(func(c xml.StartElement) error { return p.node(c, path) })
	case "test-suite":
		return p.suite(e, path)
	}
	return nil
}

func (p *parser) suite(e xml.StartElement, path []string) error {
	name := xmlread.Attr(e, "fullname")
	if name == "" {
		name = xmlread.Attr(e, "name")
	}
	if kind := xmlread.Attr(e, "type"); strings.HasSuffix(kind, "Fixture") {
		path = append(path[:len(path):len(path)], name)
	}
	site := xmlread.Attr(e, "site")
	broke := results.Case{Suite: name, Name: "«" + site + "»", Outcome: results.Errored, Synthetic: true}
	err := p.xml.Children(func(c xml.StartElement) error {
		if c.Name.Local == "failure" {
			return p.failure(&broke)
		}
		return p.node(c, path)
	})
	if err == nil && (site == "SetUp" || site == "TearDown") && xmlread.Attr(e, "result") == "Failed" {
		return p.list.Add(broke)
	}
	return err
}

func (p *parser) test(e xml.StartElement, path []string) error {
	c := results.Case{
		Suite: results.Path(path...), Class: xmlread.Attr(e, "classname"), Name: xmlread.Attr(e, "name"),
		Outcome: outcome(e), Duration: xmlread.Seconds(xmlread.Attr(e, "duration") + xmlread.Attr(e, "time")),
	}
	err := p.xml.Children(func(inner xml.StartElement) error {
		switch inner.Name.Local {
		case "failure", "reason":
			return p.failure(&c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if xmlread.Attr(e, "site") == "Parent" && c.Outcome.Bad() { // NUnit counts it as a failure of its own
		c.Outcome = results.Blocked
		return p.list.AddCarrying(c, true)
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

// outcome reads the outcome of either version; what neither knows is no pass.
func outcome(e xml.StartElement) results.Outcome {
	switch xmlread.Attr(e, "result") {
	case "Passed", "Success", "Warning":
		return results.Passed
	case "Skipped", "Ignored", "Inconclusive", "NotRunnable":
		if xmlread.Attr(e, "label") == "Invalid" || xmlread.Attr(e, "result") == "NotRunnable" {
			return results.Errored
		}
		return results.Skipped
	case "Failed", "Failure":
		switch xmlread.Attr(e, "label") {
		case "Cancelled":
			return results.Cancelled
		case "":
			return results.Failed
		}
		return results.Errored
	case "Cancelled":
		return results.Cancelled
	case "":
		return bare(e)
	}
	return results.Errored
}

// bare reads the outcome that early versions wrote in two attributes.
func bare(e xml.StartElement) results.Outcome {
	switch {
	case strings.EqualFold(xmlread.Attr(e, "executed"), "false"):
		return results.Skipped
	case strings.EqualFold(xmlread.Attr(e, "success"), "true"):
		return results.Passed
	}
	return results.Failed
}
