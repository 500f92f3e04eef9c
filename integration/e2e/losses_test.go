package e2e_test

import (
	"cmp"
	"context"
	"strings"
	"testing"
	"time"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// promptly is how long the control plane may take to say what the API server knows.
const promptly = 10 * time.Second

// enough is how long the agents of these tests let an image and a place be missing.
const enough = 5 * time.Second

const losing = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: NAME}
spec:
  container: {CONTAINER}
  timeout: 10m
  POD
  steps: [{name: test, run: "RUN"}]
`

// loss is something that the cluster does to a test.
type loss struct {
	run, image, resources, pod string // what the workflow has besides
	// strike makes it happen to a test that stands at its door, or waits until it has happened by itself; it returns then.
	strike func(t *testing.T, a *agent, id string)
	begins bool          // the test runs before it happens
	grace  time.Duration // how long the policy lets it last
	reason string        // of the attempt
	says   string        // in its message
	why    string
}

func losses() map[string]loss {
	return map[string]loss{
		"Evicted": {
			begins: true, strike: evictFromCordoned, reason: "Evicted", says: "evicted from node",
			why: "a node is drained",
		},
		"OutOfMemory": {
			begins: true, run: `; exec python3 -c 'bytearray(1 << 30)'`, resources: ", resources: {limits: {memory: 96Mi}}", strike: nil,
			reason: "OOMKilled", says: "resources.limits.memory", why: "the kernel kills what needs more than its limit",
		},
		"NoImage": {
			image: "image: 127.0.0.1:1/none:1, imagePullPolicy: Always", grace: enough,
			strike: seen("pods", `{.items[*].status.containerStatuses[*].state.waiting.reason}`, "Pull"),
			reason: "ImagePull", says: "127.0.0.1:1/none:1", why: "nobody answers where the image should be",
		},
		"NoRoom": {
			resources: `, resources: {requests: {example.test/berth: "1"}, limits: {example.test/berth: "1"}}`, grace: enough,
			strike: seen("events", `{.items[?(@.reason=="FailedCreate")].message}`, "exceeded quota"),
			reason: "QuotaExceeded", says: "no-berths", why: "the quota of the namespace is used up",
		},
		"NoNode": {
			pod: "pod: {nodeSelector: {example.test/sea: north}}", grace: enough,
			strike: seen("pods", `{.items[*].status.conditions[?(@.type=="PodScheduled")].reason}`, "Unschedulable"),
			reason: "Unschedulable", says: "node", why: "no node is what the pod asks for",
		},
		"JobDeleted": {
			begins: true, strike: func(t *testing.T, a *agent, id string) {
				t.Helper()
				a.delete(t, "-n", a.namespace, "job", "-l", "seatrial.dev/execution="+id)
			},
			reason: "JobDeleted", says: "Run the test again", why: "somebody deletes the Job",
		},
		"PodDeleted": {
			begins: true, strike: func(t *testing.T, a *agent, id string) {
				t.Helper()
				a.delete(t, "-n", a.namespace, "pod", a.pod(t, id))
			},
			reason: "PodDeleted", says: "deleted the pod", why: "its runner is asked to stop and does not know why",
		},
		"PodGone": {
			begins: true, strike: func(t *testing.T, a *agent, id string) {
				t.Helper()
				a.delete(t, "-n", a.namespace, "pod", a.pod(t, id), "--force", "--grace-period=0")
			},
			reason: "PodDeleted", says: "deleted", why: "a missing pod never counts as passed",
		},
	}
}

// TestLosses holds that whatever the cluster does to a test, its execution ends as errored with the reason, ten seconds after it is
// known at the latest, or after the time that the agent's settings give it.
func TestLosses(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p, "--set", "schedulingGrace="+enough.String())
	if out, err := a.kube.Kubectl(t.Context(), "-n", a.namespace, "create", "quota", "no-berths", "--hard=requests.example.test/berth=0"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, l := range losses() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l.happens(t, p, a, strings.ToLower(name))
		})
	}
	t.Run("NamespaceDeleted", func(t *testing.T) {
		t.Parallel()
		gone := installAgent(t, p)
		loss{
			begins: true, strike: func(t *testing.T, a *agent, _ string) {
				t.Helper()
				a.delete(t, "namespace", a.namespace)
			},
			reason: "NamespaceDeleted", says: gone.namespace, why: "the namespace goes with all that is in it",
		}.happens(t, p, gone, "namespace")
	})
}

func (l loss) happens(t *testing.T, p *plane, a *agent, name string) {
	t.Helper()
	g := newGate(t)
	run := "echo never"
	if l.begins {
		run = strings.ReplaceAll(g.wait(name), `"`, `\"`) + l.run
	}
	p.apply(t, strings.NewReplacer("NAME", name, "CONTAINER", cmp.Or(l.image, "image: "+python+", imagePullPolicy: Never")+l.resources, "POD", l.pod, "RUN", run).Replace(losing))
	id := p.run(t, name, "--env", a.cluster)
	if l.begins {
		g.await(t, name)
	}
	known := time.Now()
	if l.strike != nil {
		l.strike(t, a, id)
	} else {
		g.open(name)
	}
	if !l.begins { // it was waited for
		known = time.Now()
	}
	e := p.watch(t, id, func(e *apiv1.Execution) bool { return e.GetFinishedAt() != nil })
	took := time.Since(known)
	at := attemptOf(e)
	if e.GetStatus() != apiv1.Status_STATUS_ERRORED || at.GetReason() != l.reason || !strings.Contains(at.GetMessage(), l.says) {
		t.Errorf("%s: %s %q: %s; want it errored for %s, saying %q", l.why, e.GetStatus(), at.GetReason(), at.GetMessage(), l.reason, l.says)
	}
	t.Logf("%s was said after %s, of which %s were granted", at.GetReason(), took.Round(time.Millisecond), l.grace)
	if took > l.grace+promptly {
		t.Errorf("%s: said after %s, want %s at most", l.why, took, l.grace+promptly)
	}
}

