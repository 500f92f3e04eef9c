// Package robot reads the output.xml of Robot Framework.
package robot

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/xmlread"
)

const (
	depth    = 512 // keywords call keywords
	maxTrail = 20  // failed keywords of a test that are named
)

// Parse reads a report and calls emit for every test, and for every set-up or tear-down of a suite that failed. An error wraps
// results.ErrUnreadable unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	x, err := xmlread.New(r, depth)
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
	if root.Name.Local != "robot" {
		return fmt.Errorf("%w: the root element is <%s>, not <robot>", results.ErrUnreadable, results.Cut(root.Name.Local, 64))
	}
	var declared results.Counts
	err = p.xml.Children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "suite":
			return p.suite(e, nil)
		case "statistics":
			return p.statistics(&declared)
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.list.DeclareAll(declared)
	return p.xml.End()
}

func (p *parser) statistics(d *results.Counts) error {
	return p.xml.Children(func(e xml.StartElement) error {
		if e.Name.Local != "total" {
			return nil
		}
		return p.xml.Children(func(e xml.StartElement) error {
			// Before version 4 there was one line for critical tests and one for all; the last one is the whole.
			failed := xmlread.AttrInt(e, "fail")
			*d = results.Counts{Tests: xmlread.AttrInt(e, "pass") + failed + xmlread.AttrInt(e, "skip"), Bad: failed}
			return nil
		})
	})
}

func (p *parser) suite(e xml.StartElement, above []string) error {
	path := slices.Concat(above, []string{xmlread.Attr(e, "name")})
	return p.xml.Children(func(child xml.StartElement) error {
		switch child.Name.Local {
		case "suite":
			return p.suite(child, path)
		case "test", "task":
			return p.test(child, path, xmlread.Attr(e, "source"))
		case "kw":
			return p.fixture(child, path)
		}
		return nil
	})
}

// fixture takes the set-up or tear-down of a suite. That one failed is an error of its own; the tests behind it say so, too.
func (p *parser) fixture(e xml.StartElement, path []string) error {
	c := results.Case{Suite: results.Path(path...), Name: "«suite " + strings.ToLower(xmlread.Attr(e, "type")) + "»", Synthetic: true}
	if err := p.steps(&c); err != nil {
		return err
	}
	if c.Outcome != results.Failed {
		return nil
	}
	c.Outcome = results.Errored
	return p.list.Add(c)
}

func (p *parser) test(e xml.StartElement, path []string, file string) error {
	c := results.Case{Suite: results.Path(path...), Name: xmlread.Attr(e, "name"), File: file, Outcome: results.Errored}
	if err := p.steps(&c); err != nil {
		return err
	}
	if c.Outcome == results.Failed && strings.HasPrefix(c.Message, "Parent suite setup failed") {
		c.Outcome = results.Blocked // Robot counts it as a failure
		return p.list.AddCarrying(c, true)
	}
	return p.list.Add(c)
}

// steps takes the keywords of a test and its status, which is the last of its children.
func (p *parser) steps(c *results.Case) error {
	var trail []string
	err := p.xml.Children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "status":
			return p.status(e, c)
		case "kw", "for", "while", "if", "try", "group":
			failed, err := p.failed()
			if failed && len(trail) < maxTrail {
				trail = append(trail, results.Cut(xmlread.Attr(e, "name"), 200))
			}
			return err
		}
		return nil
	})
	if c.Outcome.Bad() && len(trail) > 0 {
		c.Detail = "failed in: " + results.Cut(strings.Join(trail, ", "), results.MaxName) + "\n" + c.Detail
	}
	return err
}

// failed tells whether the keyword that was just opened failed.
func (p *parser) failed() (failed bool, err error) {
	err = p.xml.Children(func(e xml.StartElement) error {
		if e.Name.Local == "status" {
			failed = xmlread.Attr(e, "status") == "FAIL"
		}
		return nil
	})
	return failed, err
}

func (p *parser) status(e xml.StartElement, c *results.Case) error {
	switch xmlread.Attr(e, "status") {
	case "PASS":
		c.Outcome = results.Passed
	case "FAIL":
		c.Outcome = results.Failed
	case "SKIP", "NOT RUN", "NOT_RUN":
		c.Outcome = results.Skipped
	default:
		c.Outcome = results.Errored
	}
	c.Duration = took(e)
	text, err := p.xml.Text(results.MaxDetail)
	c.Message, c.Detail = results.FirstLine(text), ""
	if c.Outcome == results.Failed {
		c.Detail = strings.TrimSpace(text)
	}
	return err
}

// took reads the elapsed time of schema 5, or the two instants of earlier ones.
func took(e xml.StartElement) time.Duration {
	if s := xmlread.Attr(e, "elapsed"); s != "" {
		return xmlread.Seconds(s)
	}
	const layout = "20060102 15:04:05.000"
	from, err := time.Parse(layout, xmlread.Attr(e, "starttime"))
	to, err2 := time.Parse(layout, xmlread.Attr(e, "endtime"))
	if err != nil || err2 != nil {
		return 0
	}
	return max(0, min(to.Sub(from), 365*24*time.Hour))
}
