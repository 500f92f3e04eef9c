package watch

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/kube"
)

type source struct {
	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

func jobsOf(c *kube.Jobs) source {
	return source{func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return c.List(ctx, o) }, c.Watch}
}

func podsOf(c *kube.Pods) source {
	return source{func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return c.List(ctx, o) }, c.Watch}
}

func (w *Watcher) informer(ns, kind string, s source, example runtime.Object) (cache.SharedIndexInformer, error) {
	mine := func(o metav1.ListOptions) metav1.ListOptions {
		o.LabelSelector = jobspec.LabelAgent + "=" + w.o.Agent
		return o
	}
	i := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return s.list(ctx, mine(o)) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return s.watch(ctx, mine(o))
		},
	}, example, 0, cache.Indexers{byAttempt: func(obj any) ([]string, error) {
		if id := attemptOf(obj); id != "" {
			return []string{id}, nil
		}
		return nil, nil
	}})
	if err := i.SetTransform(strip); err != nil {
		return nil, fmt.Errorf("informer of %s in %s: %w", kind, ns, err)
	}
	if err := i.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		w.complain(ctx, ns, kind, err)
	}); err != nil {
		return nil, fmt.Errorf("informer of %s in %s: %w", kind, ns, err)
	}
	if _, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: w.enqueue, UpdateFunc: func(_, obj any) { w.enqueue(obj) }, DeleteFunc: w.enqueue,
	}); err != nil {
		return nil, fmt.Errorf("informer of %s in %s: %w", kind, ns, err)
	}
	return i, nil
}

func (w *Watcher) enqueue(obj any) {
	if id := attemptOf(obj); id != "" {
		w.queue.Add(id)
	}
}

// complain says what to do when a list or watch fails; the informer tries again by itself.
func (w *Watcher) complain(ctx context.Context, ns, kind string, err error) {
	switch {
	case ctx.Err() != nil, apierrors.IsResourceExpired(err), apierrors.IsGone(err):
	case apierrors.IsForbidden(err):
		w.o.Log.ErrorContext(ctx, "the agent may not watch a run namespace, its Role is missing there: "+
			"add the namespace to runNamespaces of the agent's chart and upgrade the release; no inventory is sent until then",
			"namespace", ns, "kind", kind, "error", err)
	default:
		w.o.Log.WarnContext(ctx, "watch interrupted", "namespace", ns, "kind", kind, "error", err)
	}
}

func attemptOf(obj any) string {
	if tomb, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = tomb.Obj
	}
	if m, ok := obj.(metav1.Object); ok {
		return m.GetLabels()[jobspec.LabelAttempt]
	}
	return ""
}

// strip drops what is never looked at: without it the cache would hold every plan twice.
func strip(obj any) (any, error) {
	switch o := obj.(type) {
	case *batchv1.Job:
		o.ManagedFields, o.OwnerReferences = nil, nil
		o.Spec = batchv1.JobSpec{Suspend: o.Spec.Suspend}
	case *corev1.Pod:
		o.ManagedFields, o.Annotations = nil, nil
		spec := corev1.PodSpec{NodeName: o.Spec.NodeName, TerminationGracePeriodSeconds: o.Spec.TerminationGracePeriodSeconds}
		for _, c := range o.Spec.Containers {
			spec.Containers = append(spec.Containers, corev1.Container{
				Name: c.Name, Resources: corev1.ResourceRequirements{Limits: c.Resources.Limits},
			})
		}
		for _, c := range o.Spec.InitContainers {
			spec.InitContainers = append(spec.InitContainers, corev1.Container{
				Name: c.Name, Resources: corev1.ResourceRequirements{Limits: c.Resources.Limits}, StartupProbe: c.StartupProbe,
				Env: secrets(c.Env),
			})
		}
		for _, v := range o.Spec.Volumes {
			if v.Secret != nil { // which decides about the logs of services, too
				spec.Volumes = append(spec.Volumes, corev1.Volume{Name: v.Name, VolumeSource: corev1.VolumeSource{Secret: v.Secret}})
			}
		}
		o.Spec = spec
	}
	return obj, nil
}

// secrets keeps that variables come from secrets, which decides about the log of a service.
func secrets(env []corev1.EnvVar) []corev1.EnvVar {
	var out []corev1.EnvVar
	for _, v := range env {
		if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
			out = append(out, corev1.EnvVar{Name: v.Name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: v.ValueFrom.SecretKeyRef}})
		}
	}
	return out
}
