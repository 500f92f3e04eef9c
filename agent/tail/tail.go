// Package tail is the fallback for logs: when a pod has ended and its runner could not deliver, it reads the containers' logs from
// the kube API, sends what the control plane lacks and states what is missing. The kube API keeps little of a fast log, so this is
// never the first way.
package tail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/runner/termination"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	tries      = 5
	retryAfter = 2 * time.Second
	// More than this the kube API does not keep with the limits that clusters have.
	maxLog = 256 << 20
)

// Uplink is where the chunks go. Implemented by link.
type Uplink interface {
	Append(ctx context.Context, attemptID string, chunk *runnerv1.LogChunk, done func(*runnerv1.LogAck, error)) error
	Streams(ctx context.Context, attemptID string) (*agentv1.StreamStateResponse, error)
}

// Source gives what the cluster still has of a pod.
type Source interface {
	// Plan returns the plan of a pod.
	Plan(ctx context.Context, pod work.PodIdentity) (*runnerv1.Plan, error)
	// Log opens the whole log of a container that has ended.
	Log(ctx context.Context, pod work.PodIdentity, container string) (io.ReadCloser, error)
}

// Tailer implements outbox.Tailer.
type Tailer struct {
	Log    *slog.Logger
	Uplink Uplink
	Source Source
}

// Tail sends what the control plane lacks of the logs of an ended pod.
func (t *Tailer) Tail(ctx context.Context, attemptID string, pod work.Pod, steps []*runnerv1.StepState) ([]string, error) {
	for try := 1; ; try++ {
		notes, err := t.once(ctx, attemptID, pod, steps)
		if err == nil || ctx.Err() != nil || try == tries || errors.Is(err, work.ErrRefused) {
			return notes, err
		}
		t.Log.DebugContext(ctx, "log not read from the cluster, trying again", "attempt", attemptID, "error", err)
		timer := time.NewTimer(retryAfter * time.Duration(try))
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

func (t *Tailer) once(ctx context.Context, attemptID string, pod work.Pod, steps []*runnerv1.StepState) ([]string, error) {
	state, err := t.Uplink.Streams(ctx, attemptID)
	if err != nil {
		return nil, fmt.Errorf("ask what the control plane has: %w", err)
	}
	plan, err := t.Source.Plan(ctx, pod.PodIdentity)
	if err != nil {
		return nil, err
	}
	var notes []string
	for _, c := range pod.Containers {
		parts := partsOf(attemptID, plan, c, steps, state)
		if !c.Started || open(parts) == 0 {
			continue
		}
		gap, err := t.container(ctx, attemptID, pod.PodIdentity, c.Name, parts)
		if err != nil {
			return notes, err
		}
		note := fmt.Sprintf("The log of container %s was completed from the kube API, because its runner could not deliver it.", c.Name)
		if gap > 0 {
			note = fmt.Sprintf("The log of container %s was read from the kube API, which had lost %d bytes of it.", c.Name, gap)
		}
		notes = append(notes, note)
	}
	return notes, nil
}

// part is the log of one step within the log of its container.
type part struct {
	stream    string
	committed int64
	final     bool
	// totals are nil when nobody lived to count.
	totals *runnerv1.LogTotals
}

func open(parts []part) int {
	n := 0
	for _, p := range parts {
		if !p.final {
			n++
		}
	}
	return n
}

// partsOf lists the steps of a container that have run, in order.
func partsOf(
	attemptID string, plan *runnerv1.Plan, c work.Container, steps []*runnerv1.StepState, state *agentv1.StreamStateResponse,
) []part {
	totals := map[int32]*runnerv1.LogTotals{}
	ran := map[int32]bool{}
	for _, s := range steps {
		ran[s.GetIndex()] = s.GetStartedAt() != nil || s.GetStatus() == runnerv1.StepStatus_STEP_STATUS_RUNNING
		if s.GetLog() != nil {
			totals[s.GetIndex()] = s.GetLog()
		}
	}
	if m, err := termination.Decode([]byte(c.Message)); err == nil && m.Attempt == attemptID {
		for _, s := range m.Steps {
			i := int32(s.Index) //nolint:gosec // an index of a step
			ran[i] = ran[i] || s.Started > 0 || s.Bytes > 0
			totals[i] = &runnerv1.LogTotals{Bytes: s.Bytes, Lines: s.Lines, GapBytes: s.Gap, Crc32C: s.CRC}
		}
	}
	final := map[string]bool{}
	for _, s := range state.GetFinal() {
		final[s] = true
	}
	var out []part
	for _, s := range plan.GetSteps() {
		stream := fmt.Sprintf("step/%d", s.GetIndex())
		committed, begun := state.GetCommitted()[stream]
		if s.GetContainer() == c.Name && (ran[s.GetIndex()] || begun) {
			out = append(out, part{stream: stream, committed: committed, final: final[stream], totals: totals[s.GetIndex()]})
		}
	}
	return out
}

// container sends the parts of one container's log and returns how many bytes are missing.
func (t *Tailer) container(ctx context.Context, attemptID string, pod work.PodIdentity, name string, parts []part) (gap int64, err error) {
	length, err := t.length(ctx, pod, name)
	if err != nil {
		return 0, err
	}
	log, err := t.Source.Log(ctx, pod, name)
	if err != nil {
		return 0, err
	}
	defer log.Close() //nolint:errcheck // read only
	s := sender{uplink: t.Uplink, attempt: attemptID, log: bufio.NewReaderSize(log, 64<<10)}
	for _, r := range ranges(parts, length) {
		lost, err := s.send(ctx, r)
		gap += lost
		if err != nil {
			return gap, err
		}
	}
	return gap, nil
}

// length counts what the kube API has of a log: only then is known which bytes these are.
func (t *Tailer) length(ctx context.Context, pod work.PodIdentity, name string) (int64, error) {
	log, err := t.Source.Log(ctx, pod, name)
	if err != nil {
		return 0, err
	}
	defer log.Close() //nolint:errcheck // read only
	n, err := io.Copy(io.Discard, io.LimitReader(log, maxLog))
	if err != nil {
		return 0, fmt.Errorf("read the log of container %s: %w", name, err)
	}
	return n, nil
}

// Cluster is the Source that asks the API server.
type Cluster struct{ Client *kube.Client }

// Plan implements Source.
func (c Cluster) Plan(ctx context.Context, id work.PodIdentity) (*runnerv1.Plan, error) {
	pod, err := c.Client.Pods(id.Namespace).Get(ctx, id.Pod, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read pod %s/%s: %w", id.Namespace, id.Pod, err)
	}
	text := pod.Annotations[jobspec.AnnotationPlan]
	if text == "" { // an empty plan would say that nothing is missing
		return nil, fmt.Errorf("pod %s/%s has no plan any more", id.Namespace, id.Pod)
	}
	plan, err := jobspec.DecodePlan(text)
	if err != nil {
		return nil, fmt.Errorf("pod %s/%s: %w", id.Namespace, id.Pod, err)
	}
	return plan, nil
}

// Log implements Source.
func (c Cluster) Log(ctx context.Context, id work.PodIdentity, container string) (io.ReadCloser, error) {
	body, err := c.Client.PodLog(ctx, id.Namespace, id.Pod, &corev1.PodLogOptions{Container: container})
	if err != nil {
		return nil, fmt.Errorf("read the log of container %s: %w", container, err)
	}
	return body, nil
}
