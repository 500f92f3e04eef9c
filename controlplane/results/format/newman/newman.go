// Package newman reads the JSON report of newman, which lists every assertion of every iteration: its JUnit report does not.
package newman

import (
	"fmt"
	"io"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/jsonread"
)

const maxAssertions = 10_000 // of one request

// Parse reads a report and calls emit for every assertion of every iteration, and for every request or script that broke. An error
// wraps results.ErrUnreadable unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	p := &parser{json: jsonread.New(r), list: results.NewListing(emit)}
	found := false
	p.json.Object(func(key string) {
		switch key {
		case "collection":
			p.collection()
		case "run":
			found = true
			p.run()
		}
	})
	p.json.End()
	if !found {
		p.json.Fail(fmt.Errorf("%w: no run in it; is this the JSON report of newman?", results.ErrUnreadable))
	}
	p.list.DeclareAll(results.Counts{Tests: p.assertions + p.broken, Bad: max(p.failures, p.failedAssertions+p.broken)})
	return p.list.Summary(), p.json.Err()
}

type parser struct {
	json *jsonread.Reader
	list *results.Listing
	name string // of the collection

	assertions, failedAssertions int // as the statistics say
	broken                       int // requests and scripts that failed, as the statistics say
	failures                     int // listed at the end of the run
}

func (p *parser) collection() {
	p.json.Object(func(key string) {
		if key == "info" {
			p.name = p.named("name")
		}
	})
}

func (p *parser) run() {
	p.json.Object(func(key string) {
		switch key {
		case "stats":
			p.json.Object(p.stat)
		case "executions":
			p.json.Array(p.execution)
		case "failures":
			p.json.Array(func() { p.failures++ })
		}
	})
}

func (p *parser) stat(of string) {
	total, failed := 0, 0
	p.json.Object(func(key string) {
		switch key {
		case "total":
			total = p.json.Int()
		case "failed":
			failed = p.json.Int()
		}
	})
	switch of {
	case "assertions":
		p.assertions, p.failedAssertions = total, failed
	case "requests", "testScripts", "prerequestScripts":
		p.broken += failed
	}
}

// execution takes one request of one iteration. Its cases wait until the whole of it is known.
func (p *parser) execution() {
	var cases []results.Case
	base := results.Case{Suite: p.name, Params: "iteration 0"}
	p.json.Object(func(key string) {
		switch key {
		case "cursor":
			base.Params = fmt.Sprintf("iteration %d", p.iteration())
		case "item":
			base.Class = p.named("name")
		case "response":
			base.Duration = p.responseTime()
		case "assertions":
			p.json.Array(func() {
				if c := p.assertion(); len(cases) < maxAssertions {
					cases = append(cases, c)
				}
			})
		case "requestError":
			c := results.Case{Name: "«request»"}
			p.broke(&c)
			cases = append(cases, c)
		case "testScript", "prerequestScript":
			cases = append(cases, p.scripts("«"+key+"»")...)
		}
	})
	for _, c := range cases {
		c.Suite, c.Class, c.Params, c.Duration = base.Suite, base.Class, base.Params, base.Duration
		p.json.Fail(p.list.Add(c))
	}
}

func (p *parser) iteration() (n int) {
	p.json.Object(func(key string) {
		if key == "iteration" {
			n = p.json.Int()
		}
	})
	return n
}

func (p *parser) named(member string) (text string) {
	p.json.Object(func(key string) {
		if key == member {
			text = p.json.Text()
		}
	})
	return text
}

func (p *parser) responseTime() (d time.Duration) {
	p.json.Object(func(key string) {
		if key == "responseTime" {
			d = p.json.Duration(time.Millisecond)
		}
	})
	return d
}

func (p *parser) assertion() results.Case {
	c := results.Case{Outcome: results.Passed}
	p.json.Object(func(key string) {
		switch key {
		case "assertion":
			c.Name = p.json.Text()
		case "skipped":
			if p.json.Bool() {
				c.Outcome = results.Skipped
			}
		case "error":
			if p.json.Kind() == '{' {
				c.Outcome = results.Failed
				p.failure(&c)
			}
		}
	})
	return c
}

// broke takes the error of a request.
func (p *parser) broke(c *results.Case) {
	c.Outcome = results.Errored
	p.failure(c)
}

func (p *parser) failure(c *results.Case) {
	message, code, address, port := "", "", "", ""
	p.json.Object(func(key string) {
		switch key {
		case "message":
			message = p.json.Text()
		case "stack":
			c.Detail = p.json.Text()
		case "code":
			code = p.json.Text()
		case "address":
			address = p.json.Text()
		case "port":
			port = p.json.Text()
		}
	})
	if message == "" && code != "" {
		message = code + " " + address + ":" + port
	}
	c.Message = results.FirstLine(message, c.Detail, "no message")
}

// scripts takes the scripts of a request and returns those that broke.
func (p *parser) scripts(name string) (cases []results.Case) {
	p.json.Array(func() {
		p.json.Object(func(key string) {
			if key == "error" && p.json.Kind() == '{' && len(cases) < maxAssertions {
				c := results.Case{Name: name}
				p.broke(&c)
				cases = append(cases, c)
			}
		})
	})
	return cases
}
