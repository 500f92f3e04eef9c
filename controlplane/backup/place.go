package backup

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Place gives a file its name, and never that of another: where there are no links, what has the name is looked for before.
func Place(file, name string) error {
	err := os.Link(file, name)
	if !errors.Is(err, syscall.EPERM) && !errors.Is(err, errors.ErrUnsupported) {
		return err //nolint:wrapcheck // it names both
	}
	if _, there := os.Lstat(name); !errors.Is(there, fs.ErrNotExist) {
		return errors.Join(fault.New(fault.Conflict, "%s exists already", name), there)
	}
	return os.Rename(file, name) //nolint:wrapcheck // it names both
}
