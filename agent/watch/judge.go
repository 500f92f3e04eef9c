package watch

import (
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

// How long troubles of a kind last before they count as final.
const (
	// Nothing that happens in the cluster by itself cures these.
	hopeless = 10 * time.Second
	// A policy or a service account may be corrected meanwhile.
	admission = time.Minute
	// A node that is lost for longer than its pods may take to end does not come back for them.
	nodeLost = time.Minute
	// The Job's controller takes a moment to make the pod, or to say why it cannot.
	noPod = 3 * time.Second
	// A pod that is being prepared for so long may have a reason for it, and comes to its end when that lasts.
	preparing    = 10 * time.Second
	podStart     = 5 * time.Minute
	lookAgain    = 30 * time.Second
	lookAgainMax = 5 * time.Minute
)

// Seen is what the cluster holds of an attempt.
type Seen struct {
	Job *batchv1.Job
	// Pod is nil when there is none.
	Pod *corev1.Pod
	// Events of the Job while it has no pod, of the pod while it waits.
	Events []corev1.Event
	// Ending says that the namespace is being deleted.
	Ending bool
	// Since is when the trouble of this kind was first seen.
	Since func(kind string) time.Time
}

// Grace is how long troubles may last that may pass by themselves.
type Grace struct {
	// Image is for an image that cannot be pulled.
	Image time.Duration
	// Scheduling is for a pod that no node takes or no quota has room for; zero means for ever.
	Scheduling time.Duration
}

// Verdict is what follows from it.
type Verdict struct {
	Update work.Update
	// Recheck says when to look again although nothing changes; zero means never.
	Recheck time.Duration
}

// trouble is why an attempt does not go on. It becomes final after a while, or never when after is zero.
type trouble struct {
	reason, message string
	after           time.Duration
}

// Judge says how an attempt stands. It never takes a missing pod for a success.
func Judge(s Seen, now time.Time, grace Grace) Verdict {
	id := s.Job.Labels[jobspec.LabelAttempt]
	v := Verdict{Update: work.Update{AttemptID: id, Report: &agentv1.AttemptReport{
		AttemptId: id, Status: agentv1.AttemptStatus_ATTEMPT_STATUS_PENDING, ObservedAt: timestamppb.New(now),
	}}}
	if s.Pod != nil {
		v.Update.Pod = facts(s.Pod, s.Job)
		if s.Ending && taken(s.Pod) {
			v.Update.Pod.Interrupted = &work.Interruption{Reason: namespaceDeleted, Message: lostNamespace(s.Job.Namespace)}
		}
		describe(v.Update.Report, s.Pod)
		v.beside(s)
	}
	if stopped, ok := jobspec.DecodeStopped(s.Job.Annotations); ok {
		v.conclude(agentv1.AttemptStatus(stopped.Status), stopped.Reason, stopped.Message)
		return v
	}
	switch {
	case s.Pod == nil:
		v.withoutPod(s, now, grace)
	case v.Update.Pod.Ended:
		v.ended(s.Pod, v.Update.Pod.Interrupted)
	default:
		v.alive(s, now, grace)
	}
	return v
}

// over reports whether nothing can happen to the attempt any more.
func (v *Verdict) over() bool {
	return v.Update.Report.GetFinishedAt() != nil || v.Update.Pod != nil && v.Update.Pod.Ended
}

func (v *Verdict) conclude(status agentv1.AttemptStatus, reason, message string) {
	r := v.Update.Report
	r.Status, r.Reason, r.Message = status, reason, message
	if r.GetFinishedAt() == nil {
		r.FinishedAt = r.GetObservedAt()
	}
}

func (v *Verdict) errored(reason, format string, args ...any) {
	v.conclude(agentv1.AttemptStatus_ATTEMPT_STATUS_ERRORED, reason, fmt.Sprintf(format, args...))
}

// suffer reports a trouble, and ends the attempt when it has lasted too long.
func (v *Verdict) suffer(t trouble, since func(string) time.Time, now time.Time) {
	v.Update.Report.Reason, v.Update.Report.Message = t.reason, t.message
	if t.after == 0 {
		return
	}
	if left := t.after - now.Sub(since(t.reason)); left > 0 {
		v.Recheck = left
		return
	}
	v.errored(t.reason, "%s", t.message)
	v.Update.Stop, v.Recheck = true, 0
}

func (v *Verdict) withoutPod(s Seen, now time.Time, grace Grace) {
	if overdue(s.Job) {
		v.errored(batchv1.JobReasonDeadlineExceeded, jobOverdue)
		return
	}
	for _, c := range s.Job.Status.Conditions {
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobFailed || c.Type == batchv1.JobComplete) {
			v.errored("PodMissing", "The Job has ended and its pod is gone, so nothing proves its result: "+
				"somebody or a clean-up deleted the pod. Run the test again.")
			return
		}
	}
	if s.Job.Status.Failed > 0 && s.Ending {
		v.errored(namespaceDeleted, "%s", lostNamespace(s.Job.Namespace))
		return
	}
	switch t, refused := refusedPod(s.Events, grace); {
	case s.Job.Status.Failed > 0 && suspended(s.Job):
		why := deletion(s.Job)
		v.errored(why.Reason, "%s", why.Message)
		v.Update.Stop = true
		return
	case s.Job.Status.Failed > 0:
		v.errored("PodDeleted", "The pod was deleted before it ended. Run the test again.")
		return
	case suspended(s.Job):
		v.suffer(trouble{jobSuspended, "Something other than Seatrial has suspended the Job, such as a controller of queues that has no room for it yet: " +
			"wait, or make it let the Job go on.", grace.Scheduling}, s.Since, now)
	case refused:
		v.suffer(t, s.Since, now)
	}
	if v.Update.Report.GetFinishedAt() == nil {
		// Events tell what changes, and nobody tells of events.
		again := max(noPod, min(now.Sub(s.Job.CreationTimestamp.Time), lookAgainMax))
		if v.Recheck == 0 || again < v.Recheck {
			v.Recheck = again
		}
	}
}

