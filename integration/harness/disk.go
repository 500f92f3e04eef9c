package harness

import (
	"syscall"
	"testing"
)

// SmallDisk returns a folder on a file system of its own with room for 8 MiB, unmounted when the test ends. It needs the right
// to mount; without it the test is skipped and says so.
func SmallDisk(tb testing.TB) (dir string) {
	tb.Helper()
	dir, err := Disk(tb, "8m")
	if err != nil {
		tb.Skipf("a small file system cannot be mounted here (%v): run the tests as root", err)
	}
	return dir
}

// Disk returns a folder on a file system of its own with so much room, such as "8m". When that cannot be mounted it is one that shares
// the room with others, and the error says why.
func Disk(tb testing.TB, size string) (dir string, err error) {
	tb.Helper()
	dir = tb.TempDir()
	if err := syscall.Mount("seatrial-test", dir, "tmpfs", 0, "size="+size); err != nil {
		return dir, err
	}
	tb.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			tb.Logf("unmount %s: %v", dir, err)
		}
	})
	return dir, nil
}
