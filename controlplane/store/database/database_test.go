package database_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seatrial/seatrial/controlplane/store/database"
)

// TestOpen_Private proves that nobody else can read the database: a new one, and one that an older version had made.
func TestOpen_Private(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "seatrial.db")
	names := []string{path, path + "-wal", path + "-shm"}
	for _, before := range []string{"absent", "readable by all"} {
		if before != "absent" {
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		d, err := database.Open(t.Context(), "sqlite:"+path, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v; it was %s", name, info, err, before)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its folder: %v, %v", info, err)
	}
}