// refusedPod reads why the Job's controller could not create a pod.
func refusedPod(events []corev1.Event, grace Grace) (trouble, bool) {
	e, ok := newest(events, "FailedCreate")
	switch {
	case !ok:
		return trouble{}, false
	case strings.Contains(e.Message, "exceeded quota"):
		return trouble{"QuotaExceeded", "The namespace's quota is used up: wait for room, or raise it. " + quota(e.Message), grace.Scheduling}, true
	case strings.Contains(e.Message, "error looking up service account"), strings.Contains(e.Message, "serviceaccount"):
		return trouble{"ServiceAccountMissing", "The pod's service account does not exist in the namespace: create it or change it. " +
			e.Message, admission}, true
	default:
		return trouble{"AdmissionDenied", "The cluster refuses the pod: " + e.Message, admission}, true
	}
}

// quota leaves out the name of the pod, which is another one at each try.
func quota(message string) string {
	_, after, _ := strings.Cut(message, "exceeded quota: ")
	return after
}

// alive judges a pod that has not ended.
func (v *Verdict) alive(s Seen, now time.Time, grace Grace) {
	pod := s.Pod
	if pod.Status.Phase != corev1.PodPending {
		v.Update.Report.Status = agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING
	}
	if at := pod.DeletionTimestamp; at != nil && disrupted(pod) != nil {
		if left := nodeLost - now.Sub(at.Time); left > 0 {
			v.Recheck = left
			return
		}
		v.errored("NodeLost", "Node %s was lost while the test ran. Run the test again.", pod.Spec.NodeName)
		return
	}
	if t, ok := waiting(pod, s.Events, grace.Image); ok {
		v.suffer(t, s.Since, now)
		return
	}
	if v.services(s, now) {
		return
	}
	if age, ok := prepared(pod, now); ok {
		v.Recheck = max(preparing-age, time.Second)
		if age >= preparing {
			v.Recheck = lookAgain
		}
		if e, found := newestWarning(s.Events); found {
			v.suffer(notStarting(e), s.Since, now)
		}
		return
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			v.suffer(trouble{"Unschedulable", "No node takes the pod: wait for room, or change what it requests and selects. " + c.Message, grace.Scheduling}, s.Since, now)
			return
		}
	}
}

