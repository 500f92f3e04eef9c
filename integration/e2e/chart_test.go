package e2e_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// helm runs helm for the release and returns when its pods are ready.
func (c *installed) helm(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if out, err := c.Helm(ctx, append(args, "--namespace", c.namespace, "--wait", "--timeout=2m")...); err != nil {
		pods, _ := c.Kubectl(t.Context(), "-n", c.namespace, "describe", "pods")
		t.Fatalf("%v\n%s\n%s\n%s", err, out, tail(pods, 30), c.log(t))
	}
}

// upgrade installs or upgrades it, with further values.
func (c *installed) upgrade(t *testing.T, more ...string) {
	t.Helper()
	args := []string{"upgrade", "--install", c.name, filepath.Join("..", "..", "charts", "controlplane")}
	c.helm(t, append(append(args, c.values...), more...)...)
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

// log is that of all its pods.
func (c *installed) log(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the test's context may have ended by now
	defer cancel()
	out, err := c.Kubectl(ctx, "-n", c.namespace, "logs", "--selector", "app.kubernetes.io/name=seatrial-controlplane", "--tail=-1")
	if err != nil {
		t.Logf("%v", err)
	}
	return out
}

// plane returns the control plane as the command reaches it from this machine: at the address of its Service.
func (c *installed) plane(t *testing.T) *plane {
	t.Helper()
	address, err := c.Kubectl(t.Context(), "-n", c.namespace, "get", "service", c.name, "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{bin: harness.Programs(t), dir: t.TempDir(), url: "http://" + strings.TrimSpace(address)}
	for line := range strings.Lines(c.log(t)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "API token "); ok {
			p.token = strings.TrimSpace(rest)
		}
	}
	if p.token == "" {
		t.Fatalf("the first start shows no token:\n%s", c.log(t))
	}
	return p
}

// newInstalled makes a namespace that lets restricted pods in only, by a script that makes what else there has to be.
func newInstalled(t *testing.T, script string, values ...string) *installed {
	t.Helper()
	id := "cp-" + uuid.NewString()[:8]
	c := &installed{Kube: harness.Cluster(t), name: "seatrial", namespace: id, values: []string{
		"--set", "image=docker.io/seatrial/controlplane:" + harness.Tag(), "--set", "imagePullPolicy=Never", "--set", "agents.chart=" + chart(t), "--set", "drain=5s",
	}}
	for _, one := range values {
		c.values = append(c.values, "--set", strings.ReplaceAll(one, "NAMESPACE", id))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the control plane's log ends with:\n%s", tail(c.log(t), 60))
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience) // the test's context has ended by now
		defer cancel()
		for _, args := range [][]string{{"delete", "namespace", id, "--ignore-not-found"}, {"delete", "persistentvolume", id, "--ignore-not-found"}} {
			if out, err := c.Kubectl(ctx, args...); err != nil {
				t.Logf("%v\n%s", err, out)
			}
		}
	})
	script = "set -euo pipefail; cd " + t.TempDir() + "\nkubectl create namespace NAMESPACE\nkubectl label namespace NAMESPACE pod-security.kubernetes.io/enforce=restricted\n" + script
	if out, err := c.Run(t.Context(), "bash", "-c", strings.ReplaceAll(script, "NAMESPACE", id)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c.upgrade(t)
	return c
}

// withVolume installs the control plane as it is by default. The cluster has no storage provisioner: the volume is a folder of this
// machine.
func withVolume(t *testing.T) *installed {
	t.Helper()
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o777); err != nil { // kubelets do not give folders of the machine to a group
		t.Fatal(err)
	}
	return newInstalled(t, `kubectl create -f - <<'END'
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAMESPACE}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: NAMESPACE
  persistentVolumeReclaimPolicy: Retain
  hostPath: {path: `+folder+`}
END`, "persistence.size=1Gi", "persistence.storageClassName=NAMESPACE")
}

