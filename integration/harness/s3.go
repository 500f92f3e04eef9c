package harness

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Keys of the S3 server that S3 starts.
const (
	S3AccessKey = "seatrial-test"
	S3SecretKey = "seatrial-test-secret"
)

var objects = sync.OnceValues(startS3)

// S3 returns the address (host:port) of a real S3 server without TLS. Tests share it: use buckets of your own.
func S3(tb testing.TB) (endpoint string) {
	tb.Helper()
	endpoint, err := objects()
	if err != nil {
		tb.Fatalf("start an S3 server: %v", err)
	}
	return endpoint
}

// buildS3 builds versitygw from the module in integration/s3, which keeps its dependencies out of the program's.
func buildS3(dir string) (bin string, err error) {
	module, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the source folder: %w", err)
	}
	bin = filepath.Join(dir, "versitygw")
	if programs := os.Getenv("SEATRIAL_TEST_PROGRAMS"); programs != "" {
		bin = filepath.Join(programs, "versitygw") // kept: it is linked only when it has changed
	}
	// flags of the product, which has compiled half of it
	build := exec.Command("go", "build", "-trimpath", "-gcflags=all=-dwarf=0", "-ldflags=-s -w", "-o", bin, "github.com/versity/versitygw/cmd/versitygw")
	build.Dir = filepath.Join(filepath.Dir(strings.TrimSpace(string(module))), "integration", "s3")
	build.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return bin, nil
}

// startS3 starts a server over a temporary folder.
func startS3() (string, error) {
	dir, err := dataDir()
	if err != nil {
		return "", err
	}
	bin, err := buildS3(dir)
	if err != nil {
		return "", err
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	server := exec.Command(bin, "--quiet", "--port", addr, "--access", S3AccessKey, "--secret", S3SecretKey, "posix", data)
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log strings.Builder
	server.Stderr = &log
	if err := server.Start(); err != nil {
		return "", err
	}
	if err := until(func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}); err != nil {
		return "", fmt.Errorf("%w\n%s", err, log.String())
	}
	return addr, nil
}
