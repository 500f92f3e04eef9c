// Package gotest reads what go test -json prints.
package gotest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/textread"
)

const (
	maxOpen   = 100_000          // tests that run at once
	maxOutput = 8 << 20          // bytes kept of the output of all of them
	maxTest   = 16 << 10         // bytes kept of the output of one
	maxBuilds = 1_000            // failed ones that are kept
	longest   = 24 * time.Hour   // a test
	blank     = " \t\r\n"        // around output
	broken    = "«package»"      // the case of a package that failed outside of its tests
	noBuild   = "«build failed»" // the case of a package that does not compile
)

type event struct {
	Action, Package, Test, Output string
	ImportPath, FailedBuild       string
	Elapsed                       float64
}

// Parse reads a log and calls emit for every test without subtests, and for every package that failed outside of its tests. Lines
// that are no events, such as what a build prints, are skipped. An error wraps results.ErrUnreadable unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	p := &parser{list: results.NewListing(emit), open: map[string]*pack{}, builds: map[string]*strings.Builder{}}
	if err := p.run(textread.New(r)); err != nil {
		return p.list.Summary(), err
	}
	if p.events == 0 {
		return p.list.Summary(), fmt.Errorf("%w: no event in it; was go test called with -json?", results.ErrUnreadable)
	}
	for _, name := range p.order {
		if k := p.open[name]; k != nil {
			p.list.Lose("Package %s was still running at the end of the report.", name)
			if err := p.close(name, k, false, event{}); err != nil {
				return p.list.Summary(), err
			}
		}
	}
	p.list.DeclareAll(p.declared)
	return p.list.Summary(), nil
}

type parser struct {
	list     *results.Listing
	open     map[string]*pack
	order    []string // packages as they started
	builds   map[string]*strings.Builder
	events   int
	running  int
	output   int // bytes kept
	declared results.Counts
}

// pack is a package that runs.
type pack struct {
	tests  map[string]*test
	order  []string
	output strings.Builder
	bad    bool // one of its tests failed
}

// test is one that runs, or that ran and whose parent still does.
type test struct {
	output   strings.Builder
	children bool
	badChild bool
}

func (p *parser) run(lines *textread.Reader) error {
	for {
		line, _, err := lines.Line()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var e event
		if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &e) != nil || e.Action == "" {
			continue
		}
		p.events++
		if err := p.take(cut(e)); err != nil {
			return err
		}
	}
}

func cut(e event) event {
	for _, s := range []*string{&e.Package, &e.Test, &e.ImportPath, &e.FailedBuild} {
		*s = results.Cut(*s, results.MaxName)
	}
	e.Output = results.Cut(e.Output, maxTest)
	return e
}

func (p *parser) take(e event) error {
	switch {
	case e.Action == "build-output":
		p.build(e)
		return nil
	case e.Package == "":
		return nil
	}
	k := p.pack(e.Package)
	if e.Test != "" {
		return p.test(k, e)
	}
	switch e.Action {
	case "output":
		p.keep(&k.output, e.Output)
	case "pass", "skip", "fail":
		delete(p.open, e.Package)
		return p.close(e.Package, k, e.Action == "fail", e)
	}
	return nil
}

func (p *parser) build(e event) {
	b := p.builds[e.ImportPath]
	if b == nil {
		if len(p.builds) >= maxBuilds {
			return
		}
		b = &strings.Builder{}
		p.builds[e.ImportPath] = b
	}
	p.keep(b, e.Output)
}

func (p *parser) pack(name string) *pack {
	k := p.open[name]
	if k == nil {
		k = &pack{tests: map[string]*test{}}
		p.open[name] = k
		if len(p.order) < maxOpen {
			p.order = append(p.order, name)
		}
	}
	return k
}

func (p *parser) keep(b *strings.Builder, s string) {
	if room := min(maxTest-b.Len(), maxOutput-p.output); room > 0 {
		s = results.Cut(s, room)
		b.WriteString(s)
		p.output += len(s)
	}
}

