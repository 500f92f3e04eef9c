// Package app is the command line of seatrial-source and the only reader of its environment.
package app

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seatrial/seatrial/agent/source/fetch"
)

// Exit codes.
const (
	exitOK    = 0
	exitFault = 1
	exitUsage = 2
)

const usage = `usage: seatrial-source --url=URL --dest=DIR [--ref=BRANCH|TAG|COMMIT] [--depth=N] [--path=PATH]...
  credentials are read from SEATRIAL_GIT_USERNAME, SEATRIAL_GIT_PASSWORD, SEATRIAL_GIT_TOKEN, SEATRIAL_GIT_SSH_PRIVATEKEY
  and SEATRIAL_GIT_KNOWN_HOSTS`

// Process is what a process is given by its system.
type Process struct {
	Version string
	Getenv  func(string) string
	Out     io.Writer
	Err     io.Writer
}

// System returns the process as it is.
func System(version string) Process {
	return Process{Version: version, Getenv: os.Getenv, Out: os.Stdout, Err: os.Stderr}
}

// Main executes a command line and returns the exit code.
func Main(ctx context.Context, args []string, p Process) int {
	if len(args) == 1 && (args[0] == "--version" || args[0] == "version") {
		_, _ = fmt.Fprintln(p.Out, p.Version)
		return exitOK
	}
	o, err := configure(args, p.Getenv)
	if err != nil {
		_, _ = fmt.Fprintf(p.Err, "seatrial-source: %v\n%s\n", err, usage)
		return exitUsage
	}
	hide := o.Credentials.Hide
	o.Say = func(format string, args ...any) { _, _ = fmt.Fprintln(p.Out, hide(fmt.Sprintf(format, args...))) }
	if err := fetch.Run(ctx, o); err != nil {
		_, _ = fmt.Fprintln(p.Err, "seatrial-source:", hide(err.Error()))
		return exitFault
	}
	return exitOK
}

func configure(args []string, getenv func(string) string) (fetch.Options, error) {
	var o fetch.Options
	fs := flag.NewFlagSet("seatrial-source", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.URL, "url", "", "repository")
	fs.StringVar(&o.Ref, "ref", "", "branch, tag or commit; the default branch when empty")
	fs.IntVar(&o.Depth, "depth", 1, "number of commits; 0 for the whole history")
	fs.StringVar(&o.Dest, "dest", "", "directory that gets the files")
	fs.Func("path", "file or directory to write; everything when none is named", func(s string) error {
		o.Paths = append(o.Paths, s)
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return o, err //nolint:wrapcheck // says what it is
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%q is not understood", fs.Arg(0))
	}
	if o.URL == "" || o.Dest == "" || o.Depth < 0 {
		return o, fmt.Errorf("--url and --dest are needed, and --depth must not be negative")
	}
	value := func(name string) string { return strings.TrimRight(getenv("SEATRIAL_GIT_"+name), "\r\n") }
	o.Credentials = fetch.Credentials{
		Username: value("USERNAME"), Password: value("PASSWORD"), Token: value("TOKEN"),
		PrivateKey: getenv("SEATRIAL_GIT_SSH_PRIVATEKEY"), KnownHosts: getenv("SEATRIAL_GIT_KNOWN_HOSTS"),
	}
	return o, nil
}
