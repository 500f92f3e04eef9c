package footprint_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/workfake"
	"github.com/seatrial/seatrial/integration/bench/cards"
	"github.com/seatrial/seatrial/integration/harness"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	patience  = 2 * time.Minute
	tries     = 5
	runs      = 200
	limitBusy = 60 << 10 // KiB with that many runs
	namespace = "tests"

	// Of processor time until they are ready, twice the goals for time on the clock. Time on the clock is what a machine makes
	// of it that has other things to do.
	limitPlane = 1200 * time.Millisecond
	limitAgent = 600 * time.Millisecond
	// tick is the unit in which Linux tells of processor time.
	tick = 10 * time.Millisecond
)

// process is a program that runs.
type process struct {
	pid     int
	started time.Duration // until it was ready
	used    time.Duration // of processors until then
	stop    func()
}

// start runs a program and returns once an address answers that it is ready.
func start(t *testing.T, ready, program string, args ...string) process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, filepath.Join(harness.Programs(t), program), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is told to end
	}()
	p := process{pid: cmd.Process.Pid, stop: func() {
		cancel()
		<-ended
	}}
	t.Cleanup(p.stop)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for deadline := time.After(patience); !answers(ctx, ready); {
		select {
		case <-again.C:
		case <-ended:
			t.Fatalf("%s has ended:\n%s", program, log.Bytes())
		case <-deadline:
			p.stop()
			t.Fatalf("%s is not ready:\n%s", program, log.Bytes())
		}
	}
	p.started, p.used = time.Since(began), used(t, p.pid)
	return p
}

// used returns how much processor time a process has taken.
func used(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name before it may be anything
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick
}

// judged fails when every start has taken more processor time than the limit: then it is the program that is slow, and not the machine.
func judged(t *testing.T, what string, limit time.Duration, all []time.Duration) {
	t.Helper()
	least := slices.Min(all)
	t.Logf("figures: %s takes %d ms of processor time to start (least of %d; at most %d)", what, least.Milliseconds(), len(all), limit.Milliseconds())
	if least > limit {
		t.Errorf("%s takes %s of processor time to start, at most %s is allowed: %v", what, least, limit, all)
	}
}

func answers(ctx context.Context, address string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// free returns a port of the loopback that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// resident returns what a process holds in memory.
func resident(t *testing.T, pid int) (kib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib
		}
	}
	t.Fatalf("no VmRSS in %s", status)
	return 0
}

