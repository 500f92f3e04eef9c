// Package app is the command line of seatrial-source and the only reader of its environment.
package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/seatrial/seatrial/agent/redact"
)

// Exit codes.
const (
	exitOK    = 0
	exitFault = 1
	exitUsage = 2
)

const usage = `usage: seatrial-source KIND OPTION... [-- KIND OPTION...]...
  git   --url=URL --dest=DIR [--ref=BRANCH|TAG|COMMIT] [--depth=N] [--path=PATH]...
  http  --url=URL --sha256=SUM --dest=DIR [--strip=N] [--folder=PATH]
  oci   --artifact=REFERENCE --dest=DIR [--plain-http] [--folder=PATH]
  configmap --name=NAME --from=DIR --dest=DIR [--folder=PATH]
  Credentials are read from SEATRIAL_GIT_USERNAME, SEATRIAL_GIT_PASSWORD, SEATRIAL_GIT_TOKEN, SEATRIAL_GIT_SSH_PRIVATEKEY and
  SEATRIAL_GIT_KNOWN_HOSTS; SEATRIAL_HTTP_USERNAME, SEATRIAL_HTTP_PASSWORD and SEATRIAL_HTTP_TOKEN; SEATRIAL_OCI_CONFIG, which is
  what .dockerconfigjson holds in a secret.`

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
	fetches, err := read(args, p.Getenv)
	if err != nil {
		_, _ = fmt.Fprintf(p.Err, "seatrial-source: %v\n%s\n", err, usage)
		return exitUsage
	}
	for _, f := range fetches {
		secrets := redact.Compile(f.secrets)
		say := func(format string, args ...any) {
			_, _ = fmt.Fprintln(p.Out, secrets.String(fmt.Sprintf(format, args...)))
		}
		if err := f.run(ctx, say); err != nil {
			_, _ = fmt.Fprintln(p.Err, "seatrial-source:", secrets.String(err.Error()))
			return exitFault
		}
	}
	return exitOK
}

// say tells people what is done.
type say = func(format string, args ...any)

// fetch is one source of several.
type fetch struct {
	run     func(ctx context.Context, say say) error
	secrets []string
}

// read reads all of a command line before anything is done.
func read(args []string, getenv func(string) string) ([]fetch, error) {
	var fetches []fetch
	for {
		next := slices.Index(args, "--")
		one := args
		if next >= 0 {
			one = args[:next]
		}
		f, err := readOne(one, getenv)
		if err != nil {
			return nil, err
		}
		fetches = append(fetches, f)
		if next < 0 {
			return fetches, nil
		}
		args = args[next+1:]
	}
}

func readOne(args []string, getenv func(string) string) (fetch, error) {
	const known = "git, http, oci or configmap"
	kinds := map[string]func([]string, func(string) string) (fetch, error){"git": git, "http": http, "oci": oci, "configmap": configMap}
	if len(args) == 0 {
		return fetch{}, fmt.Errorf("the kind of a source is needed: %s", known)
	}
	kind, ok := kinds[args[0]]
	if !ok {
		return fetch{}, fmt.Errorf("%q is not a kind of source: %s", args[0], known)
	}
	return kind(args[1:], getenv)
}
