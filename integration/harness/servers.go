// Package harness starts what tests need around the program: database and message servers.
//
// A server given by SEATRIAL_TEST_POSTGRES or SEATRIAL_TEST_REDIS is used as it is. Otherwise the local binaries are started on
// a free loopback port, one server for each test binary, with data in a temporary folder, and end with the process that asked.
package harness

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	"github.com/redis/go-redis/v9"
)

const (
	startLimit = 60 * time.Second
	retryEvery = 50 * time.Millisecond
)

// postgres and cache are shared by the tests of one binary: starting a server takes longer than most tests.
var (
	postgres     = sync.OnceValues(startPostgres)
	administered = sync.OnceValues(administer)
	cache        = sync.OnceValues(startRedis)
)

// owner owns the databases of tests and guest merely uses them. Both are plain roles, as in an installation: a superuser would see through
// row level security.
const (
	owner = "seatrial_test"
	guest = "seatrial_test_user"
)

// Postgres returns the DSN of an empty database of its own for the test, dropped when the test ends. Its role owns the database and is
// nothing special otherwise.
func Postgres(tb testing.TB) (dsn string) {
	tb.Helper()
	return database(tb, "template1")
}

// PostgresCopy returns the DSN of a copy of a database that Postgres made and that nobody is connected to, dropped when the test ends.
func PostgresCopy(tb testing.TB, of string) (dsn string) {
	tb.Helper()
	source, err := url.Parse(of)
	if err != nil {
		tb.Fatalf("DSN of PostgreSQL is not a URL: %v", err)
	}
	return database(tb, strings.TrimPrefix(source.Path, "/"))
}

func database(tb testing.TB, template string) (dsn string) {
	tb.Helper()
	server, err := administered()
	if err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
	name := "t" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := server.db.ExecContext(tb.Context(), "CREATE DATABASE "+name+" OWNER "+owner+" TEMPLATE "+template); err != nil {
		tb.Fatalf("create a database: %v", err)
	}
	tb.Cleanup(func() {
		// The test's context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		if _, err := server.db.ExecContext(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			tb.Logf("drop database %s: %v", name, err)
		}
	})
	target := *server.url
	target.Path, target.User = "/"+name, url.UserPassword(owner, owner)
	return target.String()
}

// PostgresUser returns the DSN of a database that Postgres made for a role that owns nothing and has been granted nothing.
func PostgresUser(tb testing.TB, of string) (dsn string) {
	tb.Helper()
	return as(tb, of, url.UserPassword(guest, guest))
}

// PostgresAdmin returns the DSN of a database that Postgres made for the superuser, who sees everything.
func PostgresAdmin(tb testing.TB, of string) (dsn string) {
	tb.Helper()
	server, err := administered()
	if err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
	return as(tb, of, server.url.User)
}

func as(tb testing.TB, dsn string, who *url.Userinfo) string {
	tb.Helper()
	target, err := url.Parse(dsn)
	if err != nil {
		tb.Fatalf("DSN of PostgreSQL is not a URL: %v", err)
	}
	target.User = who
	return target.String()
}

// admin makes and drops databases. Its connections stay for as long as the process: after each new database a new one takes longer than
// making the database.
type admin struct {
	db  *sql.DB
	url *url.URL
}

func administer() (admin, error) {
	dsn := os.Getenv("SEATRIAL_TEST_POSTGRES")
	if dsn == "" {
		var err error
		if dsn, err = postgres(); err != nil {
			return admin{}, err
		}
	}
	address, err := url.Parse(dsn)
	if err != nil {
		return admin{}, fmt.Errorf("the DSN of PostgreSQL is not a URL: %w", err)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return admin{}, err
	}
	db.SetMaxIdleConns(runtime.NumCPU())
	return admin{db, address}, roles(db)
}

// roles makes the roles of tests. The test binaries share a server: one makes them and the others find them.
func roles(db *sql.DB) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for _, role := range []string{owner, guest} {
		if _, err := db.ExecContext(ctx, fmt.Sprintf(`DO $$ BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('roles of tests', 0));
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%[1]s') THEN CREATE ROLE %[1]s LOGIN PASSWORD '%[1]s'; END IF;
END $$`, role)); err != nil {
			return fmt.Errorf("make the role %s: %w", role, err)
		}
	}
	return nil
}

// Redis returns the address of a Redis server. Tests share it: use names of your own.
func Redis(tb testing.TB) (addr string) {
	tb.Helper()
	if addr = os.Getenv("SEATRIAL_TEST_REDIS"); addr != "" {
		return addr
	}
	addr, err := cache()
	if err != nil {
		tb.Fatalf("start Redis: %v", err)
	}
	return addr
}

// StartPostgres starts a server of its own that ends with this process, for tools that need an empty database.
func StartPostgres() (dsn string, err error) { return postgres() }

// newPostgres makes the data folder of a PostgreSQL server, in a new folder that also holds its socket.
func newPostgres() (bin, dir string, asUser *syscall.SysProcAttr, err error) {
	if dir, err = dataDir(); err != nil {
		return "", "", nil, err
	}
	bin, asUser, err = preparePostgres(dir)
	return bin, dir, asUser, err
}

// preparePostgres makes the data folder of a PostgreSQL server in dir, when there is none yet.
func preparePostgres(dir string) (bin string, asUser *syscall.SysProcAttr, err error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return "", nil, fmt.Errorf("no PostgreSQL under /usr/lib/postgresql; install postgresql or set SEATRIAL_TEST_POSTGRES")
	}
	bin = found[len(found)-1]
	if asUser, err = unprivileged("postgres", dir); err != nil {
		return "", nil, err
	}
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err == nil {
		return bin, asUser, nil
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
	initdb.SysProcAttr, initdb.Dir = asUser, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return bin, asUser, nil
}

func startPostgres() (string, error) {
	dir, err := dataDir()
	if err != nil {
		return "", err
	}
	_, dsn, err := servePostgres(dir)
	return dsn, err
}

// servePostgres starts a server with its data in dir, which are made when there are none.
func servePostgres(dir string) (server *exec.Cmd, dsn string, err error) {
	bin, asUser, err := preparePostgres(dir)
	if err != nil {
		return nil, "", err
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	// The tests check what is stored, not what survives a power cut: no fsync.
	server = exec.Command(filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data"), "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", dir,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "log_min_messages=fatal")
	server.SysProcAttr, server.Dir = asUser, dir
	if err := server.Start(); err != nil {
		return nil, "", err
	}
	dsn = superuser(port)
	return server, dsn, untilPostgres(dsn)
}

// superuser is the DSN of the superuser of a server that was started here.
func superuser(port int) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
}

func untilPostgres(dsn string) error {
	return until(func(ctx context.Context) error {
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			return err
		}
		defer db.Close()
		return db.PingContext(ctx)
	})
}

func startRedis() (string, error) {
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		return "", fmt.Errorf("install redis-server or set SEATRIAL_TEST_REDIS: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	server := exec.Command(bin, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	server.Dir = os.TempDir()
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		return "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return addr, until(func(ctx context.Context) error {
		client := redis.NewClient(&redis.Options{Addr: addr, DialTimeout: time.Second})
		defer client.Close()
		return client.Ping(ctx).Err()
	})
}

// until calls try until it succeeds.
func until(try func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		case <-tick.C:
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("unexpected address %s", l.Addr())
	}
	return addr.Port, nil
}
