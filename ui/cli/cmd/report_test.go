package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

func TestReport(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"report": {"report", "ex-1"}, "report-junit": {"report", "ex-1", "--format", "junit"}, "report-pdf": {"report", "ex-1", "--format", "pdf"},
		"report-now": {"run", "smoke", "--report", "junit=x"}, "report-where": {"run", "smoke", "--wait", "--report", "junit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.runs.states = life(apiv1.Status_STATUS_FAILED, "")
			s.runs.at = len(s.runs.states) - 1
			golden(t, name, s.run(t, args...))
		})
	}
}

// TestRun_Report_Link: a link may be standard output, as /dev/stdout is. What it leads to is written, and the link stays.
func TestRun_Report_Link(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "out.xml"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	s := setup(t)
	s.runs.states = life(apiv1.Status_STATUS_PASSED, "")
	if got := s.run(t, "run", "smoke", "--wait", "--report", "junit="+link); got.code != exitcode.Passed {
		t.Errorf("%d %s", got.code, got.err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if text, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(text), "<?xml") {
		t.Errorf("%s, %v", text, err)
	}
}

// TestRun_Report: the page of a pipeline keeps what other steps wrote, and the outcome is the same whatever becomes of a report.
func TestRun_Report(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	page, file := filepath.Join(dir, "page.md"), filepath.Join(dir, "junit.xml")
	for _, path := range []string{page, file} {
		if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := setup(t)
	s.runs.states = life(apiv1.Status_STATUS_FAILED, "")
	got := s.run(t, "run", "smoke", "--wait", "--report", "markdown="+page, "--report", "junit="+file, "--report", "junit="+filepath.Join(dir, "none", "x"))
	if got.code != exitcode.Failed || !strings.Contains(got.err, "could not be written") {
		t.Errorf("%d %s", got.code, got.err)
	}
	text, err := os.ReadFile(page)
	if err != nil || !strings.HasPrefix(string(text), "before\n## ❌ smoke failed") || !strings.Contains(string(text), "http://seatrial.example/ex-1") {
		t.Errorf("%s, %v", text, err)
	}
	if text, err = os.ReadFile(file); err != nil || !strings.HasPrefix(string(text), "<?xml") {
		t.Errorf("%s, %v", text, err)
	}
}
