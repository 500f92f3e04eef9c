package app_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMain_Refs(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	url := r.serve(t, nil)
	for name, tc := range map[string]struct {
		reason string
		args   []string
		readme string
		head   string // what git says about where the clone is
		says   string
	}{
		"Default":      {"no ref means the default branch", nil, "main\n", "main", "branch main"},
		"Branch":       {"a branch is checked out as git clone does", []string{"--ref=release/1.x"}, "release\n", "release/1.x", "branch release/1.x"},
		"AnnotatedTag": {"an annotated tag is peeled", []string{"--ref=v1.0"}, "release\n", "HEAD", "tag v1.0"},
		"LightTag":     {"a light tag is a commit", []string{"--ref=light"}, "release\n", "HEAD", "tag light"},
		"FullName":     {"names of refs as CI systems give them", []string{"--ref=refs/heads/main"}, "main\n", "main", "branch main"},
		"TipCommit":    {"a commit that a branch is at", []string{"--ref=" + r.tip}, "main\n", "HEAD", r.tip},
		"OldCommit":    {"a commit no ref is at, from a server that serves refs only", []string{"--ref=" + r.old}, "second\n", "HEAD", "all branches and tags"},
		"WholeHistory": {"depth 0 is everything", []string{"--depth=0"}, "main\n", "main", "last commit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := source(t, nil, append([]string{"git", "--url=" + url}, tc.args...)...).ok(t)
			if b := got.files(t)["README.md"]; b != tc.readme {
				t.Errorf("%s: README.md is %q, want %q", tc.reason, b, tc.readme)
			}
			if head := git(t, got.dest, "rev-parse", "--abbrev-ref", "HEAD"); head != tc.head {
				t.Errorf("%s: HEAD is %q, want %q", tc.reason, head, tc.head)
			}
			if status := git(t, got.dest, "status", "--porcelain"); status != "" {
				t.Errorf("git sees changes:\n%s", status)
			}
			if !strings.Contains(got.out, tc.says) {
				t.Errorf("%s: output lacks %q:\n%s", tc.reason, tc.says, got.out)
			}
		})
	}
}

// TestMain_BranchLikeCommit: whoever may push can name a branch like a commit. Who pins the commit is given the commit.
func TestMain_BranchLikeCommit(t *testing.T) {
	t.Parallel()
	for _, single := range []string{"false", "true"} {
		r := newRepo(t)
		r.git(t, "config", "uploadpack.allowReachableSHA1InWant", single)
		r.git(t, "update-ref", "refs/heads/"+r.old, r.tip)
		got := source(t, nil, "git", "--url="+r.serve(t, nil), "--ref="+r.old).ok(t)
		if b := got.files(t)["README.md"]; b != "second\n" {
			t.Errorf("allowReachableSHA1InWant=%s: README.md is %q, which is of the branch", single, b)
		}
	}
	r := newRepo(t)
	absent := strings.Repeat("0123", 10)
	r.git(t, "update-ref", "refs/heads/"+absent, r.tip)
	if got := source(t, nil, "git", "--url="+r.serve(t, nil), "--ref="+absent); got.code == 0 {
		t.Errorf("a commit that nobody has is taken for the branch of its name:\n%s", got.out)
	}
}

func TestMain_Depth(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	url := r.serve(t, nil)
	for depth, want := range map[string]string{"--depth=1": "1", "--depth=2": "2", "--depth=0": "3"} {
		got := source(t, nil, "git", "--url="+url, "--ref=main", depth).ok(t)
		if n := git(t, got.dest, "rev-list", "--count", "HEAD"); n != want {
			t.Errorf("%s gives %s commits, want %s", depth, n, want)
		}
	}
}

func TestMain_SingleCommit(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.git(t, "config", "uploadpack.allowReachableSHA1InWant", "true")
	got := source(t, nil, "git", "--url="+r.serve(t, nil), "--ref="+r.old).ok(t)
	if strings.Contains(got.out, "all branches") {
		t.Errorf("the server hands out single commits, yet everything was fetched:\n%s", got.out)
	}
	if n := git(t, got.dest, "rev-list", "--count", "HEAD"); n != "1" {
		t.Errorf("%s commits were fetched, want 1", n)
	}
}

