package follow

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/work"
)

// Cluster is the Source that asks the API server.
type Cluster struct{ Client *kube.Client }

// Process implements Source.
func (c Cluster) Process(ctx context.Context, id work.PodIdentity, service string) (Process, error) {
	pod, err := c.Client.Pods(id.Namespace).Get(ctx, id.Pod, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && string(pod.UID) != id.UID {
		return Process{Gone: true}, nil
	}
	if err != nil {
		return Process{}, fmt.Errorf("read pod %s/%s: %w", id.Namespace, id.Pod, err)
	}
	out := Process{Over: over(pod)}
	name := jobspec.ServiceContainer(service)
	i := slices.IndexFunc(pod.Status.InitContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == name })
	if i < 0 {
		return out, nil
	}
	status := pod.Status.InitContainerStatuses[i]
	out.Restarts = status.RestartCount
	if r := status.State.Running; r != nil {
		out.Running, out.Started = true, r.StartedAt.Time
	} else if t := status.State.Terminated; t != nil {
		out.Started = t.StartedAt.Time
	}
	return out, nil
}

// over tells a pod of which nothing is started again.
func over(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return true
	}
	steps := pod.Status.ContainerStatuses
	return len(steps) > 0 && !slices.ContainsFunc(steps, func(s corev1.ContainerStatus) bool { return s.State.Terminated == nil })
}

// Open implements Source.
func (c Cluster) Open(ctx context.Context, id work.PodIdentity, service string, o Opening) (io.ReadCloser, error) {
	opts := &corev1.PodLogOptions{Container: jobspec.ServiceContainer(service), Timestamps: true, Previous: o.Before, Follow: o.Follow}
	if !o.Since.IsZero() {
		since := metav1.NewTime(o.Since)
		opts.SinceTime = &since
	}
	log, err := c.Client.PodLog(ctx, id.Namespace, id.Pod, opts)
	if apierrors.IsBadRequest(err) && o.Before { // the node has dropped it
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the log of service %s: %w", service, err)
	}
	return log, nil
}
