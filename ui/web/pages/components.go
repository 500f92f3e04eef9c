package pages

import (
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/ui/web/chart"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/words"
)

// ComponentsProps are what the page of the components shows.
type ComponentsProps struct{ Frame parts.Frame }

// colour is one of the style sheet and what it stands for.
type colour struct{ Name, Means string }

// colours are all colours by their names in the style sheet.
func colours() []colour {
	return []colour{
		{"bg", "the page"},
		{"raised", "raised from it"},
		{"ink", "text"},
		{"soft", "text beside text"},
		{"line", "lines that divide"},
		{"edge", "edges of what can be used"},
		{"accent", "links and what to do"},
		{"passed", "passed, ready"},
		{"failed", "failed, not ready"},
		{"errored", "errored, timed out"},
		{"flaky", "flaky, waits"},
		{"running", "runs"},
		{"never", "never ran, incomplete"},
		{"cyan", "waived, quarantined"},
	}
}

// kindsOf are the states of each family of things, as class and word.
func kindsOf() map[string][]string {
	executions := make([]string, 0, len(execution.Statuses()))
	for _, s := range execution.Statuses() {
		executions = append(executions, string(s))
	}
	outcomes := make([]string, 0, len(results.Outcomes()))
	for _, o := range results.Outcomes() {
		outcomes = append(outcomes, string(o))
	}
	releases := make([]string, 0, len(standings()))
	for _, s := range standings() {
		releases = append(releases, words.ReadinessClass(s))
	}
	return map[string][]string{
		"Executions, runs and steps": executions, "Tests": outcomes, "Releases": releases, "Tests over time": {"healthy", "flaky", "suspect", "broken", "absent"},
		"Reports and logs": {"consistent", "contradictory", "unreadable", "lossy"}, "Clusters": {"connected", "disconnected", "waiting", "absent"},
	}
}

// sampleStrip has every outcome, and one that was tried again.
func sampleStrip() string {
	var cells []chart.Cell
	for _, o := range results.Outcomes() {
		cells = append(cells, chart.Cell{Kind: string(o), Title: words.Outcome(string(o))})
	}
	cells = append(cells, chart.Cell{Kind: "passed", Again: true, Title: "failed, then passed"})
	return chart.Strip("Every outcome, and one that was tried again", cells)
}

func sampleLine() string {
	var points []chart.Point
	for i, y := range []float64{2, 4, 3, 6, 9, 7, 8, 5, 4, 6, 3, 2} {
		points = append(points, chart.Point{X: float64(i), Y: y})
	}
	return chart.Line("Memory over time: at most 9 MiB", points, 10)
}

func sampleColumns() string {
	var columns []chart.Column
	for i, n := range [][4]float64{{3, 1, 0, 1}, {4, 0, 1, 0}, {2, 2, 0, 2}, {5, 0, 0, 0}, {0, 0, 0, 0}, {3, 1, 1, 1}} {
		c := chart.Column{Title: "Week " + words.Number(int64(i+1))}
		for j, s := range standings() {
			c.Parts = append(c.Parts, chart.Part{Kind: words.ReadinessClass(s), N: n[j]})
		}
		columns = append(columns, c)
	}
	return chart.Columns("Releases of six weeks by how they stand", columns)
}

// earlier is a time before the page was made.
func (p ComponentsProps) earlier() time.Time { return p.Frame.Now.Add(-83 * time.Minute) }
