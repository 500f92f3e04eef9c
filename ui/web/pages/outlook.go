package pages

import (
	"fmt"
	"time"

	"github.com/seatrial/seatrial/controlplane/release/outlook"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/ui/web/chart"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/words"
)

// OutlookProps are what the page on all releases shows.
type OutlookProps struct {
	Frame   parts.Frame
	Outlook outlook.Outlook
}

func outlookPath(f parts.Frame) string { return home(f) + "/releases/outlook" }

// standings are the states of a release, the best first: they stand upon each other in this order.
func standings() []verdict.State {
	return []verdict.State{verdict.Ready, verdict.ReadyWithWaivers, verdict.Incomplete, verdict.NotReady}
}

// readinessChart draws how the releases of each week stand now.
func readinessChart(o outlook.Outlook) string {
	columns := make([]chart.Column, len(o.Weeks))
	for i, w := range o.Weeks {
		columns[i].Title = fmt.Sprintf("Week of %s: %s", day(w.From), words.Count(int64(w.Releases), "release"))
		for _, s := range standings() {
			columns[i].Parts = append(columns[i].Parts, chart.Part{Kind: words.ReadinessClass(s), N: float64(w.States[s])})
		}
	}
	return chart.Columns(fmt.Sprintf("Releases of the last %d weeks by how they stand now, newest right: %s", outlook.Weeks, words.Outlook(o)), columns)
}

// readyChart draws how long releases take until they are ready.
func readyChart(o outlook.Outlook) string {
	return spansChart(o, "Median time from the creation of a release to its first verdict of ready, by week, newest right", func(w outlook.Week) (time.Duration, int) { return w.ToReady, w.Readied })
}

// answerChart draws how long it takes until somebody answers.
func answerChart(o outlook.Outlook) string {
	return spansChart(o, "Median time from a verdict of not ready to the first answer, by week, newest right", func(w outlook.Week) (time.Duration, int) { return w.ToAnswer, w.Answered })
}

func spansChart(o outlook.Outlook, title string, of func(outlook.Week) (time.Duration, int)) string {
	columns := make([]chart.Column, len(o.Weeks))
	for i, w := range o.Weeks {
		took, n := of(w)
		columns[i] = chart.Column{Title: "Week of " + day(w.From) + ": " + medianOf(took, n), Parts: []chart.Part{{Kind: "spans", N: took.Hours()}}}
	}
	return chart.Columns(title, columns)
}

// medianOf is a median, with of how many it is.
func medianOf(took time.Duration, n int) string {
	if n == 0 {
		return "–"
	}
	return words.Took(took)
}

func day(t time.Time) string { return t.UTC().Format("2 Jan") }

// share100 is a part of the most in hundredths, for bars.
func share100(n, most int) string { return fmt.Sprint(max(1, n*100/max(1, most))) }

// blockedAt names the place of what blocks.
func blockedAt(b outlook.Blocker) string {
	switch {
	case b.Environment == "" && b.Suite == "":
		return "the release as a whole"
	case b.Suite == "":
		return b.Environment
	}
	return b.Suite + " in " + b.Environment
}
