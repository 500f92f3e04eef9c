package cards

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arms are samples of two arms that took turns.
func arms(card, metric, unit string, ours, base []float64, baseName string) (samples []Sample) {
	for i, v := range ours {
		samples = append(samples, Sample{card, metric, Seatrial, i, v, unit})
	}
	for i, v := range base {
		samples = append(samples, Sample{card, metric, baseName, i, v, unit})
	}
	return samples
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		samples []Sample
		what    string // the row is one whose text has it
		verdict string
		figure  float64
		why     string
	}{
		"PairsMet":     {arms("P9", "burst", "s", []float64{10, 20, 30}, []float64{10, 20, 30}, Bare), "many at once", "met", 1, "as fast in each round, however different the rounds are"},
		"PairsMissed":  {arms("P9", "burst", "s", []float64{12, 24}, []float64{10, 20}, Bare), "many at once", "missed", 1.2, "a fifth slower"},
		"NoBase":       {arms("P9", "burst", "s", []float64{12}, nil, Bare), "many at once", "not measured", 0, "nothing to compare with"},
		"OtherRounds":  {append(arms("P9", "burst", "s", []float64{12}, nil, Bare), Sample{"P9", "burst", Bare, 7, 10, "s"}), "many at once", "not measured", 0, "samples of different rounds are no pair"},
		"Delta":        {arms("P1", "trigger to line", "ms", []float64{900, 910, 920}, []float64{880, 900, 890}, Bare), "difference, p50", "met", 20, "the difference of the medians"},
		"AtLeast":      {arms("P13", "cases stored", "1/s", []float64{60000, 49000, 61000}, nil, ""), "cases of a report", "met", 60000, "the median reaches the goal"},
		"AtLeastLow":   {arms("P13", "cases stored", "1/s", []float64{49000}, nil, ""), "cases of a report", "missed", 49000, "it does not"},
		"Worst":        {arms("P6", "lines missing", "lines", []float64{0, 0, 1}, nil, ""), "lines of a burst", "missed", 1, "one lost line is one too many"},
		"Tails":        {arms("P16", "calm organization", "ms", []float64{10, 10, 40}, []float64{10, 10, 20}, Calm), "noisy neighbour", "missed", 39.4 / 19.8, "the tails are compared, not the medians"},
		"NotMeasured":  {nil, "memory of an idle agent", "not measured", 0, "it is said, not left out"},
		"OnlyCompared": {arms("P8", "processor of 1000", "s", []float64{9}, nil, ""), "processor time of the agent", "", 9, "a figure without a goal has no verdict"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, l := range Judge(tc.samples) {
				if strings.Contains(l.What, tc.what) {
					if got := l.Verdict(); got != tc.verdict || math.Abs(l.Figure-tc.figure) > 1e-9 {
						t.Errorf("%s: %q with %v, want %q with %v", tc.why, got, l.Figure, tc.verdict, tc.figure)
					}
					return
				}
			}
			t.Fatalf("no row has %q", tc.what)
		})
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	ours, base := map[int]float64{}, map[int]float64{}
	for i := range 40 {
		base[i] = 100 + float64(i%7)
		ours[i] = 2 * base[i]
	}
	r, ok := compare(ours, base)
	if !ok || r.Median != 2 || r.Low != 2 || r.High != 2 || r.Pairs != 40 {
		t.Errorf("twice as much in each round is %+v", r)
	}
	if r.P > 1e-6 {
		t.Errorf("arms that never overlap are alike with p = %v", r.P)
	}
	again, _ := compare(ours, base)
	if again != r {
		t.Errorf("the same samples give %+v and %+v", r, again)
	}
	for i := range 40 {
		ours[i] = 100 + float64((i*3)%7)
	}
	if r, _ := compare(ours, base); r.Low > 1 || r.High < 1 || r.P < 0.2 {
		t.Errorf("arms with the same distribution are %+v", r)
	}
}

func TestNote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples.csv")
	t.Setenv(Variable, path)
	want := []Sample{{"P4", "first line", Seatrial, 0, 12.5, "ms"}, {"P4", "first line", Kubectl, 0, 1e6, "ms"}, {"P1", `odd, "quoted"`, Bare, 3, 0.001, "s"}}
	Note(t, want[0])
	Note(t, want[1:]...)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got, err := Read(file); err != nil || !slices.Equal(got, want) {
		t.Errorf("read %v, %v; want %v", got, err, want)
	}
}

func TestRead_Refused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, says string }{
		"Short":    {"card,metric,arm,round,value,unit\nP1,a,b,1\n", "line 2"},
		"NoRound":  {"P1,a,b,one,1,ms\n", `line 1: round "one"`},
		"NoValue":  {"card,metric,arm,round,value,unit\nP1,a,b,1,fast,ms\n", `line 2: value "fast"`},
		"Infinite": {"P1,a,b,1,+Inf,ms\n", "no finite number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Read(strings.NewReader(tc.text)); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v, want one that says %q", err, tc.says)
			}
		})
	}
}

// TestRows holds that each card of the suite has a row, and that the table has a line for each, measured or not.
func TestRows(t *testing.T) {
	t.Parallel()
	cards := map[string]bool{}
	for _, r := range Rows() {
		cards[r.Card] = true
		if r.Metric == "" || r.What == "" || r.Arm == "" || (r.By == byPairs || r.By == byDelta || r.By == byP99Of || r.By == byTails) && r.Base == "" {
			t.Errorf("row %+v lacks something", r)
		}
	}
	if len(cards) != 16 {
		t.Errorf("%d cards have rows, want 16", len(cards))
	}
	var text, markdown bytes.Buffer
	lines := Judge(arms("P4", "first line", "ms", []float64{10, 11}, []float64{900, 1100}, Kubectl))
	if err := Text(&text, lines); err != nil {
		t.Fatal(err)
	}
	if err := Markdown(&markdown, lines); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "not measured"); n != len(Rows())-1 {
		t.Errorf("%d rows are not measured, want all but one:\n%s", n, text.String())
	}
	if !strings.Contains(markdown.String(), "| P4 | first line to whoever watches, beside kubectl logs -f | 0.01 × | ≤ 0.10 | met | 10.5 | 1000 kubectl |") {
		t.Errorf("the document has\n%s", markdown.String())
	}
}

func TestPressure(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want float64
		bad  bool
	}{
		"Linux":   {"some avg10=47.55 avg60=53.81 avg300=63.73 total=39031258577\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", 47.55, false},
		"Nothing": {"", 0, true},
		"Odd":     {"some avg10=much avg60=1\n", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := pressure(tc.text); got != tc.want || (err != nil) != tc.bad {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add("card,metric,arm,round,value,unit\nP1,a,b,1,2.5,ms\n")
	f.Add("P1,\"a\nb\",c,1,2,ms")
	f.Fuzz(func(t *testing.T, text string) {
		samples, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		var lines bytes.Buffer
		if err := Text(&lines, Judge(samples)); err != nil {
			t.Error(err)
		}
	})
}
