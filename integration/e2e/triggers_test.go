package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shopFor is a shop in a namespace of its own: a server with a page, which a Service leads to.
const shopFor = `apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: %[1]s, labels: {app: shop}}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: shop
          image: ` + python + `
          imagePullPolicy: Never
          command: [python3, -m, http.server, "8080"]
          env: [{name: VERSION, value: "1"}]
          ports: [{containerPort: 8080}]
          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: %[1]s}
spec: {selector: {app: shop}, ports: [{port: 8080}]}
`

const smokeTest = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: smoke}
spec:
  params: {image: {type: string, default: none}}
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 5m
  steps:
    - {name: look, run: 'echo "tested ${{ params.image }}"'}
`

const onRollout = `apiVersion: seatrial.dev/v1
kind: Trigger
metadata: {name: on-rollout}
spec:
  kubernetes:
    environment: %s
    resource: deployments
    event: rolled-out
    selector: {app: shop}
    filter: event.images.exists(i, i.container == "shop")
    values: {image: "event.images[0].digest"}
    delay: %s
    probes: [{http: {service: shop, port: 8080}, timeout: 1m, interval: 1s}]
  workflows: [{name: smoke}]
`

// rollout is a shop in the cluster, with a trigger that starts its smoke test.
type rollout struct {
	*plane
	*agent

	shop  string // its namespace
	count int    // rollouts so far
}

// execution is what the tests read of one.
type execution struct {
	ID, Trigger, Status string
	CreatedAt           time.Time
	Params              map[string]string
}

// listed returns the executions, the newest first.
func (r *rollout) listed(tb testing.TB) []execution {
	tb.Helper()
	var list struct{ Executions []execution }
	out := r.must(tb, "get", "executions", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		tb.Fatalf("%v in %s", err, out)
	}
	return list.Executions
}

// becomes waits until there are so many executions and all have passed.
func (r *rollout) becomes(tb testing.TB, n int, what string) []execution {
	tb.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(300 * time.Millisecond) {
		list := r.listed(tb)
		done := 0
		for _, e := range list {
			if strings.HasSuffix(strings.ToLower(e.Status), "passed") {
				done++
			}
		}
		switch {
		case len(list) > n:
			tb.Fatalf("%s: %d executions, want %d\n%s", what, len(list), n, r.must(tb, "events"))
		case done == n:
			return list
		case time.Now().After(deadline):
			tb.Fatalf("%s: %+v, want %d that passed\n%s\n%s", what, list, n, r.must(tb, "events"), r.must(tb, "trigger", "show", "on-rollout"))
		}
	}
}

// quiet holds that nothing more starts within a while: it waits for a marker event that comes after what could have.
func (r *rollout) quiet(tb testing.TB, n int, what string) {
	tb.Helper()
	<-time.After(5 * time.Second) // the absence of something has no signal
	if list := r.listed(tb); len(list) != n {
		tb.Fatalf("%s: %d executions, want %d\n%s", what, len(list), n, r.must(tb, "events"))
	}
}

// rolls changes the shop and waits until it is rolled out.
func (r *rollout) rolls(tb testing.TB) {
	tb.Helper()
	r.count++
	r.do(tb, "set", "env", "deployment/shop", fmt.Sprintf("VERSION=%d", r.count+1))
	r.do(tb, "rollout", "status", "deployment/shop", "--timeout=2m")
}

func (r *rollout) do(tb testing.TB, args ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	out, err := r.kube.Kubectl(ctx, append([]string{"-n", r.shop}, args...)...)
	if err != nil {
		tb.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
}

// shows waits until the trigger's page says something.
func (r *rollout) shows(tb testing.TB, name, want string) {
	tb.Helper()
	out := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(200 * time.Millisecond) {
		if out = r.must(tb, "trigger", "show", name); strings.Contains(out, want) {
			return
		}
	}
	tb.Fatalf("trigger %s never shows %q:\n%s", name, want, out)
}

// newRollout installs an agent that may look at a shop, and the shop.
func newRollout(tb testing.TB) *rollout {
	tb.Helper()
	p := startPlane(tb, tb.TempDir())
	r := &rollout{plane: p, agent: installAgent(tb, p)}
	r.shop = r.namespace + "-shop"
	tb.Cleanup(func() {
		_, _ = r.kube.Kubectl(context.Background(), "delete", "namespace", r.shop, "--ignore-not-found", "--wait=false")
	})
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if out, err := r.kube.Run(ctx, "bash", "-c", "kubectl apply -f - <<'DOCUMENT'\n"+fmt.Sprintf(shopFor, r.shop)+"\nDOCUMENT"); err != nil {
		tb.Fatalf("make the shop: %v\n%s", err, out)
	}
	r.do(tb, "rollout", "status", "deployment/shop", "--timeout=2m")
	r.upgrade(tb, "--set", "subjects[0].namespace="+r.shop, "--set", "triggers.namespaces={"+r.shop+"}")
	p.apply(tb, smokeTest)
	return r
}

// TestTriggers_Rollout: a rollout of the shop starts its smoke test after its delay, once, whoever was down meanwhile, and nothing else does.
func TestTriggers_Rollout(t *testing.T) {
	t.Parallel()
	r := newRollout(t)
	applied := time.Now()
	r.apply(t, fmt.Sprintf(onRollout, r.cluster, "3s"))
	r.shows(t, "on-rollout", r.cluster+" watching since ")
	t.Logf("figures: the agent watched at most %d ms after the trigger was applied", time.Since(applied).Milliseconds())
	r.quiet(t, 0, "what was rolled out before anybody asked")

	r.rolls(t)
	rolled := time.Now()
	list := r.becomes(t, 1, "a rollout")
	if after := list[0].CreatedAt.Sub(rolled); after < time.Second || after > 15*time.Second {
		t.Errorf("started %s after the rollout, want its delay of 3s", after)
	}
	t.Logf("figures: the test was started %d ms after kubectl rollout status, with a delay of 3 s", list[0].CreatedAt.Sub(rolled).Milliseconds())
	shown := r.must(t, "get", "execution", list[0].ID, "-o", "json")
	if !strings.Contains(shown, "kubernetes-event") || !strings.Contains(shown, "sha256:") {
		t.Errorf("the execution says neither what started it nor which image:\n%s", shown)
	}

	r.do(t, "scale", "deployment/shop", "--replicas=2")
	r.do(t, "rollout", "status", "deployment/shop", "--timeout=2m")
	r.quiet(t, 1, "more replicas of the same")

	// While the agent is away, and when it comes back twice.
	r.stopped(t, func() { r.rolls(t) })
	r.becomes(t, 2, "a rollout while the agent was away")
	r.killAndAwait(t)
	r.quiet(t, 2, "an agent that was started anew")

	// The control plane is away while the rollout ends, and again while the delay passes.
	r.apply(t, fmt.Sprintf(onRollout, r.cluster, "6s"))
	r.shows(t, "on-rollout", "watching")
	r.stop(t, syscall.SIGKILL)
	r.rolls(t)
	r.start(t)
	for deadline := time.Now().Add(patience); !strings.Contains(r.must(t, "events", "--trigger", "on-rollout"), "on-rollout waiting"); {
		if time.Now().After(deadline) {
			t.Fatalf("nothing waits:\n%s", r.must(t, "events"))
		}
		<-time.After(100 * time.Millisecond)
	}
	r.stop(t, syscall.SIGKILL)
	r.start(t)
	r.becomes(t, 3, "a rollout while the control plane was away")
	r.quiet(t, 3, "a control plane that was started anew")
}

// stopped does something while there is no agent.
func (r *rollout) stopped(tb testing.TB, do func()) {
	tb.Helper()
	scale := func(n string) {
		ctx, cancel := context.WithTimeout(tb.Context(), patience)
		defer cancel()
		if out, err := r.kube.Kubectl(ctx, "-n", home, "scale", "deployment/"+r.release, "--replicas="+n); err != nil {
			tb.Fatalf("scale the agent: %v\n%s", err, out)
		}
		if n == "0" {
			_, _ = r.kube.Kubectl(ctx, "-n", home, "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/instance="+r.release, "--timeout=2m")
		}
	}
	scale("0")
	do()
	scale("1")
	r.connected(tb)
}

// TestTriggers_Refused: what an agent may not look at is said with what to do, a probe that never succeeds starts nothing and says why, and
// any kind of object is looked at that the owner of the cluster names, also one that is defined there.
func TestTriggers_Refused(t *testing.T) {
	t.Parallel()
	alone(t)
	r := newRollout(t)
	trigger := func(name, on string) {
		r.apply(t, "apiVersion: seatrial.dev/v1\nkind: Trigger\nmetadata: {name: "+name+"}\nspec:\n  kubernetes: "+on+"\n  workflows: [{name: smoke}]\n")
	}
	trigger("elsewhere", "{cluster: "+r.cluster+", resource: deployments, event: created, namespace: kube-system}")
	trigger("pods", "{cluster: "+r.cluster+", resource: pods, event: created, namespace: "+r.shop+"}")
	trigger("nowhere", "{cluster: moon, resource: deployments, event: created}")
	trigger("crd", "{cluster: "+r.cluster+", resource: schedules.seatrial.dev, event: created, namespace: "+r.shop+"}")
	r.shows(t, "elsewhere", "refused: The agent may not watch in namespace kube-system: add it to triggers.namespaces")
	r.shows(t, "pods", "refused: The agent may not watch pods: add them to triggers.resources")
	r.shows(t, "nowhere", "There is no cluster moon")
	r.upgrade(t, "--take-ownership", "--set", "catalog.definitions=always", "--set", "catalog.namespaces={"+r.namespace+"}",
		"--set", "triggers.resources={deployments,configmaps,schedules.seatrial.dev}")
	r.shows(t, "crd", "watching since")
	trigger("config", "{cluster: "+r.cluster+`, resource: configmaps, event: updated, name: "settings-*", namespace: `+r.shop+", debounce: 2s}")
	trigger("gone", "{cluster: "+r.cluster+", resource: configmaps, event: deleted, selector: {kind: settings}}")
	trigger("probed", "{cluster: "+r.cluster+", resource: deployments, event: condition, condition: {type: Available}, name: late, probes: [{tcp: {service: shop, port: 8080}}, {http: {service: shop, port: 8080, path: /missing}, timeout: 3s, interval: 1s}]}")
	for _, name := range []string{"config", "gone", "probed"} {
		r.shows(t, name, "watching since")
	}

	r.do(t, "create", "configmap", "settings-a", "--from-literal=a=1")
	r.do(t, "create", "configmap", "other", "--from-literal=a=1")
	r.do(t, "label", "configmap", "settings-a", "kind=settings")
	r.do(t, "patch", "configmap", "settings-a", "-p", `{"data":{"a":"2"}}`)
	r.do(t, "patch", "configmap", "other", "-p", `{"data":{"a":"2"}}`)
	r.becomes(t, 1, "updates of a config map, one shortly after the other")
	r.do(t, "delete", "configmap", "settings-a", "other")
	r.becomes(t, 2, "a config map that is gone")
	r.mustKubectl(t, "apiVersion: seatrial.dev/v1\nkind: Schedule\nmetadata: {name: nightly, namespace: "+r.shop+"}\nspec: {cron: '@daily', workflows: [{name: smoke}]}\n", "-n", r.shop, "apply")
	r.becomes(t, 3, "an object of a kind that is defined in the cluster")

	r.do(t, "create", "deployment", "late", "--image="+python, "--", "sleep", "1000")
	r.do(t, "patch", "deployment", "late", "-p", `{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":0,"containers":[{"name":"pytest","imagePullPolicy":"Never"}]}}}}`)
	r.shows(t, "probed", "The probe of http://shop."+r.shop+".svc:8080/missing did not succeed")
	r.quiet(t, 3, "a probe that never succeeds")
}
