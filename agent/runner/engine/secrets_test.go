package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// TestRun_SecretDirs holds that what stands in the files of a mounted secret does not leave the pod, as the kubelet lays them.
func TestRun_SecretDirs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "..2026_11_28")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"password": "hunter2-hunter2\n", "key.pem": "-----BEGIN-----\nline-of-the-key\n-----END-----\n"} {
		if err := os.WriteFile(filepath.Join(data, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("..2026_11_28", filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	a := newAgent(t)
	v := newPod(t, a, &runnerv1.Plan{
		SecretDirs: []string{dir, filepath.Join(dir, "password"), filepath.Join(dir, "absent")},
		Steps:      []*runnerv1.Step{{Script: "cat " + filepath.Join(dir, "password") + " " + filepath.Join(dir, "key.pem") + "; echo seen"}},
	}).run(t, "c0")
	if got := statuses(v); got != "passed" {
		t.Fatalf("steps are %s", got)
	}
	if got := string(a.log(t, 0).Head); strings.Contains(got, "hunter2") || strings.Contains(got, "line-of-the-key") || !strings.Contains(got, "seen") {
		t.Errorf("the log says %q", got)
	}
}
