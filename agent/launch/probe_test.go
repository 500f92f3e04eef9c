package launch_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/launch"
	"github.com/seatrial/seatrial/agent/workfake"
)

func TestProbe_Answers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason       string
		create       error
		status       batchv1.JobStatus
		works, known bool
	}{
		"works":    {reason: "the runner ran from its image", status: batchv1.JobStatus{Succeeded: 1}, works: true, known: true},
		"noexec":   {reason: "it was mounted but could not be executed", status: batchv1.JobStatus{Failed: 1}, known: true},
		"disabled": {reason: "the API server knows no such volume", create: apierrors.NewInvalid(schema.GroupKind{Kind: "Job"}, "x", nil), known: true},
		"forbidden": {
			reason: "a Role that is missing says nothing about volumes",
			create: apierrors.NewForbidden(schema.GroupResource{Resource: "jobs"}, "", errors.New("x")),
		},
		"unreachable": {reason: "the next start asks again", create: apierrors.NewInternalError(errors.New("etcd"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := workfake.NewCluster(t)
			cluster.Fault(func(call workfake.Call) error {
				if call.Verb == "create" {
					return c.create
				}
				if call.Verb == "watch" { // the Job is there: play its controller
					cluster.Put(&batchv1.Job{
						ObjectMeta: metav1.ObjectMeta{Name: created(cluster), Namespace: "tests"}, Status: c.status,
					})
				}
				return nil
			})
			probe := launch.Probe{
				Log: slog.New(slog.DiscardHandler), Client: cluster.Client(t), Namespace: "tests", Settings: jobspec.Settings{RunnerImage: "runner:1"},
			}
			works, known := probe.Run(t.Context())
			if works != c.works || known != c.known {
				t.Errorf("%s: works %v, known %v", c.reason, works, known)
			}
			if c.create == nil && !strings.HasPrefix(deleted(cluster), "seatrial-probe-") {
				t.Error("the probe's Job was left behind")
			}
		})
	}
}

// created returns the name of the only Job.
func created(cluster *workfake.Cluster) string {
	for _, obj := range cluster.Objects("jobs") {
		if job, ok := obj.(*batchv1.Job); ok {
			return job.Name
		}
	}
	return "none"
}

func deleted(cluster *workfake.Cluster) string {
	for _, call := range cluster.Calls() {
		if call.Verb == "delete" {
			return call.Name
		}
	}
	return ""
}

func TestProbe_ExecutesTheRunnerFromTheVolumeAsNobody(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	var job *batchv1.Job
	cluster.Fault(func(call workfake.Call) error {
		if call.Verb == "watch" {
			for _, obj := range cluster.Objects("jobs") {
				job, _ = obj.DeepCopyObject().(*batchv1.Job)
			}
			done := job.DeepCopy()
			done.Status.Succeeded = 1
			cluster.Put(done)
		}
		return nil
	})
	launch.Probe{
		Log: slog.New(slog.DiscardHandler), Client: cluster.Client(t), Namespace: "tests", Settings: jobspec.Settings{RunnerImage: "runner:1"},
	}.Run(t.Context())
	pod := job.Spec.Template.Spec
	mount := pod.Containers[0].VolumeMounts[0]
	if pod.Volumes[0].Image == nil || pod.Volumes[0].Image.Reference != "runner:1" || pod.Volumes[0].Name != mount.Name ||
		!strings.HasPrefix(pod.Containers[0].Command[0], mount.MountPath+"/") {
		t.Error("what is executed is not what the volume brings")
	}
	if pod.SecurityContext.RunAsNonRoot == nil || !*pod.SecurityContext.RunAsNonRoot || pod.RestartPolicy != corev1.RestartPolicyNever {
		t.Error("a namespace with the restricted policy would refuse the probe")
	}
}
