package chaos

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/runner/gather"
	"github.com/seatrial/seatrial/agent/runner/ship"
	"github.com/seatrial/seatrial/agent/runner/spool"
	"github.com/seatrial/seatrial/agent/runner/termination"
	"github.com/seatrial/seatrial/agent/workfake"
	"github.com/seatrial/seatrial/integration/history"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// pod is the pod of a Job with the runner in it.
type pod struct {
	site      *site
	book      *history.Recorder
	job       *batchv1.Job
	name, uid string
	attempt   string
	execution string
	stopping  chan struct{} // closed when the agent or the kubelet asks to stop
	once      sync.Once
	spools    []*spool.Spool
}

// made is called by the API server when something was created, before the agent is told.
func (s *site) made(_ workfake.Call, obj runtime.Object) {
	job, ok := obj.(*batchv1.Job)
	if !ok {
		return
	}
	book := s.w.current()
	attempt := job.Labels[jobspec.LabelAttempt]
	book.Add(history.Event{Kind: history.Created, Tenant: s.name, Attempt: attempt, Object: string(job.UID)})
	s.w.running.Go(func() {
		p := &pod{
			site: s, book: book, job: job, name: job.Name + "-0", uid: uuid.NewString(), attempt: attempt,
			execution: job.Labels[jobspec.LabelExecution], stopping: make(chan struct{}),
		}
		p.live(s.w.ctx)
	})
	s.w.gates.reach(s.w.ctx, Created, s)
}

// between returns a time span.
func between(from, to time.Duration) time.Duration { return from + rand.N(to-from) }

// live is the Job's controller and the kubelet.
func (p *pod) live(ctx context.Context) {
	if !pass(ctx, between(10*time.Millisecond, 100*time.Millisecond)) || !p.wanted() {
		return
	}
	o := &corev1.Pod{
		ObjectMeta: *p.job.Spec.Template.ObjectMeta.DeepCopy(), Spec: *p.job.Spec.Template.Spec.DeepCopy(), Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	o.Name, o.Namespace, o.UID = p.name, p.job.Namespace, types.UID(p.uid)
	o.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: p.job.Name, UID: p.job.UID, Controller: ptr.To(true)}}
	p.site.kube.Put(o)
	p.site.w.gates.reach(ctx, Pending, p.site)
	p.change(func(o *corev1.Pod) { o.Spec.NodeName, o.Status.StartTime = "node", ptr.To(metav1.Now()) })
	if !pass(ctx, between(50*time.Millisecond, 300*time.Millisecond)) || !p.wanted() {
		p.site.kube.Delete("pods", p.job.Namespace, p.name)
		return
	}
	p.run(ctx)
}

// wanted tells whether the Job is still there and not suspended.
func (p *pod) wanted() bool {
	now, ok := p.site.kube.Object("jobs", p.job.Namespace, p.job.Name).(*batchv1.Job)
	return ok && now.UID == p.job.UID && !ptr.Deref(now.Spec.Suspend, false)
}

func (p *pod) change(f func(*corev1.Pod)) {
	p.site.kube.Change("pods", p.job.Namespace, p.name, func(obj runtime.Object) {
		if o, ok := obj.(*corev1.Pod); ok && string(o.UID) == p.uid {
			f(o)
		}
	})
}

func (p *pod) container(phase corev1.PodPhase, state corev1.ContainerState) {
	p.change(func(o *corev1.Pod) {
		o.Status.Phase = phase
		o.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: o.Spec.Containers[0].Name, State: state}}
	})
}

func (p *pod) stop() { p.once.Do(func() { close(p.stopping) }) }

// run runs the container and notes how it has ended.
func (p *pod) run(ctx context.Context) {
	began := metav1.Now()
	p.container(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: began}})
	p.book.Add(history.Event{Kind: history.Began, Tenant: p.site.name, Execution: p.execution, Attempt: p.attempt, Object: p.uid})
	p.site.w.gates.reach(ctx, Running, p.site)
	attending, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { p.attend(attending) })
	code, message := p.contain(ctx)
	cancel()
	watch.Wait()
	if ctx.Err() != nil {
		return
	}
	p.book.Add(history.Event{Kind: history.Ended, Tenant: p.site.name, Attempt: p.attempt, Object: p.uid})
	p.site.w.gates.reach(ctx, Finalizing, p.site)
	phase := corev1.PodSucceeded
	if code != 0 {
		phase = corev1.PodFailed
	}
	if !p.wanted() {
		p.site.kube.Delete("pods", p.job.Namespace, p.name)
		return
	}
	p.container(phase, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Message: message, StartedAt: began, FinishedAt: metav1.Now(),
	}})
	p.finishJob(code == 0)
}

