package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// installed is a control plane that was installed by its chart.
type installed struct {
	harness.Kube

	name, namespace string
	values          []string
}

// helm installs or upgrades it, with further values, and returns when its pods are ready.
func (c *installed) helm(t *testing.T, more ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	args := []string{"upgrade", "--install", c.name, filepath.Join("..", "..", "charts", "controlplane"), "--namespace", c.namespace, "--wait", "--timeout=2m"}
	if out, err := c.Helm(ctx, append(append(args, c.values...), more...)...); err != nil {
		pods, _ := c.Kubectl(t.Context(), "-n", c.namespace, "describe", "pods")
		log, _ := c.Kubectl(t.Context(), "-n", c.namespace, "logs", "statefulset/"+c.name, "--tail=20")
		t.Fatalf("%v\n%s\n%s\n%s", err, out, tail(pods, 30), log)
	}
}

// test runs the tests of the chart.
func (c *installed) test(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if out, err := c.Helm(ctx, "test", c.name, "--namespace", c.namespace, "--logs", "--timeout=1m"); err != nil {
		log, _ := c.Kubectl(t.Context(), "-n", c.namespace, "logs", c.name+"-test")
		t.Fatalf("helm test: %v\n%s\n%s", err, out, log)
	}
}

// plane returns the control plane as the command reaches it from this machine: at the address of its Service.
func (c *installed) plane(t *testing.T) *plane {
	t.Helper()
	address, err := c.Kubectl(t.Context(), "-n", c.namespace, "get", "service", c.name, "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		t.Fatal(err)
	}
	log, err := c.Kubectl(t.Context(), "-n", c.namespace, "logs", "statefulset/"+c.name)
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{bin: harness.Programs(t), dir: t.TempDir(), url: "http://" + strings.TrimSpace(address)}
	for line := range strings.Lines(log) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "API token "); ok {
			p.token = strings.TrimSpace(rest)
		}
	}
	if p.token == "" {
		t.Fatalf("the first start shows no token:\n%s", log)
	}
	return p
}

// installControlPlane installs the control plane with a volume into a namespace that lets restricted pods in only. The cluster has no
// storage provisioner: the volume is a folder of this machine.
func installControlPlane(t *testing.T) *installed {
	t.Helper()
	id := "cp-" + uuid.NewString()[:8]
	c := &installed{Kube: harness.Cluster(t), name: "seatrial", namespace: id, values: []string{
		"--set", "image=docker.io/seatrial/controlplane:" + harness.Tag(), "--set", "imagePullPolicy=Never", "--set", "agents.chart=" + chart(t),
		"--set", "persistence.size=1Gi", "--set", "persistence.storageClassName=" + id, "--set", "drain=5s",
	}}
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o777); err != nil { // kubelets do not give folders of the machine to a group
		t.Fatal(err)
	}
	objects := fmt.Sprintf(`{"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%[1]q,"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}},
{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":%[1]q},"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],
"storageClassName":%[1]q,"persistentVolumeReclaimPolicy":"Retain","hostPath":{"path":%[2]q}}}]}`, id, folder)
	file := filepath.Join(t.TempDir(), "objects.json")
	if err := os.WriteFile(file, []byte(objects), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := c.Kubectl(t.Context(), "apply", "-f", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience) // the test's context has ended by now
		defer cancel()
		if t.Failed() {
			log, _ := c.Kubectl(ctx, "-n", c.namespace, "logs", "statefulset/"+c.name, "--tail=40")
			t.Logf("the control plane's log ends with:\n%s", log)
		}
		for _, args := range [][]string{{"delete", "namespace", id, "--ignore-not-found"}, {"delete", "persistentvolume", id, "--ignore-not-found"}} {
			if out, err := c.Kubectl(ctx, args...); err != nil {
				t.Logf("%v\n%s", err, out)
			}
		}
	})
	c.helm(t)
	return c
}

// TestChart installs both charts with nothing but what they print, runs a test, and upgrades the control plane and takes it back while a test
// runs: nothing of it is lost.
func TestChart(t *testing.T) {
	t.Parallel()
	c := installControlPlane(t)
	c.test(t)
	p := c.plane(t)
	a := installAgent(t, p)
	for _, change := range []func(){
		func() { c.helm(t, "--set", "logLevel=debug", "--set", "podAnnotations.changed=yes") },
		func() {
			if out, err := c.Helm(t.Context(), "rollback", c.name, "--namespace", c.namespace, "--wait", "--timeout=2m"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		},
	} {
		g := newGate(t)
		p.apply(t, strings.NewReplacer("GATE1", g.wait("first"), "GATE2", g.wait("second")).Replace(counting))
		id := p.run(t, "counting")
		g.await(t, "first")
		g.open("first") // the step writes while its control plane is exchanged
		change()
		g.await(t, "second")
		g.open("second")
		if e := p.ended(t, id); e.GetStatus() != apiv1.Status_STATUS_PASSED {
			t.Errorf("%s: %s", e.GetStatus(), e.GetMessage())
		}
		if got := p.must(t, "logs", id, "--step", "first"); got != numbers(40000) {
			t.Errorf("the log of the first step has %d bytes, want %d, or their order is wrong", len(got), len(numbers(40000)))
		}
		if n := a.jobs(t, id); n != 1 {
			t.Errorf("%d Jobs", n)
		}
	}
	c.test(t)
}
