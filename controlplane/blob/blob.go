// Package blob keeps the bytes of reports and artifacts, under keys that begin with the organization they belong to.
package blob

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// maxKey bounds keys to what every object store and file system takes.
const maxKey = 900

// check refuses keys that could leave the store or that two backends would read differently.
func check(key string) error {
	switch {
	case key == "" || len(key) > maxKey:
		return fault.New(fault.Internal, "blob key of %d bytes", len(key))
	case path.Clean(key) != key || strings.HasPrefix(key, "/") || key == "." || strings.HasPrefix(key, "../") || key == "..":
		return fault.New(fault.Internal, "blob key %q is not a clean relative path", key)
	case strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c == '\\' || c == 0x7f }):
		return fault.New(fault.Internal, "blob key %q has control characters", key)
	}
	return nil
}

// absent is the error for a key with nothing under it.
func absent(key string) error {
	return fault.New(fault.NotFound, "no file is stored under %s", key)
}

// explain tells a full disk from other faults of the store: an operator can act on it.
func explain(err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Wrap(fault.Unavailable, err, "the control plane's disk is full").
			WithHint("free space in its data directory or move it to a larger disk; agents deliver again by themselves")
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}
