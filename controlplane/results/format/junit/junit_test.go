package junit_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/junit"
)

func parse(t *testing.T, r io.Reader) ([]results.Case, results.Summary, error) {
	t.Helper()
	var cases []results.Case
	sum, err := junit.Parse(r, func(c results.Case) error {
		cases = append(cases, c)
		return nil
	})
	return cases, sum, err
}

// TestJudge_RealReports holds what real tools wrote against what happened.
func TestJudge_RealReports(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		declared, observed results.Counts
		exit               int
		grade              results.Grade
		reason             string
	}{
		"newman-n3":    {results.Counts{Tests: 5, Bad: 10}, results.Counts{Tests: 4, Bad: 0}, 1, results.Contradictory, "later iterations overwrite failures"},
		"gotestsum":    {results.Counts{Tests: 9, Bad: 5}, results.Counts{Tests: 10, Bad: 6}, 1, results.Consistent, "a build failure is listed beside the count"},
		"jest":         {results.Counts{Tests: 4, Bad: 1}, results.Counts{Tests: 5, Bad: 1}, 1, results.Consistent, "a todo is listed, not declared"},
		"mocha":        {results.Counts{Tests: 9, Bad: 2}, results.Counts{Tests: 7, Bad: 2}, 2, results.Lossy, "tests behind a failed hook are absent"},
		"node":         {results.Counts{Tests: 2, Bad: 1}, results.Counts{Tests: 4, Bad: 2}, 1, results.Consistent, "cases directly under the root are not declared"},
		"pw-default":   {results.Counts{Tests: 16, Bad: 4}, results.Counts{Tests: 16, Bad: 4}, 1, results.Consistent, "flaky and blocked tests are invisible, the counts agree"},
		"pytest":       {results.Counts{Tests: 13, Bad: 5}, results.Counts{Tests: 12, Bad: 5}, 1, results.Lossy, "one test errored in teardown too"},
		"pytest-rerun": {results.Counts{Tests: 15, Bad: 4}, results.Counts{Tests: 14, Bad: 4}, 1, results.Lossy, "re-runs leave no trace"},
		"robot-xunit":  {results.Counts{Tests: 4, Bad: 2}, results.Counts{Tests: 4, Bad: 2}, 2, results.Consistent, "root is a testsuite"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(filepath.Join("testdata", name+".xml"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			_, sum, err := parse(t, f)
			if err != nil {
				t.Fatal(err)
			}
			if sum.Declared != tc.declared {
				t.Errorf("declared %+v, want %+v", sum.Declared, tc.declared)
			}
			if sum.Listed != tc.observed {
				t.Errorf("listed %+v, want %+v", sum.Listed, tc.observed)
			}
			if v := results.Judge(sum, &tc.exit); v.Grade != tc.grade {
				t.Errorf("grade %s (%q), want %s: %s", v.Grade, v.Reasons, tc.grade, tc.reason)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	zero, one := 0, 1
	tests := map[string]struct {
		xml       string
		exit      *int
		grade     results.Grade
		synthetic int
		reason    string
	}{
		"Green":          {`<testsuite tests="1"><testcase name="a"/></testsuite>`, &zero, results.Consistent, 0, "all agrees"},
		"ExitWithoutBad": {`<testsuite tests="1"><testcase name="a"/></testsuite>`, &one, results.Contradictory, 1, "something failed that is not listed"},
		"ExitUnknown":    {`<testsuite tests="1"><testcase name="a"/></testsuite>`, nil, results.Consistent, 0, "nothing to hold against it"},
		"HiddenFailure":  {`<testsuite tests="2" failures="2"><testcase name="a"><failure/></testcase><testcase name="b"/></testsuite>`, &one, results.Contradictory, 1, "two declared, one listed"},
		"SuiteError":     {`<testsuite name="s" errors="1"><system-err>refused</system-err></testsuite>`, &one, results.Contradictory, 1, "an error with no case"},
		"WorstCounts":    {`<testsuites><testsuite name="a" failures="1"/><testsuite name="b" tests="2"/></testsuites>`, &one, results.Contradictory, 1, "one suite hides a failure, the next only lacks tests"},
		"Lossy":          {`<testsuite tests="3"><testcase name="a"/></testsuite>`, &zero, results.Lossy, 0, "two are missing"},
		"MoreThanSaid":   {`<testsuite tests="1"><testcase name="a"/><testcase name="b"/></testsuite>`, &zero, results.Consistent, 0, "todo tests are listed only"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, sum, err := parse(t, strings.NewReader(tc.xml))
			if err != nil {
				t.Fatal(err)
			}
			v := results.Judge(sum, tc.exit)
			if v.Grade != tc.grade || len(v.Synthetic) != tc.synthetic {
				t.Errorf("grade %s with %d synthetic cases, want %s with %d: %s", v.Grade, len(v.Synthetic), tc.grade, tc.synthetic, tc.reason)
			}
			if (v.Grade == results.Consistent) != (len(v.Reasons) == 0) {
				t.Errorf("grade %s with reasons %q", v.Grade, v.Reasons)
			}
		})
	}
}

func TestParse_Cases(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		xml    string
		want   results.Case
		reason string
	}{
		"Passed":           {`<testsuite name="s"><testcase classname="c" name="n" file="f.py" time="1,234.5"/></testsuite>`, results.Case{Suite: "s", Class: "c", Name: "n", File: "f.py", Outcome: results.Passed, Duration: 1234500 * time.Millisecond}, "thousands with a comma"},
		"PytestFile":       {"<testsuite name='pytest'><testcase classname='tests.api.test_cart.TestTotals' name='n'/></testsuite>", results.Case{Suite: "pytest", Class: "tests.api.test_cart.TestTotals", Name: "n", File: "tests/api/test_cart.py", Outcome: results.Passed}, "its own family leaves the file out"},
		"PlaywrightFile":   {"<testsuite name='cart.spec.ts'><testcase classname='shop/cart.spec.ts' name='n'/></testsuite>", results.Case{Suite: "cart.spec.ts", Class: "shop/cart.spec.ts", Name: "n", File: "shop/cart.spec.ts", Outcome: results.Passed}, "its class is the path"},
		"SuiteFile":        {"<testsuite name='cart.bats'><testcase classname='n' name='n'/></testsuite>", results.Case{Suite: "cart.bats", Class: "n", Name: "n", File: "cart.bats", Outcome: results.Passed}, "bats has it as the suite"},
		"NoFile":           {"<testsuite name='reads a.js'><testcase classname='com.example.Cart' name='n'/></testsuite>", results.Case{Suite: "reads a.js", Class: "com.example.Cart", Name: "n", Outcome: results.Passed}, "a sentence is no path"},
		"PytestNoClass":    {"<testsuite name='pytest'><testcase classname='' name='n'/></testsuite>", results.Case{Suite: "pytest", Name: "n", Outcome: results.Passed}, "of a file that could not be collected"},
		"FailureMessage":   {"<testsuite><testcase name='n'><failure message='boom'>at x\nat y</failure></testcase></testsuite>", results.Case{Name: "n", Outcome: results.Failed, Message: "boom", Detail: "at x\nat y"}, "attribute first"},
		"FailureText":      {"<testsuite><testcase name='n'><failure>\nfirst\nsecond</failure></testcase></testsuite>", results.Case{Name: "n", Outcome: results.Failed, Message: "first", Detail: "first\nsecond"}, "text when there is no attribute"},
		"FirstFailure":     {"<testsuite><testcase name='n'><failure message='one'/><error message='two'/></testcase></testsuite>", results.Case{Name: "n", Outcome: results.Failed, Message: "one"}, "the first is the cause"},
		"SkippedWins":      {"<testsuite><testcase name='n'><failure message='x'/><skipped message='todo'/></testcase></testsuite>", results.Case{Name: "n", Outcome: results.Skipped, Message: "todo"}, "node's todo"},
		"Retries":          {"<testsuite><testcase name='n'><flakyFailure message='x'/></testcase></testsuite>", results.Case{Name: "n", Outcome: results.Passed, Earlier: []results.Outcome{results.Failed}}, "surefire says so"},
		"Nested":           {"<testsuites><testsuite name='a'><testsuite name='b'><testcase name='n'/></testsuite></testsuite></testsuites>", results.Case{Suite: "a › b", Name: "n", Outcome: results.Passed}, "path of suites"},
		"UnderRoot":        {"<testsuites><testcase name='n' time='NaN'/></testsuites>", results.Case{Name: "n", Outcome: results.Passed}, "node puts cases there"},
		"ByteOrderMark":    {"\xef\xbb\xbf<testsuite><testcase name='ü' time='-0.000000'/></testsuite>", results.Case{Name: "ü", Outcome: results.Passed}, ".NET writes one"},
		"Latin1":           {"<?xml version='1.0' encoding='ISO-8859-1'?><testsuite><testcase name='\xfc'/></testsuite>", results.Case{Name: "ü", Outcome: results.Passed}, "declared encoding"},
		"ControlByte":      {"<testsuite><testcase name='a\x1bb'/></testsuite>", results.Case{Name: "a\uFFFDb", Outcome: results.Passed}, "copied from a terminal"},
		"InvalidUTF8":      {"<testsuite><testcase name='a\xffb'/></testsuite>", results.Case{Name: "a\uFFFDb", Outcome: results.Passed}, "copied from a program"},
		"ControlReference": {"<testsuite><testcase name='a&#x1b;b&#0;&#9;'/></testsuite>", results.Case{Name: "a\uFFFDb\uFFFD\t", Outcome: results.Passed}, "copied from a terminal, and escaped"},
		"References":       {"<testsuite><testcase name='&lt;&#252;&quot;'><failure>a &amp; b<![CDATA[<c>]]></failure></testcase></testsuite>", results.Case{Name: "<ü\"", Outcome: results.Failed, Message: "a & b<c>", Detail: "a & b<c>"}, "ordinary ones stay"},
		"Comment":          {"<testsuite><testcase name='n'><!-- <failure/> -- --></testcase></testsuite>", results.Case{Name: "n", Outcome: results.Passed}, "no outcome in it"},
		"GreaterInValue":   {"<testsuite><testcase name='a > b'/></testsuite>", results.Case{Name: "a > b", Outcome: results.Passed}, "no end of the tag"},
		"PropertiesInner":  {"<testsuite><testcase name='n'><properties><property name='x' value='y'/></properties></testcase></testsuite>", results.Case{Name: "n", Outcome: results.Passed}, "no outcome in them"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cases, _, err := parse(t, strings.NewReader(tc.xml))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]results.Case{tc.want}, cases); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestParse_Unreadable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ input, reason string }{
		"Empty":        {"", "a step died before it wrote"},
		"Text":         {"ok 1 - works", "another format"},
		"HTML":         {"<html></html>", "another root"},
		"Truncated":    {"<testsuite><testcase name='a'>", "cut in the middle"},
		"Mismatched":   {"<testsuite></testsuites>", "not well-formed"},
		"DocumentType": {"<!DOCTYPE x [<!ENTITY a 'b'>]><testsuite/>", "entities could expand without end"},
		"Deep":         {strings.Repeat("<testsuite>", 100), "the stack is bounded"},
		"Encoding":     {"<?xml version='1.0' encoding='klingon'?><testsuite/>", "unknown encoding"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := parse(t, strings.NewReader(tc.input)); !errors.Is(err, results.ErrUnreadable) {
				t.Errorf("err = %v: %s", err, tc.reason)
			}
		})
	}
}

