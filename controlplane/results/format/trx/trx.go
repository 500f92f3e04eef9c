// Package trx reads the TRX reports of VSTest and MSTest.
package trx

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/xmlread"
)

// A report names the classes of its tests after the results, so results wait for them, as many as fit.
const (
	maxHeld      = 200_000
	maxHeldBytes = 24 << 20
)

// Parse reads a report and calls emit for every test. An error wraps results.ErrUnreadable unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	x, err := xmlread.New(r, xmlread.Depth)
	if err != nil {
		return results.Summary{}, err
	}
	p := &parser{xml: x, list: results.NewListing(emit), byTest: map[string][]int{}}
	err = p.run()
	return p.list.Summary(), err
}

type parser struct {
	xml     *xmlread.Reader
	list    *results.Listing
	held    []results.Case
	bytes   int
	byTest  map[string][]int // results by the id of their test
	outcome string           // of the whole run, as it says
	counts  results.Counts
}

func (p *parser) run() error {
	root, err := p.xml.Root()
	if err != nil {
		return err
	}
	if root.Name.Local != "TestRun" {
		return fmt.Errorf("%w: the root element is <%s>, not <TestRun>", results.ErrUnreadable, results.Cut(root.Name.Local, 64))
	}
	if err := p.xml.Children(p.section); err != nil {
		return err
	}
	if err := p.release(); err != nil {
		return err
	}
	p.list.DeclareAll(p.counts)
	switch p.outcome {
	case "Failed", "Error", "Timeout", "Aborted", "Disconnected":
		if p.list.Listed().Bad == 0 {
			p.list.Contradict("The run says %q, but the report lists no failure.", p.outcome)
		}
	}
	return p.xml.End()
}

func (p *parser) section(e xml.StartElement) error {
	switch e.Name.Local {
	case "Results":
		return p.xml.Children(p.result)
	case "TestDefinitions":
		return p.xml.Children(p.definition)
	case "ResultSummary":
		p.outcome = xmlread.Attr(e, "outcome")
		return p.xml.Children(func(e xml.StartElement) error {
			if e.Name.Local == "Counters" {
				p.counts.Tests = xmlread.AttrInt(e, "total")
				for _, bad := range []string{"failed", "error", "timeout", "aborted", "disconnected"} {
					p.counts.Bad += xmlread.AttrInt(e, bad)
				}
			}
			return nil
		})
	}
	return nil
}

// result takes one result. One with inner results only repeats the worst of its rows.
func (p *parser) result(e xml.StartElement) error {
	if !strings.HasSuffix(e.Name.Local, "Result") {
		return nil
	}
	c := results.Case{Name: xmlread.Attr(e, "testName"), Outcome: outcome(xmlread.Attr(e, "outcome")), Duration: clock(xmlread.Attr(e, "duration"))}
	inner := false
	err := p.xml.Children(func(child xml.StartElement) error {
		switch child.Name.Local {
		case "InnerResults":
			inner = true
			return p.xml.Children(p.result)
		case "Output":
			return p.output(&c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if inner {
		p.list.Count(c.Outcome.Bad())
		return nil
	}
	return p.hold(xmlread.Attr(e, "testId"), c)
}

func (p *parser) hold(id string, c results.Case) error {
	c.Detail, c.Message, c.Name = results.Cut(c.Detail, results.MaxDetail), results.Cut(c.Message, results.MaxName), results.Cut(c.Name, results.MaxName)
	p.held = append(p.held, c)
	p.bytes += len(c.Detail) + len(c.Message) + len(c.Name) + len(id)
	p.byTest[id] = append(p.byTest[id], len(p.held)-1)
	if len(p.held) < maxHeld && p.bytes < maxHeldBytes {
		return nil
	}
	return p.release()
}

func (p *parser) release() error {
	for _, c := range p.held {
		if err := p.list.Add(c); err != nil {
			return err
		}
	}
	p.held, p.bytes = nil, 0
	clear(p.byTest)
	return nil
}

// definition takes which class a test is in.
func (p *parser) definition(e xml.StartElement) error {
	waiting := p.byTest[xmlread.Attr(e, "id")]
	return p.xml.Children(func(child xml.StartElement) error {
		if child.Name.Local != "TestMethod" {
			return nil
		}
		class, _, _ := strings.Cut(xmlread.Attr(child, "className"), ",") // the rest names the assembly and its version
		for _, i := range waiting {
			p.held[i].Class = results.Cut(class, 1<<10)
		}
		return nil
	})
}

func (p *parser) output(c *results.Case) error {
	return p.xml.Children(func(e xml.StartElement) error {
		if e.Name.Local != "ErrorInfo" {
			return nil
		}
		message, stack := "", ""
		err := p.xml.Children(func(e xml.StartElement) (err error) {
			switch e.Name.Local {
			case "Message":
				message, err = p.xml.Text(results.MaxDetail)
			case "StackTrace":
				stack, err = p.xml.Text(results.MaxDetail)
			}
			return err
		})
		c.Message, c.Detail = results.FirstLine(message, stack), strings.TrimSpace(message+"\n"+stack)
		return err
	})
}

// outcome reads the outcomes of VSTest. A missing one means Error, the first value of their enumeration.
func outcome(s string) results.Outcome {
	switch s {
	case "Passed", "PassedButRunAborted", "Warning", "Completed":
		return results.Passed
	case "Failed":
		return results.Failed
	case "Timeout":
		return results.TimedOut
	case "Inconclusive", "NotExecuted", "Pending":
		return results.Skipped
	}
	return results.Errored
}

// clock reads hours, minutes and seconds, such as 00:00:01.2345678.
func clock(s string) time.Duration {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return 0
	}
	hours, err := strconv.Atoi(parts[0])
	minutes, err2 := strconv.Atoi(parts[1])
	if err != nil || err2 != nil || hours < 0 || hours > 8760 || minutes < 0 || minutes > 59 {
		return 0
	}
	return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute + xmlread.Seconds(parts[2])
}
