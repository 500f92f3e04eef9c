package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// layout is a folder as https://github.com/opencontainers/image-spec/blob/main/image-layout.md says.
type layout struct {
	dir       string
	referrers []v1.Descriptor // what is said of the images in it
}

// newLayout makes the folder anew. It removes nothing but a layout.
func newLayout(dir string) (*layout, error) {
	switch entries, err := os.ReadDir(dir); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case len(entries) > 0:
		if _, err := os.Stat(filepath.Join(dir, v1.ImageLayoutFile)); err != nil {
			return nil, fmt.Errorf("%s holds something else than an image; name another folder by -out", dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, v1.ImageBlobsDir, "sha256"), 0o755); err != nil { //nolint:gosec // an image is for everybody
		return nil, err
	}
	// The mark comes first: what a build leaves that fails may be made anew. Without its index it is no image yet.
	l := &layout{dir: dir}
	return l, l.mark()
}

func (l *layout) blob(kind string, raw []byte) (v1.Descriptor, error) {
	d := v1.Descriptor{MediaType: kind, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	return d, l.file(path.Join(v1.ImageBlobsDir, "sha256", d.Digest.Encoded()), raw)
}

func (l *layout) file(name string, raw []byte) error {
	return os.WriteFile(filepath.Join(l.dir, filepath.FromSlash(name)), raw, 0o644) //nolint:gosec // an image is for everybody
}

func (l *layout) document(kind string, v any) (v1.Descriptor, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return l.blob(kind, raw)
}

// addPlatform adds layers, configuration and manifest of an image for one architecture.
func (l *layout) addPlatform(from source, i image, arch, programs string) (v1.Descriptor, error) {
	var layers []v1.Descriptor
	var diffs []digest.Digest
	add := func(files map[string]member) error {
		raw, err := archive(files, from.at)
		if err != nil {
			return err
		}
		packed, err := compress(raw)
		if err != nil {
			return err
		}
		layer, err := l.blob(v1.MediaTypeImageLayerGzip, packed)
		layers, diffs = append(layers, layer), append(diffs, digest.FromBytes(raw))
		return err
	}
	if from.cas != nil { // below the programs, as it changes least and all images share it
		if err := add(map[string]member{"etc/ssl/certs/ca-certificates.crt": {raw: from.cas, mode: 0o644}}); err != nil {
			return v1.Descriptor{}, err
		}
	}
	files := map[string]member{}
	for _, p := range i.programs {
		raw, err := os.ReadFile(filepath.Join(programs, p)) //nolint:gosec // a program that was just built
		if err != nil {
			return v1.Descriptor{}, err
		}
		files[p] = member{raw: raw, mode: 0o755}
	}
	if err := add(files); err != nil {
		return v1.Descriptor{}, err
	}
	platform := v1.Platform{Architecture: arch, OS: "linux"}
	config, err := l.document(v1.MediaTypeImageConfig, v1.Image{
		Created: &from.at, Platform: platform,
		Config: v1.ImageConfig{
			User: user, Env: []string{"PATH=/"}, Entrypoint: []string{"/" + i.programs[0]}, WorkingDir: "/", Labels: annotations(from, i),
		},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: diffs},
	})
	if err != nil {
		return v1.Descriptor{}, err
	}
	manifest, err := l.document(v1.MediaTypeImageManifest, v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: config, Layers: layers,
		Annotations: annotations(from, i),
	})
	manifest.Platform = &platform
	return manifest, err
}

func annotations(from source, i image) map[string]string {
	a := map[string]string{
		v1.AnnotationTitle: i.title, v1.AnnotationVersion: from.version, v1.AnnotationCreated: from.at.Format(time.RFC3339),
		v1.AnnotationSource: repository, v1.AnnotationLicenses: "Apache-2.0",
	}
	if from.commit != "" {
		a[v1.AnnotationRevision] = from.commit
	}
	return a
}

// attach adds a document about an image, which registries then list among its referrers.
func (l *layout) attach(about v1.Descriptor, kind string, raw []byte, annotations map[string]string) error {
	empty, err := l.blob(v1.MediaTypeEmptyJSON, v1.DescriptorEmptyJSON.Data)
	if err != nil {
		return err
	}
	blob, err := l.blob(kind, raw)
	if err != nil {
		return err
	}
	subject := v1.Descriptor{MediaType: about.MediaType, Digest: about.Digest, Size: about.Size}
	manifest, err := l.document(v1.MediaTypeImageManifest, v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, ArtifactType: kind,
		Config: empty, Layers: []v1.Descriptor{blob}, Subject: &subject, Annotations: annotations,
	})
	if err != nil {
		return err
	}
	manifest.ArtifactType, manifest.Annotations = kind, annotations
	l.referrers = append(l.referrers, manifest)
	return nil
}

// finish writes the index over all platforms, and that of the layout, which names it by the tag.
func (l *layout) finish(from source, i image, tag string, manifests []v1.Descriptor) error {
	index, err := l.document(v1.MediaTypeImageIndex, v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: manifests, Annotations: annotations(from, i),
	})
	if err != nil {
		return err
	}
	index.Annotations = map[string]string{
		v1.AnnotationRefName: tag, "io.containerd.image.name": "docker.io/seatrial/" + i.name + ":" + tag,
	}
	all, err := json.Marshal(v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: append([]v1.Descriptor{index}, l.referrers...),
	})
	if err != nil {
		return err
	}
	return l.file(v1.ImageIndexFile, all)
}

// mark says what the folder is.
func (l *layout) mark() error {
	marker, err := json.Marshal(v1.ImageLayout{Version: v1.ImageLayoutVersion})
	if err != nil {
		return err
	}
	return l.file(v1.ImageLayoutFile, marker)
}

// member is a file of a layer.
type member struct {
	raw  []byte
	mode int64
}

// archive makes a tar of files, with the folders above them, all of root's and of one time.
func archive(files map[string]member, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	made := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for i, c := range name {
			if c != '/' || made[name[:i+1]] {
				continue
			}
			made[name[:i+1]] = true
			if err := t.WriteHeader(&tar.Header{Name: name[:i+1], Typeflag: tar.TypeDir, Mode: 0o755, ModTime: at, Format: tar.FormatUSTAR}); err != nil {
				return nil, err
			}
		}
		f := files[name]
		if err := t.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: f.mode, Size: int64(len(f.raw)), ModTime: at, Format: tar.FormatUSTAR}); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.raw); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// compress has no name and no time in its head, so that the same bytes give the same bytes.
func compress(raw []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(z, bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
