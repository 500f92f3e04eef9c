package app_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tarball is a compressed archive of files under one folder, and its sum.
func tarball(t *testing.T, files map[string]string) (raw []byte, sum string) {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: "tests-1.0/" + name, Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	of := sha256.Sum256(out.Bytes())
	return out.Bytes(), hex.EncodeToString(of[:])
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	const token = "sesame-sesame"
	raw, sum := tarball(t, map[string]string{"a.txt": "a", "dir/b.txt": "b"})
	mux := http.NewServeMux()
	mux.HandleFunc("/open", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(raw) })
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write(raw)
	})
	mux.HandleFunc("/basic", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "u" || password != token {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write(raw)
	})
	mux.Handle("/moved", http.RedirectHandler("/open", http.StatusFound))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>sign in</html>")) })
	mux.HandleFunc("/teapot", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	pageSum := sha256.Sum256([]byte("<html>sign in</html>"))

	for name, tc := range map[string]struct {
		reason string
		path   string
		env    map[string]string
		args   []string
		want   map[string]string // of the folder
		says   string            // when it fails
	}{
		"Strip":    {"without the folder on top", "/open", nil, []string{"--strip=1"}, map[string]string{"a.txt": "a", "dir/b.txt": "b"}, ""},
		"Folder":   {"below a folder of the workspace", "/open", nil, []string{"--strip=1", "--folder=x/y"}, map[string]string{"x/y/a.txt": "a", "x/y/dir/b.txt": "b"}, ""},
		"Moved":    {"redirects are followed", "/moved", nil, []string{"--strip=1"}, map[string]string{"a.txt": "a", "dir/b.txt": "b"}, ""},
		"Token":    {"a token of a secret, which ends in a line end", "/token", map[string]string{"SEATRIAL_HTTP_TOKEN": token + "\n"}, []string{"--strip=1"}, map[string]string{"a.txt": "a", "dir/b.txt": "b"}, ""},
		"Basic":    {"user name and password", "/basic", map[string]string{"SEATRIAL_HTTP_USERNAME": "u", "SEATRIAL_HTTP_PASSWORD": token}, []string{"--strip=1"}, map[string]string{"a.txt": "a", "dir/b.txt": "b"}, ""},
		"NoToken":  {"none is given", "/token", nil, nil, nil, "name a secret with them in source.http.secretRef"},
		"BadToken": {"a wrong one is given", "/basic", map[string]string{"SEATRIAL_HTTP_PASSWORD": "wrong-wrong"}, nil, nil, "refused the credentials"},
		"Absent":   {"a wrong address", "/absent", nil, nil, nil, "there is nothing at"},
		"Status":   {"an answer that nobody expects", "/teapot", nil, nil, nil, "status 418"},
		"Sum":      {"other bytes than meant", "/page", nil, nil, nil, "its SHA-256 is " + hex.EncodeToString(pageSum[:])},
		"Page":     {"a page instead of the archive", "/page", nil, []string{"--sha256=" + hex.EncodeToString(pageSum[:])}, nil, "looks like a web page"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := source(t, tc.env, append([]string{"http", "--url=" + server.URL + tc.path + "?signature=s3cr3t", "--sha256=" + sum}, tc.args...)...)
			got.check(t, tc.reason, tc.says, tc.want, token, "s3cr3t")
		})
	}
}

// TestHTTP_Redirect shows that credentials stay with the host they are for.
func TestHTTP_Redirect(t *testing.T) {
	t.Parallel()
	raw, sum := tarball(t, map[string]string{"a.txt": "a"})
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked.Store(r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "")
		_, _ = w.Write(raw)
	}))
	t.Cleanup(other.Close)
	elsewhere, err := url.Parse(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1"} { // another name, and another port of the same one
		first := httptest.NewServer(http.RedirectHandler("http://"+host+":"+elsewhere.Port(), http.StatusFound))
		source(t, map[string]string{"SEATRIAL_HTTP_TOKEN": "sesame-sesame"}, "http", "--url="+first.URL+"?token=s3cr3t", "--sha256="+sum).ok(t)
		if leaked.Load() {
			t.Errorf("the token or the query went to %s", host)
		}
		first.Close()
	}
}

// TestHTTP_Passing proves that a server that is not there yet, or breaks off, does not end the test.
func TestHTTP_Passing(t *testing.T) {
	t.Parallel()
	raw, sum := tarball(t, map[string]string{"a.txt": "a"})
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch calls.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write(raw)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) //nolint:forbidigo // as the server wants it
		default:
			_, _ = w.Write(raw)
		}
	}))
	t.Cleanup(server.Close)
	got := source(t, nil, "http", "--url="+server.URL, "--sha256="+sum, "--strip=1").ok(t)
	if diff := cmp.Diff(map[string]string{"a.txt": "a"}, got.files(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if n := strings.Count(got.out, "trying again"); n != 2 {
		t.Errorf("it tried again %d times, want 2:\n%s", n, got.out)
	}
}

// TestConfigMap copies a config map as the kubelet mounts it: links into a folder that is changed as a whole.
func TestConfigMap(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	for name, content := range map[string]string{"..2026/settings.ini": "[a]\n", "..2026/data.bin": "\x00\xff"} {
		file := filepath.Join(mount, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"..data": "..2026", "settings.ini": "..data/settings.ini", "data.bin": "..data/data.bin"} {
		if err := os.Symlink(target, filepath.Join(mount, name)); err != nil {
			t.Fatal(err)
		}
	}
	got := source(t, nil, "configmap", "--name=settings", "--from="+mount, "--folder=conf").ok(t)
	if diff := cmp.Diff(map[string]string{"conf/settings.ini": "[a]\n", "conf/data.bin": "\x00\xff"}, got.files(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if err := os.WriteFile(filepath.Join(got.dest, "conf/settings.ini"), []byte("[b]\n"), 0o600); err != nil {
		t.Errorf("a copy cannot be changed: %v", err)
	}
}

// TestSeveral fetches several sources in one go, the later over the earlier ones.
func TestSeveral(t *testing.T) {
	t.Parallel()
	raw, sum := tarball(t, map[string]string{"README.md": "of the archive\n", "more.txt": "m"})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(raw) }))
	t.Cleanup(server.Close)
	r := newRepo(t)
	dest := t.TempDir()
	got := run(t, nil,
		"git", "--url="+r.serve(t, nil), "--dest="+dest, "--", "http", "--url="+server.URL, "--sha256="+sum, "--strip=1", "--dest="+dest).ok(t)
	got.dest = dest
	files := got.files(t)
	if files["README.md"] != "of the archive\n" || files["more.txt"] != "m" || files["run.sh"] == "" {
		t.Errorf("files: %v", files)
	}
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"NoKind":  {[]string{"--url=x", "--dest=y"}, `"--url=x" is not a kind of source`},
		"Nothing": {nil, "the kind of a source is needed"},
		"Second":  {[]string{"configmap", "--name=a", "--from=b", "--dest=c", "--", "http", "--url=x", "--dest=c"}, "http: --sha256 is needed"},
		"Unknown": {[]string{"oci", "--artifact=a", "--dest=b", "--tls"}, "flag provided but not defined"},
	} {
		if got := run(t, nil, tc.args...); got.code != 2 || !strings.Contains(got.err, tc.says) {
			t.Errorf("%s: exit %d, want 2 and %q:\n%s", name, got.code, tc.says, got.err)
		}
	}
}
