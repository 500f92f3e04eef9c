// Package artifact fetches the files of an OCI artifact from a registry into a directory.
//
// A layer that is a tar archive is unpacked, as of Flux and Helm, and of images in which no layer deletes what another has; another layer
// is a file under the name that its title annotation gives, as the oras tool makes it (https://oras.land/docs/concepts/artifact).
package artifact

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/seatrial/seatrial/agent/source/archive"
	"github.com/seatrial/seatrial/agent/source/cause"
	"github.com/seatrial/seatrial/agent/source/folder"
	"github.com/seatrial/seatrial/agent/source/transfer"
)

const (
	// unpackAnnotation marks folders that the oras tool has packed.
	unpackAnnotation = "io.deis.oras.content.unpack"

	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"

	// maxManifest in bytes is what registries accept at least (OCI distribution specification, "Pushing Manifests").
	maxManifest = 4 << 20
	maxLayers   = 1000
)

// Options say what to fetch.
type Options struct {
	Artifact    string // registry/repository:tag or registry/repository@digest
	PlainHTTP   bool   // the registry has no TLS
	Dest        string
	Folder      string // below Dest
	Credentials Credentials
	Say         func(format string, args ...any) // tells people what is done
}

// Run fetches. Its errors are sentences for the person who wrote the workflow.
func Run(ctx context.Context, o Options) error {
	ref, err := registry.ParseReference(o.Artifact)
	if err != nil {
		return fmt.Errorf("source.oci.artifact %q is not an artifact with its registry, such as registry.example.test/tests/checkout:1.2", o.Artifact)
	}
	if ref.Reference == "" {
		ref.Reference = "latest"
	}
	f := &fetcher{Options: o, ref: ref, where: cause.Where{Field: "source.oci", Host: ref.Registry, Dest: o.Dest}}
	if o.PlainHTTP && o.Credentials.has(ref) {
		o.Say("the credentials go to %s unencrypted: do without plainHTTP", ref.Registry)
	}
	f.repo = &remote.Repository{
		Reference: ref, PlainHTTP: o.PlainHTTP,
		Client: &auth.Client{Client: transfer.Client(), Cache: auth.NewCache(), Credential: o.Credentials.of(ref)},
	}
	if err := cause.Persist(ctx, o.Say, statusOf, f.explain, func() error { return f.fetch(ctx) }); err != nil {
		return f.explain(err)
	}
	return nil
}

type fetcher struct {
	Options
	ref   registry.Reference
	repo  *remote.Repository
	where cause.Where
	found ocispec.Descriptor // once it is known: a tag may move between two tries
}

// contentError is a fault of the artifact, as the end of a sentence about it.
type contentError struct{ text string }

// Error returns the text.
func (e *contentError) Error() string { return e.text }

func wrong(format string, args ...any) error { return &contentError{fmt.Sprintf(format, args...)} }

func (f *fetcher) fetch(ctx context.Context) error {
	f.Say("fetching %s", f.ref)
	if f.found.Digest == "" {
		found, err := f.repo.Resolve(ctx, f.ref.Reference)
		if err != nil {
			return err //nolint:wrapcheck // explain words it
		}
		f.found = found
	}
	manifest, err := f.manifest(ctx, f.found)
	if err != nil {
		return err
	}
	root, err := folder.Open(f.Dest, f.Folder)
	if err != nil {
		return err //nolint:wrapcheck // explain words it
	}
	defer root.Close() //nolint:errcheck // nothing is pending
	files := 0
	for _, layer := range manifest.Layers {
		n, err := f.layer(ctx, root, layer)
		if err != nil {
			return err
		}
		files += n
	}
	if files == 0 {
		return wrong("holds no file")
	}
	f.Say("digest %s", f.found.Digest)
	f.Say("%s", folder.Count(files))
	return nil
}

