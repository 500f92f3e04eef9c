package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/seatrial/seatrial/agent/source/artifact"
	"github.com/seatrial/seatrial/agent/source/clone"
	"github.com/seatrial/seatrial/agent/source/download"
	"github.com/seatrial/seatrial/agent/source/mounted"
)

// options reads the options of one source, of which those named in needed must not be empty.
func options(kind string, args []string, define func(fs *flag.FlagSet), needed ...string) error {
	fs := flag.NewFlagSet("seatrial-source "+kind, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	define(fs)
	if err := fs.Parse(args); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%s: %q is not understood", kind, fs.Arg(0))
	}
	for _, name := range needed {
		if f := fs.Lookup(name); f.Value.String() == "" {
			return fmt.Errorf("%s: --%s is needed", kind, name)
		}
	}
	return nil
}

// oneLine is a value without the line end that files, and secrets made of them, have.
func oneLine(value string) string { return strings.TrimRight(value, "\r\n") }

func git(args []string, getenv func(string) string) (fetch, error) {
	var o clone.Options
	err := options("git", args, func(fs *flag.FlagSet) {
		fs.StringVar(&o.URL, "url", "", "repository")
		fs.StringVar(&o.Ref, "ref", "", "branch, tag or commit; the default branch when empty")
		fs.IntVar(&o.Depth, "depth", 1, "number of commits; 0 for the whole history")
		fs.StringVar(&o.Dest, "dest", "", "directory that gets the files")
		fs.Func("path", "file or directory to write; everything when none is named", func(s string) error {
			o.Paths = append(o.Paths, s)
			return nil
		})
	}, "url", "dest")
	if err == nil && o.Depth < 0 {
		err = errors.New("git: --depth must not be negative")
	}
	value := func(name string) string { return oneLine(getenv("SEATRIAL_GIT_" + name)) }
	o.Credentials = clone.Credentials{
		Username: value("USERNAME"), Password: value("PASSWORD"), Token: value("TOKEN"),
		PrivateKey: getenv("SEATRIAL_GIT_SSH_PRIVATEKEY"), KnownHosts: getenv("SEATRIAL_GIT_KNOWN_HOSTS"),
	}
	return fetch{secrets: o.Credentials.Secrets(), run: func(ctx context.Context, say say) error {
		o.Say = say
		return clone.Run(ctx, o)
	}}, err
}

func http(args []string, getenv func(string) string) (fetch, error) {
	var o download.Options
	err := options("http", args, func(fs *flag.FlagSet) {
		fs.StringVar(&o.URL, "url", "", "archive")
		fs.StringVar(&o.SHA256, "sha256", "", "sum of its bytes, in hex")
		fs.IntVar(&o.Strip, "strip", 0, "leading folders of the names that are left out")
		fs.StringVar(&o.Dest, "dest", "", "directory that gets the files")
		fs.StringVar(&o.Folder, "folder", "", "folder below it")
	}, "url", "sha256", "dest")
	if err == nil && o.Strip < 0 {
		err = errors.New("http: --strip must not be negative")
	}
	value := func(name string) string { return oneLine(getenv("SEATRIAL_HTTP_" + name)) }
	o.Credentials = download.Credentials{Username: value("USERNAME"), Password: value("PASSWORD"), Token: value("TOKEN")}
	return fetch{secrets: o.Credentials.Secrets(), run: func(ctx context.Context, say say) error {
		o.Say = say
		return download.Run(ctx, o)
	}}, err
}

func oci(args []string, getenv func(string) string) (fetch, error) {
	var o artifact.Options
	err := options("oci", args, func(fs *flag.FlagSet) {
		fs.StringVar(&o.Artifact, "artifact", "", "artifact with its registry")
		fs.BoolVar(&o.PlainHTTP, "plain-http", false, "the registry has no TLS")
		fs.StringVar(&o.Dest, "dest", "", "directory that gets the files")
		fs.StringVar(&o.Folder, "folder", "", "folder below it")
	}, "artifact", "dest")
	var bad error
	o.Credentials, bad = artifact.ReadCredentials(getenv("SEATRIAL_OCI_CONFIG"))
	return fetch{secrets: o.Credentials.Secrets(), run: func(ctx context.Context, say say) error {
		if bad != nil { // of the workflow's secret, not of the command line
			return bad
		}
		o.Say = say
		return artifact.Run(ctx, o)
	}}, err
}

func configMap(args []string, _ func(string) string) (fetch, error) {
	var o mounted.Options
	err := options("configmap", args, func(fs *flag.FlagSet) {
		fs.StringVar(&o.Name, "name", "", "name of the config map, for people")
		fs.StringVar(&o.From, "from", "", "where it is mounted")
		fs.StringVar(&o.Dest, "dest", "", "directory that gets the files")
		fs.StringVar(&o.Folder, "folder", "", "folder below it")
	}, "name", "from", "dest")
	return fetch{run: func(_ context.Context, say say) error {
		o.Say = say
		return mounted.Run(o)
	}}, err
}
