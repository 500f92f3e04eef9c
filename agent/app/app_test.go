package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/app"
	"github.com/seatrial/seatrial/agent/config"
	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/runner/termination"
	"github.com/seatrial/seatrial/agent/workfake"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// An agent that has stopped leaves nothing behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	attempt  = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
	patience = 2 * time.Minute
)

// world is an API server and a control plane, and what an agent between them is told.
type world struct {
	cluster *workfake.Cluster
	plane   *workfake.ControlPlane
	cfg     config.Config
}

func setup(t *testing.T) world {
	t.Helper()
	w := world{cluster: workfake.NewCluster(t), plane: workfake.NewControlPlane(t)}
	w.cluster.Put(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "seatrial", Name: "agent"}})
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"x","clusters":[{"name":"x","cluster":{"server":%q}}],`+
		`"contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],"users":[{"name":"x","user":{}}]}`, w.cluster.URL())
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.cfg = config.Config{
		ControlPlane: w.plane.Address(), Insecure: true, BootstrapToken: workfake.Bootstrap, Namespace: "seatrial",
		RunNamespaces: []string{"tests"}, SecretName: "agent", Service: "agent.seatrial.svc", Listen: "127.0.0.1:0", Metrics: free(t),
		RunnerImage: "runner:1", RunnerDelivery: config.DeliveryInitCopy, ImageGrace: time.Minute, Kubeconfig: kubeconfig, LogLevel: "info",
	}
	return w
}

// free returns an address that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run starts an agent and returns what stops it, which fails the test when it does not stop cleanly.
func (w world) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx, w.cfg, "v1", slog.New(slog.DiscardHandler)) }()
	return func() {
		t.Helper()
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the agent ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("the agent does not stop")
		}
	}
}

func (w world) get(t *testing.T, path string) (int, string) {
	t.Helper()
	r, err := http.Get("http://" + w.cfg.Metrics + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func assignment() *agentv1.Assignment {
	return &agentv1.Assignment{
		AttemptId: attempt, ExecutionId: "e", Namespace: "tests", Pod: &agentv1.Pod{},
		Containers: []*agentv1.Container{{Name: "c", Image: "x"}},
		Plan:       &runnerv1.Plan{AttemptId: attempt, Steps: []*runnerv1.Step{{Name: "unit", Container: "c", Script: "true"}}},
	}
}

// play makes the Job's pod as the controller would, running or ended with last words.
func (w world) play(t *testing.T, job *batchv1.Job, words *termination.Message) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, Name: job.Name + "-x", UID: "pod", Labels: job.Spec.Template.Labels, Annotations: job.Spec.Template.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Spec: job.Spec.Template.Spec,
	}
	started := metav1.Now()
	state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}}
	pod.Status.Phase = corev1.PodRunning
	if words != nil {
		words.Version, words.Attempt, words.Container = 1, attempt, "c"
		b, err := json.Marshal(words)
		if err != nil {
			t.Fatal(err)
		}
		pod.Status.Phase = corev1.PodSucceeded
		state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{StartedAt: started, FinishedAt: started, Message: string(b)}}
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", State: state}}
	w.cluster.Put(pod)
}

func digest(hex string) string { return "sha256:" + strings.Repeat(hex, 64) }

// deploy runs another release of the application under test.
func (w world) deploy(hex string) {
	w.cluster.Put(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", Labels: map[string]string{"app": "shop"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "shop:1"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "web", ImageID: "docker.io/shop@" + digest(hex)}},
		},
	})
}

func (w world) creates() int {
	n := 0
	for _, c := range w.cluster.Calls() {
		if c.Verb == "create" && c.Resource == "jobs" {
			n++
		}
	}
	return n
}

