package agentlink

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// What an agent says of itself is stored and shown, so it is bounded.
const (
	maxName       = 253
	maxNamespaces = 1000
	maxRules      = 100
)

func helloFrom(h *agentv1.Hello, gateway string) cluster.Hello {
	out := cluster.Hello{
		AgentVersion: short(h.GetAgentVersion()), KubernetesVersion: short(h.GetKubernetesVersion()),
		RunnerDelivery: short(h.GetRunnerDelivery()), Gateway: gateway,
	}
	for _, name := range h.GetNamespaces()[:min(len(h.GetNamespaces()), maxNamespaces)] {
		out.Namespaces = append(out.Namespaces, short(name))
	}
	for _, rule := range h.GetRules()[:min(len(h.GetRules()), maxRules)] {
		out.Rules = append(out.Rules, short(rule))
	}
	return out
}

func short(s string) string {
	if len(s) <= maxName {
		return s
	}
	return s[:maxName] // the store replaces a broken character
}

func outcomeFrom(o agentv1.CommandOutcome) (cluster.Outcome, bool) {
	switch o {
	case agentv1.CommandOutcome_COMMAND_OUTCOME_DONE:
		return cluster.Done, true
	case agentv1.CommandOutcome_COMMAND_OUTCOME_EXISTS:
		return cluster.Exists, true
	case agentv1.CommandOutcome_COMMAND_OUTCOME_REJECTED:
		return cluster.Rejected, true
	case agentv1.CommandOutcome_COMMAND_OUTCOME_EXPIRED:
		return cluster.Expired, true
	case agentv1.CommandOutcome_COMMAND_OUTCOME_DEFERRED:
		return cluster.Deferred, true
	case agentv1.CommandOutcome_COMMAND_OUTCOME_UNSPECIFIED:
	}
	return "", false
}

// statuses pairs the statuses that travel between agent and control plane.
func statuses() map[agentv1.AttemptStatus]execution.Status {
	return map[agentv1.AttemptStatus]execution.Status{
		agentv1.AttemptStatus_ATTEMPT_STATUS_PENDING:   execution.Pending,
		agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING:   execution.Running,
		agentv1.AttemptStatus_ATTEMPT_STATUS_PAUSED:    execution.Paused,
		agentv1.AttemptStatus_ATTEMPT_STATUS_PASSED:    execution.Passed,
		agentv1.AttemptStatus_ATTEMPT_STATUS_FAILED:    execution.Failed,
		agentv1.AttemptStatus_ATTEMPT_STATUS_ERRORED:   execution.Errored,
		agentv1.AttemptStatus_ATTEMPT_STATUS_TIMED_OUT: execution.TimedOut,
		agentv1.AttemptStatus_ATTEMPT_STATUS_CANCELLED: execution.Cancelled,
		agentv1.AttemptStatus_ATTEMPT_STATUS_SKIPPED:   execution.Skipped,
	}
}

func attemptStatus(s execution.Status) agentv1.AttemptStatus {
	for wire, status := range statuses() {
		if status == s {
			return wire
		}
	}
	return agentv1.AttemptStatus_ATTEMPT_STATUS_UNSPECIFIED
}

func stepStatus(s runnerv1.StepStatus) execution.Status {
	switch s {
	case runnerv1.StepStatus_STEP_STATUS_RUNNING:
		return execution.Running
	case runnerv1.StepStatus_STEP_STATUS_PAUSED:
		return execution.Paused
	case runnerv1.StepStatus_STEP_STATUS_PASSED:
		return execution.Passed
	case runnerv1.StepStatus_STEP_STATUS_FAILED:
		return execution.Failed
	case runnerv1.StepStatus_STEP_STATUS_ERRORED:
		return execution.Errored
	case runnerv1.StepStatus_STEP_STATUS_TIMED_OUT:
		return execution.TimedOut
	case runnerv1.StepStatus_STEP_STATUS_CANCELLED:
		return execution.Cancelled
	case runnerv1.StepStatus_STEP_STATUS_SKIPPED:
		return execution.Skipped
	case runnerv1.StepStatus_STEP_STATUS_WAITING, runnerv1.StepStatus_STEP_STATUS_UNSPECIFIED:
	}
	return execution.Waiting
}

// verdict is how a step ends that is told to go on; unspecified for one that waits for a person.
func verdict(status string) runnerv1.StepStatus {
	return map[execution.Status]runnerv1.StepStatus{
		execution.Passed: runnerv1.StepStatus_STEP_STATUS_PASSED, execution.Failed: runnerv1.StepStatus_STEP_STATUS_FAILED,
		execution.Errored: runnerv1.StepStatus_STEP_STATUS_ERRORED,
	}[execution.Status(status)]
}

func reportFrom(id execution.AttemptID, r *agentv1.AttemptReport) execution.Report {
	out := execution.Report{
		Attempt: id, Status: statuses()[r.GetStatus()], Reason: r.GetReason(), Message: r.GetMessage(), Node: r.GetNode(), Pod: r.GetPod(),
		StartedAt: timeFrom(r.GetStartedAt()), FinishedAt: timeFrom(r.GetFinishedAt()), ObservedAt: timeFrom(r.GetObservedAt()),
		Delivered: r.GetDelivered(), FromRunner: r.GetFromRunner(), Notes: r.GetNotes(), Steps: make([]execution.Step, len(r.GetSteps())),
		SubjectStart: subjectFrom(r.GetSubjectStart()), SubjectEnd: subjectFrom(r.GetSubjectEnd()),
		Hops: hopsFrom(r.GetHops()),
	}
	for i, s := range r.GetSteps() {
		out.Steps[i] = stepFrom(s)
	}
	for _, s := range r.GetServices() {
		out.Services = append(out.Services, serviceFrom(s))
	}
	return out
}

