package harness

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Kept is a database that stays where it is when the test ends, for data that take long to fill.
type Kept struct {
	Owner, User, Admin string // DSN of the role that owns the database, of one that owns nothing, and of the superuser
}

// PostgresKept returns the database of a server whose data are in dir, a path from the root: it is made the first time. A server that
// already runs there is used, and left running; otherwise one is started, which ends with the test.
func PostgresKept(tb testing.TB, dir string) Kept {
	tb.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatalf("keep a database: %v", err)
	}
	dsn, runs := runningPostgres(dir)
	if !runs {
		server, started, err := servePostgres(dir)
		if err != nil {
			tb.Fatalf("start PostgreSQL in %s: %v", dir, err)
		}
		tb.Cleanup(func() { // not at once: what is kept is written
			_ = server.Process.Signal(syscall.SIGINT)
			if err := server.Wait(); err != nil {
				tb.Errorf("PostgreSQL in %s: %v", dir, err)
			}
		})
		dsn = started
	}
	if err := keep(dsn); err != nil {
		tb.Fatalf("keep a database in %s: %v", dir, err)
	}
	target, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	target.Path = "/kept"
	as := func(who *url.Userinfo) string {
		of := *target
		of.User = who
		return of.String()
	}
	return Kept{as(url.UserPassword(owner, owner)), as(url.UserPassword(guest, guest)), as(target.User)}
}

// runningPostgres tells whether a server runs with the data of a folder, by the file with its process and port that it leaves there.
func runningPostgres(dir string) (dsn string, runs bool) {
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 4 {
		return "", false
	}
	process, err := strconv.Atoi(lines[0])
	if err != nil || errors.Is(syscall.Kill(process, 0), syscall.ESRCH) {
		return "", false
	}
	port, err := strconv.Atoi(lines[3])
	if err != nil {
		return "", false
	}
	return superuser(port), true
}

// keep makes the roles and the database unless they are there.
func keep(dsn string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := roles(db); err != nil {
		return err
	}
	var known bool
	if err := db.QueryRow("SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'kept')").Scan(&known); err != nil || known {
		return err
	}
	if _, err := db.Exec("CREATE DATABASE kept OWNER " + owner); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}
