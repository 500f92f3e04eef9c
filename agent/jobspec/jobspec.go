// Package jobspec turns an assignment into the Kubernetes Job that keeps the promise of one attempt: it runs at most once, its
// pod is never replaced, and it stays until its record is complete.
package jobspec

import (
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/work"
)

// Labels and annotations of Jobs and pods.
const (
	LabelAttempt   = "seatrial.dev/attempt"
	LabelExecution = "seatrial.dev/execution"
	LabelAgent     = "seatrial.dev/agent"

	AnnotationDigest = "seatrial.dev/spec-digest"
	AnnotationPlan   = "seatrial.dev/plan"
)

const (
	reserved = "seatrial.dev/"

	// An ended Job goes at the latest after a day, so that an agent removed for good leaves nothing behind.
	ttl = 24 * time.Hour
	// The pod's deadline only backs up the runner's own clock: it leaves room for the start, services included, and for delivery.
	podSlack = 2 * time.Minute
	// The Job's deadline deletes pods and with them their logs: it comes well after the pod's, which does not count before a node has taken
	// the pod.
	jobSlack = 30 * time.Minute
	// A runner that delivers until the last moment must not keep a node from draining for longer.
	maxGrace = 10 * time.Minute
	// The kubelet gives all containers of a pod the same grace, and a service that does not end when it is told keeps the pod that long.
	maxGraceBeside = time.Minute
)

// Settings are the same for all Jobs of an agent.
type Settings struct {
	// Agent is the value of LabelAgent.
	Agent string
	// RunnerImage holds the runner at /seatrial-runner.
	RunnerImage      string
	RunnerPullPolicy string
	// ImageVolume mounts the runner's image; otherwise an init container copies the runner.
	ImageVolume bool
	// SchedulingGrace is how long no node may take a pod; 0 means for ever.
	SchedulingGrace time.Duration
	// Endpoint is host:port of the agent, Pin the hex SHA-256 of the public key of its certificate.
	Endpoint string
	Pin      string
}

// Name returns the name of an attempt's Job. It is the same whoever asks, so the API server lets it exist only once.
func Name(attemptID string) (string, error) {
	id, err := uuid.Parse(attemptID)
	if err != nil {
		return "", fmt.Errorf("attempt id %q: %w", attemptID, err)
	}
	return "t-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(id[:])), nil
}

// Build returns the Job of an assignment. Every error means that the assignment can never run.
func Build(a work.Assignment, s Settings) (*batchv1.Job, error) {
	name, err := Name(a.GetAttemptId())
	if err != nil {
		return nil, err
	}
	if len(a.GetContainers()) == 0 {
		return nil, fmt.Errorf("attempt %s has no container", a.GetAttemptId())
	}
	plan, err := EncodePlan(a.GetPlan())
	if err != nil {
		return nil, err
	}
	spec, err := podSpec(a, s)
	if err != nil {
		return nil, err
	}
	labels := labels(a, s)
	annotations := foreign(a.GetPod().GetAnnotations())
	annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] = "false"
	annotations[AnnotationPlan] = plan
	job := &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: a.GetNamespace(), Labels: labels,
			Annotations: map[string]string{AnnotationDigest: a.Digest},
		},
		Spec: batchv1.JobSpec{
			Parallelism: ptr.To[int32](1), Completions: ptr.To[int32](1), BackoffLimit: ptr.To[int32](0),
			PodReplacementPolicy:    ptr.To(batchv1.Failed),
			TTLSecondsAfterFinished: ptr.To(int32(ttl / time.Second)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
				Spec:       spec,
			},
		},
	}
	if d := spec.ActiveDeadlineSeconds; d != nil && s.SchedulingGrace > 0 {
		job.Spec.ActiveDeadlineSeconds = ptr.To(*d + int64((jobSlack+s.SchedulingGrace)/time.Second))
	}
	return job, nil
}

func labels(a work.Assignment, s Settings) map[string]string {
	out := foreign(a.GetPod().GetLabels())
	out[LabelAttempt] = a.GetAttemptId()
	out[LabelExecution] = a.GetExecutionId()
	out[LabelAgent] = s.Agent
	out["app.kubernetes.io/managed-by"] = "seatrial"
	out["app.kubernetes.io/component"] = "test"
	return out
}

// foreign copies what a workflow asked for without the keys that are Seatrial's own.
func foreign(in map[string]string) map[string]string {
	out := make(map[string]string, len(in)+5)
	for k, v := range in {
		if !strings.HasPrefix(k, reserved) {
			out[k] = v
		}
	}
	return out
}

// deadlines returns the pod's termination grace and its deadline, nil when the plan has no timeout.
func deadlines(a work.Assignment) (graceSeconds int64, deadline *int64) {
	plan := a.GetPlan()
	after := plan.GetGrace().AsDuration() + plan.GetTeardownAllowance().AsDuration() + plan.GetUploadAllowance().AsDuration()
	most := maxGrace
	if len(a.GetServices()) > 0 {
		most = maxGraceBeside
	}
	grace := max(30*time.Second, min(after, most))
	if t := plan.GetTimeout().AsDuration(); t > 0 {
		deadline = ptr.To(int64((readiness(a) + t + plan.GetPauseAllowance().AsDuration() + after + podSlack) / time.Second))
	}
	return int64(grace / time.Second), deadline
}
