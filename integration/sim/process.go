package sim

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/runner/ship"
	"github.com/seatrial/seatrial/agent/runner/spool"
	"github.com/seatrial/seatrial/agent/runner/termination"
	"github.com/seatrial/seatrial/integration/history"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// process is the runner in a pod with the test that it runs.
type process struct {
	pod    *pod
	dir    string
	spools []*spool.Spool

	stopping chan struct{} // closed when the agent asks to stop
	once     sync.Once
}

// outcome is what a container leaves.
type outcome struct {
	code    int32
	message string
}

func newProcess(p *pod, dir string) *process {
	return &process{pod: p, dir: dir, stopping: make(chan struct{})}
}

// dial reaches the agent behind the Service.
func (x *process) dial(context.Context, string, string) (net.Conn, error) {
	a := x.pod.site.endpoint()
	if a == nil {
		return nil, errReset
	}
	return x.pod.site.w.network.dial(x.pod, a, a.listener)
}

// run runs the steps, delivers and returns what it leaves. When the context ends first it leaves nothing.
func (x *process) run(ctx context.Context) outcome {
	killed := outcome{code: 137}
	defer func() {
		for _, sp := range x.spools {
			_ = sp.Close() // nothing reads it any more
		}
	}()
	plan, err := jobspec.DecodePlan(x.pod.job.Spec.Template.Annotations[jobspec.AnnotationPlan])
	if err != nil {
		return outcome{code: 1, message: err.Error()}
	}
	token := filepath.Join(x.dir, "token")
	if err := os.WriteFile(token, []byte(x.pod.uid), 0o600); err != nil {
		return outcome{code: 1, message: err.Error()}
	}
	name := x.pod.job.Spec.Template.Spec.Containers[0].Name
	s, err := ship.New(ship.Options{
		Addr: "agent:1", Pin: x.pod.site.w.shared.pin, TokenFile: token, AttemptID: x.pod.attempt, Container: name, Version: "v0",
		Log: x.pod.site.w.log.With("pod", x.pod.name), Dial: x.dial, Resume: func(*runnerv1.Resume) {},
		Cancel: func(*runnerv1.Cancel) { x.once.Do(func() { close(x.stopping) }) },
	})
	if err != nil {
		return outcome{code: 1, message: err.Error()}
	}
	shipping, stop := context.WithCancel(ctx)
	defer stop()
	shipped := make(chan error, 1)
	x.pod.site.w.running.Go(func() { shipped <- s.Run(shipping) })
	said := x.steps(ctx, s, plan)
	said.Container = name
	s.Complete()
	allowance := time.AfterFunc(x.pod.site.w.chance.within("allowance", 30*time.Second, 3*time.Minute), stop)
	said.Delivered = <-shipped == nil
	allowance.Stop()
	if ctx.Err() != nil {
		return killed
	}
	message, err := termination.Encode(said)
	if err != nil {
		return outcome{code: 1, message: err.Error()}
	}
	out := outcome{message: string(message)}
	if said.Status != "passed" {
		out.code = 1
	}
	return out
}

// steps runs one step after the other and reports the result.
func (x *process) steps(ctx context.Context, s *ship.Shipper, plan *runnerv1.Plan) termination.Message {
	said := termination.Message{Attempt: x.pod.attempt}
	status := runnerv1.StepStatus_STEP_STATUS_PASSED
	for _, step := range plan.GetSteps() {
		if status != runnerv1.StepStatus_STEP_STATUS_PASSED {
			s.Step(&runnerv1.StepState{Index: step.GetIndex(), Name: step.GetName(), Status: runnerv1.StepStatus_STEP_STATUS_SKIPPED})
			continue
		}
		var one termination.Step
		one, status = x.step(ctx, s, step)
		said.Steps = append(said.Steps, one)
		if ctx.Err() != nil {
			return said
		}
	}
	finished := &runnerv1.Finished{Status: status, FinishedAt: timestamppb.Now(), Reason: reasonOf(status)}
	s.Finish(finished)
	said.Status, said.Reason = wordOf(status), finished.GetReason()
	return said
}

