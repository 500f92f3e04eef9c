package gather_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seatrial/seatrial/agent/redact"
	"github.com/seatrial/seatrial/agent/runner/gather"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func setup(t *testing.T, files map[string]string) *gather.Gatherer {
	t.Helper()
	ws := t.TempDir()
	for name, text := range files {
		p := filepath.Join(ws, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &gather.Gatherer{
		AttemptID: "a", Workspace: ws, Dest: t.TempDir(), Limits: gather.DefaultLimits(),
		Redact: redact.Compile([]string{"s3cret"}),
	}
}

func step(reports, artifacts []string) *runnerv1.Step {
	s := &runnerv1.Step{Name: "test", Artifacts: &runnerv1.ArtifactSpec{Paths: artifacts}}
	if reports != nil {
		s.Reports = []*runnerv1.ReportSpec{{Format: "junit", Paths: reports}}
	}
	return s
}

func paths(files []gather.File) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.Header.GetKind().String()[len("FILE_KIND_"):]+" "+f.Header.GetPath())
	}
	slices.Sort(out)
	return out
}

func TestGather(t *testing.T) {
	t.Parallel()
	g := setup(t, map[string]string{
		"r/a.xml": "<a/>", "r/deep/er/b.xml": "<b/>", "r/c.txt": "c", "html/index.html": "x", "html/s3cret.png": "\x89PNG\r\n\x1a\n",
	})
	files, notes := g.Gather(step([]string{"r/**/*.xml", "./r/a.xml", g.Workspace + "/r/a.*"}, []string{"html", "r/a.xml"}), true)
	want := []string{"ARTIFACT html/***.png", "ARTIFACT html/index.html", "ARTIFACT r/a.xml", "REPORT r/a.xml", "REPORT r/deep/er/b.xml"}
	if got := paths(files); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(notes) != 0 {
		t.Errorf("notes %q", notes)
	}
	if err := os.WriteFile(filepath.Join(g.Workspace, "r/a.xml"), []byte("changed by a later step"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f.Copy)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		if string(sum[:]) != string(f.Header.GetSha256()) || int64(len(b)) != f.Header.GetSize() || string(b) == "changed by a later step" {
			t.Errorf("%s: the copy is not what the step left: %q", f.Header.GetPath(), b)
		}
		if f.Header.GetPath() == "r/a.xml" && f.Header.GetContentType() != "application/xml" {
			t.Errorf("content type %s", f.Header.GetContentType())
		}
	}
}

// TestGather_Formats holds that each report carries the format of the first list that names it, whatever that is.
func TestGather_Formats(t *testing.T) {
	t.Parallel()
	g := setup(t, map[string]string{"r/a.xml": "a", "r/b.json": "b", "r/c.tap": "c"})
	s := &runnerv1.Step{Name: "test", Reports: []*runnerv1.ReportSpec{
		{Format: "junit", Paths: []string{"r/*.xml"}}, {Format: "of-later", Paths: []string{"r/b.json"}}, {Format: "auto", Paths: []string{"r/*"}},
	}}
	files, notes := g.Gather(s, true)
	var got []string
	for _, f := range files {
		got = append(got, f.Header.GetFormat()+" "+f.Header.GetPath())
	}
	if want := []string{"junit r/a.xml", "of-later r/b.json", "auto r/c.tap"}; !slices.Equal(got, want) || len(notes) != 0 {
		t.Errorf("got %q, notes %q; want %q", got, notes, want)
	}
}

func TestGather_Refused(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "shadow.xml")
	if err := os.WriteFile(outside, []byte("root:x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		make    func(ws string) error
		pattern string
		note    string
		reason  string
	}{
		"Link":    {func(ws string) error { return os.Symlink(outside, ws+"/l.xml") }, "*.xml", "symbolic link", "a link may lead out"},
		"LinkDir": {func(ws string) error { return os.Symlink(filepath.Dir(outside), ws+"/d") }, "d/*.xml", "", "a linked directory may lead out"},
		"LinkAll": {func(ws string) error { return os.Symlink(filepath.Dir(outside), ws+"/d") }, "**/*.xml", "no report matches", "the same below **"},
		"Pipe":    {func(ws string) error { return syscall.Mkfifo(ws+"/p.xml", 0o600) }, "*.xml", "a pipe", "reading would never end"},
		"Parent":  {func(string) error { return nil }, "../*.xml", "inside the workspace", "out of the workspace"},
		"Rooted":  {func(string) error { return nil }, outside, "leads out", "out of the workspace"},
		"Nothing": {func(string) error { return nil }, "none/*.xml", "no report matches", "a missing report is never silent"},
		"Bad":     {func(string) error { return nil }, "[", "not one", "a bad pattern is said"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t, nil)
			if err := tc.make(g.Workspace); err != nil {
				t.Fatal(err)
			}
			files, notes := g.Gather(step([]string{tc.pattern}, nil), true)
			if len(files) != 0 || len(notes) == 0 || !strings.Contains(strings.Join(notes, "\n"), tc.note) {
				t.Errorf("files %v, notes %q: %s", paths(files), notes, tc.reason)
			}
		})
	}
}

