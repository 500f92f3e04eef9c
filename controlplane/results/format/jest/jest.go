// Package jest reads the JSON report of jest, which vitest writes, too.
package jest

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/jsonread"
)

const (
	maxTries   = 100    // kept of one test
	maxNesting = 50     // suites around one test
	maxTests   = 50_000 // of one file
)

// Parse reads a report and calls emit for every test, and for every file that could not run. An error wraps results.ErrUnreadable
// unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	p := &parser{json: jsonread.New(r), list: results.NewListing(emit)}
	declared, found := results.Counts{}, false
	p.json.Object(func(key string) {
		switch key {
		case "numTotalTests":
			declared.Tests = p.json.Int()
		case "numFailedTests", "numRuntimeErrorTestSuites":
			declared.Bad += p.json.Int()
		case "testResults":
			found = true
			p.json.Array(p.file)
		case "wasInterrupted":
			if p.json.Bool() {
				p.list.Lose("The run was interrupted.")
			}
		}
	})
	p.json.End()
	if !found {
		p.json.Fail(fmt.Errorf("%w: no testResults in it; is this the JSON report of jest?", results.ErrUnreadable))
	}
	p.list.DeclareAll(declared)
	return p.list.Summary(), p.json.Err()
}

type parser struct {
	json *jsonread.Reader
	list *results.Listing
}

// file takes the tests of one file. Its name stands behind them.
func (p *parser) file() {
	var cases []results.Case
	name, status, message := "", "", ""
	p.json.Object(func(key string) {
		switch key {
		case "name", "testFilePath":
			name = p.json.Text()
		case "status":
			status = p.json.Text()
		case "message":
			message = p.json.Text()
		case "testExecError":
			if broke := p.execError(); broke != "" {
				status, message = "failed", broke
			}
		case "assertionResults":
			p.json.Array(func() {
				if c := p.test(); len(cases) < maxTests {
					cases = append(cases, c)
				} else {
					p.list.Lose("A file has more than %d tests.", maxTests)
				}
			})
		}
	})
	bad := false
	for _, c := range cases {
		bad = bad || c.Outcome.Bad()
		c.File = name
		p.json.Fail(p.list.Add(c))
	}
	if status == "failed" && !bad { // it does not compile, or broke outside of its tests
		p.json.Fail(p.list.Add(results.Case{
			Name: "«test file»", File: name, Outcome: results.Errored, Synthetic: true,
			Message: cause(message), Detail: message,
		}))
	}
}

// cause leaves out the headline that jest puts above every error of a file.
func cause(message string) string {
	const headline = "● Test suite failed to run"
	first := results.FirstLine(message)
	if first != headline {
		return first
	}
	_, rest, _ := strings.Cut(message, headline)
	return results.FirstLine(rest, first)
}

func (p *parser) execError() (text string) {
	if p.json.Kind() != '{' {
		return p.json.Text()
	}
	p.json.Object(func(key string) {
		switch key {
		case "message", "stack":
			text = results.Cut(text+p.json.Text()+"\n", results.MaxDetail)
		}
	})
	return text
}

func (p *parser) test() results.Case {
	c := results.Case{}
	p.json.Object(func(key string) {
		switch key {
		case "title":
			c.Name = p.json.Text()
		case "ancestorTitles":
			c.Suite = results.Path(p.json.Texts(maxNesting)...)
		case "duration":
			c.Duration = p.json.Duration(time.Millisecond)
		case "status":
			c.Outcome = outcome(p.json.Text())
		case "invocations":
			for range min(p.json.Int()-1, maxTries) {
				c.Earlier = append(c.Earlier, results.Failed)
			}
		case "failureMessages":
			if all := p.json.Texts(1); len(all) > 0 {
				c.Message, c.Detail = results.FirstLine(all[0]), all[0]
			}
		}
	})
	return c
}

func outcome(status string) results.Outcome {
	switch status {
	case "passed":
		return results.Passed
	case "failed":
		return results.Failed
	case "pending", "skipped", "todo", "disabled", "focused":
		return results.Skipped
	}
	return results.Errored
}
