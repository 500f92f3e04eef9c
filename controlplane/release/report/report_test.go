package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/report"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

var update = flag.Bool("update", false, "write the golden files")

// hostile is a name that tries to be more than text in each format.
const hostile = "<script>alert(1)</script> [x](javascript:alert(1)) `a` **b** | c\n# d\r\x1b[2J\u202e @everyone https://evil.test www.evil.test ann@example.test 1. e &amp; $f$ \\| \u2028"

func at(hour int) time.Time { return time.Date(2026, 11, 3, hour, 0, 0, 0, time.UTC) }

// sample is a release of which everything is called by one name.
func sample(name string) (report.Release, verdict.Output) {
	r := report.Release{
		Application: "shop/cart", Version: "1.42.0", Commit: strings.Repeat("a", 40), Images: []verdict.Image{{Name: name, Digest: "sha256:0123"}},
		Policy: name, Revision: 7, Actor: name, CreatedAt: at(10), DecidedAt: at(12), URL: "https://seatrial.test/o/acme/releases/shop%2Fcart/1.42.0",
		Waivers: []verdict.Waiver{
			{ID: "w1", Rule: "no-failures", Environment: "eu", Test: name, Reason: name, Requester: name, Approvals: []verdict.Approval{{By: name, At: at(11)}}, ExpiresAt: at(20)},
			{ID: "w2", Rule: "no-failures", Reason: "later", Requester: "bob", ExpiresAt: at(20)},
		},
	}
	out := verdict.Output{
		State: verdict.NotReady, Gaps: []string{"Nothing is known of " + name + "."},
		Rules: []verdict.RuleResult{
			{ID: "complete", Kind: verdict.Missing, Description: name, Failing: []verdict.FailingCell{{Environment: name, Suite: "load"}}},
			{ID: "no-failures", Kind: verdict.Negative, Waivable: true, Failing: []verdict.FailingCell{
				{Environment: "eu", Suite: name, AtFault: 30, AtLeast: true, Tests: []verdict.AtFault{
					{Test: "k1", Name: name, Variant: name, Verdict: tests.Failed}, {Test: "k2", Verdict: tests.InfraError},
				}},
				{Environment: "us", Suite: "smoke", Error: name},
			}},
			{ID: "flaky-budget", Kind: verdict.Negative, Holds: true, Waived: true},
		},
		Cells: []verdict.CellResult{
			{Environment: "eu", Suite: name, Required: 3, Passed: 1, Failed: 1, Blocked: 1, InfraError: 1, Integrity: results.Contradictory},
			{Environment: "us", Suite: "smoke", Integrity: results.Consistent},
		},
		Waivers: []verdict.WaiverResult{{ID: "w1", Active: true, Used: true}, {ID: "w2", Why: "It has 0 of 1 approvals."}},
	}
	return r, out
}

func write(t *testing.T, f report.Format, r report.Release, out verdict.Output) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, f, r, out); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrite_Golden(t *testing.T) {
	t.Parallel()
	for f, extension := range map[report.Format]string{report.Markdown: "md", report.HTML: "html", report.JSON: "json"} {
		for file, name := range map[string]string{"plain": "search results", "hostile": hostile} {
			t.Run(file+"."+extension, func(t *testing.T) {
				t.Parallel()
				r, out := sample(name)
				golden(t, filepath.Join("testdata", file+".golden."+extension), write(t, f, r, out))
			})
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
}

func TestWrite_States(t *testing.T) {
	t.Parallel()
	for state, want := range map[verdict.State]string{
		verdict.Ready: "Every rule holds.", verdict.ReadyWithWaivers: "with the waivers", verdict.NotReady: "speaks against", verdict.Incomplete: "is missing",
		"": "no verdict yet",
	} {
		for _, f := range []report.Format{report.Markdown, report.HTML} {
			if text := write(t, f, report.Release{Application: "shop", Version: "1"}, verdict.Output{State: state}); !strings.Contains(text, want) {
				t.Errorf("%s of %q does not say %q", f, state, want)
			}
		}
	}
}

func TestWrite_Err(t *testing.T) {
	t.Parallel()
	r, out := sample("a")
	if err := report.Write(io.Discard, "pdf", r, out); !fault.Is(err, fault.Invalid) {
		t.Errorf("an unknown format: %v", err)
	}
	if err := report.Write(broken{}, report.HTML, r, out); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a writer that fails: %v", err)
	}
	for _, url := range []string{"javascript:alert(1)", "https://a.test/>x", "data:text/html,x", "https://a.test/\n"} {
		r.URL = url
		for _, f := range []report.Format{report.Markdown, report.HTML} {
			if text := write(t, f, r, out); strings.Contains(text, "Page") {
				t.Errorf("%s links to %q", f, url)
			}
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

// FuzzWrite holds that no name changes the shape of a document.
func FuzzWrite(f *testing.F) {
	f.Add(hostile)
	f.Add("a\\|b")
	f.Add("@ann")
	f.Fuzz(func(t *testing.T, name string) {
		r, out := sample("x")
		lines, tags := strings.Count(write(t, report.Markdown, r, out), "\n"), strings.Count(write(t, report.HTML, r, out), "<")
		r, out = sample(name + "x") // what is called nothing is left out in places
		text := write(t, report.Markdown, r, out)
		if got := strings.Count(text, "\n"); got != lines {
			t.Errorf("%d lines, want %d", got, lines)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
			t.Error("a control character got through")
		}
		for line := range strings.Lines(text) {
			plain := strings.NewReplacer(`\\`, "", `\|`, "", `\<`, "", "\\`", "", `\[`, "").Replace(line)
			cells := strings.Count(plain, "|")
			if strings.ContainsAny(plain, "`[") || strings.Contains(plain, "<") && !strings.HasPrefix(plain, "- Page") || cells != 0 && cells != 8 && cells != 12 {
				t.Errorf("markup in %q", line)
			}
		}
		page := write(t, report.HTML, r, out)
		if strings.ContainsFunc(page, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
			t.Error("a control character got through")
		}
		if got := strings.Count(page, "<"); got != tags {
			t.Errorf("%d tags, want %d", got, tags)
		}
		if !json.Valid([]byte(write(t, report.JSON, r, out))) {
			t.Error("the JSON is none")
		}
	})
}
