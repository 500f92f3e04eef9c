package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const dataFolder = "seatrial-postgres"

// startingUp is how long a data folder may lack the file that names its process.
const startingUp = 2 * time.Minute

// sweep removes the data folders of servers that are gone: a server that ends with its test binary cannot do it itself.
func sweep() {
	found, err := filepath.Glob(filepath.Join(os.TempDir(), dataFolder+"*"))
	if err != nil {
		return
	}
	for _, dir := range found {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > startingUp && !alive(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

func alive(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		return false
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	pid, err := strconv.Atoi(string(first))
	return err == nil && syscall.Kill(pid, 0) == nil
}

// unprivileged makes a process end with this one and, when this is root, run as the named user, who then owns dir: PostgreSQL
// refuses to run as root.
func unprivileged(name, dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, nil
}
