package cards

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Line is a row with what its samples say.
type Line struct {
	Row
	Measured bool
	Figure   float64 // that is held against the goal
	Unit     string
	Ours     float64 // median of the arm
	Theirs   float64 // median of the base, if HasBase
	HasBase  bool
	Ratio    Ratio // if HasRatio
	HasRatio bool
	Samples  int
}

// Judge makes the lines of the table from samples.
func Judge(samples []Sample) []Line {
	type arm struct{ card, metric, name string }
	found := map[arm]map[int]float64{}
	units := map[arm]string{}
	for _, s := range samples {
		k := arm{s.Card, s.Metric, s.Arm}
		if found[k] == nil {
			found[k] = map[int]float64{}
		}
		found[k][s.Round], units[k] = s.Value, s.Unit
	}
	lines := make([]Line, 0, len(Rows()))
	for _, row := range Rows() {
		k := arm{row.Card, row.Metric, row.Arm}
		lines = append(lines, judge(row, units[k], found[k], found[arm{row.Card, row.Metric, row.Base}]))
	}
	return lines
}

func judge(row Row, unit string, ours, base map[int]float64) Line {
	l := Line{Row: row, Unit: unit, Samples: len(ours), HasBase: row.Base != "" && len(base) > 0}
	if len(ours) == 0 {
		return l
	}
	a, b := ordered(ours), ordered(base)
	l.Ours = quantile(a, 0.5)
	if l.HasBase {
		l.Theirs = quantile(b, 0.5)
		if paired(row.By) {
			l.Ratio, l.HasRatio = compare(ours, base)
		}
	}
	l.Figure, l.Measured = figure(row.By, a, b, l)
	if row.By == byPairs || row.By == byTails {
		l.Unit = "×"
	}
	return l
}

// paired reports whether samples with the same number were taken in the same round. Others are numbered one after the other.
func paired(by string) bool { return by == byPairs || by == byDelta || by == byP99Of }

// figure is what is held against the goal; ok is false when an arm that it needs was not measured.
func figure(by string, a, b []float64, l Line) (value float64, ok bool) {
	switch by {
	case byPairs:
		return l.Ratio.Median, l.HasRatio
	case byMedian:
		return l.Ours, true
	case byP99:
		return quantile(a, 0.99), true
	case byMost:
		return a[len(a)-1], true
	case byLeast:
		return a[0], true
	case byDelta:
		return l.Ours - l.Theirs, l.HasBase
	case byP99Of:
		if !l.HasBase {
			return 0, false
		}
		return quantile(a, 0.99) - quantile(b, 0.99), true
	case byTails:
		if !l.HasBase || quantile(b, 0.99) == 0 {
			return 0, false
		}
		return quantile(a, 0.99) / quantile(b, 0.99), true
	}
	return 0, false
}

func ordered(values map[int]float64) []float64 {
	out := make([]float64, 0, len(values))
	for _, v := range values {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// Verdict says in a word whether the goal is met.
func (l Line) Verdict() string {
	switch {
	case !l.Measured:
		return "not measured"
	case l.NoGoal:
		return ""
	case l.AtLeast && l.Figure >= l.Goal, !l.AtLeast && l.Figure <= l.Goal:
		return "met"
	}
	return "missed"
}

func (l Line) cells() []string {
	figure, ours, theirs, ratio, goal := "", "", "", "", ""
	if l.Measured {
		figure, ours = number(l.Figure)+" "+l.Unit, number(l.Ours)
	}
	if l.HasBase {
		theirs = number(l.Theirs) + " " + l.Base
	}
	if l.HasRatio {
		ratio = fmt.Sprintf("%.2f (%.2f to %.2f), p %s, n %d", l.Ratio.Median, l.Ratio.Low, l.Ratio.High, probability(l.Ratio.P), l.Ratio.Pairs)
	}
	if !l.NoGoal {
		sign := "≤ "
		if l.AtLeast {
			sign = "≥ "
		}
		goal = sign + number(l.Goal)
	}
	return []string{l.Card, l.What, figure, goal, l.Verdict(), ours, theirs, ratio}
}

func titles() []string {
	return []string{"card", "what", "figure", "goal", "", "seatrial, median", "beside, median", "ratio of pairs (95 %)"}
}

// Text writes the table for a terminal.
func Text(w io.Writer, lines []Line) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, cells := range append([][]string{titles()}, rows(lines)...) {
		if _, err := fmt.Fprintln(out, strings.Join(cells, "\t")); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	return out.Flush() //nolint:wrapcheck // of the caller's writer
}

// Markdown writes the table for a document.
func Markdown(w io.Writer, lines []Line) error {
	all := [][]string{titles(), slices.Repeat([]string{"--"}, len(titles()))}
	for _, cells := range append(all, rows(lines)...) {
		if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	return nil
}

func rows(lines []Line) [][]string {
	out := make([][]string, len(lines))
	for i, l := range lines {
		out[i] = l.cells()
	}
	return out
}

// number prints three digits, or all before the point.
func number(v float64) string {
	digits := 2
	switch size := math.Abs(v); {
	case size >= 100 || v == math.Trunc(v):
		digits = 0
	case size >= 10:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

func probability(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}
