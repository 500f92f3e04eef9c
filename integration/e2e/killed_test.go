package e2e_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// counting prints numbered lines, before, at and after a door; numbers tell what is lost or doubled.
const counting = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: counting}
spec:
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 10m
  steps:
    - name: first
      run: |
        seq 1 20000
        GATE1
        seq 20001 40000
    - name: second
      run: |
        GATE2
        seq 1 100
`

func numbers(to int) string {
	var b strings.Builder
	for i := 1; i <= to; i++ {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

// TestKilled proves that a test outlives those who watch it: nothing runs twice, no line is lost or doubled.
func TestKilled(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(t *testing.T, p *plane, a *agent, g *gate){
		"Agent": func(t *testing.T, _ *plane, a *agent, g *gate) {
			t.Helper()
			a.kill(t)
			g.open("first") // the step goes on while nobody listens
			a.connected(t)
		},
		"ControlPlane": func(t *testing.T, p *plane, a *agent, g *gate) {
			t.Helper()
			p.stop(t, syscall.SIGKILL)
			g.open("first")
			g.await(t, "second") // a whole step begins while the control plane is away
			p.start(t)
			a.connected(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPlane(t, t.TempDir())
			a := installAgent(t, p)
			g := newGate(t)
			p.apply(t, strings.NewReplacer("GATE1", g.wait("first"), "GATE2", g.wait("second")).Replace(counting))
			id := p.run(t, "counting")
			g.await(t, "first")
			pod := a.pod(t, id)
			kill(t, p, a, g)
			g.await(t, "second")
			g.open("second")
			if e := p.ended(t, id); e.GetStatus() != apiv1.Status_STATUS_PASSED {
				t.Errorf("status %s: %s", e.GetStatus(), e.GetMessage())
			}
			if got := p.must(t, "logs", id, "--step", "first"); got != numbers(40000) {
				t.Errorf("the log of the first step has %d bytes, want %d, or their order is wrong", len(got), len(numbers(40000)))
			}
			if got := p.must(t, "logs", id, "--step", "second"); got != numbers(100) {
				t.Errorf("the log of the second step is %q", got)
			}
			if n := a.jobs(t, id); n != 1 || a.pod(t, id) != pod || g.count("first") != 1 || g.count("second") != 1 {
				t.Errorf("%d Jobs, pod %s (was %s), steps came to their doors %d and %d times",
					n, a.pod(t, id), pod, g.count("first"), g.count("second"))
			}
		})
	}
}

// run starts a workflow and returns the id of the execution.
func (p *plane) run(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	var run apiv1.RunWorkflowResponse
	printed := p.must(tb, append([]string{"run", name, "-o", "json"}, args...)...)
	if err := protojson.Unmarshal([]byte(printed), &run); err != nil {
		tb.Fatalf("%v in %s", err, printed)
	}
	return run.GetExecution().GetId()
}

// ended waits until an execution has ended and everything of it is delivered.
func (p *plane) ended(tb testing.TB, id string) *apiv1.Execution {
	tb.Helper()
	if got := p.cli(tb, "logs", id, "-f"); got.code != 0 && got.code != 1 && got.code != 3 && got.code != 4 {
		tb.Fatalf("follow: exit %d: %s", got.code, got.err)
	}
	var e apiv1.Execution
	if err := protojson.Unmarshal([]byte(p.must(tb, "get", "execution", id, "-o", "json")), &e); err != nil {
		tb.Fatal(err)
	}
	return &e
}

// burst writes 100 MB as fast as the pipe takes it: numbered lines of 100 bytes.
const burst = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: burst}
spec:
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 10m
  steps:
    - name: burst
      run: |
        GATE
        exec python3 -c '
        import sys
        for block in range(1000):
            sys.stdout.write("".join("%099d\n" % (block * 1000 + i) for i in range(1000)))
        '
`

// TestBurst proves that a fast log arrives complete and in order, and prints what reading it from Kubernetes gives.
func TestBurst(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p)
	g := newGate(t)
	p.apply(t, strings.ReplaceAll(burst, "GATE", g.wait("burst")))
	id := p.run(t, "burst")
	g.await(t, "burst")
	cmd := exec.Command(filepath.Join(a.kube.Dir, "bin", "kubectl"), "-n", a.namespace, "logs", "-f", a.pod(t, id))
	cmd.Env = a.kube.Env()
	read := background(t, cmd)
	g.open("burst")
	e := p.ended(t, id)
	if e.GetStatus() != apiv1.Status_STATUS_PASSED {
		t.Fatalf("status %s: %s", e.GetStatus(), e.GetMessage())
	}
	var want bytes.Buffer
	for i := range 1_000_000 {
		fmt.Fprintf(&want, "%099d\n", i)
	}
	got := p.must(t, "logs", id, "--step", "burst")
	table := crc32.MakeTable(crc32.Castagnoli)
	if len(got) != want.Len() || crc32.Checksum([]byte(got), table) != crc32.Checksum(want.Bytes(), table) {
		t.Errorf("%d bytes with checksum %08x arrived, %d with %08x were written",
			len(got), crc32.Checksum([]byte(got), table), want.Len(), crc32.Checksum(want.Bytes(), table))
	}
	step := e.GetRuns()[0].GetAttempts()[0].GetSteps()[0]
	if l := step.GetLog(); l.GetBytes() != int64(want.Len()) || l.GetLines() != 1_000_000 || l.GetGapBytes() != 0 || !l.GetComplete() || l.GetViaKubeApi() {
		t.Errorf("the step's log says %v", l)
	}
	t.Logf("figures: burst of %d bytes; Seatrial has %d; kubectl logs -f of the same pod gave %d", want.Len(), len(got), len(read()))
}
