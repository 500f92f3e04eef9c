package app_test

import (
	"bytes"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seatrial/seatrial/agent/source/app"
)

// repo is a repository that a real git made and real git servers serve.
type repo struct {
	root string // directory of all repositories
	dir  string
	tip  string // of main
	old  string // no ref is at it
}

func newRepo(t *testing.T) repo {
	t.Helper()
	root := t.TempDir()
	r := repo{root: root, dir: filepath.Join(root, "shop.git")}
	r.write(t, "README.md", "first\n")
	r.git(t, "init", "-q", "-b", "main")
	r.commit(t, "first commit")
	r.write(t, "README.md", "second\n")
	r.write(t, "e2e/test_it.py", "def test_it(): pass\n")
	r.write(t, "e2e-other/x", "x\n")
	r.write(t, "run.sh", "#!/bin/sh\n")
	r.must(t, os.Chmod(filepath.Join(r.dir, "run.sh"), 0o755))
	r.must(t, os.Symlink("README.md", filepath.Join(r.dir, "link")))
	r.commit(t, "second commit")
	r.old = r.git(t, "rev-parse", "HEAD")
	r.git(t, "checkout", "-qb", "release/1.x")
	r.write(t, "README.md", "release\n")
	r.commit(t, "release commit")
	r.git(t, "tag", "-a", "v1.0", "-m", "one")
	r.git(t, "tag", "light")
	r.git(t, "checkout", "-q", "main")
	r.write(t, "README.md", "main\n")
	r.commit(t, "last commit")
	r.tip = r.git(t, "rev-parse", "HEAD")
	return r
}

func (r repo) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r repo) write(t *testing.T, name, content string) {
	t.Helper()
	file := filepath.Join(r.dir, name)
	r.must(t, os.MkdirAll(filepath.Dir(file), 0o755))
	r.must(t, os.WriteFile(file, []byte(content), 0o644))
}

func (r repo) commit(t *testing.T, message string) {
	t.Helper()
	r.git(t, "add", "-A")
	r.git(t, "commit", "-qm", message)
}

func (r repo) git(t *testing.T, args ...string) string {
	t.Helper()
	return git(t, r.dir, args...)
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "safe.directory=*"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// serve serves the repositories as git servers do and returns the repository's address.
func (r repo) serve(t *testing.T, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	var h http.Handler = &cgi.Handler{
		Path: "/usr/lib/git-core/git-http-backend", Dir: r.root,
		Env: []string{
			"GIT_PROJECT_ROOT=" + r.root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		},
	}
	if wrap != nil {
		h = wrap(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/shop.git/.git"
}

type outcome struct {
	code     int
	out, err string
	dest     string
}

// source runs the program for a directory of its own.
func source(t *testing.T, env map[string]string, args ...string) outcome {
	t.Helper()
	dest := t.TempDir()
	o := run(t, env, append(args, "--dest="+dest)...)
	o.dest = dest
	return o
}

func run(t *testing.T, env map[string]string, args ...string) outcome {
	t.Helper()
	var out, err bytes.Buffer
	code := app.Main(t.Context(), args, app.Process{
		Version: "v0", Getenv: func(k string) string { return env[k] }, Out: &out, Err: &err,
	})
	return outcome{code: code, out: out.String(), err: err.String()}
}

func (o outcome) ok(t *testing.T) outcome {
	t.Helper()
	if o.code != 0 {
		t.Fatalf("exit %d:\n%s%s", o.code, o.out, o.err)
	}
	return o
}

// files returns what is in the destination apart from .git.
func (o outcome) files(t *testing.T) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(o.dest, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.Name() == ".git" {
				return filepath.SkipDir
			}
			return err
		}
		b, err := os.ReadFile(name)
		rel, _ := filepath.Rel(o.dest, name)
		got[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// check holds that it ended well, or with one sentence that says something, that the destination has just these files, and that no
// secret is shown.
func (o outcome) check(t *testing.T, reason, says string, want map[string]string, secrets ...string) {
	t.Helper()
	if says == "" {
		o.ok(t)
	} else if o.code != 1 || !strings.Contains(o.err, says) || strings.Count(o.err, "\n") != 1 {
		t.Errorf("%s: exit %d, want 1 and one sentence with %q:\n%s", reason, o.code, says, o.err)
	}
	if diff := cmp.Diff(want, o.files(t), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: files (-want +got):\n%s", reason, diff)
	}
	for _, secret := range secrets {
		if strings.Contains(o.out+o.err, secret) {
			t.Errorf("a secret is shown:\n%s%s", o.out, o.err)
		}
	}
}
