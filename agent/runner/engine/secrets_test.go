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
	single := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(single, []byte("by-its-sub-path"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := newAgent(t)
	v := newPod(t, a, &runnerv1.Plan{
		SecretDirs: []string{dir, single, filepath.Join(dir, "absent")},
		Steps:      []*runnerv1.Step{{Script: "cat " + filepath.Join(dir, "password") + " " + filepath.Join(dir, "key.pem") + " " + single + "; echo seen"}},
	}).run(t, "c0")
	if got := statuses(v); got != "passed" {
		t.Fatalf("steps are %s", got)
	}
	got := string(a.log(t, 0).Head)
	for _, secret := range []string{"hunter2", "line-of-the-key", "by-its-sub-path"} {
		if strings.Contains(got, secret) || !strings.Contains(got, "seen") {
			t.Errorf("the log says %q", got)
		}
	}
}

// TestRun_SecretDirs_Changed holds that a secret is hidden that came to its folder while the step ran, and the one before it as well.
func TestRun_SecretDirs_Changed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"..1/token": "the-first-one", "..2/token": "the-second-one"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"..data": "..1", "token": "..data/token"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	a := newAgent(t)
	v := newPod(t, a, &runnerv1.Plan{SecretDirs: []string{dir}, Steps: []*runnerv1.Step{{
		Script: "cd " + dir + "; cat token; old=$(cat token); ln -s ..2 ..tmp; mv -T ..tmp ..data; cat token; echo \" $old and seen\"",
	}}}).run(t, "c0")
	if got := statuses(v); got != "passed" {
		t.Fatalf("steps are %s", got)
	}
	if got := string(a.log(t, 0).Head); strings.Contains(got, "-one") || !strings.Contains(got, "and seen") {
		t.Errorf("the log says %q", got)
	}
}
