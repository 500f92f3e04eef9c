// Package ctrf reads the Common Test Report Format.
package ctrf

import (
	"fmt"
	"io"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/jsonread"
)

const (
	maxTries  = 100 // kept of one test
	maxSuites = 50  // nested ones of one test
)

// Parse reads a report and calls emit for every test. An error wraps results.ErrUnreadable unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	p := &parser{json: jsonread.New(r), list: results.NewListing(emit)}
	declared, found := results.Counts{}, false
	p.json.Object(func(key string) {
		if key != "results" {
			return
		}
		found = true
		p.json.Object(func(key string) {
			switch key {
			case "summary":
				declared = p.summary()
			case "tests":
				p.json.Array(p.test)
			}
		})
	})
	p.json.End()
	if !found {
		p.json.Fail(fmt.Errorf("%w: no results in it; is this CTRF?", results.ErrUnreadable))
	}
	p.list.DeclareAll(declared)
	return p.list.Summary(), p.json.Err()
}

type parser struct {
	json *jsonread.Reader
	list *results.Listing
}

func (p *parser) summary() (d results.Counts) {
	p.json.Object(func(key string) {
		switch key {
		case "tests":
			d.Tests = p.json.Int()
		case "failed":
			d.Bad = p.json.Int()
		}
	})
	return d
}

func (p *parser) test() {
	c := results.Case{}
	retries := 0
	flaky := false
	p.json.Object(func(key string) {
		switch key {
		case "name":
			c.Name = p.json.Text()
		case "suite":
			c.Suite = results.Path(p.json.Texts(maxSuites)...) // a list since version 1 of the schema
		case "filePath":
			c.File = p.json.Text()
		case "browser":
			c.Variant = p.json.Text()
		case "status":
			c.Outcome = outcome(p.json.Text())
		case "duration":
			c.Duration = p.json.Duration(time.Millisecond)
		case "message":
			c.Message = results.FirstLine(p.json.Text())
		case "trace":
			c.Detail = p.json.Text()
		case "retries":
			retries = p.json.Int()
		case "flaky":
			flaky = p.json.Bool()
		case "retryAttempts":
			c.Earlier = p.tries()
		}
	})
	if len(c.Earlier) == 0 && (flaky || retries > 0) && c.Outcome.Conclusive() {
		// It was tried again, and nobody tries a test again that passed.
		for range min(max(retries, 1), maxTries) {
			c.Earlier = append(c.Earlier, results.Failed)
		}
	}
	p.json.Fail(p.list.Add(c))
}

// tries takes the attempts of a test, of which the last may be the result itself.
func (p *parser) tries() (all []results.Outcome) {
	p.json.Array(func() {
		var o results.Outcome
		p.json.Object(func(key string) {
			if key == "status" {
				o = outcome(p.json.Text())
			}
		})
		if len(all) < maxTries {
			all = append(all, o)
		}
	})
	return all
}

// outcome fails closed: a status that the format does not know is no pass.
func outcome(status string) results.Outcome {
	switch status {
	case "passed":
		return results.Passed
	case "failed":
		return results.Failed
	case "skipped", "pending":
		return results.Skipped
	}
	return results.Errored // "other" covers everything that is neither of these
}
