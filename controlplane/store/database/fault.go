package database

import (
	"errors"
	"syscall"

	"entgo.io/ent/dialect/sql/sqlgraph"
	"entgo.io/ent/privacy"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ent/db"
)

// Codes of PostgreSQL.
const (
	pgDiskFull      = "53100"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
)

// ErrRetry makes Write run its function again: somebody else changed the row meanwhile.
var ErrRetry = errors.New("the row changed meanwhile")

// transient reports whether another try can succeed.
func transient(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == pgSerialization || pg.Code == pgDeadlock
	}
	return errors.Is(err, ErrRetry)
}

// Fault gives an error of the database its kind. Faults, and errors it does not know, pass unchanged.
func Fault(err error) error {
	var known *fault.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case full(err):
		return fault.Wrap(fault.Unavailable, err, "the control plane's disk is full").
			WithHint("Free some space or enlarge the volume of the control plane's data; nothing was lost, and what was refused is sent again.")
	case errors.Is(err, privacy.Deny):
		return fault.Wrap(fault.Forbidden, err, "the credential does not allow this")
	case db.IsNotFound(err):
		return fault.Wrap(fault.NotFound, err, "not found")
	case sqlgraph.IsUniqueConstraintError(err):
		return fault.Wrap(fault.Conflict, err, "it exists already")
	case sqlgraph.IsForeignKeyConstraintError(err):
		return fault.Wrap(fault.Conflict, err, "something else refers to it, or it refers to something that is gone")
	case transient(err):
		return fault.Wrap(fault.Unavailable, err, "the database is busy").WithHint("Try again.")
	default:
		return err
	}
}

// Unique reports whether a unique index refused the write.
func Unique(err error) bool { return sqlgraph.IsUniqueConstraintError(err) }

func full(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == pgDiskFull
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		// SHMSIZE: the shared-memory file of the log could not grow, which SQLite does not call full.
		return lite.Code() == sqlite3.SQLITE_FULL || lite.Code() == sqlite3.SQLITE_IOERR_SHMSIZE
	}
	return errors.Is(err, syscall.ENOSPC)
}
