package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// plainJob is a Job as the agent makes them, in what a policy looks at.
func plainJob() map[string]any {
	return map[string]any{
		"apiVersion": "batch/v1", "kind": "Job", "metadata": map[string]any{"generateName": "t-"},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"restartPolicy": "Never", "automountServiceAccountToken": false,
			"containers": []any{map[string]any{"name": "c0", "image": python, "securityContext": map[string]any{"allowPrivilegeEscalation": false}}},
			"volumes": []any{
				map[string]any{"name": "a", "emptyDir": map[string]any{}},
				map[string]any{"name": "b", "projected": map[string]any{"sources": []any{
					map[string]any{"serviceAccountToken": map[string]any{"path": "token", "audience": "seatrial-agent"}},
				}}},
			},
		}}},
	}
}

// admission holds the agent's account to the shape of a test, by the API server: whoever has taken the agent over gets no further.
func admission(t *testing.T, _ *plane, a *agent) {
	t.Helper()
	create := func(job map[string]any, as ...string) (string, error) {
		raw, err := json.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		return a.kubectl(t, string(raw), append([]string{"create", "--dry-run=server"}, as...)...)
	}
	agent := "--as=system:serviceaccount:" + home + ":" + a.release
	if out, err := create(plainJob(), agent); err != nil {
		t.Fatalf("the agent may not create a test: %v\n%s", err, out)
	}
	volume := func(kind string, source map[string]any) func(pod, container map[string]any) {
		return func(pod, _ map[string]any) { pod["volumes"] = []any{map[string]any{"name": "v", kind: source}} }
	}
	for name, tc := range map[string]struct {
		change func(pod, container map[string]any)
		says   string
	}{
		"HostNetwork": {func(pod, _ map[string]any) { pod["hostNetwork"] = true }, "never shares the network"},
		"HostPID":     {func(pod, _ map[string]any) { pod["hostPID"] = true }, "never shares the network or the processes"},
		"Privileged":  {func(_, c map[string]any) { c["securityContext"] = map[string]any{"privileged": true} }, "never has privileges"},
		"Capability": {func(_, c map[string]any) {
			c["securityContext"] = map[string]any{"capabilities": map[string]any{"add": []any{"SYS_ADMIN"}}}
		}, "never has privileges"},
		"InInit": {func(pod, _ map[string]any) {
			pod["initContainers"] = []any{map[string]any{"name": "i", "image": python, "securityContext": map[string]any{"privileged": true}}}
		}, "never has privileges"},
		"HostPath": {volume("hostPath", map[string]any{"path": "/"}), "never mounts folders of its node"},
		"CSI":      {volume("csi", map[string]any{"driver": "d"}), "never mounts folders of its node"},
		"Node":     {func(pod, _ map[string]any) { pod["nodeName"] = "n" }, "placed by the scheduler"},
		"Token":    {func(pod, _ map[string]any) { delete(pod, "automountServiceAccountToken") }, "no token of its service account"},
		"Projected": {
			volume("projected", map[string]any{"sources": []any{map[string]any{"serviceAccountToken": map[string]any{"path": "t"}}}}),
			"no token of its service account",
		},
		"Account": {func(pod, _ map[string]any) { pod["serviceAccountName"] = "admin" }, "allows tests these service accounts: default"},
		"Secret":  {volume("secret", map[string]any{"secretName": "s"}), "no volumes of kind secret"},
	} {
		job := plainJob()
		pod := job["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		tc.change(pod, pod["containers"].([]any)[0].(map[string]any))
		again := time.NewTicker(500 * time.Millisecond)
		for deadline := time.Now().Add(patience); ; <-again.C { // the API server takes a moment to take a policy up
			out, err := create(job, agent)
			if err != nil && strings.Contains(out+err.Error(), tc.says) {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("%s is let through: %v\n%s", name, err, out)
				break
			}
		}
		again.Stop()
	}
}

// TestAdmission installs an agent whose owner allows little.
func TestAdmission(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p, "--set", "'allow.serviceAccounts={default}'", "--set", "'allow.volumes={emptyDir}'")
	admission(t, p, a)
	p.apply(t, strings.ReplaceAll(signedWorkflow, "signed", "allowed"))
	if e := p.ended(t, p.run(t, "allowed")); e.GetStatus().String() != "STATUS_PASSED" {
		t.Errorf("what is allowed does not run: %s %s", e.GetStatus(), attemptOf(e).GetMessage())
	}
}