// evictFromCordoned drains the node of one pod, as kubectl drain does it. The node takes no other pods for that moment only: it is
// the only one, and other tests go on.
func evictFromCordoned(t *testing.T, a *agent, id string) {
	t.Helper()
	pod := a.pod(t, id)
	node, err := a.kube.Kubectl(t.Context(), "-n", a.namespace, "get", "pod", pod, "-o", "jsonpath={.spec.nodeName}")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := a.kube.Kubectl(context.WithoutCancel(t.Context()), "uncordon", node); err != nil {
			t.Error(err)
		}
	}()
	if out, err := a.kube.Kubectl(t.Context(), "drain", node, "--pod-selector=seatrial.dev/execution="+id, "--force", "--ignore-daemonsets", "--delete-emptydir-data",
		"--grace-period=-1", "--timeout=1s"); err != nil && !strings.Contains(err.Error(), "timeout") { // it would wait for the pod's end
		t.Fatalf("%v\n%s", err, out)
	}
}

// seen waits until a field of the objects of an execution's namespace says something, as kubectl reads it from the API server.
func seen(kind, field, says string) func(*testing.T, *agent, string) {
	return func(t *testing.T, a *agent, id string) {
		t.Helper()
		args := []string{"-n", a.namespace, "get", kind, "-o", "jsonpath=" + field}
		if kind == "pods" {
			args = append(args, "-l", "seatrial.dev/execution="+id)
		}
		for deadline := time.After(patience); ; {
			out, err := a.kube.Kubectl(t.Context(), args...)
			if err == nil && strings.Contains(out, says) {
				return
			}
			select {
			case <-deadline:
				t.Fatalf("no %q in %q, %v", says, out, err)
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
}

// delete takes something away without waiting until it is gone.
func (a *agent) delete(t *testing.T, args ...string) {
	t.Helper()
	if out, err := a.kube.Kubectl(t.Context(), append([]string{"delete", "--wait=false"}, args...)...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
