// Package database opens the database, brings it to the schema of this version, and runs transactions in it.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ent/db"
	_ "github.com/seatrial/seatrial/ent/db/runtime" // the rules and defaults of the schema
	"github.com/seatrial/seatrial/ent/migrations"
)

const (
	maxConns    = 32
	idleConns   = 8
	connLife    = 30 * time.Minute
	maxAttempts = 5
)

// Database is an open database. All writes go through Write.
type Database struct {
	client  *db.Client
	dialect migrations.Dialect
	// unguarded names the role that PostgreSQL lets past row level security; empty when it does not.
	unguarded string
	// temporary tells that transactions may have tables of their own.
	temporary bool
	// turn holds the one token of the SQLite writer. Writers wait here in order, not in SQLite's busy loop, which is unfair and
	// gives up. It is nil for PostgreSQL.
	turn chan struct{}
}

// Open connects and migrates. A DSN is "postgres://…", or "sqlite:" with the path of a file; its folder is made when absent.
//
// With PostgreSQL, system may be the DSN of the role that owns the tables. Migrations and the control plane's own work across organizations
// are its, and dsn is of a role that can do neither; Open grants it what it needs. Without system, dsn is of the owner.
func Open(ctx context.Context, dsn, system string) (*Database, error) {
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return openPostgres(ctx, dsn, system)
	}
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	switch {
	case !ok || path == "":
		return nil, fault.New(fault.Invalid, "the database address is neither sqlite:PATH nor postgres://…").WithField("database")
	case system != "":
		return nil, fault.New(fault.Invalid, "SQLite has no roles").WithField("database-system").WithHint("Leave --database-system out, or use PostgreSQL.")
	}
	return openSQLite(ctx, strings.TrimPrefix(path, "//"))
}

// openSQLite opens a file in WAL mode, where readers never wait for the writer.
//
// With synchronous=NORMAL a commit is a write to the log without fsync. It survives the death of the process (kill -9), because
// the bytes are the kernel's by then. A power cut may lose the last commits but never corrupts the file; what agents had
// acknowledged they keep until release, and send again.
func openSQLite(ctx context.Context, path string) (*Database, error) {
	file, extra, _ := strings.Cut(path, "?")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, Fault(fmt.Errorf("make the folder of the database: %w", err))
	}
	if err := keepPrivate(file); err != nil {
		return nil, err
	}
	options, err := url.ParseQuery(extra)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the options of the database address").WithField("database")
	}
	for _, pragma := range []string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)", "journal_size_limit(67108864)",
	} {
		options.Add("_pragma", pragma)
	}
	options.Set("_txlock", "immediate")   // a transaction takes the write lock at once: it cannot fail half-way for want of it
	options.Set("_time_format", "sqlite") // text that sorts as the times do
	pool, err := sql.Open("sqlite", "file:"+file+"?"+options.Encode())
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the database address").WithField("database")
	}
	pool.SetMaxOpenConns(max(4, runtime.NumCPU()))
	pool.SetMaxIdleConns(idleConns)
	if err := prepare(ctx, pool, migrations.SQLite); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &Database{
		client: db.NewClient(db.Driver(entsql.OpenDB(dialect.SQLite, pool))), dialect: migrations.SQLite, turn: make(chan struct{}, 1),
	}, nil
}

// keepPrivate makes the file before SQLite does, which would let everybody read it, and closes one that is open to others: it holds
// the hashes of passwords and the key that signs credentials. SQLite gives its log the mode of the database.
func keepPrivate(file string) error {
	const mode = 0o600
	made, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, mode) //nolint:gosec // the operator's own path
	if err == nil {
		return Fault(made.Close())
	}
	if !errors.Is(err, fs.ErrExist) {
		return Fault(fmt.Errorf("make the database: %w", err))
	}
	for _, name := range []string{file, file + "-wal", file + "-shm"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) || (err == nil && info.Mode().Perm()&^mode == 0) {
			continue
		}
		if err == nil {
			err = os.Chmod(name, info.Mode().Perm()&mode)
		}
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "the database is open to other users and cannot be closed to them").
				WithField("database").WithHint("Run chmod 600 on it as its owner: %s", name)
		}
	}
	return nil
}

func prepare(ctx context.Context, pool *sql.DB, d migrations.Dialect) error {
	if err := pool.PingContext(ctx); err != nil {
		return unreachable(err)
	}
	if err := migrations.Apply(ctx, pool, d); err != nil {
		return Fault(err)
	}
	return nil
}

func unreachable(err error) error {
	if f := Fault(err); fault.Is(f, fault.Unavailable) {
		return f
	}
	return fault.Wrap(fault.Unavailable, err, "the database cannot be reached").
		WithHint("Check that the server runs and that the database address is right.")
}

// Close ends all connections.
func (d *Database) Close() error { return d.client.Close() }

// Unguarded names the role of PostgreSQL that row level security does not apply to: a superuser, or one with BYPASSRLS. It is empty when the
// database keeps organizations apart, and for SQLite, which cannot.
func (d *Database) Unguarded() string { return d.unguarded }

// Read returns the client for reading outside a transaction.
func (d *Database) Read() *db.Client { return d.client }

// Locking reports whether rows can be locked; on SQLite the one writer makes that needless.
func (d *Database) Locking() bool { return d.dialect == migrations.Postgres }

// Temporary reports whether a transaction may have tables of its own: on PostgreSQL, unless the role was denied that.
func (d *Database) Temporary() bool { return d.temporary }

// Write runs fn in a transaction and commits when it returns nil. After a deadlock or a lost race for the same row it runs fn
// again, so fn must not keep anything between calls. Errors come back as faults.
func (d *Database) Write(ctx context.Context, fn func(tx *db.Tx) error) error {
	return d.write(ctx, func() error { return once(ctx, d.client, fn) })
}

// write waits for its turn and tries until it succeeds, or fails for good.
func (d *Database) write(ctx context.Context, try func() error) error {
	if d.turn != nil {
		select {
		case d.turn <- struct{}{}:
			defer func() { <-d.turn }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var err error
	for range maxAttempts {
		if err = try(); !transient(err) {
			break
		}
	}
	return Fault(err)
}

func once(ctx context.Context, client *db.Client, fn func(tx *db.Tx) error) error {
	tx, err := client.Tx(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	returned := false
	defer func() {
		if !returned {
			_ = tx.Rollback() // fn panicked, which is told further up; its connection must not be lost
		}
	}()
	err = fn(tx)
	returned = true
	if err != nil {
		if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			return errors.Join(err, fmt.Errorf("roll back: %w", undo))
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