func TestGather_Limits(t *testing.T) {
	t.Parallel()
	files := map[string]string{"1.xml": "1234567890", "2.xml": "12345", "3.xml": "12345", "4.xml": "12345"}
	for name, tc := range map[string]struct {
		limits gather.Limits
		want   []string
		note   string
	}{
		"Each":  {gather.Limits{Files: 9, Total: 99, Each: 9}, []string{"REPORT 2.xml", "REPORT 3.xml", "REPORT 4.xml"}, "a file may have 9"},
		"Files": {gather.Limits{Files: 2, Total: 99, Each: 99}, []string{"REPORT 1.xml", "REPORT 2.xml"}, "more than 2 files"},
		"Total": {gather.Limits{Files: 9, Total: 17, Each: 99}, []string{"REPORT 1.xml", "REPORT 2.xml"}, "more than 17 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t, files)
			g.Limits = tc.limits
			got, notes := g.Gather(step([]string{"*.xml"}, nil), true)
			if !slices.Equal(paths(got), tc.want) || !strings.Contains(strings.Join(notes, "\n"), tc.note) {
				t.Errorf("got %q, notes %q", paths(got), notes)
			}
		})
	}
}

// TestGather_Secrets holds that a report is shown to people without the secrets that its text quotes, and that an artifact is kept
// byte by byte.
func TestGather_Secrets(t *testing.T) {
	t.Parallel()
	const text = "<failure>expected s3cret here</failure>"
	g := setup(t, map[string]string{"r.xml": text})
	files, notes := g.Gather(step([]string{"r.xml"}, []string{"r.xml"}), true)
	if len(files) != 2 || len(notes) != 0 {
		t.Fatalf("got %v, %q", files, notes)
	}
	for _, f := range files {
		want := text
		if f.Header.GetKind() == runnerv1.FileKind_FILE_KIND_REPORT {
			want = strings.ReplaceAll(text, "s3cret", "***")
		}
		got, err := os.ReadFile(f.Copy)
		sum := sha256.Sum256([]byte(want))
		if err != nil || string(got) != want || f.Header.GetSize() != int64(len(want)) || !bytes.Equal(f.Header.GetSha256(), sum[:]) {
			t.Errorf("%s: %q of size %d, %v; want %q", f.Header.GetKind(), got, f.Header.GetSize(), err, want)
		}
	}
}

// TestGather_Withheld leaves out what belongs to a secret that is mounted into the workspace, as the kubelet lays it and as a single file.
func TestGather_Withheld(t *testing.T) {
	t.Parallel()
	g := setup(t, map[string]string{"certs/..2026/key": "k", ".env": "e", ".envrc": "kept", "certs2/a": "kept"})
	g.Withhold = []string{filepath.Join(g.Workspace, "certs"), filepath.Join(g.Workspace, ".env")}
	files, notes := g.Gather(step(nil, []string{"**"}), true)
	want := []string{"ARTIFACT .envrc", "ARTIFACT certs2/a"}
	if got := paths(files); !slices.Equal(got, want) {
		t.Errorf("files are %v, want %v", got, want)
	}
	if got := strings.Join(notes, "; "); strings.Count(got, "belongs to a mounted secret") != 2 {
		t.Errorf("notes are %q", got)
	}
}

func TestGather_Wanted(t *testing.T) {
	t.Parallel()
	const always, passed, failed = runnerv1.ArtifactSpec_WHEN_UNSPECIFIED, runnerv1.ArtifactSpec_WHEN_PASSED, runnerv1.ArtifactSpec_WHEN_FAILED
	for name, tc := range map[string]struct {
		reason string
		spec   *runnerv1.ArtifactSpec
		passed bool
		want   int
		says   string
	}{
		"Always":        {"the default", &runnerv1.ArtifactSpec{When: always}, false, 2, ""},
		"PassedPassed":  {"the case that is asked for", &runnerv1.ArtifactSpec{When: passed}, true, 2, ""},
		"PassedFailed":  {"the other case", &runnerv1.ArtifactSpec{When: passed}, false, 0, ""},
		"FailedFailed":  {"the case that is asked for", &runnerv1.ArtifactSpec{When: failed}, false, 2, ""},
		"FailedPassed":  {"the other case", &runnerv1.ArtifactSpec{When: failed}, true, 0, ""},
		"MaxSize":       {"the second file goes over the limit", &runnerv1.ArtifactSpec{MaxSize: 5}, true, 1, "b.txt and everything after it was left out"},
		"MaxSizeEnough": {"both fit exactly", &runnerv1.ArtifactSpec{MaxSize: 8}, true, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t, map[string]string{"a.txt": "aaaa", "b.txt": "bbbb"})
			tc.spec.Paths = []string{"*.txt"}
			files, notes := g.Gather(&runnerv1.Step{Name: "test", Artifacts: tc.spec}, tc.passed)
			if len(files) != tc.want || !strings.Contains(strings.Join(notes, "; "), tc.says) || (tc.says == "") != (len(notes) == 0) {
				t.Errorf("%s: %d files, %q; want %d, %q", tc.reason, len(files), notes, tc.want, tc.says)
			}
		})
	}
}