// attend asks the process to stop when its Job goes.
func (p *pod) attend(ctx context.Context) {
	for ctx.Err() == nil {
		changed := p.site.kube.Changed()
		if !p.wanted() {
			p.stop()
			return
		}
		wait(ctx, changed, time.Minute)
	}
}

func (p *pod) finishJob(succeeded bool) {
	p.site.kube.Change("jobs", p.job.Namespace, p.job.Name, func(obj runtime.Object) {
		job, ok := obj.(*batchv1.Job)
		if !ok || job.UID != p.job.UID {
			return
		}
		condition := batchv1.JobFailed
		if succeeded {
			condition, job.Status.Succeeded = batchv1.JobComplete, 1
		} else {
			job.Status.Failed = 1
		}
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
	})
}

// env returns what the container was given.
func (p *pod) env(name string) string {
	for _, e := range p.job.Spec.Template.Spec.Containers[0].Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// allowance is how long a runner that has ended tries to deliver.
const allowance = 2 * time.Minute

// contain is the runner: it runs the steps, delivers, and returns what it leaves.
func (p *pod) contain(ctx context.Context) (code int32, message string) {
	failed := func(err error) (int32, string) { return 1, err.Error() }
	dir := filepath.Join(p.site.disk, p.name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return failed(err)
	}
	defer os.RemoveAll(dir)
	plan, err := jobspec.DecodePlan(p.job.Spec.Template.Annotations[jobspec.AnnotationPlan])
	if err != nil {
		return failed(err)
	}
	token := filepath.Join(p.site.w.tokens, p.name)
	if err := os.WriteFile(token, []byte(p.uid), 0o600); err != nil {
		return failed(err)
	}
	defer os.Remove(token)
	name := p.job.Spec.Template.Spec.Containers[0].Name
	s, err := ship.New(ship.Options{
		Addr: p.env("SEATRIAL_AGENT"), Pin: p.env("SEATRIAL_AGENT_PIN"), TokenFile: token, AttemptID: p.attempt, Container: name, Version: "v0",
		Log: slog.New(slog.DiscardHandler), Dial: p.site.dial, Resume: func(*runnerv1.Resume) {}, Cancel: func(*runnerv1.Cancel) { p.stop() },
	})
	if err != nil {
		return failed(err)
	}
	shipping, stop := context.WithCancel(ctx)
	defer stop()
	shipped := make(chan error, 1)
	p.site.w.running.Go(func() { shipped <- s.Run(shipping) })
	said := termination.Message{Attempt: p.attempt, Container: name}
	for _, step := range plan.GetSteps() {
		one, status := p.step(ctx, s, dir, step)
		said.Steps = append(said.Steps, one)
		said.Status, said.Reason = word(status)
		if status != runnerv1.StepStatus_STEP_STATUS_PASSED || ctx.Err() != nil {
			code = 1
			break
		}
	}
	s.Finish(&runnerv1.Finished{Status: statusOf(said.Status), FinishedAt: timestamppb.Now(), Reason: said.Reason})
	p.site.w.gates.reach(ctx, ResultSent, p.site)
	s.Complete()
	timer := time.AfterFunc(allowance, stop)
	said.Delivered = <-shipped == nil
	timer.Stop()
	for _, sp := range p.spools {
		_ = sp.Close() // nothing reads it any more
	}
	text, err := termination.Encode(said)
	if err != nil {
		return failed(err)
	}
	return code, string(text)
}

func word(status runnerv1.StepStatus) (status1, reason string) {
	switch status {
	case runnerv1.StepStatus_STEP_STATUS_FAILED:
		return "failed", "a step failed"
	case runnerv1.StepStatus_STEP_STATUS_CANCELLED:
		return "cancelled", "cancelled"
	default:
		return "passed", ""
	}
}

func statusOf(word string) runnerv1.StepStatus {
	switch word {
	case "failed":
		return runnerv1.StepStatus_STEP_STATUS_FAILED
	case "cancelled":
		return runnerv1.StepStatus_STEP_STATUS_CANCELLED
	default:
		return runnerv1.StepStatus_STEP_STATUS_PASSED
	}
}

// step writes a log over some time, leaves an artifact and ends, or is stopped.
func (p *pod) step(ctx context.Context, s *ship.Shipper, dir string, step *runnerv1.Step) (termination.Step, runnerv1.StepStatus) {
	index := int(step.GetIndex())
	stream := fmt.Sprintf("step/%d", index)
	begun := time.Now()
	state := &runnerv1.StepState{Index: step.GetIndex(), Name: step.GetName(), Status: runnerv1.StepStatus_STEP_STATUS_RUNNING, StartedAt: timestamppb.New(begun)}
	s.Step(state)
	sp, err := spool.Create(filepath.Join(dir, fmt.Sprint(index)), spool.Options{Notify: s.Wake, Patience: time.Second})
	if err != nil {
		p.site.w.note("no spool: %v", err)
		return termination.Step{Index: index, Status: "failed", Reason: err.Error()}, runnerv1.StepStatus_STEP_STATUS_FAILED
	}
	p.spools = append(p.spools, sp)
	s.Stream(stream, sp)
	status, exit := p.write(ctx, sp, stream)
	totals := sp.Seal()
	if totals.GapBytes > 0 {
		p.site.w.stated(totals.GapBytes)
	}
	state.Status, state.ExitCode, state.FinishedAt, state.Log = status, &exit, timestamppb.Now(), ship.Totals(totals)
	said, reason := word(status)
	state.Reason = reason
	s.Step(state)
	if f, err := artifact(p.attempt, dir, index); err == nil {
		s.Files([]gather.File{f})
	}
	return termination.Step{
		Index: index, Status: said, Exit: &exit, Started: begun.UnixMilli(), Finished: time.Now().UnixMilli(),
		Bytes: totals.Bytes, Lines: totals.Lines, Gap: totals.GapBytes, CRC: totals.CRC,
	}, status
}

// artifact makes a file that a step keeps.
func artifact(attempt, dir string, index int) (gather.File, error) {
	const size = 64 << 10
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(rand.IntN(256))
	}
	path := filepath.Join(dir, fmt.Sprintf("artifact-%d", index))
	sum := sha256.Sum256(content)
	return gather.File{Copy: path, Header: &runnerv1.FileHeader{
		AttemptId: attempt, Kind: runnerv1.FileKind_FILE_KIND_ARTIFACT, StepIndex: int32(index), Path: fmt.Sprintf("out/%d.bin", index), Size: size, Sha256: sum[:],
	}}, os.WriteFile(path, content, 0o600)
}

