package lookout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/seatrial/seatrial/agent/kube"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// askAgain is how long a view waits until it asks anew for a resource that the API server does not know.
const askAgain = 30 * time.Second

// scope is what a view shows: the objects of a resource in a namespace, "" for all.
type scope struct{ resource, namespace string }

// view watches the objects of one scope.
type view struct {
	scope
	o      Options
	judge  *judge
	states bool // it looks at more than metadata
	happen func(*view, []seen)
	change func() // its state has changed

	mu      sync.Mutex
	kind    kube.Resource
	synced  bool
	trouble error // why the newest request failed, nil while the watch stands
	replay  []seen

	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newView(o Options, s scope, wants []want, happen func(*view, []seen), change func()) *view {
	v := &view{scope: s, o: o, judge: newJudge(wants), happen: happen, change: change}
	for _, w := range wants {
		switch w.event { //nolint:exhaustive // the others are known by metadata
		case agentv1.ObjectEvent_OBJECT_EVENT_ROLLED_OUT, agentv1.ObjectEvent_OBJECT_EVENT_CONDITION:
			v.states = true
		case agentv1.ObjectEvent_OBJECT_EVENT_UPDATED:
			v.states = v.states || s.resource == "pods" // see kube.ObjectSpec.Pod
		}
	}
	return v
}

func (v *view) start(ctx context.Context) {
	ctx, v.cancel = context.WithCancel(ctx)
	v.running.Go(func() { v.run(ctx) })
}

func (v *view) stop() {
	v.cancel()
	v.running.Wait()
}

// run finds the resource, which a definition may bring later, and watches it.
func (v *view) run(ctx context.Context) {
	for {
		found, err := v.o.Cluster.Resource(ctx, v.resource)
		if err == nil && !found.Namespaced && v.namespace != "" {
			err = apierrors.NewForbidden(found.GroupResource(), "", errClusterWide)
		}
		v.answered(ctx, err)
		if err == nil {
			v.mu.Lock()
			v.kind = found
			v.mu.Unlock()
			v.watch(ctx, found)
			return
		}
		timer := time.NewTimer(v.o.again())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (v *view) watch(ctx context.Context, found kube.Resource) {
	source := v.o.Cluster.Objects(found, v.namespace, !v.states)
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := source.List(ctx, o)
			v.answered(ctx, err)
			return list, err //nolint:wrapcheck // the informer looks into it
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := source.Watch(ctx, o)
			if o.SendInitialEvents == nil || !apierrors.IsInvalid(err) { // an API server that cannot stream a list is asked for one
				v.answered(ctx, err)
			}
			return w, err //nolint:wrapcheck // the informer looks into it
		},
	}, &kube.Object{}, 0, cache.Indexers{})
	// The informer tries again by itself, and every failure was taken in by then.
	err := informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {})
	if err == nil {
		err = informer.SetTransform(func(obj any) (any, error) { return shorten(obj, found.Kind), nil })
	}
	var handler cache.ResourceEventHandlerRegistration
	if err == nil {
		handler, err = informer.AddEventHandler(v.handler())
	}
	if err != nil { // a defect of the program
		v.answered(ctx, fmt.Errorf("informer of %s: %w", v.resource, err))
		return
	}
	v.running.Go(func() { informer.RunWithContext(ctx) })
	select {
	case <-ctx.Done():
	case <-handler.HasSyncedChecker().Done(): // the handler has seen all that there was
		v.mu.Lock()
		v.synced = true
		v.mu.Unlock()
		v.change()
	}
}

// handler hands on what has happened. It is called for one change after the other.
func (v *view) handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(obj any, initial bool) {
			if o, ok := obj.(*kube.Object); ok {
				v.tell(v.judge.added(o, initial), initial)
			}
		},
		UpdateFunc: func(before, obj any) {
			was, ok := before.(*kube.Object)
			if o, is := obj.(*kube.Object); ok && is {
				v.tell(v.judge.updated(was, o), false)
			}
		},
		DeleteFunc: func(obj any) {
			if tomb, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = tomb.Obj
			}
			if o, ok := obj.(*kube.Object); ok {
				v.tell(v.judge.deleted(o), false)
			}
		},
	}
}

