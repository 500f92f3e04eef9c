package e2e_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// check is what `seatrial cluster doctor` says of one thing.
type check struct{ Check, State, Found, Do string }

// examined asks the agent, and returns the exit code of the command as well.
func examined(t *testing.T, p *plane, cluster string) (all []check, code int) {
	t.Helper()
	got := p.cli(t, "cluster", "doctor", cluster, "-o", "json")
	if err := json.Unmarshal([]byte(got.out), &all); err != nil {
		t.Fatalf("exit %d, %v: %s%s", got.code, err, got.out, got.err)
	}
	return all, got.code
}

// TestExamine: an agent as its chart installs it, with documents and triggers, has all the rights that it needs and none that it must not
// have; what somebody takes away or gives it is found, and `helm test` says that it is connected.
func TestExamine(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p, "--set 'catalog.namespaces={default}' --set catalog.definitions=never", "--set 'triggers.namespaces={default}'",
		"--set 'subjects[0].namespace=default'")
	if out, err := a.kube.Helm(t.Context(), "test", a.release, "--namespace", home, "--logs", "--timeout=2m"); err != nil || !strings.Contains(out, "connected") {
		t.Errorf("helm test: %v\n%s", err, out)
	}
	all, code := examined(t, p, a.cluster)
	for _, c := range all {
		if c.State == "failed" {
			t.Errorf("%+v", c)
		}
	}
	names := []string{"connection", "agent", "control plane", "clock", "API server", "permissions", "admission " + a.namespace, "images " + a.namespace, "watch"}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c check) bool { return c.Check == name }) {
			t.Errorf("nothing is said of %s in %+v", name, all)
		}
	}
	if code != 0 || t.Failed() {
		t.Fatalf("exit %d", code)
	}

	account := "--serviceaccount=" + home + ":" + a.release
	for _, args := range [][]string{
		{"-n", a.namespace, "create", "rolebinding", "too-much", "--clusterrole=admin", account},
		{"-n", a.namespace, "create", "quota", "none", "--hard=count/jobs.batch=0"},
	} {
		if out, err := a.kube.Kubectl(t.Context(), args...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	all, code = examined(t, p, a.cluster)
	for name, found := range map[string]string{"permissions": "it may get secrets in namespace " + a.namespace, "admission " + a.namespace: "exceeded quota"} {
		if !slices.ContainsFunc(all, func(c check) bool {
			return c.Check == name && c.State == "failed" && strings.Contains(c.Found, found) && c.Do != ""
		}) {
			t.Errorf("%s: %q is not found in %+v", name, found, all)
		}
	}
	if code != 3 {
		t.Errorf("exit %d", code)
	}
	if n, err := a.kube.Kubectl(t.Context(), "-n", a.namespace, "get", "jobs", "-l", "seatrial.dev/attempt", "-o", "name"); err != nil || strings.TrimSpace(n) != "" {
		t.Errorf("a Job was made: %s, %v", n, err)
	}
}
