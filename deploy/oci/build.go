package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// user is that of every image: nobody of the host, and the same as in the charts.
const user = "65532:65532"

// image is what one of the images consists of.
type image struct {
	name, title string
	programs    []string // in the root folder; the first one is started
}

// images returns all of them by name. deploy/Dockerfile and deploy/images.sh put the same into theirs, to which a test holds them.
func images() map[string]image {
	return map[string]image{
		"agent":  {name: "agent", title: "Seatrial agent", programs: []string{"seatrial-agent"}},
		"runner": {name: "runner", title: "Seatrial runner", programs: []string{"seatrial-runner", "seatrial-source"}},
		"controlplane": {
			name: "controlplane", title: "Seatrial control plane",
			programs: []string{"seatrial-controlplane", "seatrial"}, // with the command, by which `helm test` looks at it
		},
	}
}

type options struct {
	out, tag, cas, builder string
	architectures          []string
	images                 []image
}

// source is what everything is made of.
type source struct {
	root, version, commit string
	doubt                 string    // what there is to be known of the commit, or why there is none; empty for one that git has vouched for
	at                    time.Time // of the commit: what is built twice has one time
	cas                   []byte
}

// find looks at the working copy. VERSION, REVISION and SOURCE_DATE_EPOCH take the place of what git says, as where there is no git.
func find(ctx context.Context, o options) (source, error) {
	root, err := output(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return source{}, err
	}
	git := gitOf(ctx, root)
	s := source{root: root, version: git.said("VERSION", "dev", "describe", "--tags", "--always", "--dirty")}
	if s.commit, s.doubt, err = git.revision(os.Getenv("REVISION")); err != nil {
		return source{}, err
	}
	if s.doubt != "" {
		fmt.Fprintln(os.Stderr, "oci: "+s.doubt)
	}
	epoch := git.said("SOURCE_DATE_EPOCH", "0", "log", "-1", "--format=%ct")
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return source{}, fmt.Errorf("SOURCE_DATE_EPOCH=%s: want seconds since 1970", epoch)
	}
	s.at = time.Unix(seconds, 0).UTC()
	if o.cas != "" {
		if s.cas, err = os.ReadFile(o.cas); err != nil {
			return source{}, fmt.Errorf("%w; -ca names the file, and -ca '' leaves it out", err)
		}
	}
	return s, nil
}

// git answers questions about the working copy of a folder, and nothing when that has none of its own.
type git func(question ...string) (answer string, ok bool)

// gitOf asks git about a folder. A repository that merely encloses it, such as one that holds a copy of the sources, knows nothing of them:
// its commits and changes are its own.
func gitOf(ctx context.Context, root string) git {
	top, err := output(ctx, root, "git", "rev-parse", "--show-toplevel")
	if err != nil || !same(top, root) {
		return func(...string) (string, bool) { return "", false }
	}
	return func(question ...string) (string, bool) {
		answer, err := output(ctx, root, "git", question...)
		return answer, err == nil
	}
}

// same reports whether two paths lead to one folder.
func same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// said returns a variable, what git answers, or the default, whatever there is first.
func (g git) said(variable, otherwise string, question ...string) string {
	if v := os.Getenv(variable); v != "" {
		return v
	}
	if answer, ok := g(question...); ok {
		return answer
	}
	return otherwise
}

// revision returns the commit that the sources are, and what is to be known of it. Where git can tell, it is believed and not who calls.
func (g git) revision(told string) (commit, doubt string, err error) {
	if told != "" && !regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`).MatchString(told) {
		return "", "", fmt.Errorf("REVISION=%s: want the whole hash of a commit, as `git rev-parse HEAD` prints it", told)
	}
	head, known := g("rev-parse", "HEAD")
	switch changes, seen := g("status", "--porcelain"); {
	case !known && told == "":
		return "", "there is no git repository of these sources and no REVISION, so the provenance names no commit", nil
	case !known:
		return told, "the commit is as REVISION tells: there is no git repository of these sources that could say so", nil
	case told != "" && told != head:
		return "", "", fmt.Errorf("REVISION=%s, and the sources are those of %s: check it out, or leave REVISION out", told, head)
	case !seen:
		return "", "git cannot tell whether the working copy has changes, so the provenance names no commit", nil
	case changes != "":
		return "", "the working copy has changes that are in no commit, so the provenance names none", nil
	}
	return head, "", nil
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // only go and git, with fixed arguments
	cmd.Dir = dir
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, failed.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

// build writes one layout for each image.
func build(ctx context.Context, o options) error {
	from, err := find(ctx, o)
	if err != nil {
		return err
	}
	programs, err := os.MkdirTemp("", "seatrial-programs-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(programs) }() // of the machine's own folder for such
	for _, i := range o.images {
		if err := buildImage(ctx, o, from, i, programs); err != nil {
			return fmt.Errorf("%s: %w", i.name, err)
		}
	}
	return nil
}

func buildImage(ctx context.Context, o options, from source, i image, programs string) error {
	l, err := newLayout(filepath.Join(o.out, i.name))
	if err != nil {
		return err
	}
	var manifests []v1.Descriptor
	for _, arch := range o.architectures {
		dir := filepath.Join(programs, arch)
		if err := compile(ctx, from, arch, dir, i.programs); err != nil {
			return err
		}
		manifest, err := l.addPlatform(from, i, arch, dir)
		if err != nil {
			return err
		}
		manifests = append(manifests, manifest)
		if err := l.describe(from, o, i, manifest, dir); err != nil {
			return err
		}
	}
	return l.finish(from, i, o.tag, manifests)
}

func compile(ctx context.Context, from source, arch, dir string, programs []string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(from.root, "deploy/build.sh"), append([]string{dir}, programs...)...) //nolint:gosec // the project's own script
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "VERSION="+from.version,
		// What somebody has set for other builds would make other bytes.
		"GOFLAGS=-buildvcs=false", "GOWORK=off", "GOENV=off", "GOEXPERIMENT=", "GOFIPS140=off")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("linux/%s: %w", arch, err)
	}
	return nil
}
