package e2e_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/integration/harness"
	"github.com/seatrial/seatrial/integration/registry"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// gitSource proves that a repository is fetched into the workspace, as a step with a log of its own.
func gitSource(t *testing.T, p *plane, _ *agent) {
	t.Helper()
	url := repository(t, "shop", map[string]string{"e2e/test_it.py": "def test_it(): pass\n", "other.txt": "x\n"})
	p.apply(t, `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: from-git}
spec:
  source: {git: {url: "`+url+`", ref: main, paths: [e2e]}}
  container: {image: `+python+`, imagePullPolicy: Never}
  timeout: 5m
  steps:
    - name: test
      workingDir: e2e
      run: python3 -m pytest -p no:cacheprovider --junitxml=/workspace/out.xml && ! test -e ../other.txt
      reports: [{format: junit, paths: [out.xml]}]
`)
	id := p.run(t, "from-git")
	e := p.ended(t, id)
	if e.GetStatus() != apiv1.Status_STATUS_PASSED || e.GetTests().GetPassed() != 1 {
		t.Errorf("status %s: %s, tests %v; log:\n%s", e.GetStatus(), e.GetMessage(), e.GetTests(), p.must(t, "logs", id))
	}
	p.apply(t, strings.Replace(`apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: no-ref}
spec:
  source: {git: {url: "URL", ref: absent}}
  container: {image: `+python+`, imagePullPolicy: Never}
  steps: [{name: test, run: "true"}]
`, "URL", url, 1))
	if got := p.cli(t, "run", "no-ref", "--follow"); got.code == 0 || !strings.Contains(got.out+got.err, "absent") {
		t.Errorf("a ref that is not there: exit %d: %s%s", got.code, got.out, got.err)
	}
}

// otherSources fetches an archive, an artifact of a real registry and a config map, the secrets of which stay in the cluster.
func otherSources(t *testing.T, p *plane, a *agent) {
	t.Helper()
	store := registry.Start(t, harness.Address(t))
	digest := store.Push(t, "tests/data:1", registry.Layer{Kind: "text/csv", Title: "users.csv", Raw: []byte("id,name\n1,ada\n")})
	var archive bytes.Buffer
	tarball := tar.NewWriter(&archive)
	script := "echo of the archive; cat data/users.csv conf/words; ls -A\n"
	if err := tarball.WriteHeader(&tar.Header{Name: "tests-1/run.sh", Typeflag: tar.TypeReg, Size: int64(len(script)), Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	if _, err := tarball.Write([]byte(script)); err != nil {
		t.Fatal(err)
	}
	if err := tarball.Close(); err != nil {
		t.Fatal(err)
	}
	files := harness.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer open-sesame" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write(archive.Bytes())
	}))
	for _, args := range [][]string{
		{"create", "configmap", "settings", "--from-literal=words=ahoy"},
		{"create", "secret", "generic", "files", "--from-literal=token=open-sesame"},
		{"create", "secret", "docker-registry", "registry", "--docker-server=" + store.Address, "--docker-username=" + registry.User, "--docker-password=" + registry.Password},
	} {
		if out, err := a.kube.Kubectl(t.Context(), append([]string{"-n", a.namespace}, args...)...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	p.apply(t, fmt.Sprintf(`apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: sources}
spec:
  source:
    http: {url: %q, sha256: "%x", strip: 1, secretRef: {name: files}}
    oci: {artifact: %q, plainHTTP: true, path: data, secretRef: {name: registry}}
    configMap: {name: settings, path: conf}
  container: {image: %s, imagePullPolicy: Never}
  pod: {securityContext: {runAsNonRoot: true, readOnlyRootFilesystem: true}}
  timeout: 2m
  steps: [{name: test, run: ./run.sh}]
`, files+"/tests.tar", sha256.Sum256(archive.Bytes()), store.Address+"/tests/data:1", python))
	id := p.run(t, "sources")
	e := p.ended(t, id)
	log := p.must(t, "logs", id)
	if e.GetStatus() != apiv1.Status_STATUS_PASSED {
		t.Errorf("status %s: %s; log:\n%s", e.GetStatus(), e.GetMessage(), log)
	}
	for _, want := range []string{"of the archive", "1,ada", "ahoy", digest} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, ".seatrial-source") || strings.Contains(log, "sesame") {
		t.Errorf("something is left in the workspace, or a secret is shown:\n%s", log)
	}
}

// repository serves a repository over HTTP the way git servers do and returns its address.
func repository(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	work := filepath.Join(dir, name)
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(work, path)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(work, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "."}, {"-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = work
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return harness.Serve(t, &cgi.Handler{
		Path: "/usr/lib/git-core/git-http-backend", Dir: dir,
		Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}) + "/" + name + "/.git"
}
