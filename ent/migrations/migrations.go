// Package migrations brings a database to the schema of this version. Each dialect has its own SQL, written by
// `make migrate-new` and never changed once released.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
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
	return nil
}
