package engine_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/agent/collect"
	"github.com/seatrial/seatrial/agent/runner/app"
	"github.com/seatrial/seatrial/agent/runner/pin"
	"github.com/seatrial/seatrial/agent/runner/plan"
	"github.com/seatrial/seatrial/agent/runner/termination"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
	"github.com/seatrial/seatrial/integration/parallel"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	attempt = "a"
	// within is far more than anything here takes; what takes longer hangs.
	within = 2 * time.Minute

	running   = runnerv1.StepStatus_STEP_STATUS_RUNNING
	passed    = runnerv1.StepStatus_STEP_STATUS_PASSED
	failed    = runnerv1.StepStatus_STEP_STATUS_FAILED
	errored   = runnerv1.StepStatus_STEP_STATUS_ERRORED
	timedOut  = runnerv1.StepStatus_STEP_STATUS_TIMED_OUT
	cancelled = runnerv1.StepStatus_STEP_STATUS_CANCELLED
	skipped   = runnerv1.StepStatus_STEP_STATUS_SKIPPED
)

// TestMain lets the test binary be the runner, too: a runner reaps all children of its process, so each needs one of its own.
func TestMain(m *testing.M) {
	if os.Getenv("SEATRIAL_TEST_RUNNER") == "" {
		parallel.Default(6)
		os.Exit(m.Run())
	}
	code, err := app.Run(context.Background(), os.Args[1:], "test")
	if err != nil {
		fmt.Fprintln(os.Stderr, "seatrial-runner:", err)
	}
	os.Exit(code)
}

// agent is a real agent's end of the connection, with a control plane in memory.
type agent struct {
	uplink   *workfake.Uplink
	attempts *workfake.Attempts
	cert     tls.Certificate
	pin      string
	addr     string
	server   *collect.Server
}

func newAgent(t *testing.T) *agent {
	t.Helper()
	a := &agent{uplink: workfake.NewUplink(), attempts: workfake.NewAttempts(), addr: "127.0.0.1:0"}
	var err error
	if a.cert, a.pin, err = pin.SelfSigned(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.uplink.Close)
	t.Cleanup(func() {
		if err := a.uplink.Fault(); err != nil {
			t.Error(err)
		}
	})
	a.start(t)
	t.Cleanup(a.stop)
	return a
}

// start lets the agent come back, at the same address.
func (a *agent) start(t *testing.T) {
	t.Helper()
	a.server = collect.New(collect.Options{
		Log: slog.New(slog.DiscardHandler), Listen: a.addr, Certificate: a.cert, Pods: workfake.Pods{"p": attempt},
		Reviews: &workfake.Reviews{Tokens: map[string]work.PodIdentity{"good": {Namespace: "ns", Pod: "p", UID: "u"}}},
		Uplink:  a.uplink, Attempts: a.attempts,
	})
	if _, err := a.server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.addr = a.server.Addr().String()
}

func (a *agent) stop() {
	if a.server != nil {
		a.server.Stop()
	}
	a.server = nil
}

// wait returns when the record of the attempt is as wanted.
func (a *agent) wait(t *testing.T, what string, cond func(workfake.View) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := a.attempts.Wait(ctx, cond); err != nil {
		t.Fatalf("%s: %v; the record is %+v", what, err, a.attempts.View())
	}
}

// logged waits until a text is in the log of a step.
func (a *agent) logged(t *testing.T, index int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	err := a.uplink.Wait(ctx, attempt, stream(index), func(l *workfake.Log) bool { return bytes.Contains(l.Head, []byte(text)) })
	if err != nil {
		t.Fatalf("step %d does not say %q: %v", index, text, err)
	}
}

func (a *agent) log(t *testing.T, index int) *workfake.Log {
	t.Helper()
	l := a.uplink.Log(attempt, stream(index))
	if l == nil {
		t.Fatalf("there is no log of step %d", index)
	}
	if err := a.uplink.Fault(); err != nil {
		t.Fatal(err)
	}
	return l
}

func stream(index int) string { return fmt.Sprintf("step/%d", index) }

// pod is what the containers of a pod share.
type pod struct {
	agent     *agent
	program   string // the runner
	dir       string
	workspace string
	plan      string
	env       []string
	wrap      []string // words before the runner's command line
}

