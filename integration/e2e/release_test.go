package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// tested is a suite whose tests are what its parameters say.
const tested = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: smoke, labels: {suite: smoke}}
spec:
  params:
    tests: {type: string, default: "adds pays ships returns"}
    bad: {type: string, default: ""}
    hold: {type: boolean, default: false}
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 5m
  steps:
    - name: test
      env: [{name: TESTS, value: "${{ params.tests }}"}, {name: BAD, value: "${{ params.bad }}"}]
      run: |
        echo "testing ${{ release.application }} ${{ release.version }} at ${{ trigger.commit }}, asked by ${{ trigger.kind }}"
        python3 - <<'PY'
        import os, sys
        bad = os.environ["BAD"].split()
        with open("junit.xml", "w") as f:
            f.write('<testsuite name="shop">')
            for name in os.environ["TESTS"].split():
                f.write('<testcase classname="test_shop" name="%s">' % name)
                if name in bad:
                    f.write('<failure message="expected 200, was 500"/>')
                f.write("</testcase>")
            f.write("</testsuite>")
        sys.exit(1 if bad else 0)
        PY
      reports: [{format: junit, paths: [junit.xml]}]
    - name: hold
      if: "${{ params.hold }}"
      pause: {message: "Replace the image now", timeout: 5m}
`

const shopGate = `apiVersion: seatrial.dev/v1
kind: ReadinessPolicy
metadata: {name: shop-gate}
spec:
  appliesTo: {applications: [shop]}
  require: [{suites: [smoke], environments: ["*"]}]
  waivers: {approvers: "team:default", selfApproval: true} # there is only one person here
`

// shopIn is the application under test. What it runs does not matter here: its images do.
const shopIn = `apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: IMAGE
          imagePullPolicy: Never
          command: [sleep, infinity]
          securityContext: {runAsNonRoot: true, runAsUser: 1000, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}