// repeated is head, then a unit over and over for n bytes, then tail, without holding any of it.
func repeated(head, unit string, n int64, tail string) io.Reader {
	body := io.LimitReader(&endless{unit: []byte(unit)}, n/int64(len(unit))*int64(len(unit)))
	return io.MultiReader(strings.NewReader(head), body, strings.NewReader(tail))
}

type endless struct {
	unit []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], e.unit[e.at:])
		e.at = (e.at + c) % len(e.unit)
		n += c
	}
	return n, nil
}

// TestParse_Bounded holds that what a test prints or a hostile file repeats costs neither the memory of the process nor,
// where the file is right, the evidence in it.
func TestParse_Bounded(t *testing.T) { //nolint:paralleltest // it looks at the memory of the whole process
	const limit = 16 << 20
	size := int64(24 << 20)
	if racing {
		size = 6 << 20
	}
	const open, shut = "<testsuite tests='1' failures='1'><testcase name='a'><failure message='", "</failure></testcase></testsuite>"
	tests := map[string]struct {
		head, unit, tail string
		readable         bool
		reason           string
	}{
		"Text":       {open + "m'>", "€€\n", shut, true, "a test that prints without end"},
		"CDATA":      {open + "m'><![CDATA[", "]] > line\n", "]]>" + shut, true, "the same, as most tools write it"},
		"Entities":   {open + "m'>", "&lt;&amp;&#27;", shut, true, "references are kept whole or not at all"},
		"Value":      {open, "&quot;long&gt;", "'>x" + shut, true, "a message without end"},
		"Output":     {"<testsuite tests='1' failures='1'><system-out>", "line\n", "</system-out><testcase name='a'><failure>x" + shut, true, "output of a suite"},
		"Comment":    {"<testsuite tests='1' failures='1'><!--", "- -", "--><testcase name='a'><failure>x" + shut, true, "nobody reads it"},
		"Attributes": {"<testsuite", " a='b'", "/>", false, "no tool writes a thousand"},
		"BigValues":  {"<testsuite", " a='" + strings.Repeat("x", 100_000) + "'", "/>", false, "together they are too much"},
		"Name":       {"<", "a", "/>", false, "a name without end"},
		"PI":         {"<?", "a", "?><testsuite/>", false, "an instruction without end"},
		"Depth":      {"", "<testsuite>", "", false, "nesting without end"},
		"DocType":    {"<!DOCTYPE x [", "<!ENTITY a 'b'>", "]><testsuite/>", false, "entities without end"},
	}
	for name, tc := range tests { //nolint:paralleltest // as above
		t.Run(name, func(t *testing.T) {
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			cases, sum, err := parse(t, repeated(tc.head, tc.unit, size, tc.tail))
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > limit {
				t.Errorf("heap grew by %d MiB: %s", grown>>20, tc.reason)
			}
			if !tc.readable {
				if !errors.Is(err, results.ErrUnreadable) {
					t.Errorf("err = %v: %s", err, tc.reason)
				}
				return
			}
			if err != nil || len(cases) != 1 || cases[0].Outcome != results.Failed || sum.Listed.Bad != 1 {
				t.Errorf("%d cases, %+v, %v: %s", len(cases), sum, err, tc.reason)
			}
		})
	}
}

func TestParse_EmitError(t *testing.T) {
	t.Parallel()
	want := errors.New("disk full")
	_, err := junit.Parse(strings.NewReader("<testsuite><testcase/></testsuite>"), func(results.Case) error { return want })
	if !errors.Is(err, want) || errors.Is(err, results.ErrUnreadable) {
		t.Errorf("err = %v: the report is not at fault", err)
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		listed := 0
		sum, err := junit.Parse(bytes.NewReader(data), func(c results.Case) error {
			listed++
			if len(c.Detail) > results.MaxDetail {
				t.Errorf("detail of %d bytes", len(c.Detail))
			}
			return nil
		})
		if err != nil && !errors.Is(err, results.ErrUnreadable) {
			t.Errorf("%v is not classified", err)
		}
		if listed != sum.Observed.Total {
			t.Errorf("%d cases emitted, %d counted", listed, sum.Observed.Total)
		}
	})
}
