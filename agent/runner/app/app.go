// Package app is the runner's command line and the only reader of its environment.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seatrial/seatrial/agent/runner/engine"
	"github.com/seatrial/seatrial/agent/runner/plan"
	"github.com/seatrial/seatrial/agent/runner/step"
	"github.com/seatrial/seatrial/agent/runner/termination"
)

// Exit codes. The outcome of the steps is not among them: it is reported, and the pod ends well when it was.
const (
	exitOK          = 0
	exitFault       = 1
	exitUsage       = 2
	exitUndelivered = 3
)

// Where the pod's shape puts things.
const (
	sharedDir    = "/seatrial"
	workspaceDir = "/workspace"
	planFile     = "/var/run/seatrial-plan/plan"
	tokenFile    = "/var/run/seatrial/token" //nolint:gosec // G101: a path, not a secret
)

const usage = `usage:
  seatrial-runner run --container=NAME   run the steps of a container; the entrypoint of every container of a test pod
  seatrial-runner install DIR            copy the runner into a directory
  seatrial-runner --version`

// Run executes a command line and returns the exit code.
func Run(ctx context.Context, args []string, version string) (int, error) {
	if len(args) == 0 {
		return exitUsage, errors.New(usage)
	}
	switch args[0] {
	case "run":
		return run(ctx, args[1:], version)
	case "install":
		if len(args) != 2 {
			return exitUsage, errors.New(usage)
		}
		if err := install(args[1]); err != nil {
			return exitFault, err
		}
		return exitOK, nil
	case "version", "--version": // the agent's probe asks like this whether the runner can be executed
		_, err := fmt.Fprintln(os.Stdout, version)
		return exitOK, err //nolint:wrapcheck // standard output
	default:
		return exitUsage, errors.New(usage)
	}
}

func run(ctx context.Context, args []string, version string) (int, error) {
	cfg, planPath, mask, err := configure(args)
	if err != nil {
		return exitUsage, err
	}
	cfg.Version = version
	syscall.Umask(mask)
	if cfg.Plan, err = plan.Read(planPath); err != nil {
		return exitFault, err //nolint:wrapcheck // says what it is
	}
	if err := step.Adopt(); err != nil {
		cfg.Log.Warn("orphans of steps cannot be adopted", "error", err)
	}
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(interrupt)
	// A reader of the container's output that goes away must not end the runner. It is not ignored, for steps would inherit that.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	cfg.Interrupt = interrupt
	err = engine.Run(ctx, cfg)
	switch {
	case errors.Is(err, engine.ErrUndelivered):
		return exitUndelivered, err //nolint:wrapcheck // says what it is
	case err != nil:
		return exitFault, err //nolint:wrapcheck // says what it is
	}
	return exitOK, nil
}

// configure reads flags and environment. The paths are flags for tests and for runs outside of a pod.
func configure(args []string) (cfg engine.Config, planPath string, mask int, err error) {
	fs := flag.NewFlagSet("seatrial-runner run", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&cfg.Container, "container", "", "name of this container")
	fs.StringVar(&cfg.Shared, "shared", sharedDir, "directory that all containers of the pod share")
	fs.StringVar(&cfg.Workspace, "workspace", workspaceDir, "directory of the test")
	fs.StringVar(&cfg.TokenFile, "token", tokenFile, "file with the service account token")
	fs.StringVar(&cfg.Termination, "termination", termination.Path, "file for the termination message")
	fs.StringVar(&planPath, "plan", planFile, "file with the plan")
	// Containers may run as different users and share what they write.
	fs.Func("umask", "permissions that files of steps do not have, in octal; none are left out by default", func(text string) error {
		bits, err := strconv.ParseUint(text, 8, 9)
		mask = int(bits)
		return err //nolint:wrapcheck // the flag set says what for
	})
	if err := fs.Parse(args); err != nil {
		return cfg, "", 0, fmt.Errorf("%w\n%s", err, usage)
	}
	self, err := os.Executable()
	if err != nil {
		return cfg, "", 0, fmt.Errorf("find the runner itself: %w", err)
	}
	cfg.Binaries = filepath.Dir(self)
	cfg.Environ = os.Environ()
	cfg.Agent, cfg.Pin = os.Getenv("SEATRIAL_AGENT"), os.Getenv("SEATRIAL_AGENT_PIN")
	cfg.Stdout = os.Stdout
	cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("container", cfg.Container, "pod", os.Getenv("SEATRIAL_POD"))
	for _, need := range [][2]string{
		{"--container", cfg.Container}, {"SEATRIAL_AGENT", cfg.Agent}, {"SEATRIAL_AGENT_PIN", cfg.Pin},
	} {
		if need[1] == "" {
			return cfg, "", 0, fmt.Errorf("%s is not set\n%s", need[0], usage)
		}
	}
	return cfg, planPath, mask, nil
}

// install copies the runner, and its companion where there is one, into a directory of the pod.
func install(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the runner itself: %w", err)
	}
	companion := filepath.Join(filepath.Dir(self), step.Source)
	for from, to := range map[string]string{self: "seatrial-runner", companion: step.Source} {
		err := copyFile(from, filepath.Join(dir, to))
		if errors.Is(err, os.ErrNotExist) && from == companion {
			continue
		}
		if err != nil {
			return fmt.Errorf("install the runner: %w", err)
		}
	}
	return nil
}

// copyFile replaces to in one step.
func copyFile(from, to string) error {
	src, err := os.Open(from) //nolint:gosec // G304: the runner's own files
	if err != nil {
		return err //nolint:wrapcheck // the caller says what for
	}
	defer src.Close() //nolint:errcheck // read only
	tmp := fmt.Sprintf("%s.%d", to, unix.Getpid())
	dst, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755) //nolint:gosec // G302,G304: a program for every user of the pod
	if err != nil {
		return err //nolint:wrapcheck // the caller says what for
	}
	_, err = io.Copy(dst, src)
	if err := errors.Join(err, dst.Chmod(0o755), dst.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return os.Rename(tmp, to) //nolint:wrapcheck // the caller says what for
}
