package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seatrial/seatrial/integration/harness"
)

const trivial = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: NAME}
spec:
  container: {image: IMAGE, imagePullPolicy: POLICY}
  timeout: 2m
  steps: [{name: only, run: "RUN"}]
`

func document(name, image, policy, run string) string {
	return strings.NewReplacer("NAME", name, "IMAGE", image, "POLICY", policy, "RUN", run).Replace(trivial)
}

// everywhere checks that command, API and page say the same about an execution.
func everywhere(t *testing.T, p *plane, b tab, id string, words ...string) {
	t.Helper()
	command := p.cli(t, "get", "execution", id)
	answer := p.must(t, "get", "execution", id, "-o", "json")
	b.open(t, p.url+"/")
	b.open(t, page(t, p, b, id))
	text := b.text(t)
	for _, word := range words {
		for where, got := range map[string]string{"command": command.out + command.err, "API": answer, "page": text} {
			if !strings.Contains(got, word) {
				t.Errorf("the %s does not say %q:\n%.1500s", where, word, got)
			}
		}
	}
}

// page returns the address of an execution's page: the organization is in the address of the page after signing in.
func page(t *testing.T, p *plane, b tab, id string) string {
	t.Helper()
	return p.url + b.path(t) + "/executions/" + id
}

// TestFaults proves that what goes wrong outside of a test gives one clear message that says what to do.
func TestFaults(t *testing.T) { //nolint:tparallel // each takes something away that the next one lacks
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p)
	b := signIn(t, p)

	t.Run("BadManifest", func(t *testing.T) { //nolint:paralleltest // in this order
		bad := strings.Replace(document("bad", python, "Never", "true"), "steps:", "setps:", 1)
		got := p.as(t, p.token, bad, "apply", "-f", "-")
		if got.code != 2 || !strings.Contains(got.err, "-:7:") || !strings.Contains(got.err, "setps") || !strings.Contains(got.err, "steps") {
			t.Errorf("exit %d: %s", got.code, got.err)
		}
	})
	t.Run("NoSuchImage", func(t *testing.T) { //nolint:paralleltest // in this order
		for policy, words := range map[string][]string{
			"Never":        {"docker.io/seatrial-demo/absent:1", "not present"},
			"IfNotPresent": {"registry.invalid/absent:1"},
		} {
			image := words[0]
			p.apply(t, document("no-image", image, policy, "true"))
			got := p.cli(t, "run", "no-image", "--wait")
			if got.code != 3 || !strings.Contains(got.out+got.err, image) {
				t.Errorf("%s: exit %d: %s%s", policy, got.code, got.out, got.err)
			}
			everywhere(t, p, b, newest(t, p), words...)
		}
	})
	t.Run("ExpiredToken", func(t *testing.T) { //nolint:paralleltest // in this order
		token := strings.TrimSpace(p.must(t, "token", "create", "short", "--lifetime", "1s"))
		var got said
		for got = p.as(t, token, "", "get", "clusters"); got.code == 0; got = p.as(t, token, "", "get", "clusters") {
		}
		if got.code != 3 || !strings.Contains(got.err, "expired") || !strings.Contains(got.err, "seatrial login") {
			t.Errorf("exit %d: %s", got.code, got.err)
		}
	})
	t.Run("ForbiddenNamespace", func(t *testing.T) { //nolint:paralleltest // in this order
		if _, err := a.kube.Kubectl(t.Context(), "-n", a.namespace, "delete", "rolebinding", a.release+"-"+home); err != nil {
			t.Fatal(err)
		}
		p.apply(t, document("forbidden", python, "Never", "true"))
		got := p.cli(t, "run", "forbidden", "--wait")
		if got.code != 3 || !strings.Contains(got.out+got.err, "forbidden") || !strings.Contains(got.out+got.err, a.namespace) {
			t.Errorf("exit %d: %s%s", got.code, got.out, got.err)
		}
		everywhere(t, p, b, newest(t, p), "forbidden", "runNamespaces")
	})
	t.Run("AgentAway", func(t *testing.T) { //nolint:paralleltest // in this order
		if _, err := a.kube.Kubectl(t.Context(), "-n", home, "scale", "deployment/"+a.release, "--replicas=0"); err != nil {
			t.Fatal(err)
		}
		if _, err := a.kube.Kubectl(t.Context(), "-n", home, "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/instance="+a.release, "--timeout=2m"); err != nil {
			t.Fatal(err)
		}
		p.apply(t, document("away", python, "Never", "true"))
		id := p.run(t, "away")
		everywhere(t, p, b, id, a.cluster, "offline since")
		if got := p.must(t, "cluster", "list"); !strings.Contains(got, "disconnected") {
			t.Errorf("clusters: %s", got)
		}
		if got := p.cli(t, "cancel", id); got.code != 0 {
			t.Errorf("cancel what nobody has: exit %d: %s", got.code, got.err)
		}
		everywhere(t, p, b, id, "ancelled")
	})
	t.Run("Unreachable", func(t *testing.T) { //nolint:paralleltest // in this order
		p.stop(t, syscall.SIGTERM)
		got := p.cli(t, "get", "clusters")
		if got.code != 3 || !strings.Contains(got.err, "cannot be reached") || !strings.Contains(got.err, p.url) {
			t.Errorf("exit %d: %s", got.code, got.err)
		}
	})
}

// newest returns the id of the newest execution.
func newest(t *testing.T, p *plane) string {
	t.Helper()
	lines := strings.Split(p.must(t, "get", "executions"), "\n")
	if len(lines) < 2 {
		t.Fatalf("no execution in %q", lines)
	}
	return strings.Fields(lines[1])[0]
}

// TestFullDisk proves that a full disk of the control plane is said, and that nothing is lost by it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := harness.SmallDisk(t)
	p := startPlane(t, disk)
	installAgent(t, p)
	g := newGate(t)
	b := signIn(t, p)
	p.apply(t, strings.NewReplacer("GATE1", g.wait("first"), "GATE2", g.wait("second")).Replace(counting))
	id := p.run(t, "counting")
	g.await(t, "first")
	fill := filepath.Join(disk, "fill")
	fillUp(t, fill)

	got := p.cli(t, "run", "counting")
	if got.code != 3 || !strings.Contains(got.err, "disk is full") || !strings.Contains(got.err, "Free some space") {
		t.Errorf("exit %d: %s%s", got.code, got.out, got.err)
	}
	b.open(t, p.url+b.path(t)+"/workflows/counting")
	b.submit(t, `form[action$="/runs"]`)
	b.until(t, `document.body.innerText.includes("disk is full")`)

	g.open("first")
	g.await(t, "second") // the test itself goes on
	g.open("second")
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if e := p.ended(t, id); e.GetStatus().String() != "STATUS_PASSED" {
		t.Errorf("status %s: %s", e.GetStatus(), e.GetMessage())
	}
	if got := p.must(t, "logs", id, "--step", "first"); got != numbers(40000) {
		t.Errorf("the log has %d bytes, want %d", len(got), len(numbers(40000)))
	}
}

// fillUp writes until the disk takes no more.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
