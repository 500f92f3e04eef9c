// Command migrate compares the migrations with the schema. With -name it writes what is missing as a new migration, with -check
// it fails when something is. It needs an empty database to replay the migrations in: SQLite makes its own, PostgreSQL is given
// by -dsn or started from local binaries.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ariga.io/atlas/sql/sqltool"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"
	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	_ "modernc.org/sqlite"             // driver "sqlite"

	"github.com/seatrial/seatrial/ent/db/migrate"
	"github.com/seatrial/seatrial/ent/migrations"
	"github.com/seatrial/seatrial/integration/harness"
)

type options struct {
	dialect migrations.Dialect
	dsn     string
	dir     string
	name    string
	check   bool
}

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	work := o.dir
	if o.check {
		if work, err = os.MkdirTemp("", "seatrial-migrate"); err != nil {
			return err
		}
		defer os.RemoveAll(work) //nolint:errcheck // a leftover in the temporary folder harms nobody
		if err := os.CopyFS(work, os.DirFS(o.dir)); err != nil {
			return err
		}
	}
	before, err := count(work)
	if err != nil {
		return err
	}
	if err := diff(ctx, o, work); err != nil {
		return fmt.Errorf("%s: %w", o.dialect, err)
	}
	after, err := count(work)
	switch {
	case err != nil:
		return err
	case after == before:
		_, err = fmt.Fprintf(out, "%s: the migrations equal the schema\n", o.dialect)
		return err
	case o.check:
		return fmt.Errorf("%s: the schema has changes without a migration; run: make migrate-new NAME=what_changes", o.dialect)
	default:
		_, err = fmt.Fprintf(out, "%s: wrote a migration to %s\n", o.dialect, o.dir)
		return err
	}
}

func parse(args []string) (options, error) {
	flags := flag.NewFlagSet("migrate", flag.ContinueOnError)
	kind := flags.String("dialect", "sqlite", "sqlite or postgres")
	dsn := flags.String("dsn", "", "an empty PostgreSQL database; without it a server is started from local binaries")
	root := flags.String("dir", "ent/migrations", "folder of the migrations")
	name := flags.String("name", "", "name of the migration to write, such as add_labels")
	check := flags.Bool("check", false, "fail when a migration is missing")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	o := options{dialect: migrations.SQLite, dsn: *dsn, name: *name, check: *check}
	if *kind == "postgres" {
		o.dialect = migrations.Postgres
	}
	o.dir = filepath.Join(*root, o.dialect.Folder())
	switch {
	case *check == (*name != ""):
		return o, errors.New("give either -name or -check")
	case *check:
		o.name = "check"
	}
	var err error
	if o.dialect == migrations.Postgres && *dsn == "" {
		o.dsn, err = harness.StartPostgres()
	}
	return o, err
}

func count(dir string) (int, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	return len(found), err
}

func diff(ctx context.Context, o options, dir string) error {
	driver, source, name := "sqlite", "file:migrate?mode=memory&cache=shared&_pragma=foreign_keys(1)", dialect.SQLite
	if o.dialect == migrations.Postgres {
		driver, source, name = "pgx", o.dsn, dialect.Postgres
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written that is kept
	target, err := sqltool.NewGooseDir(dir)
	if err != nil {
		return err
	}
	plan, err := schema.NewMigrate(entsql.OpenDB(name, db), schema.WithDir(target), schema.WithMigrationMode(schema.ModeReplay),
		schema.WithFormatter(sqltool.GooseFormatter), schema.WithDialect(name),
		schema.WithDropColumn(true), schema.WithDropIndex(true), schema.WithIndent("  "), schema.WithDiffHook(except))
	if err != nil {
		return err
	}
	return plan.NamedDiff(ctx, o.name, migrate.Tables...)
}
