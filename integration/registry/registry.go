// Package registry starts a real registry of OCI artifacts for tests, Debian's docker-registry, and fills it.
package registry

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/crypto/bcrypt"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// What the registry wants from everybody.
const (
	User     = "tester"
	Password = "sesame-sesame"
)

// Registry speaks HTTP without TLS.
type Registry struct{ Address string }

// Start starts a registry on a free port of a host, and ends it with the test. It skips the test where the program is missing.
func Start(tb testing.TB, host string) Registry {
	tb.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		tb.Skip("no registry: install Debian's docker-registry")
	}
	dir := tb.TempDir()
	hash, err := bcrypt.GenerateFromPassword([]byte(Password), bcrypt.MinCost)
	if err != nil {
		tb.Fatal(err)
	}
	users, config := filepath.Join(dir, "users"), filepath.Join(dir, "config.yml")
	write(tb, users, User+":"+string(hash)+"\n")
	write(tb, config, fmt.Sprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\nauth: {htpasswd: {realm: tests, path: %s}}\n",
		dir, net.JoinHostPort(host, "0"), users))
	server := exec.CommandContext(tb.Context(), program, "serve", config)
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := server.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := server.Start(); err != nil {
		tb.Fatal(err)
	}
	listens, drained := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			if _, address, ok := strings.Cut(lines.Text(), "listening on "); ok {
				listens <- strings.Trim(strings.Fields(address)[0], `"`)
				break
			}
		}
		close(listens)
		_, _ = io.Copy(io.Discard, log)
	}()
	tb.Cleanup(func() {
		_ = server.Process.Kill()
		<-drained
		_ = server.Wait()
	})
	address, ok := <-listens
	if !ok {
		tb.Fatal("the registry ended before it listened")
	}
	return Registry{Address: address}
}

func write(tb testing.TB, file, text string) {
	tb.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Layer is a blob of an artifact.
type Layer struct {
	Kind, Title string // Title may be empty
	Raw         []byte
}

// Push makes the artifact name:tag of layers and returns its digest.
func (r Registry) Push(tb testing.TB, name string, layers ...Layer) (digest string) {
	tb.Helper()
	repository, err := remote.NewRepository(r.Address + "/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	repository.PlainHTTP = true
	repository.Client = &auth.Client{Credential: auth.StaticCredential(r.Address, auth.Credential{Username: User, Password: Password})}
	var packed []v1.Descriptor
	for _, l := range layers {
		blob := content.NewDescriptorFromBytes(l.Kind, l.Raw)
		if l.Title != "" {
			blob.Annotations = map[string]string{v1.AnnotationTitle: l.Title}
		}
		if err := repository.Push(tb.Context(), blob, bytes.NewReader(l.Raw)); err != nil {
			tb.Fatal(err)
		}
		packed = append(packed, blob)
	}
	manifest, err := oras.PackManifest(tb.Context(), repository, oras.PackManifestVersion1_1, "application/vnd.example.tests", oras.PackManifestOptions{Layers: packed})
	if err != nil {
		tb.Fatal(err)
	}
	if err := repository.Tag(tb.Context(), manifest, repository.Reference.Reference); err != nil {
		tb.Fatal(err)
	}
	return manifest.Digest.String()
}

// DockerConfig is what a secret of the type kubernetes.io/dockerconfigjson holds for the registry.
func (r Registry) DockerConfig(password string) string {
	pair := base64.StdEncoding.EncodeToString([]byte(User + ":" + password))
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, r.Address, pair)
}
