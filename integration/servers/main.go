// Command servers runs a command with PostgreSQL and Redis in containers beside it and removes them when it ends. Where no
// Docker engine answers it says so and runs the command alone: tests then start local binaries.
//
//	servers go test ./...
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	postgresImage = "seatrial-test/postgres:15"
	redisImage    = "seatrial-test/redis:7"
	startLimit    = 2 * time.Minute
	stopLimit     = 30 * time.Second
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: servers COMMAND [ARG...]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, command []string) (code int) {
	var up started
	defer up.stop(context.WithoutCancel(ctx))
	env, err := up.start(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "servers: no containers (%v): tests start local PostgreSQL and Redis instead\n", err)
		env = nil
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	default:
		fmt.Fprintf(os.Stderr, "servers: %s: %v\n", command[0], err)
		return 1
	}
}

// started are the containers to remove.
type started []testcontainers.Container

func (s *started) start(ctx context.Context) (env []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	database, err := s.run(ctx, postgresImage, "5432/tcp", "ready to accept connections",
		testcontainers.WithEnv(map[string]string{"POSTGRES_PASSWORD": "test"}))
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	cache, err := s.run(ctx, redisImage, "6379/tcp", "Ready to accept connections")
	if err != nil {
		return nil, fmt.Errorf("start Redis: %w", err)
	}
	fmt.Fprintf(os.Stderr, "servers: PostgreSQL at %s, Redis at %s\n", database, cache)
	return []string{
		"SEATRIAL_TEST_POSTGRES=postgres://postgres:test@" + database + "/postgres?sslmode=disable",
		"SEATRIAL_TEST_REDIS=" + cache,
	}, nil
}

func (s *started) run(ctx context.Context, image, port, ready string, more ...testcontainers.ContainerCustomizer) (string, error) {
	options := append([]testcontainers.ContainerCustomizer{
		testcontainers.WithExposedPorts(port),
		testcontainers.WithWaitStrategy(wait.ForAll(wait.ForLog(ready), wait.ForListeningPort(port).SkipInternalCheck())),
	}, more...)
	c, err := testcontainers.Run(ctx, image, options...)
	if c != nil {
		*s = append(*s, c)
	}
	if err != nil {
		return "", err
	}
	return c.PortEndpoint(ctx, port, "")
}

func (s *started) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	for _, c := range *s {
		if err := c.Terminate(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "servers: remove container: %v\n", err)
		}
	}
}
