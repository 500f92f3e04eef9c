package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// everything is the folder that all keys of files begin with.
const everything = "org"

// Restore makes an empty instance what a backup holds. The backup is read twice: nothing is touched before all of it was found to be whole,
// of a version that this one understands, and sealed with a key that is here. When it fails half way, what it brought is removed again,
// unless somebody has filled the database meanwhile.
//
// It is fault.Conflict when the instance is not empty, fault.Invalid when the backup cannot be used.
func (in Instance) Restore(ctx context.Context, from io.ReadSeeker) (m Manifest, err error) {
	if m, err = in.admit(ctx, from); err != nil {
		return m, err
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return m, fmt.Errorf("read the backup again: %w", err)
	}
	dir, err := os.MkdirTemp(in.Temp, ".seatrial-restore-*")
	if err != nil {
		return m, fmt.Errorf("make room for the database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	records := filepath.Join(dir, "records")
	_, err = read(from, in.Box, func(name string, size int64, body io.Reader) error {
		switch key, blob := strings.CutPrefix(name, blobsDir); {
		case ctx.Err() != nil:
			return ctx.Err()
		case blob:
			return in.Blobs.Put(ctx, key, body, size, "application/octet-stream") //nolint:wrapcheck // it names the key
		case name == recordsName:
			return save(records, body)
		}
		return in.bring(strings.TrimPrefix(name, authorityDir), body)
	})
	if err == nil {
		err = in.Records.Load(ctx, records) // last: an instance without records is seen to be none
	}
	if err != nil {
		late := context.WithoutCancel(ctx)
		if taken := in.Records.Empty(late); taken != nil { // whoever has the database has the files
			return m, errors.Join(fmt.Errorf("restore: %w", err), taken)
		}
		return m, errors.Join(fmt.Errorf("restore: %w", err), in.undo(late))
	}
	return m, nil
}

// admit refuses what cannot be restored here.
func (in Instance) admit(ctx context.Context, from io.Reader) (Manifest, error) {
	if err := in.empty(ctx); err != nil {
		return Manifest{}, err
	}
	m, err := Verify(from, in.Box)
	if err != nil {
		return m, err
	}
	latest, err := in.Records.Latest()
	switch {
	case err != nil:
		return m, err //nolint:wrapcheck // of this program
	case m.Database != in.Records.Kind():
		return m, fault.New(fault.Invalid, "the backup is of a %s database, and this instance has a %s database", m.Database, in.Records.Kind()).WithField("database")
	case m.Schema > latest:
		return m, fault.New(fault.Invalid, "the backup is of the newer version %s", m.Version).
			WithHint("Restore it with that version of seatrial-controlplane, or one after it.")
	}
	return m, nil
}

// empty refuses an instance that has anything.
func (in Instance) empty(ctx context.Context) error {
	if err := in.Records.Empty(ctx); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	for key, err := range in.Blobs.All(ctx) {
		if err != nil {
			return fmt.Errorf("look into the store of files: %w", err)
		}
		return Occupied("the store of files has %s", key)
	}
	for _, name := range in.Authority {
		if _, err := os.Stat(filepath.Join(in.Folder, name)); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(Occupied("the data folder has %s", name), err)
		}
	}
	return nil
}

// Occupied is the error for an instance that is not empty.
func Occupied(format string, args ...any) error {
	return fault.New(fault.Conflict, "a backup is restored into an empty instance only, and "+format, args...).
		WithHint("Name another database, data folder and bucket, or move aside what is there.")
}

// bring writes a file of the authority.
func (in Instance) bring(name string, body io.Reader) error {
	sealed, err := io.ReadAll(io.LimitReader(body, maxText))
	if err != nil {
		return err //nolint:wrapcheck // the caller says what for
	}
	if !slices.Contains(in.Authority, name) {
		return damaged("%q does not belong into it", name)
	}
	text, err := in.Box.Open(authorityDir+name, sealed)
	if err != nil {
		return fmt.Errorf("open the authority of the agents' port: %w", err)
	}
	return os.WriteFile(filepath.Join(in.Folder, name), text, 0o600) //nolint:wrapcheck // it names the file
}

func save(path string, body io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // G304: of a folder that was just made
	if err != nil {
		return err //nolint:wrapcheck // it names the file
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Close())
}

// undo removes what was brought into an instance that was empty.
func (in Instance) undo(ctx context.Context) error {
	err := in.Blobs.DeleteAll(ctx, everything)
	for _, name := range in.Authority {
		if gone := os.Remove(filepath.Join(in.Folder, name)); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	if err != nil {
		return fmt.Errorf("remove what was restored so far: %w", err)
	}
	return nil
}
