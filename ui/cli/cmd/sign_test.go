package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/config"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

// The key of these tests, and another one. They sign nothing else.
const (
	signingKey = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIC4uLi4uLi4uLi4uLi4uLi4uLi4uLi4uLi4uLi4uLi4u\n-----END PRIVATE KEY-----\n"
	signedBy   = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAW4ZJwM/Nvnil/5Yu36SJFN/UWvIq/jWN4fTdfkVn1co=\n-----END PUBLIC KEY-----\n"
	stranger   = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"
)

const signable = `# The shop.
apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata:
  name: shop # ours
spec:
  params: {url: {type: string, default: "http://shop"}}
  use: [{template: browser}]
  matrix: {n: [1, 2]}
  steps:
    - run: ./test.sh ${{ matrix.n }} "$URL"
      env: [{name: URL, value: "${{ params.url }}"}]
---
apiVersion: seatrial.dev/v1
kind: TestWorkflowTemplate
metadata: {name: browser}
spec: {container: {image: "browser:1"}}
---
# The API.
apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: api}
spec: {steps: [{run: ./api.sh, image: "api@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}`

// signDesk is a shell in a folder with keys and a file of workflows.
func signDesk(t *testing.T, text string) (s *shell, dir string, run func(args ...string) said) {
	t.Helper()
	s, dir = setup(t), t.TempDir()
	s.now = func() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }
	for name, text := range map[string]string{"key.pem": signingKey, "pub.pem": signedBy, "other.pem": stranger, "shop.yaml": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s, dir, func(args ...string) said {
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "DIR", dir)
		}
		got := s.run(t, args...)
		got.out, got.err = strings.ReplaceAll(got.out, dir, "DIR"), strings.ReplaceAll(got.err, dir, "DIR")
		return got
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	s, dir, run := signDesk(t, signable)
	s.plane.applied = func(*apiv1.ApplyWorkflowRequest) (*apiv1.ApplyWorkflowResponse, error) {
		return &apiv1.ApplyWorkflowResponse{}, nil
	}
	golden(t, "sign-show", run("workflow", "sign", "DIR/shop.yaml", "--show"))
	golden(t, "sign-unsigned", run("workflow", "verify", "DIR/shop.yaml", "--key", "DIR/pub.pem"))
	golden(t, "sign", run("workflow", "sign", "DIR/shop.yaml", "--key", "DIR/key.pem", "--organization", "acme", "--expires", "24h", "--namespace", "tests"))
	text, err := os.ReadFile(filepath.Join(dir, "shop.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "sign-file", said{out: string(text)})
	golden(t, "sign-verify", run("workflow", "verify", "DIR/shop.yaml", "--key", "DIR/pub.pem", "--organization", "acme"))
	golden(t, "sign-verify-stranger", run("workflow", "verify", "DIR/shop.yaml", "--key", "DIR/other.pem"))
	golden(t, "sign-verify-organization", run("workflow", "verify", "DIR/shop.yaml", "--key", "DIR/pub.pem", "--organization", "other"))
	if got := run("validate", "DIR/shop.yaml"); got.code != exitcode.Passed {
		t.Errorf("what is signed is no valid document any more: %+v", got)
	}

	changed := strings.Replace(string(text), "browser:1", "browser:2", 1)
	if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	golden(t, "sign-verify-changed", run("workflow", "verify", "DIR/shop.yaml", "--key", "DIR/pub.pem"))
	if got := run("apply", "-f", "DIR/shop.yaml", "--dry-run"); strings.Count(got.err, "clusters that demand signatures refuse workflow shop: what it does has changed") != 1 ||
		strings.Contains(got.err, "workflow api") {
		t.Errorf("applied without a word: %+v", got)
	}
	if got := run("workflow", "sign", "DIR/shop.yaml", "--key", "DIR/key.pem", "--organization", "acme"); got.code != exitcode.Passed {
		t.Fatalf("%+v", got)
	}
	if got := run("apply", "-f", "DIR/shop.yaml", "--dry-run"); strings.Contains(got.err, "refuse") {
		t.Errorf("warned for nothing: %+v", got)
	}
	if got := run("workflow", "verify", "DIR/shop.yaml", "--key", "DIR/pub.pem"); got.code != exitcode.Passed {
		t.Errorf("signed again: %+v", got)
	}
}

// TestSign_Expired holds that a signature ends when it says.
func TestSign_Expired(t *testing.T) {
	t.Parallel()
	s, _, run := signDesk(t, signable)
	if got := run("workflow", "sign", "DIR/shop.yaml", "--key", "DIR/key.pem", "--organization", "acme", "--expires", "1h"); got.code != exitcode.Passed {
		t.Fatalf("%+v", got)
	}
	s.now = func() time.Time { return time.Date(2026, 11, 30, 13, 0, 0, 0, time.UTC) }
	golden(t, "sign-verify-expired", run("workflow", "verify", "DIR/shop.yaml", "--key", "DIR/pub.pem"))
}

func TestSign_Err(t *testing.T) {
	t.Parallel()
	const unsafe = "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: shop}\nspec:\n  params: {url: {type: string}}\n" +
		"  steps:\n    - run: curl ${{ params.url }}\n      image: a\n    - {run: x, image: 'b:${{ release.version }}'}\n"
	for name, tc := range map[string]struct {
		text string
		args []string
	}{
		"sign-unsafe":          {unsafe, []string{"--key", "DIR/key.pem", "--organization", "acme"}},
		"sign-no-key":          {signable, []string{"--organization", "acme"}},
		"sign-no-organization": {signable, []string{"--key", "DIR/key.pem"}},
		"sign-public":          {signable, []string{"--key", "DIR/pub.pem", "--organization", "acme"}},
		"sign-template":        {strings.Split(signable, "---\n")[0], []string{"--key", "DIR/key.pem", "--organization", "acme"}},
		"sign-none":            {strings.Split(signable, "---\n")[1], []string{"--key", "DIR/key.pem", "--organization", "acme"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dir, run := signDesk(t, tc.text)
			golden(t, name, run(append([]string{"workflow", "sign", "DIR/shop.yaml"}, tc.args...)...))
			if text, err := os.ReadFile(filepath.Join(dir, "shop.yaml")); err != nil || string(text) != tc.text {
				t.Errorf("the file was changed: %v\n%s", err, text)
			}
		})
	}
}

// TestSign_Context holds that the organization of the context does, and that standard input comes out signed.
func TestSign_Context(t *testing.T) {
	t.Parallel()
	s, _, run := signDesk(t, signable)
	path := config.Path(func(k string) string { return s.env[k] })
	if err := config.Save(path, config.Config{Current: "one", Contexts: map[string]config.Context{"one": {Server: "http://x", Organization: "acme"}}}); err != nil {
		t.Fatal(err)
	}
	s.in = strings.Split(signable, "---\n")[2] + "\n"
	got := run("workflow", "sign", "-", "--key", "DIR/key.pem")
	if got.code != exitcode.Passed || !strings.HasPrefix(got.out, "# The API.\n") {
		t.Fatalf("%+v", got)
	}
	s.in = got.out
	if got := run("workflow", "verify", "-", "--key", "DIR/pub.pem", "--organization", "acme"); got.code != exitcode.Passed {
		t.Errorf("%+v", got)
	}
}
