package chart_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/ui/web/chart"
)

var update = flag.Bool("update", false, "write golden files")

// every is a cell of each outcome, and of one that nobody knows.
func every() []chart.Cell {
	var cells []chart.Cell
	for _, o := range append(results.Outcomes(), "unheard of") {
		cells = append(cells, chart.Cell{Kind: string(o), Title: string(o)})
	}
	return cells
}

func TestStrip(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		title  string
		cells  []chart.Cell
		reason string
	}{
		"outcomes": {"Every outcome", every(), "each has its shape"},
		"again":    {"2 runs", []chart.Cell{{Kind: "passed", Again: true, Title: "failed, then passed"}, {Kind: "passed", Title: "passed"}}, "what was tried again is marked"},
		"hostile": {
			`</title><script>alert(1)</script>`,
			[]chart.Cell{{Kind: `"><script>`, Title: `</title><img src=x onerror=alert(1)>&`}},
			"texts stay texts",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := chart.Strip(tc.title, tc.cells)
			if again := chart.Strip(tc.title, tc.cells); again != got {
				t.Error("the same data gives other bytes")
			}
			wellFormed(t, got)
			golden(t, filepath.Join("testdata", name+".svg"), strings.ReplaceAll(got, "><", ">\n<")+"\n", tc.reason)
		})
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	var long []chart.Point
	for i := range 5000 {
		long = append(long, chart.Point{X: float64(i), Y: float64(i % 100)})
	}
	long[2501].Y = 1000
	for name, tc := range map[string]struct {
		title  string
		points []chart.Point
		top    float64
		reason string
	}{
		"line":         {"Memory of step test", []chart.Point{{1, 10}, {2, 40}, {3, 20}, {5, 0}}, 40, "time is not even"},
		"line-flat":    {"nothing happens", []chart.Point{{1, 0}, {2, 0}}, 0, "a line on the ground"},
		"line-long":    {"hours", long, 1000, "the highest point is there still"},
		"line-hostile": {`</title><script>alert(1)</script>`, []chart.Point{{1, 10}, {2, 40}}, 40, "texts stay texts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := chart.Line(tc.title, tc.points, tc.top)
			wellFormed(t, got)
			golden(t, filepath.Join("testdata", name+".svg"), strings.ReplaceAll(got, "><", ">\n<")+"\n", tc.reason)
		})
	}
	for name, points := range map[string][]chart.Point{"None": nil, "One": {{1, 1}}, "NoTime": {{1, 1}, {1, 2}}} {
		if got := chart.Line(name, points, 1); got != "" {
			t.Errorf("%s gives %s", name, got)
		}
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		title   string
		columns []chart.Column
		reason  string
	}{
		"columns": {"3 weeks", []chart.Column{
			{Title: "week 1", Parts: []chart.Part{{"ready", 2}, {"not_ready", 1}}}, {Title: "week 2"}, {Title: "week 3", Parts: []chart.Part{{"ready", 4}, {"incomplete", 0.001}}},
		}, "what happened at all is seen, what did not is left out, and a week without anything has its place"},
		"columns-hostile": {`</title><script>alert(1)</script>`, []chart.Column{{Title: `</title><img src=x onerror=alert(1)>&`, Parts: []chart.Part{{`"><script>`, 1}}}}, "texts stay texts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := chart.Columns(tc.title, tc.columns)
			wellFormed(t, got)
			golden(t, filepath.Join("testdata", name+".svg"), strings.ReplaceAll(got, "><", ">\n<")+"\n", tc.reason)
		})
	}
	if got := chart.Columns("nothing", []chart.Column{{}, {Parts: []chart.Part{{"ready", 0}}}}); got != "" {
		t.Errorf("nothing is drawn as %q", got)
	}
}

func TestStrip_Empty(t *testing.T) {
	t.Parallel()
	if got := chart.Strip("nothing", nil); got != "" {
		t.Errorf("nothing is drawn as %q", got)
	}
}

func golden(t *testing.T, path, got, reason string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s (-want +got):\n%s", path, reason, diff)
	}
}

// wellFormed reads a drawing as XML, and knows every element in it.
func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && !slices.Contains([]string{"svg", "title", "g", "rect", "path"}, e.Name.Local) {
			t.Errorf("it holds the element %s", e.Name.Local)
		}
	}
}
