package format_test

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

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format"
)

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

// TestParse_Hostile holds that whatever a test prints or a hostile file repeats costs neither the memory nor the time of the
// process, and, where the file is right, not the evidence in it.
func TestParse_Hostile(t *testing.T) { //nolint:paralleltest // it looks at the memory of the whole process
	const limit, patience = 20 << 20, 30 * time.Second
	size := int64(6 << 20)
	if racing {
		size = 1 << 20
	}
	long := strings.Repeat("x", 8<<10)
	tests := map[string]struct {
		format           format.Name
		head, unit, tail string
		cases            int // -1: unreadable; -2: either
		reason           string
	}{
		"PlaywrightText":   {format.Playwright, `{"suites":[{"title":"f","specs":[{"title":"a","tests":[{"results":[{"status":"failed","error":{"message":"`, `\u00e9x\n`, `"}}]}]}]}]}`, 1, "a message without end"},
		"PlaywrightTries":  {format.Playwright, `{"suites":[{"title":"f","specs":[{"title":"a","tests":[{"results":[{"status":"passed"}`, `,{"status":"failed"}`, `]}]}]}]}`, 1, "tries without end"},
		"PlaywrightTests":  {format.Playwright, `{"suites":[{"title":"f","specs":[{"title":"a","tests":[{"status":"expected"}`, `,{"results":[{"status":"failed","error":{"message":"` + long + `"}}]}`, `]}]}]}`, -2, "tests of one spec without end"},
		"PlaywrightSuites": {format.Playwright, `{"suites":[`, `{"title":"s","suites":[`, "", -1, "suites without end"},
		"JSONDeep":         {format.Jest, `{"x":`, `[`, "", -1, "nesting without end"},
		"JSONKey":          {format.CTRF, `{"`, `k`, `":1,"results":{"tests":[{"name":"a","status":"passed"}]}}`, 1, "a name without end"},
		"JSONNumber":       {format.K6, `{"metrics":{"a":{"v":`, `1`, `}}}`, -1, "a number without end"},
		"JSONBlank":        {format.Mocha, `{"stats":{},`, " \n", `"passes":[{"title":"a"}]}`, 1, "white space without end"},
		"JestTests":        {format.Jest, `{"testResults":[{"name":"f","assertionResults":[{"title":"a","status":"passed"}`, `,{"title":"b","status":"failed","failureMessages":["` + long + `"]}`, `]}]}`, -2, "tests of one file without end"},
		"NewmanBody":       {format.Newman, `{"run":{"executions":[{"response":{"stream":{"data":[1`, `,123`, `]}},"assertions":[{"assertion":"a"}]}]}}`, 1, "the body of a response"},
		"NewmanErrors":     {format.Newman, `{"run":{"executions":[{"assertions":[{"assertion":"a"}`, `,{"assertion":"a","error":{"stack":"` + long + `"}}`, `]}]}}`, -2, "assertions without end"},
		"CucumberSteps":    {format.Cucumber, `[{"elements":[{"name":"a","steps":[{"result":{"status":"passed"}}`, `,{"result":{"status":"failed","error_message":"` + long + `"}}`, `]}]}]`, 1, "steps without end"},
		"CTRFTries":        {format.CTRF, `{"results":{"tests":[{"name":"a","status":"passed","retryAttempts":[{}`, `,{"status":"failed"}`, `]}]}}`, 1, "tries without end"},
		"K6Groups":         {format.K6, `{"root_group":{"groups":[`, `{"name":"g","groups":[`, "", -1, "groups without end"},
		"GoTestOutput":     {format.GoTest, `{"Action":"run","Package":"p","Test":"T"}` + "\n", `{"Action":"output","Package":"p","Test":"T","Output":"line\n"}` + "\n", `{"Action":"fail","Package":"p","Test":"T"}`, 1, "a test that prints without end"},
		"GoTestLine":       {format.GoTest, `{"Action":"pass","Package":"p","Test":"T"}` + "\nnoise ", `noise `, "\n", 1, "a line without end"},
		"GoTestOpen":       {format.GoTest, "", `{"Action":"run","Package":"p","Test":"` + long + `"}` + "\n", "", -2, "starts without end"},
		"GoTestBuilds":     {format.GoTest, `{"Action":"pass","Package":"p","Test":"T"}` + "\n", `{"Action":"build-output","ImportPath":"i","Output":"` + long + `"}` + "\n", "", 1, "a build that prints without end"},
		"TAPBlock":         {format.TAP, "1..1\nnot ok 1 - a\n  ---\n", "  x: y\n", "  ...\n", 1, "a block without end"},
		"TAPLine":          {format.TAP, "1..1\nok 1 - ", "€", "\n", 1, "a line without end"},
		"TAPDepth":         {format.TAP, "1..1\n" + strings.Repeat(" ", 4_000) + "ok 1\n", "    ", "ok 2\n", -2, "nesting without end"},
		"TAPHashes":        {format.TAP, "1..1\nok 1 - ", "# skip ", "\n", 1, "directives without end"},
		"JTLField":         {format.JTL, "label,success\n\"", "a,\n", "\",true\n", 1, "a field without end"},
		"JTLFields":        {format.JTL, "label,success\na,true", ",", "\n", 1, "fields without end"},
		"JTLQuote":         {format.JTL, "label,success\na,true\n\"", "a", "", -1, "a quote without end"},
		"JTLDeep":          {format.JTL, "<testResults>", "<sample lb='a' s='true'>", "", -1, "samples in samples"},
		"RobotDeep":        {format.Robot, "<robot><suite name='s'><test name='t'>", "<kw>", "", -1, "keywords without end"},
		"RobotKeywords":    {format.Robot, "<robot><suite name='s'><test name='t'>", "<kw name='k'><status status='FAIL'>x</status></kw>", "<status status='FAIL'/></test></suite></robot>", -2, "keywords of one test"},
		"TRXHeld":          {format.TRX, "<TestRun><Results>", "<UnitTestResult testId='t' testName='" + long + "'/>", "</Results></TestRun>", -2, "results that wait for their class"},
		"NUnitText":        {format.NUnit, "<test-run><test-case name='a' result='Failed'><failure><message>", "€\n", "</message></failure></test-case></test-run>", 1, "a message without end"},
		"NUnitDeep":        {format.NUnit, "<test-run>", "<test-suite>", "", -1, "suites without end"},
		"XUnitDocType":     {format.XUnit, "<!DOCTYPE x [", "<!ENTITY a 'b'>", "]><assemblies/>", -1, "entities without end"},
	}
	for name, tc := range tests { //nolint:paralleltest // as above
		t.Run(name, func(t *testing.T) {
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			n, begin := 0, time.Now()
			_, _, err := format.Parse(tc.format, repeated(tc.head, tc.unit, size, tc.tail), func(results.Case) error { n++; return nil })
			if took := time.Since(begin); took > patience {
				t.Errorf("it took %s: %s", took, tc.reason)
			}
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > limit {
				t.Errorf("heap grew by %d MiB: %s", grown>>20, tc.reason)
			}
			switch {
			case tc.cases == -2 && (err == nil || errors.Is(err, results.ErrUnreadable)):
			case tc.cases == -1 && errors.Is(err, results.ErrUnreadable):
			case tc.cases == n && err == nil:
			default:
				t.Errorf("%d cases, %v, want %d: %s", n, err, tc.cases, tc.reason)
			}
		})
	}
}

