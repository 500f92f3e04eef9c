package launch

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/kube"
)

// probeTimeout bounds the first start: a cluster that cannot say within it gets the way that works everywhere.
const probeTimeout = 45 * time.Second

// Probe finds out whether the cluster runs a binary from an image volume. The API alone does not tell: the feature may be off in
// the kubelet, and a runtime may mount images without the right to execute.
type Probe struct {
	Log       *slog.Logger
	Client    *kube.Client
	Namespace string
	Settings  jobspec.Settings
}

// Run executes the runner from an image volume. known is false when the answer may be another one next time.
func (p Probe) Run(ctx context.Context) (works, known bool) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	name := "seatrial-probe-" + rand.String(8)
	jobs := p.Client.Jobs(p.Namespace)
	_, err := jobs.Create(ctx, p.job(name), metav1.CreateOptions{})
	if apierrors.IsInvalid(err) {
		p.Log.InfoContext(ctx, "the API server knows no image volumes, the runner is copied into pods")
		return false, true
	}
	if err != nil {
		p.Log.WarnContext(ctx, "image volumes not probed, the runner is copied into pods", "error", err)
		return false, false
	}
	defer p.clean(context.WithoutCancel(ctx), name)
	done, err := p.wait(ctx, name)
	if err != nil {
		why := p.stuck(context.WithoutCancel(ctx), name)
		p.Log.WarnContext(ctx, "image volumes not proven, the runner is copied into pods", "error", err, "pod", why)
		// A container that cannot be created is an answer; an image that cannot be pulled or a full cluster is none.
		return false, strings.HasPrefix(why, "Create") || strings.HasPrefix(why, "RunContainer")
	}
	p.Log.InfoContext(ctx, "image volumes probed", "work", done)
	return done, true
}

func (p Probe) job(name string) *batchv1.Job {
	const bin = "seatrial-bin"
	labels := map[string]string{"app.kubernetes.io/managed-by": "seatrial", "app.kubernetes.io/component": "probe"}
	policy := corev1.PullPolicy(p.Settings.RunnerPullPolicy)
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: p.Namespace, Labels: labels},
		Spec: batchv1.JobSpec{
			BackoffLimit: ptr.To[int32](0), TTLSecondsAfterFinished: ptr.To[int32](300),
			ActiveDeadlineSeconds: ptr.To(int64(2 * probeTimeout / time.Second)),
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false),
				TerminationGracePeriodSeconds: ptr.To[int64](0),
				SecurityContext: &corev1.PodSecurityContext{
					RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532), RunAsGroup: ptr.To[int64](65532),
					SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				},
				Containers: []corev1.Container{{
					Name: "probe", Image: p.Settings.RunnerImage, ImagePullPolicy: policy,
					Command: []string{"/seatrial-bin/seatrial-runner", "version"},
					SecurityContext: &corev1.SecurityContext{
						AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
					},
					VolumeMounts: []corev1.VolumeMount{{Name: bin, MountPath: "/seatrial-bin", ReadOnly: true}},
				}},
				Volumes: []corev1.Volume{{Name: bin, VolumeSource: corev1.VolumeSource{
					Image: &corev1.ImageVolumeSource{Reference: p.Settings.RunnerImage, PullPolicy: policy},
				}}},
			}},
		},
	}
}

// wait returns whether the Job has succeeded.
func (p Probe) wait(ctx context.Context, name string) (bool, error) {
	for {
		succeeded, ended, err := p.watch(ctx, name)
		if ended || err != nil {
			return succeeded, err
		}
	}
}

// watch returns whether the Job has ended, and how. A watch may be closed at any time; a new one begins with the Job as it is.
func (p Probe) watch(ctx context.Context, name string) (succeeded, ended bool, err error) {
	w, err := p.Client.Jobs(p.Namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String(),
	})
	if err != nil {
		return false, false, fmt.Errorf("watch the probe: %w", err)
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, false, fmt.Errorf("wait for the probe: %w", ctx.Err())
		case e, ok := <-w.ResultChan():
			job, isJob := e.Object.(*batchv1.Job)
			switch {
			case !ok:
				return false, false, nil
			case isJob && job.Status.Succeeded+job.Status.Failed > 0:
				return job.Status.Succeeded > 0, true, nil
			}
		}
	}
}

// stuck returns why the probe's container does not start.
func (p Probe) stuck(ctx context.Context, name string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	pods, err := p.Client.Pods(p.Namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + name})
	if err != nil {
		return err.Error()
	}
	for _, pod := range pods.Items {
		for _, c := range pod.Status.ContainerStatuses {
			if c.State.Waiting != nil {
				return c.State.Waiting.Reason + ": " + c.State.Waiting.Message
			}
		}
	}
	return "no pod runs"
}

func (p Probe) clean(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	background := metav1.DeletePropagationBackground
	if err := p.Client.Jobs(p.Namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		p.Log.DebugContext(ctx, "probe not deleted, its time to live will", "error", err)
	}
}