func TestMain_Files(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	url := r.serve(t, nil)
	all := map[string]string{
		"README.md": "main\n", "e2e/test_it.py": "def test_it(): pass\n", "e2e-other/x": "x\n", "run.sh": "#!/bin/sh\n", "link": "main\n",
	}
	for name, tc := range map[string]struct {
		reason string
		paths  []string
		want   []string
	}{
		"All":       {"no path means everything", nil, []string{"README.md", "e2e/test_it.py", "e2e-other/x", "run.sh", "link"}},
		"Directory": {"a directory is not one whose name only begins like it", []string{"--path=e2e"}, []string{"e2e/test_it.py"}},
		"File":      {"a single file", []string{"--path=run.sh", "--path=./e2e-other/"}, []string{"run.sh", "e2e-other/x"}},
		"Root":      {"the root is everything", []string{"--path=."}, []string{"README.md", "e2e/test_it.py", "e2e-other/x", "run.sh", "link"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := source(t, nil, append([]string{"git", "--url=" + url}, tc.paths...)...).ok(t)
			want := map[string]string{}
			for _, f := range tc.want {
				want[f] = all[f]
			}
			if diff := cmp.Diff(want, got.files(t)); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
			if status := git(t, got.dest, "status", "--porcelain"); status != "" {
				t.Errorf("git sees changes:\n%s", status)
			}
			if info, err := os.Stat(filepath.Join(got.dest, "run.sh")); err == nil && info.Mode()&0o100 == 0 {
				t.Error("run.sh is not executable")
			}
		})
	}
}

// TestMain_Occupied proves that files of the workspace that the repository does not have stay.
func TestMain_Occupied(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	url := r.serve(t, nil)
	dest := t.TempDir()
	for name, content := range map[string]string{"own.txt": "own", "README.md": "own"} {
		r.must(t, os.WriteFile(filepath.Join(dest, name), []byte(content), 0o644))
	}
	got := run(t, nil, "git", "--url="+url, "--dest="+dest).ok(t)
	got.dest = dest
	if f := got.files(t); f["own.txt"] != "own" || f["README.md"] != "main\n" {
		t.Errorf("files are %v", f)
	}
	if twice := run(t, nil, "git", "--url="+url, "--dest="+dest); twice.code != 1 || !strings.Contains(twice.err, "holds a repository already") {
		t.Errorf("a second time: exit %d: %s", twice.code, twice.err)
	}
}