// TestParse_Truncated cuts every report short: each gives what was read and one clear error, or says that something is missing,
// or was cut where nothing was lost.
func TestParse_Truncated(t *testing.T) {
	t.Parallel()
	for name, data := range reports(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.HasSuffix(name, ".csv") || strings.HasSuffix(name, ".tap") || name == "gotest.json"
			for _, part := range []int{1, 2, 3} {
				_, _, err := format.Parse(format.Auto, bytes.NewReader(data[:len(data)*part/4]), func(results.Case) error { return nil })
				if !errors.Is(err, results.ErrUnreadable) && (err != nil || !text) {
					t.Errorf("%d/4 of it: err = %v", part, err)
				}
			}
		})
	}
}

// TestParse_Unreadable gives every parser what is another format, or nothing.
func TestParse_Unreadable(t *testing.T) {
	t.Parallel()
	inputs := map[string]string{
		"Empty": "", "Blank": " \n", "HTML": "<html></html>", "Text": "Segmentation fault\n", "Number": "12", "Object": `{"a":1}`, "Binary": "\x7fELF\x00\x01\xff",
	}
	for _, name := range append(format.Names(), format.Auto, "dance") {
		for kind, input := range inputs {
			t.Run(string(name)+kind, func(t *testing.T) {
				t.Parallel()
				_, sum, err := format.Parse(name, strings.NewReader(input), func(results.Case) error { return nil })
				empty := err == nil && results.JudgeIn(sum, results.Circumstances{Before: true}).Grade == results.Contradictory
				if !errors.Is(err, results.ErrUnreadable) && !empty {
					t.Errorf("err = %v", err)
				}
			})
		}
	}
}

