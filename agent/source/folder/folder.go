// Package folder writes files below a directory and never outside of it, whatever names and links it is given.
package folder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

// Modes before the umask, which decides: later steps may run as another user.
const (
	Plain      fs.FileMode = 0o666
	Executable fs.FileMode = 0o777

	dirMode fs.FileMode = 0o777
)

// Open opens a folder below a directory, which it makes. "" and "." are the directory itself.
func Open(dir, below string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	below = path.Clean(below)
	if below == "." {
		return root, nil
	}
	defer root.Close() //nolint:errcheck // nothing is pending
	if err := root.MkdirAll(below, dirMode); err != nil {
		return nil, fmt.Errorf("make folder %s: %w", below, err)
	}
	sub, err := root.OpenRoot(below)
	if err != nil {
		return nil, fmt.Errorf("open folder %s: %w", below, err)
	}
	return sub, nil
}

// Make makes a folder with those above it.
func Make(root *os.Root, name string) error {
	return root.MkdirAll(name, dirMode) //nolint:wrapcheck // names what and where
}

// create makes a file for writing in place of what is there already; a folder is not replaced.
func create(root *os.Root, name string, mode fs.FileMode) (*os.File, error) {
	var file *os.File
	err := instead(root, name, func() (err error) {
		file, err = root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		return err //nolint:wrapcheck // names what and where
	})
	return file, err
}

// Write writes a file, with the time at which it was changed unless that is zero, in place of what is there already.
func Write(root *os.Root, name string, from io.Reader, mode fs.FileMode, changed time.Time) error {
	if err := Make(root, path.Dir(name)); err != nil {
		return err
	}
	to, err := create(root, name, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	if changed.IsZero() {
		return nil
	}
	return root.Chtimes(name, changed, changed) //nolint:wrapcheck // names what and where
}

// Symlink makes a link in place of what is there already. Its target may be anything: nothing is written through it that is outside.
func Symlink(root *os.Root, target, name string) error {
	return instead(root, name, func() error { return root.Symlink(target, name) })
}

// Link gives a file of the folder a second name, in place of what is there already.
func Link(root *os.Root, target, name string) error {
	return instead(root, name, func() error { return root.Link(target, name) })
}

func instead(root *os.Root, name string, try func() error) error {
	err := try()
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := root.Remove(name); err != nil {
		return err //nolint:wrapcheck // names what and where
	}
	return try()
}

// Count says how many files: "1 file", "2 files".
func Count(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}
