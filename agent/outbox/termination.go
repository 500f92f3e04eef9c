package outbox

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/runner/termination"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// mergeTermination takes the last words of the runners in once the pod has ended: the totals that prove a log complete, and in
// one container the result.
func mergeTermination(r *agentv1.AttemptReport, pod *work.Pod, cancelled bool) {
	if !pod.Ended {
		return
	}
	var result *runnerv1.Finished
	for _, c := range pod.Containers {
		m, ok := lastWords(r.GetAttemptId(), c)
		if !ok {
			continue
		}
		for _, s := range m.Steps {
			mergeStep(r, stepOf(s))
		}
		if status := stepStatus(m.Status); isEnd(status) && result == nil {
			result = &runnerv1.Finished{Status: status, Reason: m.Reason, FinishedAt: lastEnd(m)}
		}
	}
	if result != nil {
		mergeFinished(r, result, false, interrupted(pod, cancelled))
	}
}

// interruption returns why the cluster takes the pod of an attempt away that nobody has cancelled. A pod that is deleted by force is
// gone before its runner has told of it.
func (r *record) interruption() *work.Interruption {
	why := interrupted(r.pod, r.cancelled != "")
	if why == nil && r.pod != nil && r.pod.UID == r.vanished && r.cancelled == "" {
		return &work.Interruption{Reason: "PodDeleted", Message: "The pod was deleted before it ended. Run the test again."}
	}
	return why
}

// interrupted returns why the cluster takes a pod away that nobody has cancelled.
func interrupted(pod *work.Pod, cancelled bool) *work.Interruption {
	if pod == nil || cancelled {
		return nil
	}
	return pod.Interrupted
}

// lastWords returns what the runner of a container left. Anything else that a process may have written there is no result.
func lastWords(attemptID string, c work.Container) (termination.Message, bool) {
	if !c.Terminated || c.Message == "" {
		return termination.Message{}, false
	}
	m, err := termination.Decode([]byte(c.Message))
	return m, err == nil && m.Attempt == attemptID && m.Container == c.Name
}

func stepOf(s termination.Step) *runnerv1.StepState {
	return &runnerv1.StepState{
		Index:  int32(s.Index), //nolint:gosec // an index of a step
		Status: stepStatus(s.Status), ExitCode: s.Exit, Reason: s.Reason, Allowed: s.Allowed, StartedAt: millis(s.Started), FinishedAt: millis(s.Finished),
		Log:   &runnerv1.LogTotals{Bytes: s.Bytes, Lines: s.Lines, GapBytes: s.Gap, Crc32C: s.CRC},
		Usage: usageOf(s.Usage),
	}
}

func usageOf(u *termination.Usage) *runnerv1.Usage {
	if u == nil {
		return nil
	}
	return &runnerv1.Usage{
		CpuMicros: u.CPU, ThrottledMicros: u.Throttled, MemoryPeak: u.Memory, ReadBytes: u.Read, WrittenBytes: u.Written, Note: u.Note,
	}
}

func millis(ms int64) *timestamppb.Timestamp {
	if ms == 0 {
		return nil
	}
	return timestamppb.New(time.UnixMilli(ms))
}

func lastEnd(m termination.Message) *timestamppb.Timestamp {
	var last int64
	for _, s := range m.Steps {
		last = max(last, s.Finished)
	}
	return millis(last)
}

func stepStatus(word string) runnerv1.StepStatus {
	return runnerv1.StepStatus(runnerv1.StepStatus_value["STEP_STATUS_"+strings.ToUpper(word)])
}
