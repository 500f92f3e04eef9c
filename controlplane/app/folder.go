package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
)

const (
	lockFile = ".lock"
	// private keeps others out of the data folder: it holds the records, the files and the agents' certificate authority.
	private fs.FileMode = 0o700
)

// folder makes the data folder private and takes it for this process: what follows clears what a dead process had left, which must
// not be what a live one is writing. The lock ends with the process, however that ends.
func (p *parts) folder(ctx context.Context) error {
	dir := p.Config.DataDir
	if err := os.MkdirAll(dir, private); err != nil {
		return fmt.Errorf("make the data folder: %w; choose another with --data-dir", err)
	}
	if err := keepPrivate(ctx, dir, p.log); err != nil {
		return err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	p.later("data folder", func(context.Context) error { return lock.Close() })
	return nil
}

// lockFolder takes a data folder for this process until the lock is closed.
func lockFolder(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator's own folder
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w; choose another with --data-dir", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("the data folder %s is in use by another seatrial-controlplane: stop that one, or choose another folder with --data-dir", dir)
		} else {
			err = fmt.Errorf("lock the data folder %s: %w", dir, err)
		}
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// keepPrivate closes a folder that others may enter. A folder of another user, such as a volume that was mounted with the rights of
// a group, stays as it is: the files in it are private by themselves.
func keepPrivate(ctx context.Context, dir string, log *slog.Logger) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the data folder: %w; choose another with --data-dir", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("the data folder %s is a file; choose another with --data-dir", dir)
	}
	mode := info.Mode().Perm()
	if mode&^private == 0 {
		return nil
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) != os.Geteuid() {
		log.DebugContext(ctx, "the data folder belongs to another user; its rights stay", "folder", dir, "mode", mode.String())
		return nil
	}
	if err := os.Chmod(dir, mode&private); err != nil {
		return fmt.Errorf("close the data folder to others: %w", err)
	}
	log.WarnContext(ctx, "the data folder was open to others and is closed now", "folder", dir, "mode", mode.String())
	return nil
}