`

// TestRelease takes a release from its creation to READY while evidence comes in from two environments, and holds that neither a
// repetition, nor another image, nor a test that is gone can make it look better than it is.
func TestRelease(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	one, other := installAgent(t, p), installAgent(t, p)
	p.apply(t, tested+"---\n"+shopGate)
	p.tests(t, one, other, apiv1.Status_STATUS_PASSED) // the history from which it is known what there is to test
	first := one.deploy(t, python)
	if got := other.deploy(t, python); got != first {
		t.Fatalf("one image has the digests %s and %s", first, got)
	}

	if got := p.cli(t, "release", "create", "cart", "1.0", "--image", "shop="+first); got.code != 2 || !strings.Contains(got.err, "no readiness policy applies to cart") {
		t.Errorf("an application without a policy: %+v", got)
	}
	if got := p.cli(t, "release", "create", "shop", "1.0", "--image", "shop:1.0"); got.code != 2 || !strings.Contains(got.err, "a tag can be moved") {
		t.Errorf("a tag in place of a digest: %+v", got)
	}
	p.must(t, "release", "create", "shop", "1.0", "--image", "shop="+first, "--commit", "0123abc")
	p.gated(t, "shop", "1.0", 5, "INCOMPLETE", "evidence-complete")
	p.tests(t, one, nil, apiv1.Status_STATUS_PASSED)
	r := p.gated(t, "shop", "1.0", 5, "INCOMPLETE", other.cluster+"/smoke")
	if c := cellIn(t, r, one.cluster); c.GetPassed() != 4 || c.GetRequired() != 4 {
		t.Errorf("where it ran: %v", c)
	}
	p.tests(t, nil, other, apiv1.Status_STATUS_FAILED, "--param", "bad=pays")
	r = p.gated(t, "shop", "1.0", 1, "NOT_READY", "no-unwaived-failures", "pays failed")

	failed := paying(t, cellIn(t, r, other.cluster))
	p.waive(t, failed, other.cluster)
	p.gated(t, "shop", "1.0", 0, "READY_WITH_WAIVERS", "used")

	p.tests(t, nil, other, apiv1.Status_STATUS_PASSED) // again, until it is green
	r = p.gated(t, "shop", "1.0", 0, "READY")
	if got := paying(t, cellIn(t, r, other.cluster)); got.GetVerdict() != "flaky" || got.GetAttempts() != 2 {
		t.Errorf("what failed and passed on the same images is %s of %d attempts", got.GetVerdict(), got.GetAttempts())
	}
	var states []apiv1.State
	for _, c := range r.GetChanges() {
		if c.GetNumber() == 1 || c.GetAfter() != apiv1.State_STATE_INCOMPLETE { // which it is while a suite runs again
			states = append(states, c.GetAfter())
		}
	}
	want := []apiv1.State{apiv1.State_STATE_INCOMPLETE, apiv1.State_STATE_NOT_READY, apiv1.State_STATE_READY_WITH_WAIVERS, apiv1.State_STATE_READY}
	if !slices.Equal(states, want) {
		t.Errorf("history %v, want %v", states, want)
	}
	p.proven(t)
	p.replaced(t, one)
	p.shrunk(t, one)
}

// proven takes the evidence away and checks it without the control plane; one other byte, and it does not hold.
func (p *plane) proven(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	bundle, keys := filepath.Join(dir, "bundle.jsonl"), filepath.Join(dir, "keys.json")
	p.must(t, "release", "bundle", "shop", "1.0", "--out", bundle)
	p.must(t, "release", "keys", "--out", keys)
	verify := func(version string) said {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := p.command(ctx, "", "release", "verify", bundle, "--key", keys, "--release", "shop@"+version, "--ready")
		cmd.Env = append(cmd.Env, "SEATRIAL_SERVER=http://127.0.0.1:1") // nobody is there
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return said{code: cmd.ProcessState.ExitCode(), out: string(out)}
	}
	if got := verify("1.1"); got.code != 1 || !strings.Contains(got.out, "not of shop 1.1") {
		t.Errorf("taken for another release: exit %d\n%s", got.code, got.out)
	}
	if got := verify("1.0"); got.code != 0 || !strings.Contains(got.out, "READY") {
		t.Errorf("the bundle does not hold: exit %d\n%s", got.code, got.out)
	}
	text, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(bundle, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := verify("1.0"); got.code != 1 {
		t.Errorf("another byte in the middle: exit %d\n%s", got.code, got.out)
	}
}

// replaced replaces the image while a test runs: that is evidence for neither.
func (p *plane) replaced(t *testing.T, one *agent) {
	t.Helper()
	id := p.run(t, "smoke", "--env", one.cluster, "--param", "hold=true")
	p.paused(t, id)
	second := one.deploy(t, database)
	p.must(t, "release", "create", "shop", "2.0", "--image", "shop="+second)
	p.must(t, "resume", id)
	if e := p.ended(t, id); e.GetStatus() != apiv1.Status_STATUS_PASSED {
		t.Fatalf("%s: %s", e.GetStatus(), e.GetMessage())
	}
	r := p.gated(t, "shop", "2.0", 5, "INCOMPLETE", "evidence-matches-digest")
	if got := paying(t, cellIn(t, r, one.cluster)); got.GetSubjectOk() || got.GetVerdict() != "passed" {
		t.Errorf("tested while the image was replaced: %v", got)
	}
}

// shrunk leaves a test out of the suite: it is missed by name. What is known of the release is its commit alone.
func (p *plane) shrunk(t *testing.T, one *agent) {
	t.Helper()
	p.must(t, "release", "create", "shop", "3.0", "--commit", "4567def")
	id := p.tests(t, one, nil, apiv1.Status_STATUS_PASSED, "--param", "tests=adds pays ships", "--commit", "4567def", "--release", "shop@3.0")
	if got := p.must(t, "logs", id); !strings.Contains(got, "testing shop 3.0 at 4567def, asked by api") {
		t.Errorf("a workflow that names its release says %q", got)
	}
	r := p.gated(t, "shop", "3.0", 5, "INCOMPLETE", one.cluster+"/smoke: shop › test_shop › returns never ran")
	cell := cellIn(t, r, one.cluster)
	if got := paying(t, cell); !got.GetSubjectOk() || got.GetVerdict() != "passed" {
		t.Errorf("tested on the commit: %v", got)
	}
	if cell.GetNeverRan() != 1 || cell.GetPassed() != 3 {
		t.Errorf("cell %v", cell)
	}
}

// tests runs the suite where an agent is given, and waits for its end.
func (p *plane) tests(t *testing.T, one, other *agent, want apiv1.Status, args ...string) (id string) {
	t.Helper()
	for _, a := range []*agent{one, other} {
		if a != nil {
			args = append(args, "--env", a.cluster)
		}
	}
	id = p.run(t, "smoke", args...)
	if e := p.ended(t, id); e.GetStatus() != want {
		t.Fatalf("smoke %v %s: %s", args, e.GetStatus(), e.GetMessage())
	}
	return id
}

// deploy runs an image as the application under test and returns the digest that the runtime knows it by.
func (a *agent) deploy(t *testing.T, image string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(shopIn, "IMAGE", image, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := a.kube.Kubectl(t.Context(), "-n", a.namespace, "apply", "-f", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := a.kube.Kubectl(t.Context(), "-n", a.namespace, "rollout", "status", "deployment/shop", "--timeout=2m"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Those that are being replaced are still there for a moment.
	if out, err := a.kube.Kubectl(t.Context(), "-n", a.namespace, "wait", "--for=jsonpath={.status.replicas}=1", "deployment/shop", "--timeout=2m"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := a.kube.Kubectl(t.Context(), "-n", a.namespace, "get", "pods", "-l", "app=shop", "--sort-by=.metadata.creationTimestamp",
		"-o", "jsonpath={.items[-1:].status.containerStatuses[0].imageID}")
	i := strings.Index(out, "sha256:")
	if err != nil || i < 0 {
		t.Fatalf("digest of %s: %q, %v", image, out, err)
	}
	return out[i:]
}

// gated asks the gate, which has to end with a code and to say some things.
func (p *plane) gated(t *testing.T, application, version string, code int, says ...string) *apiv1.Release {
	t.Helper()
	got := p.cli(t, "release", "gate", application, version)
	if got.code != code {
		t.Errorf("gate of %s %s: exit %d, want %d\n%s%s", application, version, got.code, code, got.out, got.err)
	}
	for _, text := range says {
		if !strings.Contains(got.out, text) {
			t.Errorf("the gate of %s %s does not say %q:\n%s", application, version, text, got.out)
		}
	}
	var r apiv1.Release
	if err := protojson.Unmarshal([]byte(p.must(t, "release", "status", application, version, "-o", "json")), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// waive asks for a waiver by the token of a pipeline; a person approves it.
func (p *plane) waive(t *testing.T, failed *apiv1.TestVerdict, environment string) {
	t.Helper()
	args := []string{"release", "waive", "shop", "1.0", "--rule", "no-unwaived-failures", "--env", environment, "--suite", "smoke", "--test", failed.GetKey(), "--reason", "known since 0.9"}
	if got := p.cli(t, args...); got.code != 2 || !strings.Contains(got.err, "binds waivers to a failure") {
		t.Errorf("a waiver of any failure: %+v", got)
	}
	id := strings.TrimSpace(p.must(t, append(args, "--fingerprint", failed.GetFingerprints()[0])...))
	p.gated(t, "shop", "1.0", 1, "NOT_READY", "known since 0.9")
	approve := &apiv1.ApproveWaiverRequest{Application: "shop", Version: "1.0", Id: id}
	if _, err := apiv1connect.NewReleaseServiceClient(p.person(t), p.url).ApproveWaiver(t.Context(), approve); err != nil {
		t.Fatal(err)
	}
}

// person returns the client of somebody who is signed in on the pages.
func (p *plane) person(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	res, err := client.PostForm(p.url+"/login", url.Values{"email": {p.email}, "password": {p.password}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatal(fmt.Errorf("sign in: %s", res.Status))
	}
	return client
}

func cellIn(t *testing.T, r *apiv1.Release, environment string) *apiv1.ReleaseCell {
	t.Helper()
	for _, c := range r.GetCells() {
		if c.GetEnvironment() == environment {
			return c
		}
	}
	t.Fatalf("no cell of %s in %v", environment, r.GetCells())
	return nil
}

// paying is the result of the test that fails once.
func paying(t *testing.T, c *apiv1.ReleaseCell) *apiv1.TestVerdict {
	t.Helper()
	for _, r := range c.GetResults() {
		if strings.HasSuffix(r.GetName(), "pays") {
			return r
		}
	}
	t.Fatalf("no result of pays in %v", c)
	return nil
}
