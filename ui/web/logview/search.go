package logview

import (
	"bytes"
	"context"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ui/web/ansi"
	"github.com/seatrial/seatrial/ui/web/view"
)

// The bounds of one search. Whoever wants more goes on from the line where it stopped.
const (
	searchTime  = 50 * time.Millisecond
	searchBytes = 64 << 20
	maxHits     = 100
	// MaxQuery is how long a text to search for may be, in bytes.
	MaxQuery = 200
	// maxProgram is how many instructions an expression may have.
	maxProgram = 1000
	// around is how much of a line is shown on either side of a match, in bytes.
	around = 120
)

// Query is what somebody searches a log for.
type Query struct {
	Text   string
	Regexp bool // Text is an expression of Go's package regexp; else it is found as it stands, and in either case unless it has upper case

	pattern *regexp.Regexp
}

// Compile returns the query ready for Search, or fault.Invalid.
func (q Query) Compile() (Query, error) {
	text := q.Text
	if len(text) > MaxQuery {
		return q, fault.New(fault.Invalid, "the text is longer than %d bytes", MaxQuery).WithField("q").WithHint("Search for a part of it.")
	}
	if !q.Regexp {
		text = regexp.QuoteMeta(text)
		if strings.IndexFunc(q.Text, unicode.IsUpper) < 0 {
			text = "(?i)" + text
		}
	}
	var err error
	if size(text) > maxProgram {
		return q, fault.New(fault.Invalid, "the expression is too large to search with").WithField("q").WithHint("Repeat less in it, or search for a part of it.")
	}
	if q.pattern, err = regexp.Compile(text); err != nil {
		return q, fault.New(fault.Invalid, "this is no regular expression: %v", err).WithField("q").WithHint("Write it as https://golang.org/s/re2syntax says, or search for the text itself.")
	}
	return q, nil
}

// size is how many instructions an expression becomes, 0 for what is none. Each of them costs time at each byte of a log.
func size(text string) int {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

// Hit is a line that has what was searched for.
type Hit struct {
	Line                 int64 // from 0
	Before, Match, After string
}

// Found is what one search found.
type Found struct {
	Hits []Hit
	Next int64 // the line to go on from, from 0
	Done bool  // nothing is stored from Next on
}

// search is a search under way.
type search struct {
	Found

	query Query
	over  func() bool // the time of the search
	open  []byte      // the line that has no line break yet, at most MaxLine bytes of it
}

// Search looks for a query in a log, from a line (from 0) to its end or to the bounds of one search. Now tells the time.
func Search(ctx context.Context, logs view.Logs, of Source, q Query, line int64, now func() time.Time) (Found, error) {
	line = max(line, 0)
	offset, at, err := logs.SeekLine(ctx, of.Attempt, of.Stream, line)
	if err != nil {
		return Found{}, err
	}
	began := now()
	s := &search{query: q, Found: Found{Next: at}, over: func() bool { return ctx.Err() != nil || now().Sub(began) > searchTime }}
	for read := 0; read < searchBytes && len(s.Hits) < maxHits; {
		p, err := logs.ReadLog(ctx, of.Attempt, of.Stream, offset, PieceSize)
		if err != nil {
			return Found{}, err
		}
		if p.Next == offset {
			if len(s.open) > 0 {
				s.end(line)
			}
			s.Done = true
			return s.Found, nil
		}
		if p.Gap > 0 && len(s.open) > 0 {
			s.end(line)
		}
		s.take(p.Data, line)
		offset = p.Next
		if read += len(p.Data) + 1; s.over() {
			break
		}
	}
	// A line that is longer than all of this is left behind, or nobody would ever come past it.
	if s.Next == at && len(s.open) > 0 {
		s.end(line)
	}
	return s.Found, nil
}

// take looks at the lines of a piece, until there are as many hits as are shown or the time is over: after the first line that counts, or
// nobody would ever come past it.
func (s *search) take(data []byte, from int64) {
	for len(data) > 0 && len(s.Hits) < maxHits && (s.Next <= from || !s.over()) {
		part, rest, ended := bytes.Cut(data, []byte{'\n'})
		s.open = append(s.open, part[:min(len(part), MaxLine-len(s.open))]...)
		if ended {
			s.end(from)
		}
		data = rest
	}
}

// end looks at the line that has ended.
func (s *search) end(from int64) {
	if s.Next >= from {
		s.look(s.open)
	}
	s.open = s.open[:0]
	s.Next++
}

func (s *search) look(text []byte) {
	if bytes.ContainsAny(text, "\x1b\r") {
		text = []byte(plain(text))
	}
	at := s.query.pattern.FindIndex(text)
	if at == nil {
		return
	}
	before, after := text[:at[0]], text[at[1]:]
	cut := max(len(before)-around, 0)
	for cut > 0 && cut < len(before) && !utf8.RuneStart(before[cut]) {
		cut++
	}
	h := Hit{Line: s.Next, Before: plain(before[cut:]), Match: head(text[at[0]:at[1]]), After: head(after)}
	if cut > 0 {
		h.Before = "…" + h.Before
	}
	s.Hits = append(s.Hits, h)
}

// plain is a text as it is shown.
func plain(raw []byte) string {
	var b strings.Builder
	var d ansi.Decoder
	for _, r := range d.Line(raw) {
		b.WriteString(r.Text)
	}
	return b.String()
}

// head is the beginning of a text as it is shown.
func head(text []byte) string {
	if len(text) <= around {
		return plain(text)
	}
	n := around
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return plain(text[:n]) + "…"
}