func TestParse_EmitError(t *testing.T) {
	t.Parallel()
	want := errors.New("disk full")
	for name, data := range reports(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := format.Parse(format.Auto, bytes.NewReader(data), func(results.Case) error { return want })
			if !errors.Is(err, want) || errors.Is(err, results.ErrUnreadable) {
				t.Errorf("err = %v: the report is not at fault", err)
			}
		})
	}
}

func TestParse_ReadError(t *testing.T) {
	t.Parallel()
	want := errors.New("connection lost")
	for name, data := range reports(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			format1, _, _ := format.Parse(format.Auto, bytes.NewReader(data), func(results.Case) error { return nil })
			r := io.MultiReader(bytes.NewReader(data[:len(data)/2]), broken{want})
			_, _, err := format.Parse(format1, r, func(results.Case) error { return nil })
			if !errors.Is(err, want) || errors.Is(err, results.ErrUnreadable) {
				t.Errorf("err = %v: the report is not at fault", err)
			}
		})
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// fuzz holds that whatever the bytes are, reading them ends with cases or with one classified error.
func fuzz(f *testing.F, name format.Name) {
	f.Helper()
	for _, dir := range []string{"real", "made"} {
		files, _ := filepath.Glob(filepath.Join("testdata", dir, "*"))
		for _, file := range files {
			if data, err := os.ReadFile(file); err == nil && (name == format.Auto || format.Detect(data) == name) {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		listed := 0
		_, sum, err := format.Parse(name, bytes.NewReader(data), func(c results.Case) error {
			listed++
			if len(c.Detail) > results.MaxDetail || len(c.Name) > results.MaxName || c.Outcome == "" {
				t.Errorf("%d bytes of detail, %d of name, outcome %q", len(c.Detail), len(c.Name), c.Outcome)
			}
			return nil
		})
		if err != nil && !errors.Is(err, results.ErrUnreadable) {
			t.Errorf("%v is not classified", err)
		}
		if listed != sum.Observed.Total {
			t.Errorf("%d cases emitted, %d counted", listed, sum.Observed.Total)
		}
		results.Judge(sum, nil)
	})
}

func FuzzAuto(f *testing.F)       { fuzz(f, format.Auto) }
func FuzzPlaywright(f *testing.F) { fuzz(f, format.Playwright) }
func FuzzCTRF(f *testing.F)       { fuzz(f, format.CTRF) }
func FuzzGoTest(f *testing.F)     { fuzz(f, format.GoTest) }
func FuzzK6(f *testing.F)         { fuzz(f, format.K6) }
func FuzzNewman(f *testing.F)     { fuzz(f, format.Newman) }
func FuzzJTL(f *testing.F)        { fuzz(f, format.JTL) }
func FuzzTAP(f *testing.F)        { fuzz(f, format.TAP) }
func FuzzNUnit(f *testing.F)      { fuzz(f, format.NUnit) }
func FuzzXUnit(f *testing.F)      { fuzz(f, format.XUnit) }
func FuzzTRX(f *testing.F)        { fuzz(f, format.TRX) }
func FuzzRobot(f *testing.F)      { fuzz(f, format.Robot) }
func FuzzCucumber(f *testing.F)   { fuzz(f, format.Cucumber) }
func FuzzMocha(f *testing.F)      { fuzz(f, format.Mocha) }
func FuzzJest(f *testing.F)       { fuzz(f, format.Jest) }
