// Package snapshot copies a whole database to a file as of one moment, while others use it, and makes an empty database what the file holds.
package snapshot

import (
	"context"
	"database/sql"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/migrations"
)

// Database is one that can be copied. Its methods are those of backup.Records.
type Database interface {
	Kind() string
	Latest() (int64, error)
	Snapshot(ctx context.Context, file string) (schema int64, err error)
	Empty(ctx context.Context) error
	Load(ctx context.Context, file string) error
}

// Of returns the database that a DSN names, in the forms that store.Open takes. PostgreSQL is read and written as the owner of the tables.
func Of(dsn string) (Database, error) {
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return postgresOf(dsn)
	}
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	path, _, _ = strings.Cut(strings.TrimPrefix(path, "//"), "?")
	if !ok || path == "" {
		return nil, fault.New(fault.Invalid, "the database address is neither sqlite:PATH nor postgres://…").WithField("database")
	}
	return lite{path}, nil
}

// schema reads the last migration.
func schema(ctx context.Context, db *sql.DB) (version int64, err error) {
	if err := db.QueryRowContext(ctx, "SELECT MAX(version_id) FROM goose_db_version").Scan(&version); err != nil {
		return 0, database.Fault(err)
	}
	return version, nil
}

// latest is the last migration that this program knows.
func latest(d migrations.Dialect) (int64, error) { return migrations.Latest(d) } //nolint:wrapcheck // of files in the program