func reasonOf(status runnerv1.StepStatus) string {
	switch status {
	case runnerv1.StepStatus_STEP_STATUS_FAILED:
		return "a step failed"
	case runnerv1.StepStatus_STEP_STATUS_CANCELLED:
		return "cancelled"
	default:
		return ""
	}
}

func wordOf(status runnerv1.StepStatus) string {
	switch status {
	case runnerv1.StepStatus_STEP_STATUS_FAILED:
		return "failed"
	case runnerv1.StepStatus_STEP_STATUS_CANCELLED:
		return "cancelled"
	default:
		return "passed"
	}
}

// step writes a log over some time and ends, or is stopped.
func (x *process) step(ctx context.Context, s *ship.Shipper, step *runnerv1.Step) (termination.Step, runnerv1.StepStatus) {
	w, index := x.pod.site.w, int(step.GetIndex())
	stream := fmt.Sprintf("step/%d", index)
	sp, err := spool.Create(filepath.Join(x.dir, fmt.Sprint(index)), spool.Options{Notify: s.Wake})
	if err != nil {
		w.log.Error("no spool", "error", err)
		return termination.Step{Index: index, Status: "errored", Reason: err.Error()}, runnerv1.StepStatus_STEP_STATUS_ERRORED
	}
	x.spools = append(x.spools, sp)
	begun := time.Now()
	state := &runnerv1.StepState{Index: step.GetIndex(), Name: step.GetName(), Status: runnerv1.StepStatus_STEP_STATUS_RUNNING, StartedAt: timestamppb.New(begun)}
	s.Step(state)
	s.Stream(stream, sp)
	status, exit := x.write(ctx, sp, stream, 1+w.chance.among("lines", 12))
	totals := sp.Seal()
	state.Status, state.ExitCode, state.FinishedAt, state.Log = status, &exit, timestamppb.Now(), ship.Totals(totals)
	state.Reason = reasonOf(status)
	s.Step(state)
	return termination.Step{
		Index: index, Status: wordOf(status), Exit: &exit, Started: begun.UnixMilli(), Finished: time.Now().UnixMilli(),
		Bytes: totals.Bytes, Lines: totals.Lines, Gap: totals.GapBytes, CRC: totals.CRC,
	}, status
}

// write writes lines with pauses in between, and tells how the step ended.
func (x *process) write(ctx context.Context, sp *spool.Spool, stream string, lines int) (runnerv1.StepStatus, int32) {
	w, offset := x.pod.site.w, int64(0)
	for n := range lines {
		line := fmt.Appendf(nil, "%s of %s: line %d, %016x\n", stream, x.pod.site.canary, n, w.chance.bits("line"))
		if n%5 == 4 { // no line is too long
			line = append(line[:len(line)-1], make([]byte, 3000)...)
		}
		w.history.Add(history.Event{Kind: history.Wrote, Attempt: x.pod.attempt, Stream: stream, Offset: offset, Bytes: int64(len(line)), Data: line})
		offset += int64(len(line))
		x.pod.site.kube.write(x.pod.name, x.pod.job.Spec.Template.Spec.Containers[0].Name, line)
		sp.Write(line)
		timer := time.NewTimer(w.chance.within("line.pause", 0, 4*time.Second))
		select {
		case <-timer.C:
		case <-x.stopping:
			timer.Stop()
			return runnerv1.StepStatus_STEP_STATUS_CANCELLED, 143
		case <-x.pod.interrupt:
			timer.Stop()
			return runnerv1.StepStatus_STEP_STATUS_CANCELLED, 143
		case <-ctx.Done():
			timer.Stop()
			return runnerv1.StepStatus_STEP_STATUS_ERRORED, 137
		}
	}
	if w.chance.happens("test.fails", 0.3) {
		return runnerv1.StepStatus_STEP_STATUS_FAILED, 1
	}
	return runnerv1.StepStatus_STEP_STATUS_PASSED, 0
}
