package harness

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a server of a test's own, which it may kill, freeze and start again. Unlike the shared ones it keeps what it has acknowledged.
// It ends with the test.
type Server struct {
	// Address is host:port.
	Address string

	program string
	args    []string
	attr    *syscall.SysProcAttr
	dir     string
	answers func(context.Context) error

	cmd  *exec.Cmd
	done chan struct{}
}

// OwnPostgres starts PostgreSQL with an empty database. Its DSN is that of a role that owns the database; admin is the superuser's.
func OwnPostgres(tb testing.TB) (s *Server, dsn, admin string) {
	tb.Helper()
	bin, dir, attr, err := newPostgres()
	if err != nil {
		tb.Fatalf("PostgreSQL: %v", err)
	}
	port := strconv.Itoa(FreePort(tb))
	s = &Server{
		Address: net.JoinHostPort("127.0.0.1", port), program: filepath.Join(bin, "postgres"), attr: attr, dir: dir,
		args: []string{"-D", filepath.Join(dir, "data"), "-h", "127.0.0.1", "-p", port, "-k", dir, "-c", "max_connections=100", "-c", "log_min_messages=panic"},
	}
	admin = "postgres://postgres@" + s.Address + "/postgres?sslmode=disable"
	s.answers = func(ctx context.Context) error {
		db, err := sql.Open("pgx", admin)
		if err != nil {
			return err
		}
		defer db.Close()
		return db.PingContext(ctx)
	}
	s.begin(tb)
	db, err := sql.Open("pgx", admin)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{"CREATE ROLE " + owner + " LOGIN", "CREATE DATABASE " + owner + " OWNER " + owner} {
		if _, err := db.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
	return s, "postgres://" + owner + "@" + s.Address + "/" + owner + "?sslmode=disable", admin
}

// OwnRedis starts Redis.
func OwnRedis(tb testing.TB) *Server {
	tb.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Fatalf("install redis-server: %v", err)
	}
	port := strconv.Itoa(FreePort(tb))
	s := &Server{
		Address: net.JoinHostPort("127.0.0.1", port), program: bin, dir: os.TempDir(), attr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
		args: []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"},
	}
	s.answers = func(ctx context.Context) error {
		client := redis.NewClient(&redis.Options{Addr: s.Address, DialTimeout: time.Second})
		defer client.Close()
		return client.Ping(ctx).Err()
	}
	s.begin(tb)
	return s
}

// OwnS3 starts an S3 server with the keys of S3.
func OwnS3(tb testing.TB) *Server {
	tb.Helper()
	dir, err := dataDir()
	if err != nil {
		tb.Fatal(err)
	}
	bin, err := buildS3(dir)
	if err != nil {
		tb.Fatalf("S3 server: %v", err)
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		tb.Fatal(err)
	}
	s := &Server{
		Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(tb))), program: bin, dir: dir, attr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	}
	s.args = []string{"--quiet", "--port", s.Address, "--access", S3AccessKey, "--secret", S3SecretKey, "posix", data}
	s.answers = func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	s.begin(tb)
	return s
}

func (s *Server) begin(tb testing.TB) {
	tb.Helper()
	tb.Cleanup(func() { s.Kill(tb) })
	s.Start(tb)
}

// Start starts the server, which does not run, and returns once it answers. A server that was killed may find what it left in its way at first.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	var said strings.Builder
	err := until(func(ctx context.Context) error {
		if !s.runs() {
			cmd := exec.Command(s.program, s.args...)
			said.Reset()
			cmd.SysProcAttr, cmd.Dir, cmd.Stderr = s.attr, s.dir, &said
			if err := cmd.Start(); err != nil {
				return err
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = cmd.Wait() // how it ended does not matter
			}()
			s.cmd, s.done = cmd, done
		}
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return s.answers(try)
	})
	if err != nil {
		tb.Fatalf("%s: %v\n%s", filepath.Base(s.program), err, said.String())
	}
}

func (s *Server) runs() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// Kill ends the server with all its processes at once, as SIGKILL does.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	if !s.runs() {
		return
	}
	s.signal(tb, syscall.SIGKILL)
	<-s.done
}

// Stop asks the server to end and waits for it.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if !s.runs() {
		return
	}
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		tb.Errorf("stop %s: %v", s.program, err)
	}
	<-s.done
}

// Freeze stops all processes of the server where they are, until Thaw.
func (s *Server) Freeze(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGSTOP)
}

// Thaw lets them go on.
func (s *Server) Thaw(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGCONT)
}

func (s *Server) signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	pids, err := family(s.cmd.Process.Pid)
	if err != nil {
		tb.Errorf("processes of %s: %v", s.program, err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			tb.Errorf("signal %d to %s: %v", pid, s.program, err)
		}
	}
}

// family returns a process and all that descend from it, parents first.
func family(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return []int{pid}, err
	}
	children := map[int][]int{}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		// The parent is the second field after the name in parentheses.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], child)
		}
	}
	out := []int{pid}
	for i := 0; i < len(out); i++ {
		out = append(out, slices.Clone(children[out[i]])...)
	}
	return out, nil
}

// String names the server.
func (s *Server) String() string { return fmt.Sprintf("%s at %s", filepath.Base(s.program), s.Address) }
