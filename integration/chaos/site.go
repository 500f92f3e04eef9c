package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/seatrial/seatrial/agent/workfake"
	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const (
	agentNamespace = "seatrial"
	runNamespace   = "tests"
	agentSecret    = "agent"
	// linger is shorter than in the program, and longer than a command lives.
	linger = 75 * time.Second
	// diskSize is the room for the pods of a site.
	diskSize = "48m"
)

// site is a cluster with its agent.
type site struct {
	w       *World
	name    string
	kube    *workfake.Cluster
	wire    *wire
	service string // where runners are told to find the agent
	args    []string

	mu     sync.Mutex
	agents []*agent
	disk   string // where pods keep their spools
	small  bool   // that disk may be filled up
	refuse func(workfake.Call) error
}

// agent is one process of the agent.
type agent struct {
	listen string
	cmd    *exec.Cmd
	done   chan struct{}
	log    lockedBuffer
}

// lockedBuffer is a buffer that many goroutines may use.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) tail(bytes int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.b.String()
	return text[max(0, len(text)-bytes):]
}

// newSite makes a cluster known and starts its agent.
func newSite(tb testing.TB, w *World, name string) *site {
	tb.Helper()
	reply, err := w.planes[0].API(w.token).EnrollCluster(tb.Context(), &apiv1.EnrollClusterRequest{Name: name, Namespace: runNamespace})
	if err != nil {
		tb.Fatalf("enroll %s: %v", name, err)
	}
	s := &site{
		w: w, name: name, kube: workfake.NewCluster(tb), wire: newWire(tb, "control plane from "+name, w.gateway),
		service: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(tb)),
	}
	if s.disk, err = harness.Disk(tb, diskSize); err != nil {
		tb.Logf("the disk of %s cannot be filled, which F12 needs: %v", name, err)
	} else {
		s.small = true
	}
	s.kube.Put(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: agentNamespace, Name: agentSecret}})
	s.kube.Fault(s.asked)
	s.kube.Done(s.made)
	s.kube.Review(s.review)
	dir := tb.TempDir()
	ca, config := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "kubeconfig")
	for path, text := range map[string]string{ca: reply.GetAgentCa(), config: fmt.Sprintf(kubeconfig, s.kube.URL())} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	s.args = []string{
		"--control-plane", s.wire.address(), "--ca-file", ca, "--bootstrap-token", reply.GetBootstrapToken(), "--kubeconfig", config,
		"--namespace", agentNamespace, "--run-namespaces", runNamespace, "--secret-name", agentSecret, "--service", s.service,
		"--runner-image", "runner:v0", "--runner-delivery", "init-copy", "--linger", linger.String(), "--log-level", "warn",
	}
	tb.Cleanup(func() { s.killAgents(tb) })
	s.startAgent(tb)
	w.running.Go(func() { s.sweep(w.ctx) })
	return s
}

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "%s"}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`

// startAgent starts one more process of the agent.
func (s *site) startAgent(tb testing.TB) {
	tb.Helper()
	a := &agent{listen: s.service, done: make(chan struct{})}
	if len(s.living()) > 0 {
		a.listen = fmt.Sprintf("127.0.0.1:%d", harness.FreePort(tb))
	}
	args := append([]string{"--listen", a.listen, "--metrics", fmt.Sprintf("127.0.0.1:%d", harness.FreePort(tb))}, s.args...)
	a.cmd = exec.Command(s.w.agentProgram, args...)
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	a.cmd.Stderr = &a.log
	if err := a.cmd.Start(); err != nil {
		tb.Fatalf("start the agent of %s: %v", s.name, err)
	}
	go func() {
		defer close(a.done)
		_ = a.cmd.Wait() // how it ended does not matter
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agents = append(s.agents, a)
}

// living returns the processes that have not been killed, the oldest first.
func (s *site) living() []*agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*agent(nil), s.agents...)
}

// signal sends a process a signal that does not end it.
func (a *agent) signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	if err := a.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		tb.Errorf("signal the agent: %v", err)
	}
}

// kill ends a process as SIGKILL does.
func (s *site) kill(tb testing.TB, a *agent) {
	tb.Helper()
	a.signal(tb, syscall.SIGKILL)
	<-a.done
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.agents {
		if other == a {
			s.agents = append(s.agents[:i], s.agents[i+1:]...)
			break
		}
	}
}

func (s *site) killAgents(tb testing.TB) {
	tb.Helper()
	for _, a := range s.living() {
		if tb.Failed() {
			tb.Logf("the log of the agent of %s ends with:\n%s", s.name, a.log.tail(4000))
		}
		s.kill(tb, a)
	}
}

// dial reaches an agent as a runner does, through the Service.
func (s *site) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	agents := s.living()
	if len(agents) == 0 {
		return nil, errors.New("nobody is behind the Service")
	}
	return (&net.Dialer{}).DialContext(ctx, network, agents[rand.IntN(len(agents))].listen)
}

// asked decides on each request to the API server, before it is carried out.
func (s *site) asked(call workfake.Call) error {
	s.mu.Lock()
	refuse := s.refuse
	s.mu.Unlock()
	if refuse != nil {
		if err := refuse(call); err != nil {
			return err
		}
	}
	if call.Verb == "create" && call.Resource == "jobs" {
		s.w.gates.reach(s.w.ctx, Dispatched, s)
	}
	return nil
}

// turnAway makes the API server answer with what f returns, until it is given nil.
func (s *site) turnAway(f func(workfake.Call) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

// review knows a pod by its UID, which is its token.
func (s *site) review(r *authenticationv1.TokenReview) {
	for _, obj := range s.kubeObjects("pods") {
		o, ok := obj.(*corev1.Pod)
		if !ok || string(o.UID) != r.Spec.Token {
			continue
		}
		r.Status = authenticationv1.TokenReviewStatus{
			Authenticated: true, Audiences: r.Spec.Audiences,
			User: authenticationv1.UserInfo{
				Username: "system:serviceaccount:" + runNamespace + ":default",
				Extra: map[string]authenticationv1.ExtraValue{
					"authentication.kubernetes.io/pod-name": {o.Name}, "authentication.kubernetes.io/pod-uid": {r.Spec.Token},
				},
			},
		}
		return
	}
	r.Status.Error = "the token is unknown"
}

// sweep removes pods whose Job is gone, as the garbage collector does.
func (s *site) sweep(ctx context.Context) {
	for pass(ctx, time.Second) {
		jobs := map[string]bool{}
		for _, obj := range s.kube.Objects("jobs") {
			if job, ok := obj.(*batchv1.Job); ok {
				jobs[string(job.UID)] = true
			}
		}
		for _, obj := range s.kube.Objects("pods") {
			if o, ok := obj.(*corev1.Pod); ok && len(o.OwnerReferences) == 1 && !jobs[string(o.OwnerReferences[0].UID)] && over(o) {
				s.kube.Delete("pods", o.Namespace, o.Name)
			}
		}
	}
}

func over(o *corev1.Pod) bool {
	return o.Status.Phase == corev1.PodSucceeded || o.Status.Phase == corev1.PodFailed
}

func (s *site) kubeObjects(resource string) []runtime.Object { return s.kube.Objects(resource) }
