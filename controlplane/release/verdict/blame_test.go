package verdict_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// many makes attempts of n tests with keys such as p0007.
func many(letter, outcome string, n int, edits ...func(*verdict.Evidence)) []verdict.Evidence {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf("%s%04d:%s", letter, i, outcome)
	}
	return attempts(strings.Join(words, " "), edits...)
}

func TestDecide_AtLeast(t *testing.T) {
	t.Parallel()
	stale := aged(25 * time.Hour)
	tests := map[string]struct {
		evidence     [][]verdict.Evidence
		first        string // key of the first that is named
		named, count int
		atLeast      bool
		reason       string
	}{
		"AllAsked":   {[][]verdict.Evidence{many("p", "passed", 400), attempts("z:passed", stale)}, "z", 1, 1, false, "every result was asked for"},
		"AsMany":     {[][]verdict.Evidence{many("z", "failed", verdict.MaxAtFault)}, "z0000", 20, 20, false, "as many as are named"},
		"OneMore":    {[][]verdict.Evidence{many("z", "failed", verdict.MaxAtFault+1)}, "z0000", 20, 20, true, "one is not asked for"},
		"BadFirst":   {[][]verdict.Evidence{many("p", "passed", 2000), attempts("z:failed")}, "z", 1, 1, true, "what passed is asked for last"},
		"OtherFirst": {[][]verdict.Evidence{many("p", "passed", 2000), attempts("z:passed", from("off"))}, "z", 1, 1, true, "what passed elsewhere is no better"},
		"NotReached": {[][]verdict.Evidence{many("p", "passed", 2000), attempts("z:passed", stale)}, "", 0, 0, true, "nobody is named, and nobody cleared"},
		"LastAsked":  {[][]verdict.Evidence{many("p", "passed", 499), attempts("z:passed", stale)}, "z", 1, 1, false, "the last that is asked for"},
		"NextOne":    {[][]verdict.Evidence{many("p", "passed", 500), attempts("z:passed", stale)}, "", 0, 0, true, "the first that is not"},
		"ByKey": {
			[][]verdict.Evidence{attempts("a:passed", stale), many("p", "passed", 10), attempts("z:passed", stale, from("off"))},
			"a", 2, 2, false,
			"in the order of the keys, however they were asked for",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := input(cell("eu", "", tc.evidence...))
			// It reads the key, by which it can tell all results apart.
			in = ruled(in, verdict.Negative, `cell.results.all(r, r.test != "" && r.outcome == "passed" && r.subject_ok && now - r.finished_at < duration("24h"))`)
			out := decide(t, in)
			got, first := out.Rules[0].Failing[0], ""
			if len(got.Tests) > 0 {
				first = got.Tests[0].Test
			}
			if out.State != verdict.NotReady || first != tc.first || len(got.Tests) != tc.named || got.AtFault != tc.count || got.AtLeast != tc.atLeast {
				t.Errorf("%s %+v: %s", out.State, got, tc.reason)
			}
		})
	}
}

