package outbox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// ended reports whether an attempt has its result, which never changes again.
func ended(r *agentv1.AttemptReport) bool {
	return r.GetStatus() > agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING && r.GetStatus() != agentv1.AttemptStatus_ATTEMPT_STATUS_PAUSED
}

func stepEnded(s *runnerv1.StepState) bool { return isEnd(s.GetStatus()) }

func isEnd(s runnerv1.StepStatus) bool {
	return s > runnerv1.StepStatus_STEP_STATUS_RUNNING && s != runnerv1.StepStatus_STEP_STATUS_PAUSED
}

// mergeStep takes a snapshot of a step in and reports whether that changed anything. A step that has ended stays as it is.
func mergeStep(r *agentv1.AttemptReport, s *runnerv1.StepState) bool {
	i, found := slices.BinarySearchFunc(r.GetSteps(), s, func(a, b *runnerv1.StepState) int { return cmp.Compare(a.GetIndex(), b.GetIndex()) })
	switch {
	case !found:
		r.Steps = slices.Insert(r.Steps, i, proto.CloneOf(s))
	case proto.Equal(r.GetSteps()[i], s), stepEnded(r.GetSteps()[i]) && !stepEnded(s):
		return false
	default:
		name := cmp.Or(s.GetName(), r.GetSteps()[i].GetName()) // last words leave names out
		r.Steps[i] = proto.CloneOf(s)
		r.Steps[i].Name = name
	}
	if !ended(r) && s.GetStatus() >= runnerv1.StepStatus_STEP_STATUS_RUNNING && s.GetStatus() != runnerv1.StepStatus_STEP_STATUS_SKIPPED {
		r.Status, r.Reason, r.Message = underWay(r.GetSteps())
	}
	if r.GetStartedAt() == nil {
		r.StartedAt = s.GetStartedAt()
	}
	return true
}

// underWay is the state of an attempt of which a step has begun. The containers send what they know in any order: a step that has
// ended, told late, does not end the pause of another.
func underWay(steps []*runnerv1.StepState) (status agentv1.AttemptStatus, reason, message string) {
	for _, s := range steps {
		if s.GetStatus() == runnerv1.StepStatus_STEP_STATUS_PAUSED {
			return agentv1.AttemptStatus_ATTEMPT_STATUS_PAUSED, "Paused", s.GetReason()
		}
	}
	return agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING, "", ""
}

// mergeFinished takes the runner's result in, unless there is one already. A runner whose pod the cluster takes away reports that
// it was cancelled: when nobody asked for that, why says what happened instead.
func mergeFinished(r *agentv1.AttemptReport, f *runnerv1.Finished, fromRunner bool, why *work.Interruption) bool {
	if ended(r) {
		return false
	}
	r.Status = statusOf(f.GetStatus())
	r.Reason, r.Message = causeOf(r), f.GetReason()
	if why != nil && f.GetStatus() == runnerv1.StepStatus_STEP_STATUS_CANCELLED {
		r.Status, r.Reason, r.Message = agentv1.AttemptStatus_ATTEMPT_STATUS_ERRORED, why.Reason, why.Message
	}
	r.FinishedAt = f.GetFinishedAt()
	if r.GetFinishedAt() == nil {
		r.FinishedAt = timestamppb.Now()
	}
	r.FromRunner = fromRunner
	return true
}

// causeOf returns the machine-readable cause that the runner knows of.
func causeOf(r *agentv1.AttemptReport) string {
	const oom = "OOMKilled"
	for _, s := range r.GetSteps() {
		if s.GetStatus() == runnerv1.StepStatus_STEP_STATUS_ERRORED && strings.HasPrefix(s.GetReason(), oom) {
			return oom
		}
	}
	return ""
}

func statusOf(s runnerv1.StepStatus) agentv1.AttemptStatus {
	switch s {
	case runnerv1.StepStatus_STEP_STATUS_PASSED:
		return agentv1.AttemptStatus_ATTEMPT_STATUS_PASSED
	case runnerv1.StepStatus_STEP_STATUS_SKIPPED:
		return agentv1.AttemptStatus_ATTEMPT_STATUS_SKIPPED
	case runnerv1.StepStatus_STEP_STATUS_FAILED:
		return agentv1.AttemptStatus_ATTEMPT_STATUS_FAILED
	case runnerv1.StepStatus_STEP_STATUS_TIMED_OUT:
		return agentv1.AttemptStatus_ATTEMPT_STATUS_TIMED_OUT
	case runnerv1.StepStatus_STEP_STATUS_CANCELLED:
		return agentv1.AttemptStatus_ATTEMPT_STATUS_CANCELLED
	default: // whatever it is, it proves no success
		return agentv1.AttemptStatus_ATTEMPT_STATUS_ERRORED
	}
}

// mergeConclusion ends an attempt for a reason that the agent knows.
func mergeConclusion(r *agentv1.AttemptReport, status agentv1.AttemptStatus, reason, message string) {
	if ended(r) {
		return
	}
	r.Status, r.Reason, r.Message = status, reason, message
	if r.GetFinishedAt() == nil {
		r.FinishedAt = timestamppb.Now()
	}
}

// mergeUpdate takes what the cluster shows in and reports whether that changed anything. The runner's words, on the connection or
// in the termination messages, come before the cluster's.
func mergeUpdate(r *agentv1.AttemptReport, u work.Update, cancelled bool) bool {
	before := proto.CloneOf(r)
	seen := u.Report
	r.Node, r.Pod = cmp.Or(seen.GetNode(), r.GetNode()), cmp.Or(seen.GetPod(), r.GetPod())
	if r.GetStartedAt() == nil {
		r.StartedAt = seen.GetStartedAt()
	}
	mergeServices(r, seen.GetServices())
	mergeNotes(r, seen.GetNotes())
	if !ended(r) {
		if u.Pod != nil {
			mergeTermination(r, u.Pod, cancelled)
		}
		mergeSeen(r, u)
	}
	return !proto.Equal(before, r)
}

func mergeSeen(r *agentv1.AttemptReport, u work.Update) {
	seen := u.Report
	switch {
	case ended(r):
	case ended(seen):
		r.Status, r.Reason, r.Message, r.FinishedAt = seen.GetStatus(), seen.GetReason(), seen.GetMessage(), seen.GetFinishedAt()
	case u.Pod != nil && u.Pod.Ended:
		mergeConclusion(r, agentv1.AttemptStatus_ATTEMPT_STATUS_ERRORED, "RunnerLost", runnerLost(u.Pod))
		if at := seen.GetFinishedAt(); at != nil {
			r.FinishedAt = at
		}
	case seen.GetStatus() < r.GetStatus(): // the informer is behind the runner
	default:
		r.Status, r.Reason, r.Message = seen.GetStatus(), seen.GetReason(), seen.GetMessage()
	}
}

// runnerLost says how a pod ended whose runner left no result.
func runnerLost(pod *work.Pod) string {
	var codes []string
	for _, c := range pod.Containers {
		if c.Terminated {
			codes = append(codes, fmt.Sprintf("container %s with exit code %d", c.Name, c.ExitCode))
		}
	}
	if len(codes) == 0 {
		return "The pod ended before the result was known. Run the test again."
	}
	return "The pod ended before the result was known: " + strings.Join(codes, ", ") + ". Look at the end of the log and run the test again."
}