// noted keeps how long starts took, for whoever measures the metric cards.
func noted(t *testing.T, metric string, took []time.Duration) {
	t.Helper()
	for i, d := range took {
		cards.Note(t, cards.Sample{Card: "P10", Metric: metric, Arm: cards.Seatrial, Round: i, Value: float64(d.Microseconds()) / 1000, Unit: "ms"})
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// TestControlPlane_ColdStart measures from the start of the process to its readiness, over SQLite, and judges the processor time of that.
func TestControlPlane_ColdStart(t *testing.T) { //nolint:paralleltest // it measures
	var empty, again, took []time.Duration
	for range tries {
		dir := t.TempDir()
		for _, into := range []*[]time.Duration{&empty, &again} {
			address := free(t)
			p := start(t, "http://"+address+"/readyz", "seatrial-controlplane", "--data-dir", dir, "--listen", address, "--agent-listen", "127.0.0.1:0")
			*into, took = append(*into, p.started), append(took, p.used)
			p.stop()
		}
	}
	noted(t, "start of the control plane", again)
	t.Logf("figures: the control plane is ready %d ms after its start, %d ms when it makes its database first (medians of %d; goal 600)",
		median(again).Milliseconds(), median(empty).Milliseconds(), tries)
	judged(t, "the control plane", limitPlane, took)
}

// agent is what one runs against: an API server and a control plane that the test plays.
type agent struct {
	cluster *workfake.Cluster
	plane   *workfake.ControlPlane
	config  string
}

func newAgent(t *testing.T) agent {
	t.Helper()
	a := agent{cluster: workfake.NewCluster(t), plane: workfake.NewControlPlane(t), config: filepath.Join(t.TempDir(), "kubeconfig")}
	a.cluster.Put(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "seatrial", Name: "seatrial-agent"}})
	text := `{"apiVersion": "v1", "kind": "Config", "current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
		"clusters": [{"name": "a", "cluster": {"server": "` + a.cluster.URL() + `"}}], "users": [{"name": "a", "user": {}}]}`
	if err := os.WriteFile(a.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// run starts the agent and returns its session.
func (a agent) run(t *testing.T) (process, *workfake.Session) {
	t.Helper()
	metrics := free(t)
	p := start(t, "http://"+metrics+"/readyz", "seatrial-agent", "--kubeconfig", a.config, "--control-plane", a.plane.Address(), "--insecure",
		"--bootstrap-token", workfake.Bootstrap, "--namespace", "seatrial", "--run-namespaces", namespace, "--service", "127.0.0.1", "--listen", free(t),
		"--metrics", metrics, "--runner-image", "runner:1", "--runner-delivery", "init-copy", "--log-level", "error")
	return p, a.plane.NextSession(t)
}

// TestAgent_ColdStart measures from the start of the process to its readiness: connected to its control plane. Judged
// is the processor time.
func TestAgent_ColdStart(t *testing.T) { //nolint:paralleltest // it measures
	a := newAgent(t)
	var first time.Duration
	var again, took []time.Duration
	for range tries {
		p, _ := a.run(t)
		took = append(took, p.used)
		if first == 0 {
			first = p.started
		} else {
			again = append(again, p.started)
		}
		p.stop()
	}
	noted(t, "start of the agent", again)
	t.Logf("figures: the agent is ready %d ms after its start, %d ms when it enrols first (goal 300)", median(again).Milliseconds(), first.Milliseconds())
	judged(t, "the agent", limitAgent, took)
}

// TestAgent_Memory measures an agent with many runs: Jobs that it made, and pods that run. Their runners are not there, so that no logs are
// on their way.
func TestAgent_Memory(t *testing.T) { //nolint:paralleltest // it measures
	a := newAgent(t)
	p, s := a.run(t)
	idle := resident(t, p.pid)
	for i := range runs {
		id, err := uuid.NewV7()
		if err != nil {
			t.Fatal(err)
		}
		s.Start(fmt.Sprintf("c%d", i), assignment(id.String()), patience)
		if got := s.Ack(t, fmt.Sprintf("c%d", i)); got.GetOutcome() != agentv1.CommandOutcome_COMMAND_OUTCOME_DONE {
			t.Fatalf("start %d: %v", i, got)
		}
	}
	reported := map[string]bool{}
	for _, obj := range a.cluster.Objects("jobs") {
		job, ok := obj.(*batchv1.Job)
		if !ok {
			t.Fatalf("%T among the Jobs", obj)
		}
		a.cluster.Put(podOf(job))
		reported[job.Labels[jobspec.LabelAttempt]] = false
	}
	if len(reported) != runs {
		t.Fatalf("%d Jobs of %d runs", len(reported), runs)
	}
	for left := runs; left > 0; left-- {
		a.plane.Report(t, func(r *agentv1.AttemptReport) bool {
			known, ok := reported[r.GetAttemptId()]
			if !ok || known || r.GetStatus() != agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING {
				return false
			}
			reported[r.GetAttemptId()] = true
			return true
		})
	}
	busy := resident(t, p.pid)
	cards.Note(t, cards.Sample{Card: "P8", Metric: "busy agent", Arm: cards.Seatrial, Round: runs, Value: float64(busy) / 1024, Unit: "MiB"})
	t.Logf("figures: the agent holds %d KiB when it is connected and %d KiB with %d runs (at most %d)", idle, busy, runs, limitBusy)
	if busy > limitBusy {
		t.Errorf("the agent holds %d KiB with %d runs, the limit is %d", busy, runs, limitBusy)
	}
}

func assignment(id string) *agentv1.Assignment {
	return &agentv1.Assignment{
		AttemptId: id, ExecutionId: id, RunId: id, AttemptNumber: 1, Workflow: "w", Environment: "e", Namespace: namespace, Pod: &agentv1.Pod{},
		Containers: []*agentv1.Container{{Name: "main", Image: "debian"}},
		Plan:       &runnerv1.Plan{AttemptId: id, Steps: []*runnerv1.Step{{Name: "test", Container: "main"}}},
	}
}

// podOf returns the pod of a Job as the controller and the kubelet would make it.
func podOf(job *batchv1.Job) *corev1.Pod {
	now := metav1.Now()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, Name: job.Name + "-x", UID: job.UID + "-p", Labels: job.Spec.Template.Labels, Annotations: job.Spec.Template.Annotations,
			CreationTimestamp: now,
		},
		Spec: job.Spec.Template.Spec,
		Status: corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &now, ContainerStatuses: []corev1.ContainerStatus{{
			Name: job.Spec.Template.Spec.Containers[0].Name, Image: "debian", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}}},
	}
	pod.Spec.NodeName = "node-1"
	return pod
}
