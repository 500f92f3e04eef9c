// Package tap reads the Test Anything Protocol, versions 12 to 14.
package tap

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/textread"
	"github.com/seatrial/seatrial/controlplane/results/format/xmlread"
)

const (
	maxLevels = 32
	maxLine   = 16 << 10 // bytes of a line that are looked at
	indent    = 4        // blanks of a subtest
)

var (
	point     = regexp.MustCompile(`^(not )?ok\b(?:\s+(\d{1,9}))?(?:\s*-\s)?\s*(.*)$`)
	plan      = regexp.MustCompile(`^1\.\.(\d{1,9})(?:\s*#\s*(.*))?$`)
	directive = regexp.MustCompile(`(?i)(?:^|[^\\])#\s*(skip|todo)\S*\s*(.*)$`)
)

// Parse reads a log and calls emit for every test without subtests. Lines that are none of the protocol are skipped. An error wraps
// results.ErrUnreadable unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	p := &parser{list: results.NewListing(emit), levels: []level{{}}}
	err := p.run(textread.New(r))
	if err == nil {
		err = p.finish()
	}
	return p.list.Summary(), err
}

// level is a test with subtests, or the outermost one.
type level struct {
	name     string
	planned  int
	hasPlan  bool
	seen     int
	parents  int // of those seen, tests with subtests
	bad      bool
	finished bool // a subtest whose result is yet to come
	buffered bool // its result came first, with an opening brace
}

type parser struct {
	list   *results.Listing
	levels []level
	last   *results.Case         // waits for what is said about it
	detail strings.Builder       // of last
	yaml   int                   // blanks before the block that is read, plus one
	names  [maxLevels + 1]string // of subtests that begin, by level
	known  bool                  // something of the protocol was seen
	bailed bool
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
		if err := p.line(results.Cut(textread.Clean(line), maxLine)); err != nil {
			return err
		}
	}
}

func (p *parser) line(line string) error {
	text := strings.TrimLeft(line, " ")
	blanks := len(line) - len(text)
	if p.yaml > 0 {
		p.block(text, line)
		return nil
	}
	switch {
	case text == "---" && p.last != nil:
		p.yaml = blanks + 1
		return nil
	case strings.HasPrefix(text, "# Subtest:"):
		p.known = true
		p.names[min(blanks/indent+1, maxLevels)] = strings.TrimSpace(strings.TrimPrefix(text, "# Subtest:"))
		return p.flush()
	case strings.HasPrefix(text, "#"):
		p.comment(text)
		return nil
	case strings.HasPrefix(text, "TAP version "):
		p.known = true
		return nil
	case strings.HasPrefix(text, "Bail out!"):
		return p.bail(text)
	case text == "}" && len(p.levels) > 1 && p.levels[len(p.levels)-1].buffered:
		return p.leave(len(p.levels) - 2)
	}
	if m := point.FindStringSubmatch(text); m != nil {
		return p.point(blanks/indent, m[1] == "", m[3])
	}
	if m := plan.FindStringSubmatch(text); m != nil {
		return p.plan(blanks/indent, m)
	}
	return nil
}

// at moves to a level: further in begins a subtest, further out ends one whose result comes next.
func (p *parser) at(depth int) (*level, error) {
	if err := p.flush(); err != nil {
		return nil, err
	}
	p.known = true
	depth = min(depth, maxLevels-1)
	for len(p.levels)-1 < depth {
		p.levels = append(p.levels, level{name: p.names[len(p.levels)]})
	}
	for len(p.levels)-1 > depth+1 {
		if err := p.leave(len(p.levels) - 2); err != nil {
			return nil, err
		}
	}
	return &p.levels[depth], nil
}

func (p *parser) point(depth int, ok bool, text string) error {
	depth = min(depth, maxLevels-1)
	parent, err := p.at(depth)
	if err != nil {
		return err
	}
	parent.seen++
	c, todo := read(text, ok)
	p.names[min(depth, maxLevels-1)+1] = ""
	if name, buffered := strings.CutSuffix(c.Name, "{"); buffered { // its subtests follow
		parent.parents++
		parent.bad = parent.bad || c.Outcome.Bad()
		p.levels = append(p.levels[:depth+1], level{name: strings.TrimSpace(name), buffered: true, finished: !ok && !todo})
		return nil
	}
	c.Suite = p.path(depth)
	if len(p.levels)-1 > depth { // the result of the subtests before it
		child := p.levels[depth+1]
		p.check(child)
		p.levels = p.levels[:depth+1]
		if child.seen > 0 && (!c.Outcome.Bad() || child.bad) {
			parent.parents++
			parent.bad = parent.bad || child.bad
			return nil
		}
	}
	parent.bad = parent.bad || c.Outcome.Bad()
	p.last = &c
	return nil
}

