package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"

	"github.com/google/uuid"
)

// Uploads is where files grow before they get their name.
const Uploads = ".uploads"

// Dir keeps blobs as files below a directory and never follows a link out of it.
type Dir struct{ root *os.Root }

// NewDir opens or makes the directory. What a process that died had not finished is removed.
func NewDir(dir string) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, explain(err, "make blob directory")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob directory: %w", err)
	}
	if err := errors.Join(root.RemoveAll(Uploads), root.Mkdir(Uploads, 0o700)); err != nil {
		return nil, errors.Join(explain(err, "clear blob uploads"), root.Close())
	}
	return &Dir{root: root}, nil
}

// OpenDir opens a directory that another process may be writing to: nothing of it is cleared.
func OpenDir(dir string) (*Dir, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob directory: %w", err)
	}
	return &Dir{root: root}, nil
}

// DeleteAll removes everything below a folder, such as org/ID; nothing there is no error.
func (d *Dir) DeleteAll(_ context.Context, folder string) error {
	if err := check(folder); err != nil {
		return err
	}
	if err := d.root.RemoveAll(folder); err != nil {
		return fmt.Errorf("delete all of %s: %w", folder, err)
	}
	return nil
}

// All are the keys of all blobs.
func (d *Dir) All(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := fs.WalkDir(d.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && name != ".":
				return nil // deleted since its folder was read
			case err != nil:
				return err
			case e.IsDir() && name == Uploads:
				return fs.SkipDir
			case !e.Type().IsRegular():
				return ctx.Err()
			case !yield(name, nil):
				return fs.SkipAll
			}
			return ctx.Err()
		})
		if err != nil {
			yield("", fmt.Errorf("list the blobs: %w", err))
		}
	}
}

// Close releases the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Put stores the bytes of r under key, replacing what is there; size is -1 when unknown. The file has its name only once all of
// it is on disk, so a crash leaves either the old bytes or the new.
func (d *Dir) Put(ctx context.Context, key string, r io.Reader, size int64, _ string) error {
	if err := admit(ctx, key); err != nil {
		return err
	}
	temp := path.Join(Uploads, uuid.NewString())
	err := d.write(temp, r, size)
	if err == nil {
		err = d.publish(temp, key)
	}
	if err != nil {
		_ = d.root.Remove(temp) // the first error is the one that matters
		return explain(err, "store "+key)
	}
	return nil
}

func (d *Dir) write(name string, r io.Reader, size int64) error {
	f, err := d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, r)
	if err == nil && size >= 0 && n != size {
		err = fmt.Errorf("%w: %d of %d bytes", io.ErrUnexpectedEOF, n, size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Truncate(0) // its room is free at once, whoever else has the file open, such as a process that is just being started
	}
	return errors.Join(err, f.Close())
}

func (d *Dir) publish(temp, key string) error {
	dir := path.Dir(key)
	if err := d.root.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := d.root.Rename(temp, key); err != nil {
		return err
	}
	f, err := d.root.Open(dir) // a rename is on disk once its directory is
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Open returns the bytes under key, or fault.NotFound.
func (d *Dir) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	if err := admit(ctx, key); err != nil {
		return nil, err
	}
	f, err := d.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, absent(key)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(absent(key), err, f.Close())
	}
	return f, nil
}

// Delete removes what is under key; nothing there is no error.
func (d *Dir) Delete(ctx context.Context, key string) error {
	if err := admit(ctx, key); err != nil {
		return err
	}
	if err := d.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}