func TestRun_FromCommandToJobAndBackOverARestart(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w.cfg.Subjects = []config.Subject{{Namespace: "shop", Selector: "app=shop"}}
	w.deploy("1")
	name, err := jobspec.Name(attempt)
	if err != nil {
		t.Fatal(err)
	}

	stop := w.run(t)
	s := w.plane.NextSession(t)
	s.Start("c1", assignment(), time.Minute)
	if ack := s.Ack(t, "c1"); ack.GetOutcome() != agentv1.CommandOutcome_COMMAND_OUTCOME_DONE {
		t.Fatalf("answered %v", ack)
	}
	job, err := w.cluster.Job(ctx, "tests", name, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.play(t, job, nil)
	r := w.plane.Report(t, func(r *agentv1.AttemptReport) bool {
		return r.GetStatus() == agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING && r.GetSubjectStart() != nil
	})
	if i := r.GetSubjectStart().GetImages(); len(i) != 1 || i[0].GetDigest() != digest("1") || r.GetSubjectEnd() != nil {
		t.Errorf("under test at the start: %v", r)
	}
	if code, body := w.get(t, "/readyz"); code != http.StatusOK || !strings.HasPrefix(body, "connected") {
		t.Errorf("ready: %d %q", code, body)
	}
	if _, body := w.get(t, "/metrics"); !strings.Contains(body, "seatrial_agent_attempts 1") {
		t.Error("the attempt is not counted")
	}
	stop()
	<-s.Ended

	// The test ends while no agent is there; the next one finds out.
	w.cluster.SetLog(name+"-x", "c", "hello\n")
	w.deploy("2")
	w.play(t, job, &termination.Message{Status: "passed", Steps: []termination.Step{{Status: "passed", Bytes: 6, Lines: 1, Started: 1}}})
	stop = w.run(t)
	s = w.plane.NextSession(t)
	r = w.plane.Report(t, func(r *agentv1.AttemptReport) bool { return r.GetDelivered() })
	if i := r.GetSubjectEnd().GetImages(); len(i) != 1 || i[0].GetDigest() != digest("2") {
		t.Errorf("under test at the end: %v", r)
	}
	if r.GetStatus() != agentv1.AttemptStatus_ATTEMPT_STATUS_PASSED || len(r.GetNotes()) != 1 {
		t.Errorf("reported %v", r)
	}
	if log := w.plane.Stream(attempt, "step/0"); string(log.Data) != "hello\n" || log.Final == nil {
		t.Errorf("log %q", log.Data)
	}
	items := s.Next(t, func(f *agentv1.AgentFrame) bool { return f.GetInventory() != nil }).GetInventory().GetAttempts()
	if len(items) != 1 || items[0].GetJobUid() != string(job.UID) {
		t.Errorf("inventory %v", items)
	}
	s.Start("c1", assignment(), time.Minute) // its answer was lost, perhaps
	if ack := s.Ack(t, "c1"); ack.GetOutcome() != agentv1.CommandOutcome_COMMAND_OUTCOME_EXISTS {
		t.Errorf("answered %v", ack)
	}
	s.Release("c2", attempt)
	s.Ack(t, "c2")
	for gone := false; !gone; {
		select {
		case <-ctx.Done():
			t.Fatal("the released Job was not deleted")
		case <-time.After(10 * time.Millisecond):
			gone = len(w.cluster.Objects("jobs")) == 0
		}
	}
	stop()
	if w.creates() != 2 || w.plane.Calls("Enrol") != 1 { // the second create was refused by its name
		t.Errorf("%d creates, %d enrolments", w.creates(), w.plane.Calls("Enrol"))
	}
}

func TestRun_AJobThatTheCachesDoNotShowIsListed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.plane.Welcome.InventoryEvery.Seconds, w.plane.Welcome.InventoryEvery.Nanos = 0, int32(50*time.Millisecond)
	stop := w.run(t)
	defer stop()
	s := w.plane.NextSession(t)
	s.Next(t, func(f *agentv1.AgentFrame) bool { return f.GetInventory().GetLast() })
	w.cluster.Mute(true) // the watches have stalled
	s.Start("c1", assignment(), time.Minute)
	s.Ack(t, "c1")
	s.Next(t, func(f *agentv1.AgentFrame) bool { return f.GetInventory() != nil })
	for range 2 {
		if got := s.Next(t, func(f *agentv1.AgentFrame) bool { return f.GetInventory() != nil }); len(got.GetInventory().GetAttempts()) != 1 {
			t.Fatalf("inventory %v: the control plane would take the Job for deleted", got)
		}
	}
}

func TestRun_StopsWhileItWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		why     string
		prepare func(*testing.T, *world)
	}{
		"for a token":           {"no one has enrolled the cluster", func(_ *testing.T, w *world) { w.cfg.BootstrapToken = "" }},
		"for its Secret":        {"the chart is not complete", func(_ *testing.T, w *world) { w.cluster.Delete("secrets", "seatrial", "agent") }},
		"for the control plane": {"it is down", func(_ *testing.T, w *world) { w.plane.Down() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			c.prepare(t, &w)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- app.Run(ctx, w.cfg, "v1", slog.New(slog.DiscardHandler)) }()
			for up := false; !up; {
				select {
				case err := <-ended:
					t.Fatalf("%s: ended with %v", c.why, err)
				case <-time.After(10 * time.Millisecond):
					conn, err := net.Dial("tcp", w.cfg.Metrics)
					if up = err == nil; up {
						_ = conn.Close()
					}
				}
			}
			if code, body := w.get(t, "/readyz"); code != http.StatusServiceUnavailable {
				t.Errorf("ready: %d %q", code, body)
			}
			if code, _ := w.get(t, "/healthz"); code != http.StatusOK {
				t.Errorf("healthy: %d: a restart would mend nothing", code)
			}
			cancel()
			select {
			case <-ended:
			case <-time.After(patience):
				t.Error("it does not stop")
			}
		})
	}
}
