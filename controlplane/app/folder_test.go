package app_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/app"
)

// TestRun_FolderIsTaken proves that a second process does not clear what the first one is writing.
func TestRun_FolderIsTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, dir)
	upload := filepath.Join(dir, "blobs", ".uploads", "half")
	if err := os.WriteFile(upload, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := app.Run(t.Context(), app.Options{Config: configure(t, dir), Out: io.Discard, Log: io.Discard})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("err = %v", err)
	}
	if _, err := os.Stat(upload); err != nil {
		t.Errorf("an upload of the first process is gone: %v", err)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	start(t, dir) // the lock ends with its holder
}

func TestRun_FolderIsPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
	for name, want := range map[string]os.FileMode{"": 0o700, "seatrial.db": 0o600, ".lock": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v, %v", name, info, err)
		}
	}
}
