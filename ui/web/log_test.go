package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

func TestLogPage_Window(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	base := at(viewfake.Failed) + "/log/1"
	for name, tc := range map[string]struct {
		query   string
		has     []string
		hasNot  []string
		because string
	}{
		"Middle":   {"?l=1500", []string{`id="L1100"`, `id="L1900"`, `class="l on" id="L1500"`}, []string{`id="L500"`, `id="L2501"`}, "lines around the one asked for"},
		"First":    {"?l=1", []string{`class="l on" id="L1"`, `id="L1000"`, ">Later<"}, []string{`id="L2001"`, ">Earlier<"}, "at the beginning there is nothing before"},
		"Range":    {"?l=2600-2602", []string{`class="l on" id="L2600"`, `class="l on" id="L2602"`}, []string{`class="l on" id="L2603"`}, "every line of the range"},
		"Beyond":   {"?l=999999", []string{`id="L2611"`}, []string{"class=\"l on\""}, "the end, and no empty page"},
		"Nonsense": {"?l=x", []string{`id="L2611"`}, []string{"class=\"l on\""}, "as if nothing was asked for: the end of a step that failed"},
		"Backward": {"?l=9-3", []string{`id="L2611"`}, []string{"class=\"l on\""}, "not a range"},
		"Plain":    {"", []string{`id="L2611"`, ">Earlier<"}, []string{`id="L1"`}, "the end of a step that failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.get(t, base+tc.query)
			for _, want := range tc.has {
				if !strings.Contains(got.body, want) {
					t.Errorf("no %s: %s", want, tc.because)
				}
			}
			for _, unwanted := range tc.hasNot {
				if strings.Contains(got.body, unwanted) {
					t.Errorf("%s is there: %s", unwanted, tc.because)
				}
			}
			wellFormed(t, got.body)
		})
	}
}

// TestLogPage_Empty says for each kind of silence what it means.
func TestLogPage_Empty(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	for path, why := range map[string]string{
		at(viewfake.Failed) + "/log/2": "The step was skipped, so it wrote nothing.", at(viewfake.Stopped) + "/log/0": "Nothing of the log has arrived.",
	} {
		if got := s.get(t, path); got.code != http.StatusOK || !strings.Contains(got.body, why) {
			t.Errorf("%s: status %d, no %q", path, got.code, why)
		}
	}
}

// TestLogPage_Attempt proves that the log of an attempt before is reached by its id, and keeps it in its links.
func TestLogPage_Attempt(t *testing.T) {
	t.Parallel()
	w := viewfake.Sample()
	s := setup(t, w)
	e, err := w.Execution(member(t, s), viewfake.ExecutionID(viewfake.Failed))
	if err != nil {
		t.Fatal(err)
	}
	again := e.Runs[0].Attempts[0]
	again.ID, again.Number, again.Steps = viewfake.ID("second attempt"), 2, slices.Clone(again.Steps)
	again.Steps[1].Log = execution.Log{Bytes: 11, Lines: 1, Complete: true}
	e.Runs[0].Attempts = append(e.Runs[0].Attempts, again)
	w.Put(e)
	w.Write(again.ID, 1, "second try\n", true)
	if got := s.get(t, at(viewfake.Failed)+"/log/1"); !strings.Contains(got.body, "second try") {
		t.Error("the newest attempt is shown unless another one is asked for")
	}
	query := "?attempt=" + viewfake.AttemptID(viewfake.Failed).String()
	got := s.get(t, at(viewfake.Failed)+"/log/1"+query)
	if strings.Contains(got.body, "second try") || !strings.Contains(got.body, "/log/1/raw"+query) || !strings.Contains(got.body, query+"&amp;l=") {
		t.Errorf("the attempt is lost on the way")
	}
	if raw := s.get(t, at(viewfake.Failed)+"/log/1/raw"+query); !strings.HasPrefix(raw.body, "\x1b[1m====") {
		t.Errorf("raw log is %.40q", raw.body)
	}
}

func TestRawLog(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	got := s.get(t, at(viewfake.TimedOut)+"/log/1/raw")
	if got.code != http.StatusOK || got.header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("status %d, headers %v", got.code, got.header)
	}
	if want := "p99=81ms\n\n[4 KiB of the log are missing here.]\nrequests=1200 errors=7"; !strings.Contains(got.body, want) || strings.Count(got.body, "\n") != 304 {
		t.Errorf("the gap is not stated, or lines are missing: %d", strings.Count(got.body, "\n"))
	}
}