// manifest returns what an artifact consists of; of one for several platforms that of this machine's.
func (f *fetcher) manifest(ctx context.Context, found ocispec.Descriptor) (out ocispec.Manifest, err error) {
	if found.MediaType == ocispec.MediaTypeImageIndex || found.MediaType == dockerList {
		if found, err = f.choose(ctx, found); err != nil {
			return out, err
		}
	}
	if found.MediaType != ocispec.MediaTypeImageManifest && found.MediaType != dockerManifest {
		return out, wrong("is of the kind %q, which holds no files", found.MediaType)
	}
	if err := f.read(ctx, found, &out); err != nil {
		return out, err
	}
	if n := len(out.Layers); n > maxLayers {
		return out, wrong("has %d layers; the limit is %d", n, maxLayers)
	}
	return out, nil
}

func (f *fetcher) choose(ctx context.Context, list ocispec.Descriptor) (ocispec.Descriptor, error) {
	var index ocispec.Index
	if err := f.read(ctx, list, &index); err != nil {
		return ocispec.Descriptor{}, err
	}
	if len(index.Manifests) == 1 {
		return index.Manifests[0], nil
	}
	for _, m := range index.Manifests {
		if m.Platform != nil && m.Platform.OS == runtime.GOOS && m.Platform.Architecture == runtime.GOARCH {
			return m, nil
		}
	}
	return ocispec.Descriptor{}, wrong("has %d variants, none of them for %s/%s", len(index.Manifests), runtime.GOOS, runtime.GOARCH)
}

func (f *fetcher) read(ctx context.Context, from ocispec.Descriptor, into any) error {
	if from.Size > maxManifest {
		return wrong("has a manifest of %d bytes; the limit is %d", from.Size, maxManifest)
	}
	raw, err := content.FetchAll(ctx, f.repo, from)
	if err != nil {
		return err //nolint:wrapcheck // explain words it
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return wrong("has a manifest that cannot be read: %v", err)
	}
	return nil
}

// layer writes what a layer holds and returns how many files that is.
func (f *fetcher) layer(ctx context.Context, root *os.Root, layer ocispec.Descriptor) (files int, err error) {
	title := layer.Annotations[ocispec.AnnotationTitle]
	unpack := layer.Annotations[unpackAnnotation] == "true" || title == "" && isArchive(layer.MediaType)
	if !unpack && title == "" {
		if layer.Size <= int64(len("{}")) { // the empty layer of artifacts without files
			return 0, nil
		}
		return 0, wrong("has a layer of the kind %q that is neither a tar archive nor has a name (annotation %s)", layer.MediaType, ocispec.AnnotationTitle)
	}
	if !unpack && !inside(title) {
		return 0, wrong("holds the name %q, which is outside of its folder", title)
	}
	from, err := f.repo.Fetch(ctx, layer)
	if err != nil {
		return 0, err //nolint:wrapcheck // explain words it
	}
	defer from.Close() //nolint:errcheck // read only
	verified := content.NewVerifyReader(from, layer)
	err = transfer.Spool(root, verified, verified.Verify, func(whole *os.File) (err error) {
		if unpack {
			files, err = archive.Unpack(root, whole, 0)
			return err //nolint:wrapcheck // explain words it
		}
		files = 1
		return folder.Write(root, path.Clean(title), whole, folder.Plain, time.Time{}) //nolint:wrapcheck // explain words it
	})
	return files, err //nolint:wrapcheck // explain words it
}

func isArchive(mediaType string) bool {
	kind, _, _ := strings.Cut(mediaType, ";")
	for _, end := range []string{".tar", ".tar+gzip", ".tar+zstd", ".tar.gzip", ".tar.gz", "/tar", "/tar+gzip", "/x-tar", "/gzip"} {
		if strings.HasSuffix(kind, end) {
			return true
		}
	}
	return false
}

func inside(name string) bool { return path.Clean(name) != "." && filepath.IsLocal(path.Clean(name)) }
