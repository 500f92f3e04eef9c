package outbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/outbox"
	"github.com/seatrial/seatrial/agent/runner/termination"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	attempt = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
	grace   = 30 * time.Second

	pending   = agentv1.AttemptStatus_ATTEMPT_STATUS_PENDING
	running   = agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING
	passed    = agentv1.AttemptStatus_ATTEMPT_STATUS_PASSED
	failed    = agentv1.AttemptStatus_ATTEMPT_STATUS_FAILED
	errored   = agentv1.AttemptStatus_ATTEMPT_STATUS_ERRORED
	cancelled = agentv1.AttemptStatus_ATTEMPT_STATUS_CANCELLED
)

// bench is an Outbox whose neighbours the test plays, in a bubble of its own time.
type bench struct {
	*outbox.Outbox

	mu      sync.Mutex
	reports []*agentv1.AttemptReport
	calls   int
	fail    error         // of Report
	hold    chan struct{} // Report waits for it while it is not nil
	told    bool          // a runner takes cancellations
	cancels []string
	words   []*runnerv1.Resume
	stops   []jobspec.Stopped
	noStop  error
	tails   int
	notes   []string
	noTail  error
	follows []string     // services whose logs are read
	ends    []chan error // of those
	over    <-chan struct{}

	observed []string // run namespaces that were looked at
	look     chan struct{}
}

// bubble runs f with an Outbox that is started, and stops it.
func bubble(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{}
		b.Outbox = outbox.New(outbox.Options{Log: slog.New(slog.DiscardHandler), Reporter: b, Stopper: b, Tailer: b, Follower: b, Observer: b})
		b.Start(context.WithoutCancel(t.Context()), b)
		defer b.Outbox.Stop()
		f(t, b)
	})
}

// Report implements outbox.Reporter.
func (b *bench) Report(ctx context.Context, r *agentv1.AttemptReport) error {
	b.mu.Lock()
	b.calls++
	hold, fail := b.hold, b.fail
	b.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if fail == nil {
		b.reports = append(b.reports, proto.CloneOf(r))
	}
	return fail
}

// Stop implements outbox.Stopper.
func (b *bench) Stop(_ context.Context, _ string, why jobspec.Stopped) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stops = append(b.stops, why)
	return b.noStop
}

// Tail implements outbox.Tailer.
func (b *bench) Tail(context.Context, string, work.Pod, []*runnerv1.StepState) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tails++
	return b.notes, b.noTail
}

// Observe implements outbox.Observer: each snapshot shows another image. It waits for look while that is not nil.
func (b *bench) Observe(ctx context.Context, namespace string) *agentv1.Subject {
	b.mu.Lock()
	look := b.look
	b.observed = append(b.observed, namespace)
	image := fmt.Sprintf("shop:%d", len(b.observed))
	b.mu.Unlock()
	if look != nil {
		select {
		case <-look:
		case <-ctx.Done():
		}
	}
	return &agentv1.Subject{ObservedAt: timestamppb.Now(), Images: []*agentv1.SubjectImage{{Container: "web", Image: image}}}
}

// Resume implements work.Runners; it hides the method of the Outbox.
func (b *bench) Resume(_ string, word *runnerv1.Resume) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.words = append(b.words, word)
}

// Cancel implements work.Runners; it hides the method of the Outbox, which tests call by name.
func (b *bench) Cancel(_, reason string, _ time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.told {
		b.cancels = append(b.cancels, reason)
	}
	return b.told
}

func (b *bench) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// last returns the newest report once nothing moves any more.
func (b *bench) last(t *testing.T) *agentv1.AttemptReport {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.reports) == 0 {
		t.Fatal("nothing was reported")
	}
	return b.reports[len(b.reports)-1]
}

// stopped returns what the pods were stopped for so far.
func (b *bench) stopped() []jobspec.Stopped {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stops
}

// pass lets time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// seen is what the informers say; without a pod unless one is given.
func seen(status agentv1.AttemptStatus, reason string, pod *work.Pod) work.Update {
	r := &agentv1.AttemptReport{AttemptId: attempt, Status: status, Reason: reason}
	if status > running {
		r.FinishedAt = timestamppb.Now()
	}
	return work.Update{AttemptID: attempt, Pod: pod, Report: r}
}

func pod(containers ...work.Container) *work.Pod {
	return &work.Pod{PodIdentity: work.PodIdentity{Namespace: "tests", Pod: "p", UID: "u"}, Grace: grace, Containers: containers}
}

// over is a pod that has ended.
func over(containers ...work.Container) *work.Pod {
	p := pod(containers...)
	p.Ended = true
	return p
}

func alive(name string) work.Container { return work.Container{Name: name, Started: true} }

// dead is a container that has ended with what its runner left.
func dead(t *testing.T, name string, m *termination.Message) work.Container {
	t.Helper()
	c := work.Container{Name: name, Started: true, Terminated: true, ExitCode: 137}
	if m != nil {
		m.Version, m.Container = 1, name
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		c.Message, c.ExitCode = string(b), 0
	}
	return c
}

func step(index int32, s runnerv1.StepStatus) *runnerv1.StepState {
	return &runnerv1.StepState{Index: index, Name: "unit", Status: s}
}

func finish(t *testing.T, b *bench, s runnerv1.StepStatus) {
	t.Helper()
	if err := b.Finished(t.Context(), attempt, &runnerv1.Finished{Status: s, Reason: "said by the runner"}); err != nil {
		t.Error(err)
	}
}

func deliver(t *testing.T, b *bench, container string, notes ...string) {
	t.Helper()
	if err := b.Delivered(t.Context(), attempt, container, notes); err != nil {
		t.Error(err)
	}
}
