// Package fleet simulates many clusters: the real connection of an agent, and in the place of Kubernetes a cluster whose Jobs pass at once.
// What it loads is a control plane as it is shipped, in a process of its own.
package fleet

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/link"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// patience bounds what is waited for; nothing relies on how long it takes.
const patience = 5 * time.Minute

// starts is how many starts an agent takes at a time.
const starts = 50

// Agent is one simulated cluster. Its environment has its name.
type Agent struct {
	Name string

	o    link.Options
	id   link.Identity
	link *link.Link

	connected atomic.Bool
	options   Options
	reporting sync.WaitGroup

	mu   sync.Mutex
	jobs map[string]bool // by attempt, whether it may be forgotten
}

// Fleet is many of them at one control plane.
type Fleet struct {
	Agents []*Agent

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when an agent has connected or lost its connection
}

// Options say how the agents of a fleet behave.
type Options struct {
	// Begun is told of each execution when its start reaches the agent; it may be nil.
	Begun func(execution string)
	// Given is told of each attempt when its Job is made; it may be nil.
	Given func(work.Assignment)
	// Address is what the agents dial instead of the address of the control plane; it may be empty.
	Address string
	// Failed is told of each attempt whose log or result could not be delivered; a test fails then when it is nil.
	Failed func(error)
	// Log is what the one step of each attempt prints; none when empty.
	Log []byte
}

// Enrol makes some clusters known to a control plane, of the organization of a token, and starts their agents. Their names begin with a prefix.
func Enrol(tb testing.TB, p *Plane, token, prefix string, count int, o Options) *Fleet {
	tb.Helper()
	f := &Fleet{changed: make(chan struct{})}
	if o.Failed == nil {
		o.Failed = func(err error) { tb.Error(err) }
	}
	const atOnce = 8
	turn := make(chan struct{}, atOnce)
	var mu sync.Mutex
	var running sync.WaitGroup
	for i := range count {
		turn <- struct{}{}
		running.Go(func() {
			defer func() { <-turn }()
			a, err := f.enrol(tb.Context(), p, token, fmt.Sprintf("%s-%d", prefix, i), o)
			if err != nil {
				tb.Error(err)
				return
			}
			mu.Lock()
			f.Agents = append(f.Agents, a)
			mu.Unlock()
		})
	}
	running.Wait()
	if tb.Failed() {
		tb.FailNow()
	}
	tb.Cleanup(func() { f.Keep(0) })
	return f
}

func (f *Fleet) enrol(ctx context.Context, p *Plane, token, name string, o Options) (*Agent, error) {
	reply, err := p.API(token).EnrollCluster(ctx, &apiv1.EnrollClusterRequest{Name: name})
	if err != nil {
		return nil, fmt.Errorf("enrol %s: %w", name, err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(reply.GetAgentCa()))
	a := &Agent{Name: name, options: o, jobs: map[string]bool{}}
	a.o = link.Options{
		Log: slog.New(slog.DiscardHandler), Address: cmp.Or(o.Address, p.AgentAddress), TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13},
		Version: "v0.0.0", KubernetesVersion: "v1.34.4", RunnerDelivery: "image-volume", Namespaces: []string{"seatrial-tests"}, Starts: starts,
		Vault:   link.Vault{Secrets: &secrets{}, Name: "agent"},
		OnState: func(s link.State, _ error) { f.now(a, s == link.StateConnected) },
	}
	id, err := a.o.Vault.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("identity of %s: %w", name, err)
	}
	if a.id, err = link.Enrol(ctx, a.o, a.o.Vault, id, reply.GetBootstrapToken(), name); err != nil {
		return nil, fmt.Errorf("enrol %s: %w", name, err)
	}
	a.start()
	return a, nil
}

func (f *Fleet) now(a *Agent, connected bool) {
	a.connected.Store(connected)
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

// Connected waits until all agents are connected.
func (f *Fleet) Connected(tb testing.TB) {
	tb.Helper()
	f.await(tb, true)
}

// Lost waits until no agent is connected.
func (f *Fleet) Lost(tb testing.TB) {
	tb.Helper()
	f.await(tb, false)
}

func (f *Fleet) await(tb testing.TB, want bool) {
	tb.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		f.mu.Lock()
		changed := f.changed
		f.mu.Unlock()
		others := 0
		for _, a := range f.Agents {
			if a.connected.Load() != want {
				others++
			}
		}
		if others == 0 {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			tb.Fatalf("of %d agents %d are not as they should be: connected %t", len(f.Agents), others, want)
		}
	}
}

