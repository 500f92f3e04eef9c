package git

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/integration/harness"
)

// repository makes a repository of files in a folder that is served as acme/shop.git, and returns that folder and the commit.
func repository(t *testing.T, files map[string]string) (root, commit string) {
	t.Helper()
	root = t.TempDir()
	bare, work := filepath.Join(root, "acme", "shop.git"), t.TempDir()
	run(t, root, "init", "-q", "--bare", "-b", "main", bare)
	run(t, work, "init", "-q", "-b", "main")
	for name, text := range files {
		path := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(work, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	run(t, work, "add", "-A")
	run(t, work, "commit", "-q", "-m", "first")
	run(t, work, "push", "-q", bare, "main")
	return root, strings.TrimSpace(run(t, work, "rev-parse", "HEAD"))
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.test", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.test")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// backend serves a folder of repositories; with a token to those alone that have it.
func backend(t *testing.T, root, token string) http.Handler {
	t.Helper()
	git := harness.Git(t, root)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); token != "" && got != token {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		git.ServeHTTP(w, r)
	})
}

func loopback() outbound.Options {
	return outbound.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
}

func documented() map[string]string {
	return map[string]string{"tests/a.yaml": "a", "tests/deep/b.yml": "b", "tests/c.json": "{}", "README.md": "no", "other/d.yaml": "d"}
}

func TestRead(t *testing.T) {
	t.Parallel()
	root, commit := repository(t, documented())
	server := httptest.NewServer(backend(t, root, ""))
	t.Cleanup(server.Close)
	r := New(loopback())
	repo := origin.Repository{URL: server.URL + "/acme/shop.git"}
	tree, err := r.Read(t.Context(), repo, origin.Credential{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := names(tree); tree.Commit != commit || got != "other/d.yaml tests/a.yaml tests/c.json tests/deep/b.yml" {
		t.Errorf("%s has %s: links and what is no document are left", tree.Commit, got)
	}
	repo.Path, repo.Branch = "/tests/../tests/", "main"
	if tree, err = r.Read(t.Context(), repo, origin.Credential{}, ""); err != nil || names(tree) != "tests/a.yaml tests/c.json tests/deep/b.yml" {
		t.Errorf("%s, %v", names(tree), err)
	}
	if tree, err = r.Read(t.Context(), repo, origin.Credential{}, commit); err != nil || tree.Commit != commit || tree.Files != nil {
		t.Errorf("a known commit is fetched: %+v, %v", tree, err)
	}
	for name, tc := range map[string]struct {
		change func(*origin.Repository)
		kind   fault.Kind
		says   string
	}{
		"NoBranch":     {func(r *origin.Repository) { r.Branch = "gone" }, fault.NotFound, `no branch "gone"`},
		"NoFolder":     {func(r *origin.Repository) { r.Path = "gone" }, fault.NotFound, "no folder gone"},
		"NoRepository": {func(r *origin.Repository) { r.URL = server.URL + "/acme/gone.git" }, fault.NotFound, "knows no such repository"},
		"File":         {func(r *origin.Repository) { r.URL = "file://" + root + "/acme/shop.git" }, fault.Invalid, "not by file"},
		"Git":          {func(r *origin.Repository) { r.URL = "git://127.0.0.1/acme/shop.git" }, fault.Invalid, "not by git"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := repo
			tc.change(&one)
			if _, err := r.Read(t.Context(), one, origin.Credential{}, ""); !fault.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %q", err, tc.says)
			}
		})
	}
}

// TestRead_Private holds that a repository's address reaches nothing that the rules refuse.
func TestRead_Private(t *testing.T) {
	t.Parallel()
	root, _ := repository(t, documented())
	server := httptest.NewServer(backend(t, root, ""))
	t.Cleanup(server.Close)
	r := New(outbound.Options{})
	if _, err := r.Read(t.Context(), origin.Repository{URL: server.URL + "/acme/shop.git"}, origin.Credential{}, ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("https: %v", err)
	}
	key, _ := pair(t)
	_, err := r.Read(t.Context(), origin.Repository{URL: "ssh://git@127.0.0.1/acme/shop.git"}, origin.Credential{Key: key, HostKeys: "h"}, "")
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("ssh: %v", err)
	}
}

