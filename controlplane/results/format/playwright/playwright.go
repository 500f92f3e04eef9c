// Package playwright reads the JSON report of Playwright Test.
package playwright

import (
	"io"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/jsonread"
)

const (
	maxTests = 10_000 // of one spec: projects × repeats
	maxTries = 100    // kept of one test, with the last
	maxDepth = 50     // nested suites
)

// Parse reads a report and calls emit for every test: one per project, which is the variant of the case. An error wraps
// results.ErrUnreadable unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	p := &parser{json: jsonread.New(r), list: results.NewListing(emit)}
	declared := results.Counts{}
	p.json.Object(func(key string) {
		switch key {
		case "suites":
			p.json.Array(func() { p.suite(nil) })
		case "errors":
			p.json.Array(p.outside)
		case "stats":
			declared = p.stats()
		}
	})
	p.json.End()
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
		case "expected", "skipped", "flaky":
			d.Tests += p.json.Int()
		case "unexpected":
			d.Bad = p.json.Int()
			d.Tests += d.Bad
		}
	})
	return d
}

// outside takes an error that no test had, such as a file that does not compile.
func (p *parser) outside() {
	c := results.Case{Name: "«error outside of tests»", Outcome: results.Errored, Synthetic: true}
	p.failure(&c)
	p.json.Fail(p.list.Add(c))
}

func (p *parser) failure(c *results.Case) {
	message, stack := "", ""
	p.json.Object(func(key string) {
		switch key {
		case "message":
			message = p.json.Text()
		case "stack":
			stack = p.json.Text()
		}
	})
	if c.Message == "" {
		c.Message, c.Detail = results.FirstLine(message, stack), stack
		if stack == "" {
			c.Detail = message
		}
	}
}

// suite takes a file or a group in it. Playwright writes the title before what is inside.
func (p *parser) suite(above []string) {
	title := ""
	p.json.Object(func(key string) {
		switch key {
		case "title":
			title = p.json.Text()
		case "specs":
			p.json.Array(func() { p.spec(append(above[:len(above):len(above)], title)) })
		case "suites":
			if len(above) < maxDepth {
				p.json.Array(func() { p.suite(append(above[:len(above):len(above)], title)) })
			}
		}
	})
}

func (p *parser) spec(suites []string) {
	name, file := "", ""
	var tests []results.Case
	p.json.Object(func(key string) {
		switch key {
		case "title":
			name = p.json.Text()
		case "file":
			file = p.json.Text()
		case "tests":
			p.json.Array(func() {
				if t := p.test(); len(tests) < maxTests {
					tests = append(tests, t)
				} else {
					p.list.Lose("Spec %q has more than %d tests.", name, maxTests)
				}
			})
		}
	})
	for _, c := range tests {
		c.Name, c.File, c.Suite = name, file, results.Path(suites[1:]...) // the outermost suite is the file
		p.json.Fail(p.list.Add(c))
	}
}

// test takes the tries of a spec in one project.
func (p *parser) test() results.Case {
	c := results.Case{}
	expected, status := "passed", ""
	var tries []results.Outcome
	p.json.Object(func(key string) {
		switch key {
		case "projectName":
			c.Variant = p.json.Text()
		case "expectedStatus":
			expected = p.json.Text()
		case "status":
			status = p.json.Text()
		case "annotations":
			p.annotations(&c)
		case "results":
			p.json.Array(func() {
				if o := p.try(&c); len(tries) < maxTries {
					tries = append(tries, o)
				} else {
					tries[maxTries-1] = o
				}
			})
		}
	})
	if n := len(tries); n > 0 {
		c.Outcome, c.Earlier = tries[n-1], tries[:n-1]
	}
	settle(&c, expected, status)
	return c
}

// annotations takes why a test is skipped, which stands before its results.
func (p *parser) annotations(c *results.Case) {
	p.json.Array(func() {
		kind, text := "", ""
		p.json.Object(func(key string) {
			switch key {
			case "type":
				kind = p.json.Text()
			case "description":
				text = p.json.Text()
			}
		})
		if kind == "skip" || kind == "fixme" {
			c.Message = results.FirstLine(text, kind)
		}
	})
}

func (p *parser) try(c *results.Case) results.Outcome {
	status := ""
	p.json.Object(func(key string) {
		switch key {
		case "status":
			status = p.json.Text()
		case "duration":
			c.Duration = p.json.Duration(time.Millisecond) // of the last try
		case "error":
			p.failure(c)
		}
	})
	switch status {
	case "passed":
		return results.Passed
	case "failed":
		return results.Failed
	case "timedOut":
		return results.TimedOut
	case "interrupted":
		return results.Cancelled
	}
	return results.Skipped
}

// settle turns the last try into the outcome. A test that is skipped although nobody asked for it did not run because of another
// one: Playwright's "did not run".
func settle(c *results.Case, expected, status string) {
	switch {
	case c.Outcome == results.Cancelled:
	case status == "skipped" || c.Outcome == results.Skipped || c.Outcome == "":
		c.Outcome, c.Earlier = results.Skipped, nil
		if expected != "skipped" {
			c.Outcome = results.Blocked
		}
	case expected == "failed" && c.Outcome == results.Failed:
		c.Outcome, c.ExpectedFail, c.Earlier = results.Passed, true, nil
	case expected == "failed" && c.Outcome == results.Passed:
		c.Outcome, c.UnexpectedPass, c.Message = results.Failed, true, "passed, but was expected to fail"
	case c.Outcome == results.Passed:
		c.Message, c.Detail = "", "" // of an earlier try
	}
}
