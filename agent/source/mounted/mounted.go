// Package mounted copies the keys of a mounted config map into a folder, as files that a test may change.
package mounted

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seatrial/seatrial/agent/source/cause"
	"github.com/seatrial/seatrial/agent/source/folder"
)

// Options say what to copy.
type Options struct {
	Name   string // of the config map, for people
	From   string // where it is mounted
	Dest   string
	Folder string // below Dest
	Say    func(format string, args ...any)
}

// Run copies. Its errors are sentences for the person who wrote the workflow.
func Run(o Options) error {
	err := copyAll(o)
	if err == nil {
		return nil
	}
	if text := (cause.Where{Dest: o.Dest}).Disk(err); text != "" {
		return errors.New(text)
	}
	return fmt.Errorf("config map %s cannot be copied: %w", o.Name, err)
}

func copyAll(o Options) error {
	entries, err := os.ReadDir(o.From)
	if err != nil {
		return err //nolint:wrapcheck // names what and where
	}
	root, err := folder.Open(o.Dest, o.Folder)
	if err != nil {
		return err //nolint:wrapcheck // names what and where
	}
	defer root.Close() //nolint:errcheck // nothing is pending
	files := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "..") { // the kubelet's own, by which it changes all keys at once
			continue
		}
		if err := copyOne(root, filepath.Join(o.From, e.Name()), e.Name()); err != nil {
			return err
		}
		files++
	}
	o.Say("%s of config map %s", folder.Count(files), o.Name)
	return nil
}

func copyOne(root *os.Root, from, name string) error {
	file, err := os.Open(from) //nolint:gosec // G304: the mount is ours
	if err != nil {
		return err //nolint:wrapcheck // names what and where
	}
	defer file.Close()                                               //nolint:errcheck // read only
	return folder.Write(root, name, file, folder.Plain, time.Time{}) //nolint:wrapcheck // names what and where
}
