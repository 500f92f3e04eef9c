// Package cucumber reads the JSON report of cucumber, godog and behave.
package cucumber

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/jsonread"
)

// Parse reads a report and calls emit for every scenario. An error wraps results.ErrUnreadable unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	p := &parser{json: jsonread.New(r), list: results.NewListing(emit)}
	if k := p.json.Kind(); k != '[' && k != 0 {
		p.json.Fail(fmt.Errorf("%w: it is no list of features; is this the JSON report of cucumber?", results.ErrUnreadable))
	}
	p.json.Array(p.feature)
	p.json.End()
	return p.list.Summary(), p.json.Err()
}

type parser struct {
	json *jsonread.Reader
	list *results.Listing
}

// scenario is what is known of one while it is read.
type scenario struct {
	results.Case
	background bool
	steps      int
	ran        int // steps that were not skipped
	worst      results.Outcome
}

// feature takes one file. Writers put its name before its scenarios.
func (p *parser) feature() {
	file, name := "", ""
	var before *scenario // the background, which some writers list as an element of its own
	p.json.Object(func(key string) {
		switch key {
		case "uri":
			file = p.json.Text()
		case "name":
			name = p.json.Text()
		case "elements":
			p.json.Array(func() {
				s := p.element()
				if s.background {
					before = &s
					return
				}
				if before != nil {
					s.join(*before)
					before = nil
				}
				s.File, s.Suite = file, name
				p.json.Fail(p.list.Add(s.settled()))
			})
		}
	})
}

func (p *parser) element() scenario {
	s := scenario{worst: results.Passed}
	p.json.Object(func(key string) {
		switch key {
		case "type":
			s.background = p.json.Text() == "background"
		case "name":
			s.Name = p.json.Text()
		case "id":
			if _, example, ok := strings.Cut(p.json.Text(), ";;"); ok {
				s.Params = "example " + example
			}
		case "steps", "before", "after":
			hook := key != "steps"
			p.json.Array(func() { p.step(&s, hook) })
		}
	})
	return s
}

func (p *parser) step(s *scenario, hook bool) {
	text, status, message := "", "", ""
	p.json.Object(func(key string) {
		switch key {
		case "keyword":
			text = p.json.Text() + text
		case "name":
			text += p.json.Text()
		case "result":
			p.json.Object(func(key string) {
				switch key {
				case "status":
					status = strings.ToLower(p.json.Text())
				case "duration":
					s.Duration = min(s.Duration+p.json.Duration(time.Nanosecond), 365*24*time.Hour)
				case "error_message":
					message = p.json.Text()
				}
			})
		}
	})
	s.take(strings.TrimSpace(text), status, message, hook)
}

// take adds a step. Steps without a definition, pending ones and ambiguous ones fail a scenario in strict mode, which is the
// default of the tools.
func (s *scenario) take(text, status, message string, hook bool) {
	o := results.Failed
	switch status {
	case "passed":
		o = results.Passed
	case "skipped", "":
		o = results.Skipped
	case "failed":
		if hook {
			o = results.Errored
		}
	}
	if !hook {
		s.steps++
	}
	if o != results.Skipped && !hook {
		s.ran++
	}
	if o == results.Skipped && s.worst == results.Passed && !hook {
		s.worst = results.Skipped
	}
	if o.Bad() && !s.worst.Bad() {
		s.worst = o
		s.Message, s.Detail = results.FirstLine(message, status+": "+text), text+"\n"+message
	}
}

// join adds the background that ran before.
func (s *scenario) join(b scenario) {
	s.steps += b.steps
	s.ran += b.ran
	s.Duration += b.Duration
	if b.worst.Bad() || s.worst == results.Passed {
		s.worst = b.worst
	}
	if b.worst.Bad() {
		s.Message, s.Detail = b.Message, b.Detail
	}
}

func (s *scenario) settled() results.Case {
	c := s.Case
	c.Outcome = s.worst
	if s.steps == 0 && c.Outcome == results.Passed {
		c.Outcome, c.Message = results.Skipped, "no steps"
	}
	return c
}
