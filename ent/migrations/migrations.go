// Package migrations brings a database to the schema of this version. Each dialect has its own SQL, written by
// `make migrate-new` and never changed once released.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/seatrial/seatrial/ent/db/migrate"
)

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// Dialect names a database.
type Dialect string

// The dialects, spelled as ent does.
const (
	SQLite   Dialect = "sqlite3"
	Postgres Dialect = "postgres"
)

// Folder is the name of the dialect's folder.
func (d Dialect) Folder() string {
	if d == SQLite {
		return "sqlite"
	}
	return string(d)
}

// Apply runs what is missing. Replicas of the control plane may start together: PostgreSQL lets one of them migrate at a time. An
// SQLite file has one process.
func Apply(ctx context.Context, db *sql.DB, d Dialect) error {
	scripts, err := fs.Sub(files, d.Folder())
	if err != nil {
		return fmt.Errorf("migrations of %s: %w", d, err)
	}
	kind, options := goose.DialectSQLite3, []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if d == Postgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("migration lock: %w", err)
		}
		kind, options = goose.DialectPostgres, append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(kind, db, scripts, options...)
	if err != nil {
		return fmt.Errorf("migrations of %s: %w", d, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", d, err)
	}
	if d == Postgres {
		return protect(ctx, db)
	}
	return nil
}

// Latest is the number of the last migration of this version.
func Latest(d Dialect) (int64, error) {
	scripts, err := fs.Glob(files, d.Folder()+"/*.sql")
	if err != nil || len(scripts) == 0 {
		return 0, fmt.Errorf("migrations of %s: there are none: %w", d, err)
	}
	number, _, _ := strings.Cut(path.Base(slices.Max(scripts)), "_")
	return strconv.ParseInt(number, 10, 64)
}

// protect puts every table under row level security: also those that a later version adds, and those that have got a reference since. It
// takes no lock on a table that is as it should be.
func protect(ctx context.Context, db *sql.DB) error {
	names := make([]string, len(migrate.Tables))
	for i, t := range migrate.Tables {
		names[i] = t.Name
	}
	_, err := db.ExecContext(ctx, `WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended('seatrial row security', 0)))
SELECT seatrial_protect(c.oid) FROM alone, pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND (c.relname = ANY($1)
 OR c.oid IN (SELECT inhrelid FROM pg_inherits AS i JOIN pg_class AS p ON p.oid = i.inhparent WHERE p.relname = ANY($1)))`, names)
	if err != nil {
		return fmt.Errorf("put the tables under row level security: %w", err)
	}
	return nil
}
