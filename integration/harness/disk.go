package harness

import (
	"syscall"
	"testing"
)

// SmallDisk returns a folder on a file system of its own with room for 8 MiB, unmounted when the test ends. It needs the right
// to mount; without it the test is skipped and says so.
func SmallDisk(tb testing.TB) (dir string) {
	tb.Helper()
	dir = tb.TempDir()
	if err := syscall.Mount("seatrial-test", dir, "tmpfs", 0, "size=8m"); err != nil {
		tb.Skipf("a small file system cannot be mounted here (%v): run the tests as root", err)
	}
	tb.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			tb.Logf("unmount %s: %v", dir, err)
		}
	})
	return dir
}
