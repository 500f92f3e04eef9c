package harness

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Kube is the one-machine cluster that the test command starts.
type Kube struct {
	// Dir is where integration/kube/up.sh keeps it.
	Dir string
	// Kubeconfig is that of its administrator.
	Kubeconfig string
}

// Cluster returns the cluster named by SEATRIAL_TEST_KUBE. Without it the test is skipped and says so.
func Cluster(tb testing.TB) Kube {
	tb.Helper()
	dir := os.Getenv("SEATRIAL_TEST_KUBE")
	if dir == "" {
		tb.Skip("no cluster: `make test` starts one and names it in SEATRIAL_TEST_KUBE")
	}
	return Kube{Dir: dir, Kubeconfig: filepath.Join(dir, "kubeconfig")}
}

// Programs returns the folder with the built programs, whose images the cluster has.
func Programs(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("SEATRIAL_TEST_PROGRAMS")
	if dir == "" {
		tb.Skip("no programs: `make test` builds them and names their folder in SEATRIAL_TEST_PROGRAMS")
	}
	return dir
}

// Tag returns the tag of the images of agent and runner that the cluster has: SEATRIAL_TEST_TAG, or local.
func Tag() string {
	if tag := os.Getenv("SEATRIAL_TEST_TAG"); tag != "" {
		return tag
	}
	return "local"
}

// Env returns the environment for commands that use the cluster's tools.
func (k Kube) Env() []string {
	return append(os.Environ(), "KUBECONFIG="+k.Kubeconfig, "PATH="+filepath.Join(k.Dir, "bin")+":"+os.Getenv("PATH"))
}

// Kubectl runs kubectl and returns what it prints.
func (k Kube) Kubectl(ctx context.Context, args ...string) (string, error) {
	return k.Run(ctx, filepath.Join(k.Dir, "bin", "kubectl"), args...)
}

// Helm runs helm and returns what it prints.
func (k Kube) Helm(ctx context.Context, args ...string) (string, error) {
	return k.Run(ctx, filepath.Join(k.Dir, "bin", "helm"), args...)
}

// Containerd sends a command to the cluster's container runtime.
func (k Kube) Containerd(ctx context.Context, args ...string) (string, error) {
	socket := filepath.Join(k.Dir, "containerd", "containerd.sock")
	return k.Run(ctx, filepath.Join(k.Dir, "bin", "ctr"), append([]string{"-a", socket, "-n", "k8s.io"}, args...)...)
}

// Run runs a command in the environment of the cluster's tools. The error holds what it printed.
func (k Kube) Run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = k.Env()
	var out, wrong bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &wrong
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, wrong.String())
	}
	return out.String(), nil
}

// Address returns the address of this machine that pods reach.
func Address(tb testing.TB) string {
	tb.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		tb.Fatalf("addresses of this machine: %v", err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	tb.Fatal("this machine has no address that pods can reach")
	return ""
}

// FreePort returns a port that nothing listens on.
func FreePort(tb testing.TB) int {
	tb.Helper()
	port, err := freePort()
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	return port
}
