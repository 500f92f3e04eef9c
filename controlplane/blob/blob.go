// Package blob keeps the bytes of reports and artifacts, under keys that begin with the organization they belong to.
package blob

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// maxKey bounds keys to what every object store and file system takes.
const maxKey = 900

// foreign refuses keys of another organization than the viewer's: they are as good as absent. The control plane itself has to do with all.
func foreign(ctx context.Context, key string) error {
	rest, found := strings.CutPrefix(key, "org/")
	first, _, _ := strings.Cut(rest, "/")
	organization, err := uuid.Parse(first)
	v, ok := tenant.FromContext(ctx)
	if ok && (v.Kind == tenant.KindSystem || (found && err == nil && v.Organization == organization)) {
		return nil
	}
	return absent(key)
}

// admit refuses keys that are not in order, and those of another organization.
func admit(ctx context.Context, key string) error {
	if err := check(key); err != nil {
		return err
	}
	return foreign(ctx, key)
}

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
