package subject

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/seatrial/seatrial/agent/jobspec"
)

// foreign leaves out what Seatrial made itself: the pods of attempts and probes, and agents, which the chart names so.
const foreign = "!" + jobspec.LabelAttempt + ",app.kubernetes.io/managed-by!=seatrial,app.kubernetes.io/name!=seatrial-agent"

// view is the pods of one namespace that match one selector.
type view struct {
	scope      Scope
	configured bool // somebody has said that it is under test
	log        *slog.Logger
	informer   cache.SharedIndexInformer

	mu      sync.Mutex
	synced  bool
	trouble error         // why the newest request failed, nil while the watch stands
	changed chan struct{} // closed and replaced when one of them changes
}

func newView(o Options, s Scope, configured bool) (*view, error) {
	v := &view{scope: s, configured: configured, log: o.Log.With("namespace", s.Namespace, "selector", s.Selector), changed: make(chan struct{})}
	pods := o.Client.Pods(s.Namespace)
	selected := func(o metav1.ListOptions) metav1.ListOptions {
		if o.LabelSelector = foreign; s.Selector != "" {
			o.LabelSelector = s.Selector + "," + foreign
		}
		return o
	}
	v.informer = cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := pods.List(ctx, selected(o))
			v.answered(ctx, o, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := pods.Watch(ctx, selected(o))
			v.answered(ctx, o, err)
			return w, err
		},
	}, &corev1.Pod{}, 0, cache.Indexers{})
	if err := v.informer.SetTransform(shorten); err != nil {
		return nil, fmt.Errorf("informer of the pods under test in %s: %w", s.Namespace, err)
	}
	// The informer tries again by itself, and every failure was taken in by then.
	if err := v.informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {}); err != nil {
		return nil, fmt.Errorf("informer of the pods under test in %s: %w", s.Namespace, err)
	}
	return v, nil
}

// sync notes when the cache holds all that there is.
func (v *view) sync(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-v.informer.HasSyncedChecker().Done():
		v.mu.Lock()
		defer v.mu.Unlock()
		v.synced = true
		v.tell()
	}
}

// answered takes in how a request ended. What lasts is logged once, however often the informer tries.
func (v *view) answered(ctx context.Context, o metav1.ListOptions, err error) {
	switch {
	case ctx.Err() != nil, apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		return // the informer lists anew
	case o.SendInitialEvents != nil && apierrors.IsInvalid(err):
		return // an API server that cannot stream a list: the informer asks for one
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	before := v.trouble
	v.trouble = err
	if (before == nil) == (err == nil) && apierrors.ReasonForError(before) == apierrors.ReasonForError(err) {
		return
	}
	v.tell()
	if err == nil {
		v.log.InfoContext(ctx, "the pods under test can be read again")
		return
	}
	v.log.WarnContext(ctx, "the pods under test cannot be read, reports say so until they can", "why", v.because(err), "error", err)
}

// tell wakes whoever waits; the caller holds the lock.
func (v *view) tell() {
	close(v.changed)
	v.changed = make(chan struct{})
}

// whole waits until the cache holds what there is, and returns why it does not, "" when it does.
func (v *view) whole(ctx context.Context) string {
	for {
		v.mu.Lock()
		synced, err, changed := v.synced, v.trouble, v.changed
		v.mu.Unlock()
		switch {
		case synced && err == nil:
			return ""
		case apierrors.IsForbidden(err): // waiting would not change that
			return v.because(err)
		}
		select {
		case <-ctx.Done():
			return v.because(err)
		case <-changed:
		}
	}
}

// because says why the pods are not known.
func (v *view) because(err error) string {
	switch {
	case err == nil:
		return fmt.Sprintf("The pods of namespace %s were not listed yet, so nobody knows which images ran.", v.scope.Namespace)
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("The agent may not list pods in namespace %s, so nobody knows which images ran: "+
			"add the namespace to subjects of the agent's chart and upgrade the release.", v.scope.Namespace)
	case apierrors.IsBadRequest(err):
		return fmt.Sprintf("The pods of namespace %s cannot be listed: check the selector %q in subjects of the agent's chart. %v",
			v.scope.Namespace, v.scope.Selector, err)
	default:
		return fmt.Sprintf("The pods of namespace %s could not be listed, so nobody knows which images ran: %v", v.scope.Namespace, err)
	}
}

// nothing says that no pod was found, and what that may mean.
func (v *view) nothing() string {
	switch {
	case !v.configured:
		return fmt.Sprintf("Nothing but tests runs in namespace %s: name where the application runs in subjects of the agent's chart.", v.scope.Namespace)
	case v.scope.Selector != "":
		return fmt.Sprintf("No pod runs in namespace %s that matches %s.", v.scope.Namespace, v.scope.Selector)
	default:
		return fmt.Sprintf("No pod runs in namespace %s.", v.scope.Namespace)
	}
}