// notStarting says what a warning means for a pod of which nothing runs yet.
func notStarting(e corev1.Event) trouble {
	if e.Reason == "FailedMount" && strings.Contains(e.Message, "not found") {
		return trouble{"VolumeMissing", "The pod mounts what is not there: create the Secret or ConfigMap in the run namespace. " + e.Message, admission}
	}
	return trouble{"PodStart", "The node cannot start the pod yet: " + e.Message, podStart}
}

// waiting finds the container that cannot start.
func waiting(pod *corev1.Pod, events []corev1.Event, imageGrace time.Duration) (trouble, bool) {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		w := c.State.Waiting
		if w == nil {
			continue
		}
		name := called(c.Name)
		said := func(format string, args ...any) string {
			return strings.TrimSpace(fmt.Sprintf(format, args...) + " " + w.Message)
		}
		switch w.Reason {
		case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable":
			message := w.Message
			if e, ok := newest(events, "Failed"); ok && !strings.Contains(message, ": ") {
				message = e.Message
			}
			return trouble{"ImagePull", strings.TrimSpace(fmt.Sprintf("Image %q of %s cannot be pulled: check its name and tag, "+
				"and pod.imagePullSecrets for a private registry. %s", c.Image, name, message)), imageGrace}, true
		case "InvalidImageName":
			return trouble{"InvalidImageName", said("%q of %s is not an image name: correct it.", c.Image, name), hopeless}, true
		case "ErrImageNeverPull":
			return trouble{"ImageNeverPull", said("Image %q of %s is not on the node and its pull policy is Never: "+
				"load it or change the policy.", c.Image, name), hopeless}, true
		case "CreateContainerConfigError":
			advice := ""
			if strings.Contains(w.Message, "not found") || strings.Contains(w.Message, "couldn't find key") {
				advice = " create the Secret or ConfigMap that it names in the run namespace."
			}
			return trouble{"ContainerConfig", said("The %s cannot be configured:%s", name, advice), hopeless}, true
		case "CreateContainerError", "RunContainerError":
			return trouble{"ContainerStart", said("The %s cannot be started.", name), imageGrace}, true
		}
	}
	return trouble{}, false
}

// called is what people know a container as.
func called(container string) string {
	if name, ok := jobspec.ServiceOf(container); ok {
		return "service " + name
	}
	return "container " + container
}

// prepared returns for how long a node has been preparing a pod of which nothing runs yet.
func prepared(pod *corev1.Pod, now time.Time) (time.Duration, bool) {
	if pod.Status.Phase != corev1.PodPending || pod.Status.StartTime == nil {
		return 0, false
	}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if c.State.Running != nil {
			return 0, false
		}
	}
	return now.Sub(pod.Status.StartTime.Time), true
}

func newestWarning(events []corev1.Event) (corev1.Event, bool) {
	warnings := slices.DeleteFunc(slices.Clone(events), func(e corev1.Event) bool { return e.Type != corev1.EventTypeWarning })
	if len(warnings) == 0 {
		return corev1.Event{}, false
	}
	return slices.MaxFunc(warnings, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) }), true
}

func newest(events []corev1.Event, reason string) (corev1.Event, bool) {
	var best corev1.Event
	found := false
	for _, e := range events {
		if e.Reason == reason && (!found || !e.LastTimestamp.Time.Before(best.LastTimestamp.Time)) {
			best, found = e, true
		}
	}
	return best, found
}
