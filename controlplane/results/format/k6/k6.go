// Package k6 reads the summaries of k6: what --summary-export and handleSummary write, and the machine-readable one.
package k6

import (
	"fmt"
	"io"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/jsonread"
)

const maxDepth = 50 // nested groups

// Parse reads a summary and calls emit for every check and every threshold. An error wraps results.ErrUnreadable unless emit or r
// caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	p := &parser{json: jsonread.New(r), list: results.NewListing(emit)}
	p.json.Object(func(key string) {
		switch key {
		case "root_group":
			p.found = true
			p.group(nil)
		case "metrics":
			p.found = true
			p.metrics()
		case "results": // of the machine-readable summary
			p.results(nil)
		}
	})
	p.json.End()
	if !p.found {
		p.json.Fail(fmt.Errorf("%w: neither metrics nor checks in it; is this a summary of k6?", results.ErrUnreadable))
	}
	return p.list.Summary(), p.json.Err()
}

type parser struct {
	json  *jsonread.Reader
	list  *results.Listing
	found bool
}

// each walks a list that k6 writes as an array or as an object by name.
func (p *parser) each(item func(name string)) {
	if p.json.Kind() == '[' {
		p.json.Array(func() { item("") })
		return
	}
	p.json.Object(item)
}

func (p *parser) results(path []string) {
	p.json.Object(func(key string) {
		switch key {
		case "checks":
			p.found = true
			p.checks(path)
		case "metrics":
			p.found = true
			p.metrics()
		case "thresholds":
			p.each(func(name string) { p.threshold("", name) })
		case "groups", "scenarios":
			if len(path) < maxDepth {
				p.each(func(name string) { p.results(append(path[:len(path):len(path)], name)) })
			}
		}
	})
}

func (p *parser) group(path []string) {
	name := ""
	p.json.Object(func(key string) {
		switch key {
		case "name":
			name = p.json.Text()
		case "checks":
			p.checks(append(path[:len(path):len(path)], name))
		case "groups":
			if len(path) < maxDepth {
				p.each(func(string) { p.group(append(path[:len(path):len(path)], name)) })
			}
		}
	})
}

// checks takes a list of checks, or the list inside of what the machine-readable summary says of them.
func (p *parser) checks(path []string) {
	if p.json.Kind() == '[' {
		p.json.Array(func() { p.check(path, "") })
		return
	}
	p.json.Object(func(key string) {
		switch {
		case p.json.Kind() == '[' && key == "results":
			p.json.Array(func() { p.check(path, "") })
		case p.json.Kind() == '{':
			p.check(path, key)
		}
	})
}

func (p *parser) check(path []string, name string) {
	passes, fails := 0, 0
	p.json.Object(func(key string) {
		switch key {
		case "name":
			name = p.json.Text()
		case "passes":
			passes = p.json.Int()
		case "fails":
			fails = p.json.Int()
		}
	})
	c := results.Case{Suite: results.Path(path...), Class: "check", Name: name, Outcome: results.Passed}
	switch {
	case fails > 0:
		c.Outcome, c.Message = results.Failed, fmt.Sprintf("%d of %d failed", fails, passes+fails)
	case passes == 0:
		c.Outcome, c.Message = results.Skipped, "never evaluated"
	}
	p.json.Fail(p.list.Add(c))
}

func (p *parser) metrics() {
	p.each(func(name string) {
		p.json.Object(func(key string) {
			switch key {
			case "name":
				name = p.json.Text()
			case "thresholds":
				p.each(func(expr string) { p.threshold(name, expr) })
			}
		})
	})
}

// threshold takes one threshold: an object with "ok", or in an exported summary whether it was crossed.
func (p *parser) threshold(metric, expr string) {
	ok := false
	switch p.json.Kind() {
	case '{':
		p.json.Object(func(key string) {
			switch key {
			case "ok":
				ok = p.json.Bool()
			case "name", "source", "threshold":
				expr = p.json.Text()
			case "metric":
				metric = p.json.Text()
			}
		})
	case 't', 'f':
		ok = !p.json.Bool()
	default:
		return
	}
	c := results.Case{Class: "threshold", Name: metric + ": " + expr, Outcome: results.Passed}
	if !ok {
		c.Outcome, c.Message = results.Failed, "threshold crossed: "+metric+" "+expr
	}
	p.json.Fail(p.list.Add(c))
}
