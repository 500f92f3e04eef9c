package watch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// facts takes from a pod what other stages need. Its Job is nil when that is gone.
func facts(pod *corev1.Pod, job *batchv1.Job) *work.Pod {
	out := &work.Pod{
		PodIdentity: work.PodIdentity{Namespace: pod.Namespace, Pod: pod.Name, UID: string(pod.UID)},
		Grace:       30 * time.Second,
	}
	if g := pod.Spec.TerminationGracePeriodSeconds; g != nil {
		out.Grace = time.Duration(*g) * time.Second
	}
	open := 0
	for _, c := range pod.Spec.Containers {
		one := work.Container{Name: c.Name}
		if i := slices.IndexFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == c.Name }); i >= 0 {
			state := pod.Status.ContainerStatuses[i].State
			one.Started = state.Running != nil || began(state.Terminated)
			if t := state.Terminated; t != nil {
				one.Terminated, one.ExitCode, one.Message = true, t.ExitCode, t.Message
			}
		}
		if !one.Terminated {
			open++
		}
		out.Containers = append(out.Containers, one)
	}
	for _, s := range services(pod) {
		out.Services = append(out.Services, work.Service{Name: s.name, Started: s.status.State.Running != nil || began(s.last()), Withheld: s.secretive})
	}
	out.Ended = testsEnded(pod) || terminal(pod) && (open == 0 || cutOff(pod))
	out.Interrupted = interruption(pod, job)
	return out
}

// began tells a container that ran from one that was given up before: such a one has no time of its start, or the epoch's.
func began(t *corev1.ContainerStateTerminated) bool {
	return t != nil && t.StartedAt.Unix() > 0
}

func terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// testsEnded tells a pod of which only services are left: its phase goes on until they have ended, too.
func testsEnded(pod *corev1.Pod) bool {
	if len(services(pod)) == 0 || len(pod.Status.ContainerStatuses) < len(pod.Spec.Containers) || len(pod.Spec.Containers) == 0 {
		return false
	}
	return !slices.ContainsFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.State.Terminated == nil })
}

// over tells a pod whose tests have come to their end.
func over(pod *corev1.Pod) bool { return terminal(pod) || testsEnded(pod) }

// cutOff tells pods whose containers' states will never be filled in: the phase may come before the states, but not for these.
func cutOff(pod *corev1.Pod) bool {
	return pod.Status.Reason != "" || disrupted(pod) != nil || failedInit(pod) != nil || pod.DeletionTimestamp != nil
}

func disrupted(pod *corev1.Pod) *corev1.PodCondition {
	for i, c := range pod.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// failedInit finds the init container for which the pod failed: services never make it fail.
func failedInit(pod *corev1.Pod) *corev1.ContainerStatus {
	for i, c := range pod.Status.InitContainerStatuses {
		if _, ok := jobspec.ServiceOf(c.Name); ok {
			continue
		}
		if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
			return &pod.Status.InitContainerStatuses[i]
		}
	}
	return nil
}

// describe fills in the report what every pod tells.
func describe(r *agentv1.AttemptReport, pod *corev1.Pod) {
	r.Node, r.Pod = pod.Spec.NodeName, pod.Name
	for _, c := range pod.Status.ContainerStatuses {
		var started, finished time.Time
		if c.State.Running != nil {
			started = c.State.Running.StartedAt.Time
		}
		if t := c.State.Terminated; began(t) {
			started, finished = t.StartedAt.Time, t.FinishedAt.Time
		}
		if !started.IsZero() && (r.GetStartedAt() == nil || started.Before(r.GetStartedAt().AsTime())) {
			r.StartedAt = timestamppb.New(started)
		}
		if over(pod) && !finished.IsZero() && (r.GetFinishedAt() == nil || finished.After(r.GetFinishedAt().AsTime())) {
			r.FinishedAt = timestamppb.New(finished)
		}
	}
}

// ended says why a pod came to its end, when the cluster knows a reason that the runner does not. Otherwise the status stays
// running and the runner's own words decide.
func (v *Verdict) ended(pod *corev1.Pod, why *work.Interruption) {
	v.Update.Report.Status = agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING
	if c := failedInit(pod); c != nil {
		v.errored("RunnerInstall", "The runner could not be copied into the pod (exit code %d): check the runner image of the agent's chart. %s",
			c.State.Terminated.ExitCode, c.State.Terminated.Message)
		return
	}
	for _, c := range pod.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil {
			switch t.Reason {
			case "OOMKilled":
				v.errored("OOMKilled", "Container %s used more memory than its limit%s and was killed: raise resources.limits.memory.",
					c.Name, limit(pod, c.Name))
				return
			case "StartError", "ContainerCannotRun":
				v.errored("ContainerStart", "Container %s cannot be started: %s", c.Name, t.Message)
				return
			}
		}
	}
	if pod.Status.Reason == "DeadlineExceeded" {
		v.errored("DeadlineExceeded", "The cluster ended the pod: its backstop deadline passed before the runner's own timeout took effect.")
		return
	}
	if why != nil {
		v.errored(why.Reason, "%s", why.Message)
		v.Update.Stop = why.Reason == jobSuspended // whoever lets the Job go on would run the test again
	}
}

