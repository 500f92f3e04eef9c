// Package mocha reads the JSON report of mocha.
package mocha

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/jsonread"
)

const maxTries = 100 // kept of one test

// Parse reads a report and calls emit for every test, and for every hook that failed. An error wraps results.ErrUnreadable unless
// emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	p := &parser{json: jsonread.New(r), list: results.NewListing(emit)}
	declared, found := results.Counts{}, false
	p.json.Object(func(key string) {
		switch key {
		case "stats":
			found = true
			declared = p.stats()
		case "passes": // the array "tests" repeats these three and leaves out hooks
			p.json.Array(func() { p.test(results.Passed) })
		case "failures":
			p.json.Array(func() { p.test(results.Failed) })
		case "pending":
			p.json.Array(func() { p.test(results.Skipped) })
		}
	})
	p.json.End()
	if !found {
		p.json.Fail(fmt.Errorf("%w: no stats in it; is this the JSON report of mocha?", results.ErrUnreadable))
	}
	p.list.DeclareAll(declared)
	return p.list.Summary(), p.json.Err()
}

type parser struct {
	json *jsonread.Reader
	list *results.Listing
}

func (p *parser) stats() (d results.Counts) {
	p.json.Object(func(key string) {
		switch key {
		case "tests":
			d.Tests = p.json.Int()
		case "failures":
			d.Bad = p.json.Int()
		}
	})
	return d
}

func (p *parser) test(o results.Outcome) {
	c := results.Case{Outcome: o}
	full := ""
	p.json.Object(func(key string) {
		switch key {
		case "title":
			c.Name = p.json.Text()
		case "fullTitle":
			full = p.json.Text()
		case "file":
			c.File = p.json.Text()
		case "duration":
			c.Duration = p.json.Duration(time.Millisecond)
		case "currentRetry":
			for range min(p.json.Int(), maxTries) {
				c.Earlier = append(c.Earlier, results.Failed)
			}
		case "err":
			p.failure(&c)
		}
	})
	c.Suite = strings.TrimSpace(strings.TrimSuffix(full, c.Name)) // the report joins the suites with a blank
	if o == results.Failed && hook(c.Name) {
		c.Outcome = results.Errored
		if strings.Contains(c.Name, " hook for ") || strings.HasPrefix(c.Name, `"before`) {
			p.list.Lose("The hook %s of %q failed: the tests behind it are not listed.", results.Cut(c.Name, 200), results.Cut(c.Suite, 200))
		}
	}
	p.json.Fail(p.list.Add(c))
}

// hook recognises the titles that mocha gives to hooks, such as: "before all" hook for "adds item".
func hook(title string) bool {
	for _, kind := range []string{"before all", "before each", "after all", "after each"} {
		if strings.HasPrefix(title, `"`+kind+`" hook`) {
			return true
		}
	}
	return false
}

func (p *parser) failure(c *results.Case) {
	message := ""
	p.json.Object(func(key string) {
		switch key {
		case "message":
			message = p.json.Text()
		case "stack":
			c.Detail = p.json.Text()
		}
	})
	c.Message = results.FirstLine(message, c.Detail)
}
