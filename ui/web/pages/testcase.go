package pages

import (
	"context"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/ui/web/chart"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/words"
)

// BoardProps are what the board of unreliable tests shows.
type BoardProps struct {
	Frame    parts.Frame
	List     []testcase.History
	Workflow string // of the tests; empty for those of all
}

// TestProps are what the page of a test shows.
type TestProps struct {
	Frame         parts.Frame
	History       testcase.History
	All           bool // all runs are listed
	MayQuarantine bool
	Role          string
	Form          QuarantineForm
	Wrong         Wrong // with ending a quarantine
}

// QuarantineForm is what somebody filled in. The zero value is a form that nobody has sent.
type QuarantineForm struct {
	Reason string
	Owner  string
	Ticket string
	Days   string
	Wrong  Wrong
}

const (
	stripRuns   = 60   // runs that a strip shows
	stripPart   = 20   // of them in one drawing, so that a narrow screen shows them below each other
	shownRuns   = 60   // runs that a page lists; the rest is one link away
	maxTextSize = 1000 // of a reason, an owner or a ticket
)

// maxDays is how long a quarantine may last.
const maxDays = int(testcase.MaxQuarantine / (24 * time.Hour))

// TestPath is the address of the history of a test.
func TestPath(org, key string) string { return "/o/" + org + "/tests/" + url.PathEscape(key) }

func testPath(f parts.Frame, key string) string { return TestPath(f.Org, key) }

// boardPath is the address of the board, of the tests of one workflow or of all.
func boardPath(f parts.Frame, flow string) string {
	if flow == "" {
		return home(f) + "/tests"
	}
	return home(f) + "/tests?" + url.Values{"workflow": {flow}}.Encode()
}

// identity is the key of a test that has a history: what a release requires by another name has none.
func identity(key string) string {
	if len(key) == 32 && strings.Trim(key, "0123456789abcdef") == "" {
		return key
	}
	return ""
}

// class is how a test behaves as a class of the style sheet.
func class(c flaky.Class) string {
	if c == "" {
		return string(flaky.Unknown)
	}
	return string(c)
}

// link is an address that a person gave, if it is one to follow.
func link(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", false
	}
	return address, true
}

// first returns the runs that a page lists.
func (p TestProps) first() []testcase.Run {
	if p.All {
		return p.History.Runs
	}
	return p.History.Runs[:min(shownRuns, len(p.History.Runs))]
}

// ranIn says in which environment and variant a run was.
func ranIn(r testcase.Run) string { return strings.TrimSpace(r.Environment + " " + r.Variant) }

// strips are the drawings of the last runs, the oldest left.
func strips(runs []testcase.Run) []templ.Component {
	last := slices.Clone(runs[:min(stripRuns, len(runs))])
	slices.Reverse(last)
	var out []templ.Component
	for part := range slices.Chunk(last, stripPart) {
		var cells []chart.Cell
		for _, r := range part {
			title := words.Tries(r) + ", " + words.Instant(r.At)
			if in := ranIn(r); in != "" {
				title += ", " + in
			}
			cells = append(cells, chart.Cell{Kind: string(r.Outcome), Again: len(r.Earlier) > 0, Title: title})
		}
		out = append(out, drawn(chart.Strip(words.Strip(part), cells)))
	}
	return out
}

// drawn writes a drawing, whose texts are escaped already.
func drawn(svg string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, svg)
		return err
	})
}

// stripCaption says what a strip shows.
func stripCaption(runs []testcase.Run) string {
	if n := min(stripRuns, len(runs)); n > 1 {
		return "The last " + strconv.Itoa(n) + " runs, oldest first"
	}
	return "The one run"
}

// again reports whether any of the runs in a strip was tried more than once.
func again(runs []testcase.Run) bool {
	return slices.ContainsFunc(runs[:min(stripRuns, len(runs))], func(r testcase.Run) bool { return len(r.Earlier) > 0 })
}
