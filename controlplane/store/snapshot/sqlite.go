package snapshot

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/seatrial/seatrial/controlplane/backup"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/migrations"
)

// lite is a SQLite file.
type lite struct{ path string }

// Kind names the database.
func (lite) Kind() string { return "sqlite" }

// Latest is the last migration that this program knows.
func (lite) Latest() (int64, error) { return latest(migrations.SQLite) }

// openFile opens a file that is there, in the way that the store does.
func openFile(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rw&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the database address").WithField("database")
	}
	return db, nil
}

// Snapshot has SQLite write what one reader sees, without what was deleted. Writers go on meanwhile.
func (l lite) Snapshot(ctx context.Context, file string) (version int64, err error) {
	db, err := openFile(l.path)
	if err != nil {
		return 0, err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", file)
	if err = errors.Join(err, db.Close()); err != nil {
		return 0, fmt.Errorf("copy %s: %w", l.path, database.Fault(err))
	}
	return inspect(ctx, file)
}

// inspect checks a file and returns its last migration.
func inspect(ctx context.Context, file string) (version int64, err error) {
	db, err := openFile(file)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var says string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&says); err != nil {
		return 0, fault.Wrap(fault.Invalid, err, "the copy is no database")
	}
	if says != "ok" {
		return 0, fault.New(fault.Invalid, "the database is damaged: %s", says)
	}
	return schema(ctx, db)
}

// Empty is fault.Conflict when there is a file.
func (l lite) Empty(context.Context) error {
	for _, name := range []string{l.path, l.path + "-wal"} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return fault.New(fault.Conflict, "there is a database already: %s", name).WithField("database").
				WithHint("A backup is restored into an empty instance only. Name another data folder or move the file aside.")
		}
	}
	return nil
}

// Load puts the file in its place once all of it is on disk. It never replaces another.
func (l lite) Load(ctx context.Context, file string) error {
	if _, err := inspect(ctx, file); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return database.Fault(fmt.Errorf("make the folder of the database: %w", err))
	}
	beside := l.path + ".restoring"
	err := duplicate(file, beside)
	if err == nil {
		err = backup.Place(beside, l.path)
	}
	if err != nil {
		return database.Fault(fmt.Errorf("put the database in its place: %w", errors.Join(err, gone(beside))))
	}
	_ = gone(beside) // the database is there, whatever else is
	return nil
}

// gone removes a file, unless backup.Place gave it another name.
func gone(file string) error {
	if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
		return err //nolint:wrapcheck // it names the file
	}
	return nil
}

func duplicate(from, to string) error {
	in, err := os.Open(from) //nolint:gosec // G304: a file that was just written
	if err != nil {
		return err //nolint:wrapcheck // the caller says what for
	}
	defer in.Close()                                                       //nolint:errcheck // it was only read
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // G304: the operator's own path
	if err != nil {
		return err //nolint:wrapcheck // the caller says what for
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