// Keep ends all agents but the first few.
func (f *Fleet) Keep(count int) {
	count = min(count, len(f.Agents))
	ended := f.Agents[count:]
	f.Agents = f.Agents[:count]
	var running sync.WaitGroup
	for _, a := range ended {
		running.Go(func() {
			a.reporting.Wait() // what was begun is told
			a.link.Stop()
			a.reporting.Wait()
		})
	}
	running.Wait()
}

func (a *Agent) start() {
	a.link = link.New(a.o, a.id)
	a.link.Start(context.Background(), link.Stages{
		Start: a, Cancel: func(string, string) {}, Resume: func(string, *runnerv1.Resume) {}, Release: a.release, Inventory: a.inventory,
		Again: func(string) {},
	})
}

// release lets the Job of an attempt go. Its name stays taken, as it does for as long as a late duplicate of the start may come.
func (a *Agent) release(attempt string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.jobs[attempt] = true
}

func (a *Agent) inventory(context.Context) (items []*agentv1.InventoryItem, _ error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for attempt, released := range a.jobs {
		if !released {
			items = append(items, &agentv1.InventoryItem{AttemptId: attempt, JobUid: "uid-" + attempt})
		}
	}
	return items, nil
}

// create makes the Job of an attempt; it returns false when there is one.
func (a *Agent) create(attempt string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.jobs[attempt]; known {
		return false
	}
	a.jobs[attempt] = false
	return true
}

// Handle is a cluster in which every Job passes as soon as it exists.
func (a *Agent) Handle(_ context.Context, given work.Assignment) error {
	if a.options.Begun != nil {
		a.options.Begun(given.GetExecutionId())
	}
	if !a.create(given.GetAttemptId()) {
		return work.ErrDuplicate
	}
	if a.options.Given != nil {
		a.options.Given(given)
	}
	a.reporting.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.pass(ctx, given); err != nil {
			a.options.Failed(fmt.Errorf("attempt %s in %s: %w", given.GetAttemptId(), a.Name, err))
		}
	})
	return nil
}

// pass delivers the log and the result of an attempt.
func (a *Agent) pass(ctx context.Context, given work.Assignment) error {
	begun := timestamppb.Now()
	report := &agentv1.AttemptReport{
		AttemptId: given.GetAttemptId(), Status: agentv1.AttemptStatus_ATTEMPT_STATUS_PASSED, ObservedAt: begun, StartedAt: begun, FinishedAt: timestamppb.Now(),
		FromRunner: true, Delivered: true, Node: "node", Pod: "pod-" + given.GetAttemptId(),
	}
	for i, step := range given.GetPlan().GetSteps() {
		state := &runnerv1.StepState{
			Index: int32(i), Name: step.GetName(), Status: runnerv1.StepStatus_STEP_STATUS_PASSED, ExitCode: new(int32),
			StartedAt: begun, FinishedAt: report.GetFinishedAt(),
		}
		if len(a.options.Log) > 0 {
			totals, err := a.Ship(ctx, given.GetAttemptId(), fmt.Sprintf("step/%d", i), a.options.Log)
			if err != nil {
				return err
			}
			state.Log = totals
		}
		report.Steps = append(report.Steps, state)
	}
	for {
		err := a.link.Report(ctx, report)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// pause is how long is waited until a report is tried again.
func pause(ctx context.Context) error {
	const again = 200 * time.Millisecond
	timer := time.NewTimer(again)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// secrets is the one Secret of an agent, in memory.
type secrets struct {
	mu   sync.Mutex
	data corev1.Secret
}

func (s *secrets) Get(context.Context, string, metav1.GetOptions) (*corev1.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.DeepCopy(), nil
}

func (s *secrets) Update(_ context.Context, secret *corev1.Secret, _ metav1.UpdateOptions) (*corev1.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = *secret.DeepCopy()
	return secret, nil
}