// TestRawLog_CutShort proves that half a log never looks like a whole one.
func TestRawLog_CutShort(t *testing.T) {
	t.Parallel()
	w, id := runningWorld()
	w.Write(id, 0, strings.Repeat("0123456789\n", 50000), true)
	s := setup(t, w)
	w.FailAfter(2)
	base := s.serve(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+at("fresh")+"/log/0/raw", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if n, err := readAll(res.Body); err == nil {
		t.Errorf("%d bytes came without an error", n)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	for path, want := range map[string]struct{ kind, disposition string }{
		"out/junit.xml":    {"application/octet-stream", `attachment; filename=junit.xml`},
		"out/trace.html":   {"application/octet-stream", `attachment; filename=trace.html`},
		"out/checkout.png": {"image/png", `inline; filename=checkout.png`},
		"out/server.log":   {"text/plain; charset=utf-8", `inline; filename=server.log`},
	} {
		got := s.get(t, at(viewfake.Failed)+"/files/"+viewfake.FileID(path).String()+"/any-name")
		if got.code != http.StatusOK || got.header.Get("Content-Type") != want.kind || got.header.Get("Content-Disposition") != want.disposition {
			t.Errorf("%s: status %d, headers %v", path, got.code, got.header)
		}
		if got.body != string(s.world.Contents[viewfake.FileID(path)]) {
			t.Errorf("%s: another content", path)
		}
		if got.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: it could run as a page: %v", path, got.header)
		}
	}
}

func TestFile_Unchanged(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	path := at(viewfake.Failed) + "/files/" + viewfake.FileID("out/checkout.png").String() + "/x"
	r := signed(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	r.Header.Set("If-None-Match", s.get(t, path).header.Get("ETag"))
	if got := s.do(t, r); got.code != http.StatusNotModified || got.body != "" {
		t.Errorf("status %d with %d bytes", got.code, len(got.body))
	}
}

// TestFile_LinksWork follows every link to a file on the page of its execution.
func TestFile_LinksWork(t *testing.T) {
	t.Parallel()
	w := viewfake.Sample()
	id := viewfake.ExecutionID(viewfake.Failed)
	for i, name := range []string{"a b.txt", "ä/ö?#.txt", "100%.txt", `a"b\c.txt`, "..", "a;b=c"} {
		w.Attached[id][i].Path = name
	}
	s := setup(t, w)
	links := 0
	for _, part := range strings.Split(s.get(t, at(viewfake.Failed)).body, `href="`)[1:] {
		href := part[:strings.IndexByte(part, '"')]
		if !strings.Contains(href, "/files/") {
			continue
		}
		links++
		if _, err := url.Parse(href); err != nil {
			t.Error(err)
		}
		if got := s.get(t, strings.ReplaceAll(href, "&#39;", "'")); got.code != http.StatusOK {
			t.Errorf("%s: status %d", href, got.code)
		}
	}
	if links < 6 {
		t.Errorf("%d links", links)
	}
}

func TestExecutionPage_TestsArePaged(t *testing.T) {
	t.Parallel()
	w := viewfake.Sample()
	id := viewfake.ExecutionID(viewfake.Failed)
	for range 300 {
		w.Tests[id] = append(w.Tests[id], execution.TestResult{Name: "more", Outcome: "passed"})
	}
	s := setup(t, w)
	first := s.get(t, at(viewfake.Failed))
	if !strings.Contains(first.body, at(viewfake.Failed)+"?tests=200#tests") {
		t.Fatal("no link to more tests")
	}
	second := s.get(t, at(viewfake.Failed)+"?tests=200")
	if !strings.Contains(second.body, ">more ") || !strings.Contains(second.body, "test_expired_voucher_is_refused") {
		t.Error("the second page has other tests and the same first failure")
	}
}

// TestLogPage_Size proves that no log makes a page that is slow to load, whatever its lines have in them, and that the line that was asked
// for is on it, as are the lines beside those that are shown.
func TestLogPage_Size(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"Long":    strings.Repeat("x", 300),
		"Escaped": strings.Repeat(`<"&'>`, 50),
		"Styled":  strings.Repeat("\x1b[1;31mred\x1b[0m plain ", 20),
		"Linked":  strings.Repeat("see https://example.test/a?b=c&d=e ", 10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, text := viewfake.Sample(), strings.Repeat("row "+line+"\n", 3000)
			id, over := viewfake.ID("long attempt"), viewfake.Now()
			w.Put(execution.Execution{
				ID: viewfake.ExecutionID("long"), Workflow: "long", Status: execution.Passed, CreatedAt: over, StartedAt: over, FinishedAt: over,
				Runs: []execution.Run{{Environment: "staging-eu", Status: execution.Passed, Attempts: []execution.Attempt{{
					ID: id, Status: execution.Passed, FinishedAt: over, Steps: []execution.Step{{
						Name: "test", Status: execution.Passed, StartedAt: over, FinishedAt: over, Log: execution.Log{Bytes: int64(len(text)), Lines: 3000, Complete: true},
					}},
				}}}},
			})
			w.WriteTo(id, execution.Stream(0), text, true)
			s := setup(t, w)
			base := at("long") + "/log/0"
			for query, has := range map[string]string{"?l=1500": `class="l on" id="L1500"`, "?l=1": `class="l on" id="L1"`, "": `id="L1"`, "?q=row": "in lines 1 to 100"} {
				got := s.get(t, base+query)
				if n := len(got.body); n > 200<<10 || n < 130<<10 {
					t.Errorf("%s has %d bytes", query, n)
				}
				if !strings.Contains(got.body, has) {
					t.Errorf("%s: no %s", query, has)
				}
			}
		})
	}
}