func (v *view) tell(list []seen, initial bool) {
	v.mu.Lock()
	kind := v.kind.Kind
	v.mu.Unlock()
	for _, s := range list {
		s.Kind, s.Object.Resource = kind, v.resource
	}
	switch {
	case len(list) == 0:
	case initial:
		v.mu.Lock()
		v.replay = append(v.replay, list...)
		v.mu.Unlock()
	default:
		v.happen(v, list)
	}
}

// shorten drops what is never looked at, and gives objects the kind that they lack in lists.
func shorten(obj any, kind string) any {
	o, ok := obj.(*kube.Object)
	if !ok {
		return obj
	}
	o.Kind, o.APIVersion = kind, ""
	o.ManagedFields, o.OwnerReferences, o.Finalizers = nil, nil, nil
	kept := map[string]string{}
	for _, name := range []string{deploymentRevision, daemonSetRevision} {
		if value, ok := o.Annotations[name]; ok {
			kept[name] = value
		}
	}
	o.Annotations, o.Spec.Selector = kept, nil
	o.Status.Conditions = slices.Clone(o.Status.Conditions)
	for i := range o.Status.Conditions {
		o.Status.Conditions[i].Message = short(o.Status.Conditions[i].Message)
	}
	return o
}

// answered takes in how a request ended. What lasts is logged once, however often it is tried.
func (v *view) answered(ctx context.Context, err error) {
	if ctx.Err() != nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return // the informer lists anew
	}
	v.mu.Lock()
	before := v.trouble
	v.trouble = err
	v.mu.Unlock()
	if (before == nil) == (err == nil) && apierrors.ReasonForError(before) == apierrors.ReasonForError(err) {
		return
	}
	log := v.o.Log.With("resource", v.resource, "namespace", v.namespace)
	if err == nil {
		log.InfoContext(ctx, "objects are watched again")
	} else {
		log.WarnContext(ctx, "objects cannot be watched", "error", err)
	}
	v.change()
}

// state says how it stands with the view.
func (v *view) state() (agentv1.WatchStatus, string) {
	v.mu.Lock()
	synced, err := v.synced, v.trouble
	v.mu.Unlock()
	where := "namespace " + v.namespace
	if v.namespace == "" {
		where = "all namespaces"
	}
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return agentv1.WatchStatus_WATCH_STATUS_REFUSED, fmt.Sprintf("The cluster does not let the agent watch %s in %s: upgrade the release of its chart, "+
			"which makes the role for triggers. %s", v.resource, where, short(err.Error()))
	case apierrors.IsNotFound(err):
		return agentv1.WatchStatus_WATCH_STATUS_FAILING, fmt.Sprintf("The cluster does not know %s: install its definition, or write it as kubectl api-resources shows it.", v.resource)
	case err != nil:
		return agentv1.WatchStatus_WATCH_STATUS_FAILING, fmt.Sprintf("%s in %s cannot be watched: %s", v.resource, where, short(err.Error()))
	case !synced:
		return agentv1.WatchStatus_WATCH_STATUS_PENDING, fmt.Sprintf("%s in %s were not listed yet.", v.resource, where)
	}
	return agentv1.WatchStatus_WATCH_STATUS_WATCHING, ""
}

// replayed returns the states that the objects had when the view began, once all are known; taken is false before, and once they were taken.
func (v *view) replayed() (list []seen, taken bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.synced || v.replay == nil {
		return nil, false
	}
	list, v.replay = v.replay, nil
	return list, true
}

// ready reports whether the view shows all there is, or never will.
func (v *view) ready() bool {
	status, _ := v.state()
	return status != agentv1.WatchStatus_WATCH_STATUS_PENDING
}
