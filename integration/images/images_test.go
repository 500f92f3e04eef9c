package images_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/seatrial/seatrial/integration/registry"
)

const (
	root          = "../.."
	imageVersion  = "v1.2.3"
	imageRevision = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff"
	agentLimit    = 25_000_000 // bytes, compressed
	authorities   = "etc/ssl/certs/ca-certificates.crt"
)

// built is an image of one platform as it was read from a layout.
type built struct {
	store    *oci.Store
	manifest v1.Descriptor
	config   v1.Image
	files    map[string][]byte
	size     int64 // of the compressed layers
}

// TestImages: what `make images` writes is what it says, for each platform, and the same when it is built again elsewhere.
func TestImages(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles all programs, the agent for two architectures")
	}
	out, here := t.TempDir(), "linux/"+runtime.GOARCH
	tool := filepath.Join(t.TempDir(), "oci")
	command(t, root, nil, "go", "build", "-o", tool, "./deploy/oci")
	oci := func(dir, out, only, platforms string) {
		command(t, dir, []string{"VERSION=" + imageVersion, "REVISION=" + imageRevision, "SOURCE_DATE_EPOCH=1700000000"}, tool,
			"-out", out, "-tag", imageVersion, "-only", only, "-platform", platforms)
	}
	oci(elsewhere(t), out, "agent", "linux/amd64,linux/arm64")
	again := t.TempDir()
	oci(elsewhere(t), again, "agent", "linux/amd64,linux/arm64")
	if a, b := folder(t, out), folder(t, again); !maps.Equal(a, b) {
		t.Errorf("two builds differ: %v and %v", a, b)
	}
	oci(elsewhere(t), out, "runner,controlplane", here)

	for name, want := range map[string][]string{
		"agent":        {"seatrial-agent"},
		"runner":       {"seatrial-runner", "seatrial-source"},
		"controlplane": {"seatrial", "seatrial-controlplane"},
	} {
		for platform, b := range open(t, filepath.Join(out, name)) {
			got := slices.DeleteFunc(slices.Sorted(maps.Keys(b.files)), func(n string) bool { return n == authorities })
			if !slices.Equal(got, want) || b.config.Config.User != "65532:65532" {
				t.Errorf("%s, %s: files %v of user %q", name, platform, got, b.config.Config.User)
			}
			b.runs(t, platform)
			b.described(t, out, name)
			t.Logf("figures: the image %s for %s has %.1f MB compressed", name, platform, float64(b.size)/1e6)
			if name == "agent" && b.size > agentLimit {
				t.Errorf("the agent for %s has %d bytes, compressed, more than %d", platform, b.size, agentLimit)
			}
		}
	}
	if got := slices.Sorted(maps.Keys(open(t, filepath.Join(out, "agent")))); !slices.Equal(got, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("the agent is for %v", got)
	}
	pushes(t, filepath.Join(out, "agent"))
}