// withReplicas installs two stateless replicas over PostgreSQL with two roles, Redis and an object store. All secrets are there before.
func withReplicas(t *testing.T) *installed {
	t.Helper()
	reachable := func(dsn string) string {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		u.Host = harness.Forward(t, u.Host)
		return u.String()
	}
	system := harness.Postgres(t)
	user := harness.PostgresUser(t, system)
	cache := harness.Redis(t)
	if !strings.Contains(cache, "://") {
		cache = "redis://" + cache
	}
	script := `
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -keyout ca.key -out ca.crt -subj /CN=ca 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls.key -out tls.csr -subj /CN=agents 2>/dev/null
echo subjectAltName=DNS:seatrial-agents.NAMESPACE.svc >names
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out tls.crt -extfile names 2>/dev/null
secret() { kubectl -n NAMESPACE create secret generic "$@"; }
secret agents-tls --from-file=tls.crt --from-file=tls.key --from-file=ca.crt
secret encryption --from-literal=encryption.keys="one:$(openssl rand -base64 32)"
secret database --from-literal=url='` + reachable(user) + `' --from-literal=system-url='` + reachable(system) + `'
secret redis --from-literal=url='` + reachable(cache) + `'
secret s3 --from-literal=access-key=` + harness.S3AccessKey + ` --from-literal=secret-key=` + harness.S3SecretKey
	return newInstalled(t, script,
		"replicas=2", "database.existingSecret=database", "database.systemURL=true", "redis.existingSecret=redis",
		"s3.endpoint="+harness.Forward(t, harness.S3(t)), "s3.bucket=NAMESPACE", "s3.region=us-east-1", "s3.insecure=true", "s3.existingSecret=s3",
		"encryption.existingSecret=encryption", "agents.tls.existingSecret=agents-tls")
}

// TestChart installs both charts with nothing but what they print, runs a test, and upgrades the control plane and takes it back while a test
// runs: nothing of it is lost.
func TestChart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		install func(*testing.T) *installed
		always  bool // there is always one that answers
	}{"Volume": {install: withVolume}, "Replicas": {withReplicas, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tc.install(t)
			c.test(t)
			p := c.plane(t)
			a := installAgent(t, p)
			missed := p.asked(t)
			c.during(t, p, a, func() { c.upgrade(t, "--set", "logLevel=debug", "--set", "podAnnotations.changed=yes") })
			c.during(t, p, a, func() { c.helm(t, "rollback", c.name) })
			if asked, faults := missed(); tc.always && len(faults) > 0 {
				t.Errorf("of %d questions %d were not answered:\n%s", asked, len(faults), strings.Join(faults, "\n"))
			} else {
				t.Logf("of %d questions %d were not answered", asked, len(faults))
			}
			c.test(t)
		})
	}
}

// during changes the control plane while a test runs.
func (c *installed) during(t *testing.T, p *plane, a *agent, change func()) {
	t.Helper()
	g := newGate(t)
	p.apply(t, strings.NewReplacer("GATE1", g.wait("first"), "GATE2", g.wait("second")).Replace(counting))
	id := p.run(t, "counting")
	g.await(t, "first")
	g.open("first") // the step writes while its control plane is exchanged
	change()
	p.answers(t)
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

// answers returns once the control plane answers at its Service. A moment after its pod is ready nobody may be sent there yet.
func (p *plane) answers(t *testing.T) {
	t.Helper()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); p.cli(t, "doctor", "--server", p.url).code != 0; <-again.C {
		if time.Now().After(deadline) {
			t.Fatalf("the control plane does not answer at %s", p.url)
		}
	}
}

// asked asks the control plane ten times a second, by a connection of its own each time, until it is asked how often there was no answer.
func (p *plane) asked(t *testing.T) (missed func() (asked int, faults []string)) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	ctx, stop := context.WithCancel(t.Context())
	asked, faults := 0, []string(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		again := time.NewTicker(100 * time.Millisecond)
		defer again.Stop()
		for ; ctx.Err() == nil; <-again.C {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/healthz", http.NoBody)
			if err != nil {
				faults = append(faults, err.Error())
				return
			}
			asked++
			res, err := client.Do(req)
			switch {
			case ctx.Err() != nil:
			case err != nil:
				faults = append(faults, time.Now().Format(time.TimeOnly)+" "+err.Error())
			case res.StatusCode != http.StatusOK:
				faults = append(faults, time.Now().Format(time.TimeOnly)+" "+res.Status)
			}
			if err == nil {
				_ = res.Body.Close()
			}
		}
	}()
	return func() (int, []string) {
		stop()
		<-done
		return asked, faults
	}
}