// newPod prepares a pod for a plan, which gets the attempt, indexes and a container where they are missing.
func newPod(t *testing.T, a *agent, p *runnerv1.Plan) *pod {
	t.Helper()
	dir := t.TempDir()
	out := &pod{agent: a, program: os.Args[0], dir: dir, workspace: filepath.Join(dir, "workspace"), plan: filepath.Join(dir, "plan")}
	p.AttemptId = attempt
	for i, s := range p.GetSteps() {
		s.Index = int32(i)
		if s.GetContainer() == "" {
			s.Container = "c0"
		}
		if s.GetName() == "" {
			s.Name = fmt.Sprintf("s%d", i)
		}
	}
	if p.GetUploadAllowance() == nil {
		p.UploadAllowance = durationpb.New(within)
	}
	text, err := plan.Encode(p)
	if err == nil {
		err = os.WriteFile(out.plan, []byte(text), 0o644)
	}
	for _, d := range []string{"workspace", "shared"} {
		if err == nil {
			err = os.Mkdir(filepath.Join(dir, d), 0o777)
		}
		if err == nil {
			err = os.Chmod(filepath.Join(dir, d), 0o777)
		}
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "token"), []byte("good\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// runner is one container.
type runner struct {
	name string
	cmd  *exec.Cmd
	out  buffer
	err  buffer
	term string
	done chan struct{}
}

// start starts a container.
func (p *pod) start(t *testing.T, container string) *runner {
	t.Helper()
	r := &runner{name: container, term: filepath.Join(p.dir, "termination-"+container), done: make(chan struct{})}
	if err := os.WriteFile(r.term, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(r.term, 0o666)
	args := append(append([]string{}, p.wrap...), p.program, "run", "--container="+container, "--shared="+filepath.Join(p.dir, "shared"),
		"--workspace="+p.workspace, "--token="+filepath.Join(p.dir, "token"), "--termination="+r.term, "--plan="+p.plan)
	r.cmd = exec.Command(args[0], args[1:]...)
	r.cmd.Env = append([]string{
		"SEATRIAL_TEST_RUNNER=1", "SEATRIAL_AGENT=" + p.agent.addr, "SEATRIAL_AGENT_PIN=" + p.agent.pin, "PATH=" + os.Getenv("PATH"),
	}, p.env...)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.err
	r.cmd.WaitDelay = 5 * time.Second
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		_ = r.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.done
		if t.Failed() {
			t.Logf("container %s says on stderr:\n%s", r.name, r.err.String())
		}
	})
	return r
}

// wait returns the exit code.
func (r *runner) wait(t *testing.T) int {
	t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
		t.Fatalf("container %s hangs; it says\n%s", r.name, r.err.String())
	}
	return r.cmd.ProcessState.ExitCode()
}

func (r *runner) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func (r *runner) message(t *testing.T) termination.Message {
	t.Helper()
	b, err := os.ReadFile(r.term)
	if err != nil {
		t.Fatal(err)
	}
	m, err := termination.Decode(b)
	if err != nil {
		t.Fatalf("%v: %q", err, b)
	}
	return m
}

// run runs all containers to the end, which must be good, and returns the record.
func (p *pod) run(t *testing.T, containers ...string) workfake.View {
	t.Helper()
	var all []*runner
	for _, c := range containers {
		all = append(all, p.start(t, c))
	}
	for _, r := range all {
		if code := r.wait(t); code != 0 {
			t.Fatalf("container %s ends with %d: %s", r.name, code, r.err.String())
		}
	}
	v := p.agent.attempts.View()
	for _, c := range containers {
		if _, ok := v.Delivered[c]; !ok {
			t.Errorf("container %s did not say that all is delivered", c)
		}
	}
	if err := p.agent.uplink.Fault(); err != nil {
		t.Error(err)
	}
	return v
}

// statuses is how the steps stand, in words.
func statuses(v workfake.View) string {
	var out []string
	for i := range int32(len(v.Steps)) {
		out = append(out, strings.ToLower(strings.TrimPrefix(v.Steps[i].GetStatus().String(), "STEP_STATUS_")))
	}
	return strings.Join(out, " ")
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