// elsewhere copies what git knows of into a folder of another name and time, so that two builds share nothing but the sources.
func elsewhere(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name := range strings.SplitSeq(command(t, root, nil, "git", "ls-files", "--cached", "--others", "--exclude-standard"), "\n") {
		raw, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			continue // deleted and not yet committed
		}
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, raw, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, failed.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// folder returns the hashes of all files below a folder.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		all[rel] = content.NewDescriptorFromBytes("", raw).Digest.String()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// open reads a layout by the library that clients of registries use, which checks each digest.
func open(t *testing.T, dir string) map[string]built {
	t.Helper()
	store, err := oci.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	top, err := store.Resolve(t.Context(), imageVersion)
	if err != nil {
		t.Fatal(err)
	}
	var index v1.Index
	parse(t, store, top, &index)
	all := map[string]built{}
	for _, m := range index.Manifests {
		b := built{store: store, manifest: m, files: map[string][]byte{}}
		var manifest v1.Manifest
		parse(t, store, m, &manifest)
		parse(t, store, manifest.Config, &b.config)
		if b.config.Architecture != m.Platform.Architecture || len(b.config.RootFS.DiffIDs) != len(manifest.Layers) || manifest.Annotations[v1.AnnotationRevision] != imageRevision {
			t.Errorf("%s: configuration %+v of %v, %v", dir, b.config, m.Platform, manifest.Annotations)
		}
		for i, l := range manifest.Layers {
			b.size += l.Size
			raw := unpack(t, fetch(t, store, l), b.files)
			if got := content.NewDescriptorFromBytes("", raw).Digest; got != b.config.RootFS.DiffIDs[i] {
				t.Errorf("%s: layer %d unpacks to %s, not to %s", dir, i, got, b.config.RootFS.DiffIDs[i])
			}
		}
		all[m.Platform.OS+"/"+m.Platform.Architecture] = b
	}
	return all
}

func fetch(t *testing.T, store *oci.Store, d v1.Descriptor) []byte {
	t.Helper()
	raw, err := content.FetchAll(t.Context(), store, d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func parse(t *testing.T, store *oci.Store, d v1.Descriptor, into any) {
	t.Helper()
	if err := json.Unmarshal(fetch(t, store, d), into); err != nil {
		t.Fatal(err)
	}
}

// unpack adds the files of a layer and returns it uncompressed.
func unpack(t *testing.T, layer []byte, into map[string][]byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(bytes.NewReader(raw)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return raw
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Mode&0o022 != 0 || h.ModTime.Unix() != 1_700_000_000 {
			t.Errorf("%s: %d:%d, mode %o, of %s", h.Name, h.Uid, h.Gid, h.Mode, h.ModTime)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if into[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// runs checks that what is started is a static program for the platform, and starts it where it can be.
func (b built) runs(t *testing.T, platform string) {
	t.Helper()
	entry := b.config.Config.Entrypoint[0]
	raw := b.files[strings.TrimPrefix(entry, "/")]
	f, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s, %s: %v", entry, platform, err)
	}
	if want := map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}[platform]; f.Machine != want {
		t.Errorf("%s for %s is for %s", entry, platform, f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s for %s needs a loader, which the image has not", entry, platform)
		}
	}
	if entry != "/seatrial-controlplane" || platform != "linux/"+runtime.GOARCH {
		return
	}
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, raw, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := command(t, ".", nil, file, "--version"); !strings.Contains(got, imageVersion) {
		t.Errorf("%s says it is %q", entry, got)
	}
}

// described: what is attached names everything that the programs link, and the image that it is about.
func (b built) described(t *testing.T, out, name string) {
	t.Helper()
	about, err := b.store.Predecessors(t.Context(), b.manifest)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]byte{}
	for _, d := range about {
		var m v1.Manifest
		parse(t, b.store, d, &m)
		if m.Subject != nil {
			said[m.ArtifactType] = fetch(t, b.store, m.Layers[0])
		}
	}
	var bill struct {
		Packages []struct {
			Name, VersionInfo string
			ExternalRefs      []struct{ ReferenceLocator string }
		}
	}
	var statement provenance
	for kind, into := range map[string]any{"application/spdx+json": &bill, "application/vnd.in-toto+json": &statement} {
		if err := json.Unmarshal(said[kind], into); err != nil {
			t.Fatalf("%s: %s: %v", name, kind, err)
		}
	}
	listed := map[string]bool{}
	for _, p := range bill.Packages {
		listed[p.Name+" "+p.VersionInfo] = true
	}
	for file, raw := range b.files {
		if file == authorities {
			continue
		}
		info, err := buildinfo.Read(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{file + " " + imageVersion, "stdlib " + strings.TrimPrefix(info.GoVersion, "go")}
		for _, m := range info.Deps {
			want = append(want, m.Path+" "+m.Version)
		}
		for _, w := range want {
			if !listed[w] {
				t.Errorf("%s: the bill of materials lacks %s", name, w)
			}
		}
	}
	if len(statement.Subject) != 1 || "sha256:"+statement.Subject[0].Digest["sha256"] != b.manifest.Digest.String() || statement.PredicateType != "https://slsa.dev/provenance/v1" {
		t.Errorf("%s: the provenance is %+v, of an image %s", name, statement, b.manifest.Digest)
	}
	statement.holds(t, b)
	beside, err := os.ReadFile(filepath.Join(out, name+"-"+b.manifest.Platform.Architecture+".spdx.json"))
	if err != nil || !bytes.Equal(beside, said["application/spdx+json"]) {
		t.Errorf("%s: the file beside the layout is not what is in it: %v", name, err)
	}
}

// provenance is what is read of a statement of how an image was made.
type provenance struct {
	Subject       []struct{ Digest map[string]string }
	PredicateType string
	Predicate     struct {
		BuildDefinition struct {
			ResolvedDependencies []material
		}
		RunDetails struct {
			Builder    struct{ ID string }
			Byproducts []material
		}
	}
}

type material struct {
	Name, URI   string
	Digest      map[string]string
	Annotations map[string]string
}

// holds: what the statement says the image was made of is what its programs and files say themselves.
func (p provenance) holds(t *testing.T, b built) {
	t.Helper()
	said := map[string]string{} // by name or address
	for _, m := range append(p.Predicate.BuildDefinition.ResolvedDependencies, p.Predicate.RunDetails.Byproducts...) {
		said[cmp.Or(m.URI, m.Name)] = cmp.Or(m.Digest["sha256"], m.Digest["gitCommit"], m.Digest["dirHash1"])
		if strings.HasPrefix(m.URI, "git+") && !strings.Contains(m.Annotations["doubt"], "as REVISION tells") {
			t.Errorf("nobody could check the commit, and the provenance does not say so: %+v", m)
		}
	}
	want := map[string]string{"git+https://github.com/seatrial/seatrial": imageRevision}
	for file, raw := range b.files {
		sum := sha256.Sum256(raw)
		want[path.Base(file)] = hex.EncodeToString(sum[:])
		if file == authorities {
			continue
		}
		info, err := buildinfo.Read(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		want["pkg:golang/toolchain@"+info.GoVersion] = ""
		for _, m := range info.Deps {
			sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
			if err != nil {
				t.Fatal(err)
			}
			want["pkg:golang/"+m.Path+"@"+m.Version] = hex.EncodeToString(sum)
		}
	}
	if !maps.Equal(said, want) {
		t.Errorf("the provenance says %v, and the image is made of %v", said, want)
	}
	if !strings.HasSuffix(p.Predicate.RunDetails.Builder.ID, "/unidentified") {
		t.Errorf("nobody has said who builds: %q", p.Predicate.RunDetails.Builder.ID)
	}
}

// pushes brings a layout into a registry as `oras cp --recursive` does.
func pushes(t *testing.T, dir string) {
	t.Helper()
	r := registry.Start(t, "127.0.0.1")
	to, err := remote.NewRepository(r.Address + "/seatrial/agent")
	if err != nil {
		t.Fatal(err)
	}
	to.PlainHTTP, to.SkipReferrersGC = true, true // Debian's registry deletes nothing
	to.Client = &auth.Client{Credential: auth.StaticCredential(r.Address, auth.Credential{Username: registry.User, Password: registry.Password})}
	store, err := oci.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oras.Copy(t.Context(), store, imageVersion, to, imageVersion, oras.DefaultCopyOptions); err != nil {
		t.Fatal(err)
	}
	for platform, b := range open(t, dir) {
		if err := oras.ExtendedCopyGraph(t.Context(), store, to, b.manifest, oras.DefaultExtendedCopyGraphOptions); err != nil {
			t.Fatal(err)
		}
		about, err := to.Predecessors(t.Context(), b.manifest)
		if err != nil || len(about) != 2 {
			t.Errorf("the registry knows %v about the image for %s: %v", about, platform, err)
		}
	}
}

var (
	copied  = regexp.MustCompile(`(?m)^COPY --from=build (.+) (\S+)$`)
	started = regexp.MustCompile(`(?m)^ENTRYPOINT \["(.+)"\]$`)
	stage   = regexp.MustCompile(`(?m)^FROM (?:--platform=(\S+) )?(\S+) AS (\S+)$`)
)

// TestDockerfile: it makes the images that `make images` and deploy/images.sh make, as far as can be told without building it.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, script, table := source(t, "deploy/Dockerfile"), source(t, "deploy/images.sh"), source(t, "deploy/oci/build.go")
	at := stage.FindAllStringSubmatchIndex(text, -1)
	seen := map[string]string{}
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		seen[text[m[6]:m[7]]] = text[m[0]:end]
	}
	if b := seen["build"]; !strings.Contains(b, "--platform=$BUILDPLATFORM") || !strings.Contains(b, "GOOS=$TARGETOS GOARCH=$TARGETARCH") || !strings.Contains(b, "ARG TARGETOS TARGETARCH") {
		t.Errorf("programs are not compiled for the platform that is asked for:\n%s", b)
	}
	if b := seen["base"]; !strings.HasPrefix(b, "FROM scratch ") || !strings.Contains(b, "USER 65532:65532\n") || !strings.Contains(b, "/"+authorities) {
		t.Errorf("the base is %s", b)
	}
	for _, name := range []string{"agent", "runner", "controlplane"} {
		s := seen[name]
		files, entry := copied.FindStringSubmatch(s), started.FindStringSubmatch(s)
		if files == nil || entry == nil || !strings.HasPrefix(s, "FROM base ") {
			t.Errorf("%s: %s", name, s)
			continue
		}
		var quoted []string
		for from := range strings.FieldsSeq(files[1]) {
			program := path.Base(from)
			quoted = append(quoted, `"`+program+`"`)
			if !strings.Contains(script, `"/`+program+`=$out/bin/`+program+`"`) {
				t.Errorf("%s: deploy/images.sh has no %s", name, program)
			}
		}
		if !strings.Contains(table, `"`+name+`"`) || !strings.Contains(table, "programs: []string{"+strings.Join(quoted, ", ")+"}") || !strings.Contains(quoted[0], path.Base(entry[1])) {
			t.Errorf("%s: deploy/oci has not %v, of which the first is started as %s", name, quoted, entry[1])
		}
	}
}

func source(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
