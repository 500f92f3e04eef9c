package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
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

	pgConnection = "08"    // class of what happens to connections
	pgTooMany    = "53300" // connections in all, or of a role, at the server
	pgShutdown   = "57P01" // an administrator ended the connection
	pgCrash      = "57P02" // the server starts anew after a crash
	pgNotYet     = "57P03" // it starts, or stops
	pgReadOnly   = "25006" // a standby, which is not the primary any more or not yet
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
	case lost(err):
		return fault.Wrap(fault.Unavailable, err, "the database cannot be reached").WithHint("Try again in a moment; the operator sees why in the control plane's log.")
	default:
		return err
	}
}

// lost reports whether the database was away, or went away meanwhile: whoever asks again may be answered. That the caller himself went
// is no such error, although the driver then ends the connection, too.
func lost(err error) bool {
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) && !errors.Is(err, context.Canceled) {
		return true // its own time for that may have passed, which looks like the caller's
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return strings.HasPrefix(pg.Code, pgConnection) ||
			slices.Contains([]string{pgTooMany, pgShutdown, pgCrash, pgNotYet, pgReadOnly}, pg.Code)
	}
	var network *net.OpError
	return errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) ||
		pgconn.SafeToRetry(err)
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