// write writes numbered lines with pauses in between, and tells how the step ended.
func (p *pod) write(ctx context.Context, sp *spool.Spool, stream string) (runnerv1.StepStatus, int32) {
	const lines = 10
	offset, sum := int64(0), uint32(0)
	for n := range lines {
		line := fmt.Appendf(nil, "%s %s line %d, %016x\n", p.attempt, stream, n, rand.Uint64())
		if n%5 == 4 { // no line is too long
			line = append(line[:len(line)-1], make([]byte, 60<<10)...)
		}
		sum = crc32.Update(sum, castagnoli(), line)
		p.book.Add(history.Event{Kind: history.Wrote, Attempt: p.attempt, Stream: stream, Offset: offset, Bytes: int64(len(line)), Sum: sum})
		offset += int64(len(line))
		sp.Write(line)
		if n == lines/2 {
			p.site.w.gates.reach(ctx, Streaming, p.site)
		}
		if wait(ctx, p.stopping, between(time.Millisecond, 80*time.Millisecond)) {
			return runnerv1.StepStatus_STEP_STATUS_CANCELLED, 143
		}
	}
	if rand.IntN(10) == 0 {
		return runnerv1.StepStatus_STEP_STATUS_FAILED, 1
	}
	return runnerv1.StepStatus_STEP_STATUS_PASSED, 0
}