// hopsFrom returns nil for what is absent.
func hopsFrom(h *agentv1.Hops) *execution.Hops {
	if h == nil {
		return nil
	}
	return &execution.Hops{
		Job: h.GetJob().AsDuration(), Schedule: h.GetSchedule().AsDuration(), Container: h.GetContainer().AsDuration(), Run: h.GetRun().AsDuration(),
	}
}

// subjectFrom returns nil for what is absent.
func subjectFrom(s *agentv1.Subject) *execution.Subject {
	if s == nil {
		return nil
	}
	out := &execution.Subject{ObservedAt: timeFrom(s.GetObservedAt()), Cut: s.GetCut(), Message: s.GetMessage()}
	for _, i := range s.GetImages() {
		out.Images = append(out.Images, execution.SubjectImage{Container: i.GetContainer(), Image: i.GetImage(), Digest: i.GetDigest()})
	}
	return out
}

func serviceFrom(s *agentv1.ServiceState) execution.Service {
	out := execution.Service{
		Name: s.GetName(), Status: serviceStatus(s.GetStatus()), Message: s.GetMessage(), Restarts: int(s.GetRestarts()),
		StartedAt: timeFrom(s.GetStartedAt()), FinishedAt: timeFrom(s.GetFinishedAt()),
	}
	if s.ExitCode != nil {
		code := int(s.GetExitCode())
		out.ExitCode = &code
	}
	return out
}

// serviceStatus is empty for what this version does not know.
func serviceStatus(s agentv1.ServiceStatus) execution.ServiceStatus {
	switch s {
	case agentv1.ServiceStatus_SERVICE_STATUS_WAITING:
		return execution.ServiceWaiting
	case agentv1.ServiceStatus_SERVICE_STATUS_STARTING:
		return execution.ServiceStarting
	case agentv1.ServiceStatus_SERVICE_STATUS_READY:
		return execution.ServiceReady
	case agentv1.ServiceStatus_SERVICE_STATUS_STOPPED:
		return execution.ServiceStopped
	case agentv1.ServiceStatus_SERVICE_STATUS_FAILED:
		return execution.ServiceFailed
	case agentv1.ServiceStatus_SERVICE_STATUS_UNSPECIFIED:
	}
	return ""
}

func stepFrom(s *runnerv1.StepState) execution.Step {
	out := execution.Step{
		Index: int(s.GetIndex()), Name: s.GetName(), Status: stepStatus(s.GetStatus()), Reason: s.GetReason(),
		Allowed: s.GetAllowed(), StartedAt: timeFrom(s.GetStartedAt()), FinishedAt: timeFrom(s.GetFinishedAt()),
	}
	if s.ExitCode != nil {
		code := int(s.GetExitCode())
		out.ExitCode = &code
	}
	for _, c := range s.GetCalls() {
		params := c.GetParams()
		if params == nil {
			params = map[string]string{}
		}
		out.Params = append(out.Params, params)
	}
	if u := s.GetUsage(); u != nil {
		out.Usage = &execution.Usage{
			CPU: span(u.GetCpuMicros()), Throttled: span(u.GetThrottledMicros()), MemoryPeak: max(0, u.GetMemoryPeak()),
			Read: max(0, u.GetReadBytes()), Written: max(0, u.GetWrittenBytes()), Note: u.GetNote(),
		}
	}
	if l := s.GetLog(); l != nil {
		out.Log = execution.Log{Bytes: l.GetBytes(), Lines: l.GetLines(), GapBytes: l.GetGapBytes()}
	}
	return out
}

// span reads microseconds. Sums of what agents say must not run over.
func span(micros int64) time.Duration {
	const century = 100 * 365 * 24 * time.Hour
	return time.Duration(min(max(0, micros), century.Microseconds())) * time.Microsecond
}

func chunkFrom(id execution.AttemptID, c *runnerv1.LogChunk) execution.Chunk {
	out := execution.Chunk{
		Attempt: id, Stream: c.GetStream(), Start: c.GetStartOffset(), RawLen: int(c.GetRawLen()), Lines: int(c.GetLines()),
		FirstLine: c.GetFirstLine(), FirstTime: timeFrom(c.GetFirstTime()), LastTime: timeFrom(c.GetLastTime()),
		Data: c.GetData(), CRC: c.GetCrc32C(), Gap: c.GetGapBytes(), ViaKubeAPI: c.GetViaKubeApi(),
	}
	if t := c.GetFinal(); t != nil {
		out.Final = &execution.Totals{Bytes: t.GetBytes(), Lines: t.GetLines(), GapBytes: t.GetGapBytes(), CRC: t.GetCrc32C()}
	}
	return out
}

// timeFrom returns the zero time for what is absent or impossible.
func timeFrom(t *timestamppb.Timestamp) time.Time {
	if t == nil || !t.IsValid() {
		return time.Time{}
	}
	return t.AsTime()
}