func TestRead_Token(t *testing.T) {
	t.Parallel()
	root, commit := repository(t, documented())
	handler := backend(t, root, "s3cret")
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	r := &Reader{rules: loopback(), http: server.Client()}
	repo := origin.Repository{URL: server.URL + "/acme/shop.git"}
	if tree, err := r.Read(t.Context(), repo, origin.Credential{Token: "s3cret"}, ""); err != nil || tree.Commit != commit {
		t.Errorf("%+v, %v", tree, err)
	}
	for name, c := range map[string]origin.Credential{"Wrong": {Token: "guess"}, "None": {}} {
		if _, err := r.Read(t.Context(), repo, c, ""); !fault.Is(err, fault.Forbidden) || strings.Contains(err.Error(), "guess") {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain := httptest.NewServer(handler)
	t.Cleanup(plain.Close)
	if _, err := r.Read(t.Context(), origin.Repository{URL: plain.URL + "/acme/shop.git"}, origin.Credential{Token: "s3cret"}, ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("a token goes out in plaintext: %v", err)
	}
}

func TestRead_SSH(t *testing.T) {
	t.Parallel()
	root, commit := repository(t, documented())
	mine, public := pair(t)
	other, _ := pair(t)
	address, host := serveSSH(t, root, public)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	repo := origin.Repository{URL: "ssh://git@localhost:" + port + "/acme/shop.git"}
	known := knownhosts.Line([]string{"[localhost]:" + port}, host)
	r := New(loopback())
	if tree, err := r.Read(t.Context(), repo, origin.Credential{Key: mine, HostKeys: known}, ""); err != nil || tree.Commit != commit || len(tree.Files) != 4 {
		t.Fatalf("%+v, %v", tree, err)
	}
	_, stranger := pair(t)
	for name, c := range map[string]origin.Credential{
		"OtherKey":  {Key: other, HostKeys: known},
		"OtherHost": {Key: mine, HostKeys: knownhosts.Line([]string{"[localhost]:" + port}, stranger)},
		"NoHost":    {Key: mine, HostKeys: knownhosts.Line([]string{"example.test"}, host)},
		"NoKey":     {Key: "key", HostKeys: known},
	} {
		if _, err := r.Read(t.Context(), repo, c, ""); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// pair makes a key of a client.
func pair(t *testing.T) (private string, public ssh.PublicKey) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	public, err = ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), public
}

// serveSSH serves a folder of repositories to one key.
func serveSSH(t *testing.T, root string, public ssh.PublicKey) (address string, host ssh.PublicKey) {
	t.Helper()
	private, host := pair(t)
	signer, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(public.Marshal()) {
			return nil, fault.New(fault.Forbidden, "another key")
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(signer)
	lis, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go serveConn(conn, config, root)
		}
	}()
	return lis.Addr().String(), host
}

func serveConn(conn net.Conn, config *ssh.ServerConfig, root string) {
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for one := range channels {
		channel, requests, err := one.Accept()
		if err != nil {
			return
		}
		for req := range requests {
			command := string(req.Payload[min(4, len(req.Payload)):])
			_ = req.Reply(req.Type == "exec", nil)
			if req.Type != "exec" {
				continue
			}
			path := strings.Trim(strings.TrimPrefix(command, "git-upload-pack "), "'")
			cmd := exec.Command("git", "upload-pack", filepath.Join(root, filepath.Clean("/"+path)))
			cmd.Env = append(os.Environ(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
			in, _ := cmd.StdinPipe()
			cmd.Stdout = channel
			go func() {
				_, _ = io.Copy(in, channel)
				_ = in.Close()
			}()
			_ = cmd.Run()
			_, _ = channel.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
			_ = channel.Close()
		}
	}
}

func names(tree Tree) string {
	all := make([]string, len(tree.Files))
	for i, f := range tree.Files {
		all[i] = f.Path
	}
	return strings.Join(all, " ")
}

// TestMeasure holds that what expands beyond the limit is refused before it is expanded, and that noise is no pack.
func TestMeasure(t *testing.T) {
	t.Parallel()
	root, _ := repository(t, map[string]string{"zeros.yaml": strings.Repeat("\x00", MaxExpanded+1)})
	bare := filepath.Join(root, "acme", "shop.git")
	run(t, bare, "repack", "-a", "-d", "-q")
	packs, err := filepath.Glob(filepath.Join(bare, "objects", "pack", "*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	pack, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := measure(pack); !fault.Is(err, fault.Exhausted) {
		t.Errorf("%d bytes that expand to more than %d are taken: %v", len(pack), MaxExpanded, err)
	}
	small, _ := repository(t, documented())
	bare = filepath.Join(small, "acme", "shop.git")
	run(t, bare, "repack", "-a", "-d", "-q")
	packs, _ = filepath.Glob(filepath.Join(bare, "objects", "pack", "*.pack"))
	if pack, err = os.ReadFile(packs[0]); err != nil || measure(pack) != nil {
		t.Errorf("%v, %v", err, measure(pack))
	}
	for i := range pack {
		if i%7 == 0 {
			_ = measure(pack[:i]) // ends
		}
	}
	if measure(nil) == nil || measure([]byte("PACK"+strconv.Itoa(1))) == nil {
		t.Error("noise is a pack")
	}
}

func FuzzMeasure(f *testing.F) {
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01"))
	f.Fuzz(func(_ *testing.T, pack []byte) { _ = measure(pack) })
}
