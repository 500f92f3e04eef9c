package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

const documented = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: %s, labels: {suite: smoke}}
spec:
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 5m
  steps:
    - name: test
      run: echo %s
`

// claims is held by a test while it has documents in the cluster: an agent that brings those of all namespaces claims the documents of other
// tests for its own control plane, too, and says so in their status.
var claims sync.Mutex

// alone waits until no other test has documents.
func alone(t *testing.T) {
	t.Helper()
	claims.Lock()
	t.Cleanup(claims.Unlock)
}

// catalogAgent installs an agent that brings the documents of all namespaces.
func catalogAgent(tb testing.TB, p *plane) *agent {
	tb.Helper()
	a := installAgent(tb, p, "--take-ownership", "--set", "catalog.definitions=always", "--set", "'catalog.namespaces={*}'")
	return a
}

// object is what the tests read of a custom resource.
type object struct {
	Status struct {
		Phase      string
		URL        string
		Execution  string
		Owner      string
		Revision   int
		Conditions []struct{ Type, Status, Reason, Message string }
		LastExec   struct{ Status string } `json:"lastExecution"`
		Tests      map[string]int
	}
}

// kubectl runs kubectl with a document as input, in the agent's namespace.
func (a *agent) kubectl(tb testing.TB, input string, args ...string) (string, error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	script := "kubectl -n " + a.namespace + " " + strings.Join(args, " ")
	if input != "" {
		script += " -f - <<'DOCUMENT'\n" + input + "\nDOCUMENT"
	}
	return a.kube.Run(ctx, "bash", "-c", script)
}

func (a *agent) mustKubectl(tb testing.TB, input string, args ...string) string {
	tb.Helper()
	out, err := a.kubectl(tb, input, args...)
	if err != nil {
		tb.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
	return out
}

// until waits until an object is as a test wants it.
func (a *agent) until(tb testing.TB, name, what string, is func(object) bool) object {
	tb.Helper()
	var o object
	var out string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(200 * time.Millisecond) {
		var err error
		if out, err = a.kubectl(tb, "", "get", name, "-o", "json"); err != nil {
			continue
		}
		o = object{}
		if err := json.Unmarshal([]byte(out), &o); err != nil {
			tb.Fatalf("%v in %s", err, out)
		}
		if is(o) {
			return o
		}
	}
	tb.Fatalf("%s: never %s; it is\n%s", name, what, out)
	return o
}

func synced(reason string) func(object) bool {
	return func(o object) bool {
		for _, c := range o.Status.Conditions {
			if c.Type == "Synced" {
				return c.Reason == reason
			}
		}
		return false
	}
}

// TestCatalog_Resources has a cluster's custom resources in the catalog: applied, changed, wrong, run, and deleted.
func TestCatalog_Resources(t *testing.T) {
	t.Parallel()
	alone(t)
	p := startPlane(t, t.TempDir())
	a := catalogAgent(t, p)

	began := time.Now()
	a.mustKubectl(t, fmt.Sprintf(documented, "smoke", "one"), "apply")
	applied := time.Now()
	for deadline := time.Now().Add(patience); p.cli(t, "get", "workflow", "smoke").code != 0; {
		if time.Now().After(deadline) {
			t.Fatal("the workflow does not come into the catalog")
		}
	}
	t.Logf("figures: kubectl apply took %d ms, the workflow was in the catalog at most %d ms later (a call of the command line included)",
		applied.Sub(began).Milliseconds(), time.Since(applied).Milliseconds())
	a.until(t, "stw/smoke", "synced", synced("Synced"))
	if out := p.must(t, "get", "workflows"); !strings.Contains(out, "namespace "+a.namespace+" of cluster "+a.cluster) {
		t.Errorf("nobody says where the workflow is kept:\n%s", out)
	}

	// By hand it cannot be changed, and whoever tries is told where it can.
	if s := p.as(t, p.token, fmt.Sprintf(documented, "smoke", "by-hand"), "apply", "-f", "-"); s.code == 0 || !strings.Contains(s.err, "is kept in the namespace "+a.namespace) {
		t.Errorf("applied by hand: exit %d %s%s", s.code, s.out, s.err)
	}

	a.mustKubectl(t, fmt.Sprintf(documented, "smoke", "two"), "apply")
	a.until(t, "stw/smoke", "at revision 2", func(o object) bool { return o.Status.Revision == 2 })
	a.mustKubectl(t, strings.Replace(fmt.Sprintf(documented, "smoke", "x"), "echo x", `echo "${{ params.missing }}"`, 1), "apply")
	wrong := a.until(t, "stw/smoke", "invalid", synced("Invalid"))
	if m := wrong.Status.Conditions[0].Message; !strings.Contains(m, "spec.steps[0].run") || !strings.Contains(m, "missing") {
		t.Errorf("the condition says %q", m)
	}
	a.mustKubectl(t, fmt.Sprintf(documented, "smoke", "three"), "apply")
	a.until(t, "stw/smoke", "at revision 3", func(o object) bool { return o.Status.Revision == 3 && synced("Synced")(o) })

	// A TestExecution runs it once, and both show how it ended.
	a.mustKubectl(t, "apiVersion: seatrial.dev/v1\nkind: TestExecution\nmetadata: {name: try-1}\nspec: {workflow: smoke}\n", "create")
	ran := a.until(t, "ste/try-1", "passed", func(o object) bool { return o.Status.Phase == "passed" })
	if !strings.HasSuffix(ran.Status.URL, "/executions/"+ran.Status.Execution) || !strings.HasPrefix(ran.Status.URL, "http") {
		t.Errorf("the execution is %+v", ran.Status)
	}
	a.until(t, "stw/smoke", "showing its last result", func(o object) bool { return o.Status.LastExec.Status == "passed" })
	table := a.mustKubectl(t, "", "get", "testworkflows.seatrial.dev")
	for _, want := range []string{"SYNCED", "LAST RESULT", "REVISION", "AGE", "passed"} {
		if !strings.Contains(table, want) {
			t.Errorf("kubectl does not show %s:\n%s", want, table)
		}
	}
	if out, err := a.kubectl(t, "apiVersion: seatrial.dev/v1\nkind: TestExecution\nmetadata: {name: try-1}\nspec: {workflow: other}\n", "apply"); err == nil {
		t.Errorf("a TestExecution may be changed: %s", out)
	}

	// Deleting one that runs cancels it.
	a.mustKubectl(t, strings.Replace(fmt.Sprintf(documented, "long", "x"), "echo x", "sleep 200", 1), "apply")
	a.until(t, "stw/long", "synced", synced("Synced"))
	a.mustKubectl(t, "apiVersion: seatrial.dev/v1\nkind: TestExecution\nmetadata: {name: try-2}\nspec: {workflow: long}\n", "create")
	long := a.until(t, "ste/try-2", "running", func(o object) bool { return o.Status.Phase == "running" })
	a.mustKubectl(t, "", "delete", "ste/try-2")
	for deadline := time.Now().Add(patience); !strings.Contains(p.cli(t, "get", "execution", long.Status.Execution).out, "cancelled"); {
		if time.Now().After(deadline) {
			t.Fatalf("the execution goes on: %s", p.must(t, "get", "execution", long.Status.Execution))
		}
		<-time.After(200 * time.Millisecond)
	}

	// What was deleted while nobody listened leaves the catalog, and its executions stay.
	a.mustKubectl(t, "", "delete", "stw/smoke")
	for deadline := time.Now().Add(patience); strings.Contains(p.must(t, "get", "workflows"), "smoke"); {
		if time.Now().After(deadline) {
			t.Fatal("the workflow stays in the catalog")
		}
		<-time.After(200 * time.Millisecond)
	}
	if s := p.cli(t, "run", "smoke"); s.code == 0 || !strings.Contains(s.err, "was removed from the catalog") {
		t.Errorf("a workflow that is gone is run: %+v", s)
	}
	if out := p.must(t, "get", "execution", ran.Status.Execution); !strings.Contains(out, "passed") {
		t.Errorf("the execution is gone: %s", out)
	}
}

// TestCatalog_Conflict has two agents claim the same name: one owns it, the other is told so, until the owner gives it up.
func TestCatalog_Conflict(t *testing.T) {
	t.Parallel()
	alone(t)
	p := startPlane(t, t.TempDir())
	first := namespaced(t, p)
	second := namespaced(t, p)
	first.mustKubectl(t, fmt.Sprintf(documented, "shared", "first"), "apply")
	first.until(t, "stw/shared", "synced", synced("Synced"))
	second.mustKubectl(t, fmt.Sprintf(documented, "shared", "second"), "apply")
	lost := second.until(t, "stw/shared", "in conflict", synced("Conflict"))
	if want := "namespace " + first.namespace + " of cluster " + first.cluster; lost.Status.Owner != want || !strings.Contains(lost.Status.Conditions[0].Message, want) {
		t.Errorf("the owner is %q, the condition says %+v", lost.Status.Owner, lost.Status.Conditions)
	}
	// Changes of the second change nothing, and those of the first do.
	second.mustKubectl(t, fmt.Sprintf(documented, "shared", "second-again"), "apply")
	first.mustKubectl(t, fmt.Sprintf(documented, "shared", "first-again"), "apply")
	first.until(t, "stw/shared", "at revision 2", func(o object) bool { return o.Status.Revision == 2 })
	if out := p.must(t, "get", "workflow", "shared"); !strings.Contains(out, "first-again") || strings.Contains(out, "second") {
		t.Errorf("the catalog has\n%s", out)
	}
	// While the control plane is away the owner gives the name up.
	p.stop(t, 15)
	first.mustKubectl(t, "", "delete", "stw/shared")
	p.start(t)
	second.until(t, "stw/shared", "synced", synced("Synced"))
	if out := p.must(t, "get", "workflow", "shared"); !strings.Contains(out, "second-again") {
		t.Errorf("the catalog has\n%s", out)
	}
}

// namespaced installs an agent that brings the documents of its own namespace alone.
func namespaced(tb testing.TB, p *plane) *agent {
	tb.Helper()
	a := installAgent(tb, p)
	return a.upgrade(tb, "--take-ownership", "--set", "catalog.definitions=always", "--set", "catalog.namespaces={"+a.namespace+"}")
}

// upgrade upgrades the agent's release with more values.
func (a *agent) upgrade(tb testing.TB, args ...string) *agent {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	all := append([]string{"upgrade", a.release, chart(tb), "--namespace", home, "--reuse-values"}, args...)
	if out, err := a.kube.Helm(ctx, all...); err != nil {
		tb.Fatalf("upgrade the agent: %v\n%s", err, out)
	}
	a.connected(tb)
	return a
}
