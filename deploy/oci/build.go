package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	at                    time.Time // of the commit: what is built twice has one time
	cas                   []byte
}

// find looks at the working copy. VERSION, REVISION and SOURCE_DATE_EPOCH take the place of what git says, as where there is no git.
func find(ctx context.Context, o options) (source, error) {
	root, err := output(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return source{}, err
	}
	s := source{root: root, version: said(ctx, root, "VERSION", "dev", "describe", "--tags", "--always", "--dirty")}
	if changed := said(ctx, root, "", "", "status", "--porcelain"); changed == "" { // else it is made of no commit
		s.commit = said(ctx, root, "REVISION", "", "rev-parse", "HEAD")
	}
	epoch := said(ctx, root, "SOURCE_DATE_EPOCH", "0", "log", "-1", "--format=%ct")
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

// said returns a variable, what git answers, or the default, whatever there is first.
func said(ctx context.Context, dir, variable, otherwise string, question ...string) string {
	if v := os.Getenv(variable); v != "" {
		return v
	}
	if answer, err := output(ctx, dir, "git", question...); err == nil {
		return answer
	}
	return otherwise
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
