// Command image writes an image that `ctr images import` and `docker load` take: one layer made of files and, when given, a root
// file system as a tar, with neither a registry nor a daemon. The same input gives the same bytes.
//
//	image -o out.tar -t name:tag [-rootfs root.tar] [-entrypoint /bin/x] [-env K=V]... [-user 65532] [path=file]...
package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"strings"
)

type options struct {
	out, ref, rootfs, entrypoint, user string
	env                                list
	files                              []string
}

type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

// Set adds a value.
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func main() {
	var o options
	flag.StringVar(&o.out, "o", "", "file to write")
	flag.StringVar(&o.ref, "t", "", "name:tag")
	flag.StringVar(&o.rootfs, "rootfs", "", "tar of the root file system")
	flag.StringVar(&o.entrypoint, "entrypoint", "", "program to start")
	flag.StringVar(&o.user, "user", "", "user id")
	flag.Var(&o.env, "env", "NAME=VALUE, may be repeated")
	flag.Parse()
	o.files = flag.Args()
	if err := build(o); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func build(o options) error {
	if o.out == "" || o.ref == "" {
		return errors.New("-o and -t are needed")
	}
	layer, err := os.CreateTemp("", "layer")
	if err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	defer os.Remove(layer.Name())
	defer layer.Close()
	sum := sha256.New()
	if err := writeLayer(io.MultiWriter(layer, sum), o); err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	size, err := layer.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	if _, err := layer.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	out, err := os.Create(o.out)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if err := writeImage(out, o, hex.EncodeToString(sum.Sum(nil)), layer, size); err != nil {
		out.Close()
		return fmt.Errorf("image: %w", err)
	}
	return out.Close()
}

func writeLayer(w io.Writer, o options) error {
	t := tar.NewWriter(w)
	if o.rootfs != "" {
		if err := copyTar(t, o.rootfs); err != nil {
			return err
		}
	}
	sort.Strings(o.files)
	seen := map[string]bool{}
	for _, f := range o.files {
		to, from, ok := strings.Cut(f, "=")
		if !ok {
			return fmt.Errorf("%q: want PATH=FILE", f)
		}
		if err := addFile(t, strings.TrimPrefix(path.Clean(to), "/"), from, seen); err != nil {
			return err
		}
	}
	return t.Close()
}

func copyTar(t *tar.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock {
			continue // the container runtime makes /dev
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(t, r); err != nil {
			return err
		}
	}
}

func addFile(t *tar.Writer, to, from string, seen map[string]bool) error {
	for dir := path.Dir(to); dir != "."; dir = path.Dir(dir) {
		if !seen[dir] {
			seen[dir] = true
			if err := t.WriteHeader(&tar.Header{Name: dir + "/", Mode: 0o755, Typeflag: tar.TypeDir}); err != nil {
				return err
			}
		}
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := t.WriteHeader(&tar.Header{Name: to, Mode: mode, Size: info.Size(), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

func writeImage(w io.Writer, o options, digest string, layer io.Reader, size int64) error {
	run := map[string]any{"Env": append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, o.env...)}
	if o.entrypoint != "" {
		run["Entrypoint"] = []string{o.entrypoint}
	}
	if o.user != "" {
		run["User"] = o.user
	}
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "config": run,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest}},
	})
	if err != nil {
		return err
	}
	id := sha256.Sum256(config)
	name := hex.EncodeToString(id[:]) + ".json"
	manifest, err := json.Marshal([]map[string]any{{"Config": name, "RepoTags": []string{o.ref}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	for _, e := range []struct {
		name string
		size int64
		r    io.Reader
	}{{name, int64(len(config)), bytes.NewReader(config)}, {"manifest.json", int64(len(manifest)), bytes.NewReader(manifest)}, {"layer.tar", size, layer}} {
		if err := t.WriteHeader(&tar.Header{Name: e.name, Mode: 0o644, Size: e.size, Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		if _, err := io.Copy(t, e.r); err != nil {
			return err
		}
	}
	return t.Close()
}