func (p *parser) test(k *pack, e event) error {
	switch e.Action {
	case "run":
		if p.running++; p.running > maxOpen {
			return fmt.Errorf("%w: more than %d tests run at once", results.ErrUnreadable, maxOpen)
		}
		k.start(e.Test)
	case "output":
		if t := k.tests[e.Test]; t != nil {
			p.keep(&t.output, e.Output)
		}
	case "pass", "fail", "skip":
		return p.end(k, e)
	}
	return nil
}

func (k *pack) start(name string) {
	k.tests[name] = &test{}
	k.order = append(k.order, name)
	if up := k.parent(name); up != nil {
		up.children = true
	}
}

// parent returns the nearest one that runs: the name of a test may have slashes of its own.
func (k *pack) parent(name string) *test {
	for {
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return nil
		}
		name = name[:i]
		if t := k.tests[name]; t != nil {
			return t
		}
	}
}

// end takes the result of a test. A parent stands for its subtests and is no case, unless it failed and none of them did.
func (p *parser) end(k *pack, e event) error {
	t := k.tests[e.Test]
	if t == nil { // a result without a start
		t = &test{}
	} else {
		p.running--
		p.output -= t.output.Len()
		delete(k.tests, e.Test)
	}
	failed := e.Action == "fail"
	if up := k.parent(e.Test); up != nil && failed {
		up.badChild = true
	}
	k.bad = k.bad || failed
	if t.children && (!failed || t.badChild) {
		return nil
	}
	p.declared.Tests++
	c := results.Case{Suite: e.Package, Name: e.Test, Outcome: results.Passed, Duration: elapsed(e.Elapsed)}
	switch {
	case failed:
		p.declared.Bad++
		c.Outcome = results.Failed
		c.Detail = strings.Trim(t.output.String(), blank)
		c.Message = cause(c.Detail)
		if strings.HasPrefix(c.Message, "panic: test timed out") {
			c.Outcome = results.TimedOut
		}
	case e.Action == "skip":
		c.Outcome = results.Skipped
		c.Message = cause(t.output.String())
	}
	return p.list.Add(c)
}

// close takes the result of a package. A test that started and never ended is an error: the process ended under it.
func (p *parser) close(name string, k *pack, failed bool, e event) error {
	p.output -= k.output.Len()
	for _, n := range k.order {
		t := k.tests[n]
		if t == nil {
			continue
		}
		delete(k.tests, n) // a name may stand twice in the order
		p.running--
		p.output -= t.output.Len()
		if t.children && t.badChild {
			continue
		}
		p.declared.Tests++
		k.bad = true
		detail := strings.Trim(t.output.String()+k.output.String(), blank)
		if err := p.list.Add(results.Case{
			Suite: name, Name: n, Outcome: results.Errored, Detail: detail,
			Message: results.FirstLine(panicked(detail), "started and never ended: the process of the tests ended under it"),
		}); err != nil {
			return err
		}
		p.list.Lose("Package %s ended while %s ran: tests behind it are not listed.", name, n)
	}
	if !failed || k.bad {
		return nil
	}
	return p.list.Add(p.failedPackage(name, k, e))
}

func (p *parser) failedPackage(name string, k *pack, e event) results.Case {
	c := results.Case{Suite: name, Name: broken, Outcome: results.Errored, Synthetic: true, Duration: elapsed(e.Elapsed)}
	c.Detail = strings.Trim(k.output.String(), blank)
	if e.FailedBuild != "" {
		c.Name = noBuild
		if b := p.builds[e.FailedBuild]; b != nil {
			c.Detail = strings.Trim(b.String()+"\n"+c.Detail, blank)
		}
	}
	c.Message = cause(c.Detail)
	return c
}

func elapsed(seconds float64) time.Duration {
	if !(seconds > 0) || seconds > longest.Seconds() {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

func panicked(output string) string {
	for line := range strings.SplitSeq(output, "\n") {
		if strings.HasPrefix(line, "panic: ") {
			return line
		}
	}
	return ""
}

// cause returns the line that says what went wrong: a panic, or the first that the tool did not write itself.
func cause(output string) string {
	if line := panicked(output); line != "" {
		return line
	}
	for line := range strings.SplitSeq(output, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "# ") || line == "FAIL" {
			continue
		}
		return line
	}
	return results.FirstLine(output)
}