// leave ends the levels beyond depth that have no result of their own to come.
func (p *parser) leave(depth int) error {
	if err := p.flush(); err != nil {
		return err
	}
	child := p.levels[depth+1]
	p.check(child)
	p.levels = p.levels[:depth+1]
	if p.levels[depth].bad = p.levels[depth].bad || child.bad; child.finished && !child.bad {
		return p.list.Add(results.Case{Suite: p.path(depth), Name: child.name, Outcome: results.Failed, Message: "failed, but none of its subtests did"})
	}
	return nil
}

// read takes the description of a test and what it is marked with.
func read(text string, ok bool) (c results.Case, todo bool) {
	c.Outcome = results.Failed
	if ok {
		c.Outcome = results.Passed
	}
	if at := directive.FindStringSubmatchIndex(text); at != nil {
		kind, why := strings.ToLower(text[at[2]:at[3]]), strings.TrimSpace(text[at[4]:at[5]])
		text = text[:strings.LastIndexByte(text[:at[2]], '#')]
		switch {
		case kind == "skip":
			c.Outcome, c.Message = results.Skipped, results.FirstLine(why, "skip")
		case ok:
			c.UnexpectedPass, todo = true, true
		default: // what is to do may fail
			c.Outcome, c.Message, todo = results.Skipped, results.FirstLine(why, "todo"), true
		}
	}
	c.Name = strings.TrimSpace(strings.ReplaceAll(text, `\#`, "#"))
	return c, todo
}

func (p *parser) plan(depth int, m []string) error {
	l, err := p.at(depth)
	if err != nil {
		return err
	}
	if l.hasPlan {
		p.list.Contradict("There is more than one plan%s.", in(l.name))
	}
	l.hasPlan = true
	l.planned, _ = strconv.Atoi(m[1]) // digits
	if l.planned == 0 && depth == 0 {
		return p.list.Add(results.Case{Name: "«all tests»", Outcome: results.Skipped, Message: results.FirstLine(m[2], "1..0"), Synthetic: true})
	}
	return nil
}

// comment adds what bats and prove say about a failure.
func (p *parser) comment(text string) {
	if p.last != nil && p.last.Outcome.Bad() {
		said := strings.TrimSpace(strings.TrimLeft(text, "#"))
		if p.last.Message == "" {
			p.last.Message = said
		}
		p.say(said)
	}
}

// block takes a line of the YAML block behind a test.
func (p *parser) block(text, line string) {
	if text == "..." {
		p.yaml = 0
		return
	}
	key, value, _ := strings.Cut(text, ":")
	value = strings.Trim(strings.TrimSpace(value), `'"`)
	switch key {
	case "duration_ms":
		p.last.Duration = xmlread.Seconds(value) / 1000
	case "message", "error":
		if p.last.Outcome.Bad() && p.last.Message == "" && value != "|-" && value != "|" {
			p.last.Message = value
		}
	}
	if p.last.Outcome.Bad() {
		p.say(line[min(len(line)-len(text), p.yaml-1):])
	}
}

// say adds a line to the detail of the last test, while there is room.
func (p *parser) say(line string) {
	if p.detail.Len() < results.MaxDetail {
		p.detail.WriteString(line)
		p.detail.WriteByte('\n')
	}
}

func (p *parser) bail(text string) error {
	if err := p.flush(); err != nil {
		return err
	}
	p.known, p.bailed = true, true
	p.list.Lose("The tests bailed out: what was planned behind is not listed.")
	why := strings.TrimSpace(strings.TrimPrefix(text, "Bail out!"))
	return p.list.Add(results.Case{Name: "«bail out»", Outcome: results.Errored, Message: results.FirstLine(why, "bail out"), Synthetic: true})
}

func (p *parser) flush() error {
	if p.last == nil {
		return nil
	}
	c := *p.last
	c.Detail = p.detail.String()
	p.last = nil
	p.detail.Reset()
	return p.list.Add(c)
}

func (p *parser) finish() error {
	if err := p.flush(); err != nil {
		return err
	}
	if !p.known {
		return fmt.Errorf("%w: no test and no plan in it; is this TAP?", results.ErrUnreadable)
	}
	for len(p.levels) > 1 {
		if err := p.leave(len(p.levels) - 2); err != nil {
			return err
		}
	}
	p.check(p.levels[0])
	if top := p.levels[0]; !top.hasPlan && !p.bailed {
		p.list.Lose("There is no plan: the output may have been cut off.")
	}
	return nil
}

// check compares the plan of a level with what came.
func (p *parser) check(l level) {
	missing := 0
	if l.hasPlan && !p.bailed && l.planned != l.seen {
		p.list.Contradict("The plan%s is %d tests, but %d came.", in(l.name), l.planned, l.seen)
	}
	if l.hasPlan {
		missing = l.planned - l.seen
	}
	own := l.seen - l.parents
	p.list.Declare(results.Suite{
		Name: l.name, Declared: results.Counts{Tests: max(0, own+missing)}, Listed: results.Counts{Tests: max(0, own)},
	})
}

func in(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" of %q", results.Cut(name, 200))
}

func (p *parser) path(depth int) string {
	names := make([]string, 0, depth)
	for _, l := range p.levels[1 : depth+1] {
		names = append(names, l.name)
	}
	return results.Path(names...)
}