// interruption says what was done to the pod from outside, nil for nothing.
func interruption(pod *corev1.Pod, job *batchv1.Job) *work.Interruption {
	said := pod.Status.Message
	because := func(reason, format string, args ...any) *work.Interruption {
		return &work.Interruption{Reason: reason, Message: strings.TrimSpace(fmt.Sprintf(format, args...) + " " + said)}
	}
	if c := disrupted(pod); c != nil {
		said = cmp.Or(said, c.Message)
		switch c.Reason {
		case corev1.PodReasonPreemptionByScheduler:
			return because("Preempted", "A pod of higher priority took the place of the test. Run it again.")
		case "DeletionByTaintManager", "DeletionByPodGC":
			return because("NodeLost", "Node %s was lost while the test ran. Run it again.", pod.Spec.NodeName)
		default:
			return because("Evicted", "The pod was evicted from node %s. Run the test again.", pod.Spec.NodeName)
		}
	}
	switch pod.Status.Reason {
	case "":
		if taken(pod) {
			return deletion(job)
		}
		return nil
	case "DeadlineExceeded":
		return nil
	case "Evicted":
		if volume := fullVolume(pod); volume != "" {
			return because("StorageLimit", "The test wrote more than the sizeLimit of its volume %s: raise it, or write less.", volume)
		}
		if ownStorage(pod) {
			return because("StorageLimit", "The test wrote more to the disk of its pod than its limit: raise the limit ephemeral-storage, or write less.")
		}
		return because("Evicted", "The pod was evicted from node %s. Run the test again.", pod.Spec.NodeName)
	case "NodeLost", "NodeShutdown", "Terminated", "Shutdown":
		return because("NodeLost", "Node %s went away while the test ran. Run it again.", pod.Spec.NodeName)
	default:
		return because(pod.Status.Reason, "The cluster ended the pod:")
	}
}

// deletion says why a pod is deleted, going by its Job, whose controller deletes pods, too. The Job is nil when it is gone.
func deletion(job *batchv1.Job) *work.Interruption {
	switch {
	case job != nil && overdue(job):
		return &work.Interruption{Reason: batchv1.JobReasonDeadlineExceeded, Message: jobOverdue}
	case job != nil && suspended(job):
		return &work.Interruption{Reason: jobSuspended, Message: "Something other than Seatrial suspended the Job while the test ran, such as a " +
			"controller of queues, and its pod was deleted. Keep that from Jobs of the run namespace, and run the test again."}
	default:
		return &work.Interruption{Reason: "PodDeleted", Message: "Somebody deleted the pod, or the Job that it is of, while the test ran. Run it again."}
	}
}

const (
	jobSuspended = "JobSuspended"
	jobOverdue   = "The cluster ended the Job: its backstop deadline passed. Look why the pod did not end before, or raise timeout."
)

// overdue tells a Job that its own deadline ends; the first condition comes before its pods are deleted, the other one after.
func overdue(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobFailureTarget || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue &&
			c.Reason == batchv1.JobReasonDeadlineExceeded
	})
}

// suspended tells a Job that somebody else than the agent suspended.
func suspended(job *batchv1.Job) bool {
	_, ours := jobspec.DecodeStopped(job.Annotations)
	return job.Spec.Suspend != nil && *job.Spec.Suspend && !ours
}

// taken tells a pod that is deleted for a reason that the pod itself does not say. Its Job may.
func taken(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil && disrupted(pod) == nil && pod.Status.Reason == ""
}

// fullVolume returns the volume of the workflow whose own limit was exceeded, "" for none.
func fullVolume(pod *corev1.Pod) string {
	_, rest, found := strings.Cut(pod.Status.Message, `Usage of EmptyDir volume "`)
	if !found {
		return ""
	}
	name, _, _ := strings.Cut(rest, `"`)
	if volume, ok := jobspec.VolumeOf(name); ok {
		return volume
	}
	return ""
}

// ownStorage reports an eviction by the pod's own use of its disk, which would be the same on any node: the kubelet's messages of
// pkg/kubelet/eviction/helpers.go say in each of the three cases that a limit is exceeded, and in no other.
func ownStorage(pod *corev1.Pod) bool {
	return strings.Contains(pod.Status.Message, "exceed") && strings.Contains(pod.Status.Message, "limit")
}

func limit(pod *corev1.Pod, container string) string {
	for _, c := range pod.Spec.Containers {
		if q, ok := c.Resources.Limits[corev1.ResourceMemory]; ok && c.Name == container {
			return " of " + q.String()
		}
	}
	return ""
}
