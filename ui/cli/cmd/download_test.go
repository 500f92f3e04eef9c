package cmd_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

// served answers a download with its own path, and with a refusal for what is gone.
func (r *runs) served(w http.ResponseWriter, q *http.Request) {
	if q.Header.Get("Authorization") != "Bearer secret" || strings.HasSuffix(q.URL.Path, "gone") {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"code":"not_found","message":"no file is stored","hint":"Run it again."}`))
		return
	}
	_, _ = w.Write([]byte(q.URL.Path))
}

// stored is a file whose content is the path of its download.
func stored(kind, path, id string) *apiv1.File {
	sum := sha256.Sum256([]byte("/files/" + id))
	return &apiv1.File{Kind: kind, Path: path, Download: "/files/" + id, Sha256: hex.EncodeToString(sum[:]), AttemptId: "at-2"}
}

// under gives a file its name in the archive.
func under(name string, f *apiv1.File) *apiv1.File {
	f.Name = name
	return f
}

func TestDownload(t *testing.T) {
	t.Parallel()
	damaged := stored("artifact", "d.txt", "4")
	damaged.Sha256 = strings.Repeat("0", 64)
	for name, tc := range map[string]struct {
		files  []*apiv1.File
		args   []string
		want   map[string]string
		code   int
		says   string
		reason string
	}{
		"All": {
			[]*apiv1.File{stored("report", "out/r.xml", "1"), stored("artifact", "out/r.xml", "2")},
			nil,
			map[string]string{"report/out/r.xml": "/files/1", "artifact/out/r.xml": "/files/2"},
			0, "", "reports and artifacts are apart",
		},
		"Pattern": {
			[]*apiv1.File{stored("artifact", "out/a.png", "1"), stored("artifact", "out/b.txt", "2"), stored("artifact", "log/c.txt", "3")},
			[]string{"out/*.png", "log"},
			map[string]string{"artifact/out/a.png": "/files/1", "artifact/log/c.txt": "/files/3"},
			0, "", "what is asked for",
		},
		"Kind": {
			[]*apiv1.File{stored("artifact", "a", "1"), stored("metrics", "b", "2")},
			[]string{"--kind", "metrics"},
			map[string]string{"metrics/b": "/files/2"},
			0, "", "what is asked for",
		},
		"Named": {
			[]*apiv1.File{under("artifacts/a", stored("artifact", "a", "1")), under("artifacts/build/a", stored("artifact", "a", "2"))},
			nil,
			map[string]string{"artifacts/a": "/files/1", "artifacts/build/a": "/files/2"},
			0, "", "as in the archive: the control plane keeps them apart",
		},
		"Archive": {
			[]*apiv1.File{stored("artifact", "a", "1")}, []string{"--archive", "DIR/all.zip"}, map[string]string{"all.zip": "/archives/ex-1"}, 0, "1 files", "one file",
		},
		"Damaged":  {[]*apiv1.File{damaged}, nil, nil, exitcode.Usage, "came damaged", "it is checked"},
		"Gone":     {[]*apiv1.File{stored("artifact", "a", "gone")}, nil, nil, exitcode.Errored, "Run it again.", "what the control plane says is said"},
		"Out":      {[]*apiv1.File{stored("artifact", "../../../a", "1")}, nil, nil, exitcode.Usage, "leads out", "a control plane does not choose folders"},
		"Led out":  {[]*apiv1.File{under("../a", stored("artifact", "a", "1"))}, nil, nil, exitcode.Usage, "leads out", "the same"},
		"Nothing":  {[]*apiv1.File{stored("artifact", "a", "1")}, []string{"b"}, nil, exitcode.Usage, "get files", "a typing error"},
		"Both":     {nil, []string{"--archive", "x", "--kind", "report"}, nil, exitcode.Usage, "neither", "a typing error"},
		"NoFormat": {[]*apiv1.File{stored("artifact", "a", "1")}, []string{"["}, nil, exitcode.Usage, "no pattern", "a typing error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := setup(t), t.TempDir()
			s.runs.files = tc.files
			s.runs.states = life(apiv1.Status_STATUS_PASSED, "")
			args := []string{"download", "ex-1"}
			for _, a := range tc.args {
				args = append(args, strings.ReplaceAll(a, "DIR", dir))
			}
			if name != "Archive" && name != "Both" {
				args = append(args, "--to", dir)
			}
			got := s.run(t, args...)
			if got.code != tc.code || !strings.Contains(got.err, tc.says) {
				t.Fatalf("%s: %+v", tc.reason, got)
			}
			count := 0
			_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, _ error) error {
				if !d.IsDir() {
					count++
				}
				return nil
			})
			if count != len(tc.want) {
				t.Errorf("%s: there are %d files", tc.reason, count)
			}
			for file, want := range tc.want {
				if text, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(text) != want {
					t.Errorf("%s: %s holds %q, %v", tc.reason, file, text, err)
				}
			}
			if tc.want == nil {
				return
			}
			if again := s.run(t, args...); again.code == 0 || !strings.Contains(again.err, "--force") {
				t.Errorf("files are overwritten: %+v", again)
			}
			if again := s.run(t, append(args, "--force")...); again.code != 0 {
				t.Errorf("files are not overwritten: %+v", again)
			}
		})
	}
}