func basic(user, password string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if u, p, _ := r.BasicAuth(); p != password || user != "" && u != user {
				w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
				http.Error(w, "no", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func TestMain_Credentials(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	const secret = "s3cret-value"
	url := r.serve(t, basic("bot", secret))
	for name, tc := range map[string]struct {
		reason string
		env    map[string]string
		code   int
		says   string
	}{
		"Password": {"user and password", map[string]string{"SEATRIAL_GIT_USERNAME": "bot", "SEATRIAL_GIT_PASSWORD": secret + "\n"}, 0, "last commit"},
		"Token":    {"a token goes before a password", map[string]string{"SEATRIAL_GIT_USERNAME": "bot", "SEATRIAL_GIT_PASSWORD": "other", "SEATRIAL_GIT_TOKEN": secret}, 0, "unencrypted"},
		"Wrong":    {"a refusal is not repeated with the secret in it", map[string]string{"SEATRIAL_GIT_USERNAME": "bot", "SEATRIAL_GIT_PASSWORD": "wr0ng-value"}, 1, "refused the credentials"},
		"None":     {"what to do is said", nil, 1, "wants credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := source(t, tc.env, "git", "--url="+url)
			if got.code != tc.code || !strings.Contains(got.out+got.err, tc.says) {
				t.Errorf("%s: exit %d, want %d and %q:\n%s%s", tc.reason, got.code, tc.code, tc.says, got.out, got.err)
			}
			for _, secret := range []string{secret, "wr0ng-value"} {
				if strings.Contains(got.out+got.err, secret) {
					t.Errorf("the output holds a secret:\n%s%s", got.out, got.err)
				}
			}
			if got.code == 0 {
				config, err := os.ReadFile(filepath.Join(got.dest, ".git", "config"))
				if err != nil || strings.Contains(string(config), secret) {
					t.Errorf("the clone keeps the secret (%v):\n%s", err, config)
				}
			}
		})
	}
	echo := run(t, map[string]string{"SEATRIAL_GIT_TOKEN": secret}, "git", "--url=http://"+secret+".invalid/x.git", "--dest="+t.TempDir())
	if echo.code != 1 || strings.Contains(echo.err, secret) {
		t.Errorf("exit %d: a secret in a message is not hidden: %s", echo.code, echo.err)
	}
}

func TestMain_Faults(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	url := r.serve(t, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	r.must(t, err)
	closed := "http://" + listener.Addr().String() + "/shop.git"
	r.must(t, listener.Close())
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(tls.Close)
	empty := filepath.Join(r.root, "empty.git")
	git(t, r.root, "init", "-q", "--bare", empty)
	for name, tc := range map[string]struct {
		reason string
		args   []string
		says   string
	}{
		"UnknownHost": {"a name DNS does not know", []string{"--url=http://nowhere.invalid/shop.git"}, "host nowhere.invalid"},
		"UnknownRef":  {"neither branch nor tag", []string{"--url=" + url, "--ref=absent"}, `"absent" is no branch, tag or commit`},
		"ShortCommit": {"abbreviated commits are told apart", []string{"--url=" + url, "--ref=" + r.tip[:8]}, "all its 40 digits"},
		"NoCommit":    {"a commit nobody has", []string{"--url=" + url, "--ref=" + strings.Repeat("0123", 10)}, "is no branch, tag or commit"},
		"NoRepo":      {"a wrong path", []string{"--url=" + strings.Replace(url, "shop", "ship", 1)}, "there is no repository at"},
		"Empty":       {"nothing was pushed yet", []string{"--url=" + strings.Replace(url, "shop.git/.git", "empty.git", 1)}, "is empty"},
		"NoPath":      {"a path that is not there", []string{"--url=" + url, "--path=absent"}, `no path "absent"`},
		"Closed":      {"nobody listens", []string{"--url=" + closed}, "refuses connections"},
		"Certificate": {"a certificate of nobody's", []string{"--url=" + tls.URL + "/shop.git"}, "is not trusted"},
		"NoKey":       {"SSH without a key", []string{"--url=git@" + listener.Addr().String() + ":shop.git"}, "ssh-privatekey"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := source(t, nil, append([]string{"git"}, tc.args...)...)
			if got.code != 1 || !strings.Contains(got.err, tc.says) {
				t.Errorf("%s: exit %d, want 1 and %q:\n%s%s", tc.reason, got.code, tc.says, got.out, got.err)
			}
			if n := strings.Count(strings.TrimSpace(got.err), "\n"); n != 0 {
				t.Errorf("%s: one sentence is wanted:\n%s", tc.reason, got.err)
			}
		})
	}
	if got := run(t, nil, "git", "--url="+url); got.code != 2 || !strings.Contains(got.err, "usage:") {
		t.Errorf("without --dest: exit %d, want 2: %s", got.code, got.err)
	}
}

// TestMain_Passing proves that a fault that passes does not end the test.
func TestMain_Passing(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	var calls atomic.Int32
	url := r.serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if calls.Add(1) == 1 {
				http.Error(w, "starting", http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	got := source(t, nil, "git", "--url="+url).ok(t)
	if !strings.Contains(got.out, "status 503") || !strings.Contains(got.out, "trying again") {
		t.Errorf("the fault is not told:\n%s", got.out)
	}
}

// TestMain_NoSpace fetches into a file system that is too small.
func TestMain_NoSpace(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write(t, "zeros.bin", strings.Repeat("0", 4<<20)) // packs well: the fault comes while files are written
	r.commit(t, "large")
	url := r.serve(t, nil)
	dest := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dest).CombinedOutput(); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dest).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	got := run(t, nil, "git", "--url="+url, "--dest="+dest)
	if want := fmt.Sprintf("no space is left for the source in %s", dest); got.code != 1 || !strings.Contains(got.err, want) {
		t.Errorf("exit %d, want 1 and %q:\n%s", got.code, want, got.err)
	}
}
