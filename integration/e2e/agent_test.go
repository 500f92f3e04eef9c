package e2e_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// home is the namespace that the printed install command puts agents into.
const home = "seatrial"

// agent is an agent installed by its chart with the command that people are shown.
type agent struct {
	kube      harness.Kube
	cluster   string // its name in the control plane, and that of its environment
	release   string
	namespace string // of its tests
}

// installAgent enrols the cluster under a name of its own and installs an agent. Further arguments go to helm.
func installAgent(tb testing.TB, p *plane, args ...string) *agent {
	tb.Helper()
	kube := harness.Cluster(tb)
	name := "e2e-" + uuid.NewString()[:8]
	a := &agent{kube: kube, cluster: name, release: "seatrial-" + name, namespace: name}
	printed := p.must(tb, "cluster", "enroll", name, "--namespace", a.namespace, "-o", "json")
	var enrolled apiv1.EnrollClusterResponse
	if err := protojson.Unmarshal([]byte(printed), &enrolled); err != nil {
		tb.Fatalf("%v in %s", err, printed)
	}
	tb.Cleanup(func() { a.remove(tb) })
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	command := enrolled.GetCommand() + " --set image=docker.io/seatrial/agent:" + harness.Tag() + " --set runner.image=docker.io/seatrial/runner:" + harness.Tag() +
		" --set imagePullPolicy=Never --set runner.imagePullPolicy=Never --set imageGrace=5s --set logLevel=debug " + strings.Join(args, " ")
	if out, err := kube.Run(ctx, "bash", "-c", command); err != nil {
		tb.Fatalf("install the agent: %v\n%s", err, out)
	}
	a.connected(tb)
	return a
}

// connected waits until the agent is connected to its control plane: its readiness says so.
func (a *agent) connected(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if _, err := a.kube.Kubectl(ctx, "-n", home, "rollout", "status", "deployment/"+a.release, "--timeout=2m"); err != nil {
		log, _ := a.kube.Kubectl(tb.Context(), "-n", home, "logs", "deployment/"+a.release, "--tail=20")
		tb.Fatalf("the agent did not connect: %v\n%s", err, log)
	}
}

// remove uninstalls the agent and its namespace.
func (a *agent) remove(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the test's context has ended by now
	defer cancel()
	if tb.Failed() {
		log, _ := a.kube.Kubectl(ctx, "-n", home, "logs", "deployment/"+a.release, "--tail=40")
		tb.Logf("the agent's log ends with:\n%s", log)
		pods, _ := a.kube.Kubectl(ctx, "-n", a.namespace, "get", "pods", "-o", "wide")
		tb.Logf("pods:\n%s", pods)
	}
	if _, err := a.kube.Helm(ctx, "uninstall", a.release, "--namespace", home, "--ignore-not-found"); err != nil {
		tb.Logf("uninstall the agent: %v", err)
	}
	if _, err := a.kube.Kubectl(ctx, "delete", "namespace", a.namespace, "--ignore-not-found", "--wait=false"); err != nil {
		tb.Logf("remove the namespace: %v", err)
	}
}

// kill sends SIGKILL to the agent's process, past Kubernetes and past the agent itself.
func (a *agent) kill(tb testing.TB) {
	tb.Helper()
	id := a.container(tb)
	if _, err := a.kube.Containerd(tb.Context(), "tasks", "kill", "-s", "SIGKILL", id); err != nil {
		tb.Fatal(err)
	}
}

// killAndAwait kills the agent and returns when its next process is connected.
func (a *agent) killAndAwait(tb testing.TB) {
	tb.Helper()
	last := a.container(tb)
	a.kill(tb)
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); a.container(tb) == last; { // Kubernetes takes a moment to see it
		if time.Now().After(deadline) {
			tb.Fatal("the agent was not started again")
		}
		<-again.C
	}
	a.connected(tb)
}

// container returns the id of the agent's container.
func (a *agent) container(tb testing.TB) string {
	tb.Helper()
	out, err := a.kube.Kubectl(tb.Context(), "-n", home, "get", "pods", "-l", "app.kubernetes.io/instance="+a.release,
		"-o", "jsonpath={.items[0].status.containerStatuses[0].containerID}")
	if err != nil {
		tb.Fatal(err)
	}
	_, id, _ := strings.Cut(out, "//")
	return id
}

// pid returns the agent's process on this machine.
func (a *agent) pid(tb testing.TB) string {
	tb.Helper()
	out, err := a.kube.Containerd(tb.Context(), "tasks", "ls")
	if err != nil {
		tb.Fatal(err)
	}
	id := a.container(tb)
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == id {
			return f[1]
		}
	}
	tb.Fatalf("no process of container %s in\n%s", id, out)
	return ""
}

// jobs returns how many Jobs there are for an execution.
func (a *agent) jobs(tb testing.TB, execution string) int {
	tb.Helper()
	out, err := a.kube.Kubectl(tb.Context(), "-n", a.namespace, "get", "jobs", "-l", "seatrial.dev/execution="+execution, "-o", "name")
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Count(out, "\n")
}

// pod returns the name of the one pod of an execution.
func (a *agent) pod(tb testing.TB, execution string) string {
	tb.Helper()
	out, err := a.kube.Kubectl(tb.Context(), "-n", a.namespace, "get", "pods", "-l", "seatrial.dev/execution="+execution,
		"-o", "jsonpath={.items[*].metadata.name}")
	if err != nil || strings.Count(out, " ") > 0 || out == "" {
		tb.Fatalf("pods of execution %s: %q, %v", execution, out, err)
	}
	return out
}

// background starts a command whose output is counted; wait returns the bytes once it has ended.
func background(tb testing.TB, cmd *exec.Cmd) (wait func() []byte) {
	tb.Helper()
	var out []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, err = cmd.Output()
	}()
	return func() []byte {
		select {
		case <-done:
		case <-time.After(patience):
			tb.Error(fmt.Errorf("%s did not end", cmd.Path))
			_ = cmd.Process.Kill()
			<-done
		}
		if err != nil {
			tb.Logf("%s: %v", cmd.Path, err)
		}
		return out
	}
}