// TestDecide_SameToARule holds that what a rule cannot tell apart is counted to the end, and that it is not taken for what it can.
func TestDecide_SameToARule(t *testing.T) {
	t.Parallel()
	stale := aged(25 * time.Hour)
	mixed := [][]verdict.Evidence{many("p", "passed", 3000), many("q", "passed", 3000, stale), attempts("r:failed s:blocked")}
	ages := make([]verdict.Evidence, 0, 600)
	for i := range 600 {
		ages = append(ages, attempts(fmt.Sprintf("p%04d:passed", i), aged(25*time.Hour+time.Duration(i)))...)
	}
	tests := map[string]struct {
		expr     string
		evidence [][]verdict.Evidence
		count    int
		atLeast  bool
		reason   string
	}{
		"Outcome":  {`cell.results.all(r, r.outcome == "passed")`, mixed, 2, false, "few outcomes"},
		"Time":     {`cell.results.all(r, now - r.finished_at < duration("24h"))`, mixed, 3000, false, "two times"},
		"Times":    {`cell.results.all(r, now - r.finished_at < duration("24h"))`, [][]verdict.Evidence{ages}, 20, true, "a time each"},
		"Counted":  {"cell.passed == 0", mixed, 6000, false, "totals alone"},
		"Size":     {`cell.results.size() == 0 && cell.results.all(r, r.outcome == "failed")`, mixed, 6002, false, "how many there are"},
		"Index":    {`cell.results.size() == 0 || cell.results[0].outcome != "passed"`, mixed, 6000, false, "one of them"},
		"Labels":   {`cell.results.all(r, "x" in r.labels)`, mixed, 6002, false, "lists, too"},
		"Key":      {`cell.results.all(r, r.test == "p0000")`, mixed, 20, true, "any may differ"},
		"Has":      {`cell.results.all(r, !has(r.name))`, mixed, 20, true, "whether there is one may differ"},
		"Filter":   {`cell.results.filter(r, r.outcome == "passed").size() == 0`, mixed, 20, true, "a list of results"},
		"Compared": {`cell.results.all(a, cell.results.all(b, a != b))`, [][]verdict.Evidence{many("p", "passed", 600)}, 20, true, "compared as wholes"},
		"Dyn":      {`cell.results.all(r, dyn(r).test == "")`, mixed, 20, true, "of no known type"},
		"Spread":   {`[cell].all(c, c.results.all(r, r.test == ""))`, [][]verdict.Evidence{many("p", "passed", 600)}, 20, true, "a list of cells"},
		"DynList":  {`size(cell.results) == 0 || dyn(cell.results)[0].test == ""`, mixed, 20, true, "a list of no known type"},
		"DynCell":  {`size(cell.results) == 0 || dyn(cell).results[0].test == ""`, mixed, 20, true, "a cell of no known type"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := decide(t, ruled(input(cell("eu", "", tc.evidence...)), verdict.Negative, tc.expr))
			if got := out.Rules[0].Failing[0]; got.AtFault != tc.count || got.AtLeast != tc.atLeast || len(got.Tests) != min(tc.count, verdict.MaxAtFault) {
				t.Errorf("%d of %d, at least %t, %q: %s", len(got.Tests), got.AtFault, got.AtLeast, got.Error, tc.reason)
			}
		})
	}
}

// TestDecide_AtLeastTotal holds that totals are counted to the end, since nobody has to be asked for that.
func TestDecide_AtLeastTotal(t *testing.T) {
	t.Parallel()
	out := decide(t, ruled(input(cell("eu", "", many("s", "skipped", 700))), verdict.Negative, `cell.skipped < 600 || cell.results.exists(r, r.test == "")`))
	if got := out.Rules[0].Failing[0]; got.AtFault != 700 || len(got.Tests) != verdict.MaxAtFault || !got.AtLeast {
		t.Errorf("%d of %d, at least %t", len(got.Tests), got.AtFault, got.AtLeast)
	}
}

// TestDecide_AskedInAll holds that a verdict on very many cells names somebody in each, and asks for no more than that.
func TestDecide_AskedInAll(t *testing.T) {
	t.Parallel()
	const cells = 203 // 500 results are asked for in each of 200
	in := input()
	for i := range cells {
		evidence := many("p", "passed", 499)
		if i >= 200 { // the first of those that passed is at fault in one, the 21st in another
			evidence[(i-200)*20].FinishedAt = noon().Add(-25 * time.Hour)
		} else {
			evidence = append(evidence, attempts("z:passed", aged(25*time.Hour))...)
		}
		in.Cells = append(in.Cells, cell(fmt.Sprintf("env%03d", i), "", evidence))
	}
	out := decide(t, ruled(in, verdict.Missing, `cell.results.all(r, r.test != "" && now - r.finished_at < duration("24h"))`))
	for i, f := range out.Rules[0].Failing {
		found, atLeast := 1, i >= 200
		if i > 200 {
			found = 0
		}
		if f.AtFault != found || f.AtLeast != atLeast {
			t.Errorf("%s: %+v, want %d", f.Environment, f, found)
		}
	}
	if n := len(out.Rules[0].Failing); n != cells {
		t.Errorf("%d cells are broken, want %d: the names are bounded, the verdict is not", n, cells)
	}
}
