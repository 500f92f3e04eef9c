package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSize holds the limits of what is copied into every test pod. The goal for the runner is 12 MiB, which CEL alone keeps it from.
func TestSize(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the programs, which takes a while: left out with -short")
	}
	dir := t.TempDir()
	build := exec.Command(filepath.Join("..", "..", "deploy", "build.sh"), dir, "seatrial-runner", "seatrial-source")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for name, limit := range map[string]int64{"seatrial-runner": 16 << 20, "seatrial-source": 10 << 20} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s has %.1f MiB", name, float64(info.Size())/(1<<20))
		if info.Size() > limit {
			t.Errorf("%s has %d bytes, the limit is %d: look what has come in with `go list -deps`", name, info.Size(), limit)
		}
	}
}
