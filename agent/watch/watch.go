// Package watch follows the Jobs and pods of the agent's attempts with informers and says how each attempt stands. Caches may lag,
// so it asks the API server before every conclusion that cannot be taken back.
package watch

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	byAttempt = "attempt"
	workers   = 4
	// At the start an inventory waits so long for the caches.
	inventoryWait = time.Minute
)

// Options are what a Watcher needs.
type Options struct {
	Log        *slog.Logger
	Client     *kube.Client
	Namespaces []string
	// Agent is the value of the label by which the agent knows its own.
	Agent string
	Sink  work.Sink
	// Grace is how long troubles may last.
	Grace Grace
}

// Watcher implements work.Pods and launch.Locator.
type Watcher struct {
	o     Options
	jobs  map[string]cache.SharedIndexInformer // by namespace
	pods  map[string]cache.SharedIndexInformer
	queue workqueue.TypedRateLimitingInterface[string]

	mu       sync.Mutex
	known    map[string]attemptSeen          // each attempt that was seen
	troubles map[string]map[string]time.Time // since when, by attempt and kind

	ending map[string]bool // namespaces that were being deleted when that could be asked

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// attemptSeen is what is kept of an attempt: where it is, and whether nothing can happen to it any more.
type attemptSeen struct {
	namespace string
	job       types.UID
	over      bool
}

// New returns a Watcher with one pair of informers for each namespace.
func New(o Options) (*Watcher, error) {
	w := &Watcher{
		o: o, jobs: map[string]cache.SharedIndexInformer{}, pods: map[string]cache.SharedIndexInformer{},
		queue:    workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
		known:    map[string]attemptSeen{},
		troubles: map[string]map[string]time.Time{},
		ending:   map[string]bool{},
	}
	for _, ns := range o.Namespaces {
		var err error
		if w.jobs[ns], err = w.informer(ns, "jobs", jobsOf(o.Client.Jobs(ns)), &batchv1.Job{}); err != nil {
			return nil, err
		}
		if w.pods[ns], err = w.informer(ns, "pods", podsOf(o.Client.Pods(ns)), &corev1.Pod{}); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Start begins to watch.
func (w *Watcher) Start(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	for _, group := range []map[string]cache.SharedIndexInformer{w.jobs, w.pods} {
		for _, i := range group {
			w.running.Go(func() { i.RunWithContext(ctx) })
		}
	}
	w.running.Go(func() {
		<-ctx.Done()
		w.queue.ShutDown()
	})
	for _, ns := range w.o.Namespaces {
		w.running.Go(func() { w.begin(ctx, ns) })
	}
	for range workers {
		w.running.Go(func() {
			for w.next(ctx) {
			}
		})
	}
}

// begin looks at everything of a namespace once its caches are whole: absence means nothing before. A namespace that cannot be
// read does not hold up the others.
func (w *Watcher) begin(ctx context.Context, ns string) {
	if !cache.WaitForCacheSync(ctx.Done(), w.jobs[ns].HasSynced, w.pods[ns].HasSynced) {
		return
	}
	for _, obj := range w.jobs[ns].GetStore().List() {
		w.enqueue(obj)
	}
}

func (w *Watcher) whole(ns string) bool { return w.jobs[ns].HasSynced() && w.pods[ns].HasSynced() }

// Unseen returns the namespaces of which the caches do not hold everything yet, as where a watch is refused.
func (w *Watcher) Unseen() []string {
	var out []string
	for _, ns := range w.o.Namespaces {
		if !w.whole(ns) {
			out = append(out, ns)
		}
	}
	return out
}

// Stop returns when nothing of the Watcher runs any more.
func (w *Watcher) Stop() {
	w.cancel()
	w.running.Wait()
}

// Synced returns when the caches hold all that there is.
func (w *Watcher) Synced(ctx context.Context) error {
	for _, ns := range w.o.Namespaces {
		if !cache.WaitForCacheSync(ctx.Done(), w.jobs[ns].HasSynced, w.pods[ns].HasSynced) {
			return fmt.Errorf("wait for the Jobs and pods of namespace %s: %w", ns, ctx.Err())
		}
	}
	return nil
}

// JobOf implements launch.Locator.
func (w *Watcher) JobOf(attemptID string) (work.JobRef, bool) {
	if job := w.job(attemptID); job != nil {
		return work.JobRef{Namespace: job.Namespace, UID: string(job.UID)}, true
	}
	return work.JobRef{}, false
}

// AttemptOf implements work.Pods.
func (w *Watcher) AttemptOf(ctx context.Context, id work.PodIdentity) (string, error) {
	informer, ok := w.pods[id.Namespace]
	if !ok {
		return "", fmt.Errorf("pod %s/%s: the agent runs no tests in that namespace", id.Namespace, id.Pod)
	}
	obj, found, err := informer.GetIndexer().GetByKey(id.Namespace + "/" + id.Pod)
	pod, isPod := obj.(*corev1.Pod)
	if err != nil || !found || !isPod || string(pod.UID) != id.UID {
		// The runner may be quicker than the informer.
		if pod, err = w.o.Client.Pods(id.Namespace).Get(ctx, id.Pod, metav1.GetOptions{}); err != nil {
			return "", fmt.Errorf("pod %s/%s: %w", id.Namespace, id.Pod, err)
		}
	}
	attempt := pod.Labels[jobspec.LabelAttempt]
	if string(pod.UID) != id.UID || pod.Labels[jobspec.LabelAgent] != w.o.Agent || attempt == "" {
		return "", fmt.Errorf("pod %s/%s was not created for an attempt of this agent", id.Namespace, id.Pod)
	}
	if err := w.owned(pod, attempt); err != nil {
		return "", err
	}
	return attempt, nil
}

// owned tells a pod of the attempt's Job from one that somebody else gave its labels.
func (w *Watcher) owned(pod *corev1.Pod, attempt string) error {
	name, err := jobspec.Name(attempt)
	if err != nil {
		return fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "Job" || owner.Name != name {
		return fmt.Errorf("pod %s/%s has the labels of attempt %s and is not of its Job %s", pod.Namespace, pod.Name, attempt, name)
	}
	if known, ok := w.JobOf(attempt); ok && known.UID != string(owner.UID) {
		return fmt.Errorf("pod %s/%s is of a former Job of attempt %s", pod.Namespace, pod.Name, attempt)
	}
	return nil
}

// Inventory lists every Job of the agent, or none: one that lacked a namespace would declare its Jobs deleted.
func (w *Watcher) Inventory(ctx context.Context) ([]*agentv1.InventoryItem, error) {
	ctx, cancel := context.WithTimeout(ctx, inventoryWait)
	defer cancel()
	if err := w.Synced(ctx); err != nil {
		return nil, err
	}
	var out []*agentv1.InventoryItem
	for _, i := range w.jobs {
		for _, obj := range i.GetStore().List() {
			if job, ok := obj.(*batchv1.Job); ok && job.Labels[jobspec.LabelAttempt] != "" {
				out = append(out, &agentv1.InventoryItem{
					AttemptId: job.Labels[jobspec.LabelAttempt], JobUid: string(job.UID), SpecDigest: job.Annotations[jobspec.AnnotationDigest],
				})
			}
		}
	}
	return out, nil
}

func (w *Watcher) job(attemptID string) *batchv1.Job {
	for _, i := range w.jobs {
		if found, err := i.GetIndexer().ByIndex(byAttempt, attemptID); err == nil && len(found) > 0 {
			if job, ok := found[0].(*batchv1.Job); ok {
				return job
			}
		}
	}
	return nil
}

// pod returns the newest pod of an attempt in the cache.
func (w *Watcher) pod(namespace, attemptID string) *corev1.Pod {
	found, err := w.pods[namespace].GetIndexer().ByIndex(byAttempt, attemptID)
	if err != nil {
		return nil
	}
	var newest *corev1.Pod
	for _, obj := range found {
		if p, ok := obj.(*corev1.Pod); ok && (newest == nil || newest.CreationTimestamp.Before(&p.CreationTimestamp)) {
			newest = p
		}
	}
	return newest
}

func (w *Watcher) next(ctx context.Context) bool {
	id, quit := w.queue.Get()
	if quit {
		return false
	}
	defer w.queue.Done(id)
	recheck, err := w.look(ctx, id)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		w.o.Log.WarnContext(ctx, "attempt not looked at, trying again", "attempt", id, "error", err)
		w.queue.AddRateLimited(id)
		return true
	}
	w.queue.Forget(id)
	if recheck > 0 {
		w.queue.AddAfter(id, recheck)
	}
	return true
}

// look judges an attempt anew.
func (w *Watcher) look(ctx context.Context, id string) (time.Duration, error) {
	job := w.job(id)
	if job == nil {
		return 0, w.missing(ctx, id)
	}
	if !w.whole(job.Namespace) {
		return 0, nil // begin comes back to it
	}
	return w.judge(ctx, job, w.pod(job.Namespace, id))
}

// Look implements work.Pods.
func (w *Watcher) Look(ctx context.Context, id string) error {
	job := w.job(id)
	if job == nil {
		return w.missing(ctx, id)
	}
	live, err := w.live(ctx, job.Namespace, id)
	if err != nil {
		return err
	}
	_, err = w.judge(ctx, job, live)
	return err
}

// live returns the pod of an attempt as the API server has it, nil when there is none.
func (w *Watcher) live(ctx context.Context, namespace, id string) (*corev1.Pod, error) {
	list, err := w.o.Client.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: jobspec.LabelAttempt + "=" + id})
	if err != nil {
		return nil, fmt.Errorf("list pods of attempt %s: %w", id, err)
	}
	if len(list.Items) == 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	return &list.Items[0], nil
}

func (w *Watcher) judge(ctx context.Context, job *batchv1.Job, pod *corev1.Pod) (time.Duration, error) {
	id := job.Labels[jobspec.LabelAttempt]
	seen := Seen{Job: job, Pod: pod, Since: func(kind string) time.Time { return w.since(id, kind) }}
	if err := w.refresh(ctx, &seen); err != nil {
		return 0, err
	}
	v := Judge(seen, time.Now(), w.o.Grace)
	w.mu.Lock()
	w.known[id] = attemptSeen{job.Namespace, job.UID, w.known[id].over && w.known[id].job == job.UID || v.over()}
	if v.Update.Report.GetReason() == "" {
		delete(w.troubles, id)
	}
	w.mu.Unlock()
	w.o.Sink.Update(v.Update)
	return v.Recheck, nil
}

// refresh asks the API server where the cache would lead to a conclusion, and for the events that tell why nothing happens.
func (w *Watcher) refresh(ctx context.Context, s *Seen) error {
	ns, id := s.Job.Namespace, s.Job.Labels[jobspec.LabelAttempt]
	if lost(s) && !w.wasOver(s.Job) {
		if err := w.renew(ctx, s); err != nil {
			return err
		}
		s.Ending = w.namespaceEnds(ctx, ns)
	}
	switch {
	case s.Pod != nil && over(s.Pod):
		live, err := w.o.Client.Pods(ns).Get(ctx, s.Pod.Name, metav1.GetOptions{})
		switch {
		case err == nil && live.UID == s.Pod.UID:
			s.Pod = live
		case err != nil && !apierrors.IsNotFound(err):
			return fmt.Errorf("read pod %s/%s: %w", ns, s.Pod.Name, err)
		}
	case s.Pod == nil && (s.Job.Status.Failed > 0 || s.Job.Status.Succeeded > 0 || len(s.Job.Status.Conditions) > 0):
		var err error
		if s.Pod, err = w.live(ctx, ns, id); err != nil {
			return err
		}
	case s.Pod == nil && time.Since(s.Job.CreationTimestamp.Time) >= noPod:
		return w.events(ctx, s, ns, string(s.Job.UID))
	case s.Pod != nil && (imageTrouble(s.Pod) || slow(s.Pod) || unready(s.Pod)):
		return w.events(ctx, s, ns, string(s.Pod.UID))
	}
	return nil
}

// wasOver reports whether nothing can happen to the attempt of a Job any more since it was looked at last.
func (w *Watcher) wasOver(job *batchv1.Job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.known[job.Labels[jobspec.LabelAttempt]]
	return seen.over && seen.job == job.UID
}

func slow(pod *corev1.Pod) bool {
	age, ok := prepared(pod, time.Now())
	return ok && age >= preparing
}

func imageTrouble(pod *corev1.Pod) bool {
	t, ok := waiting(pod, nil, 0)
	return ok && t.reason == "ImagePull"
}

func (w *Watcher) events(ctx context.Context, s *Seen, namespace, uid string) error {
	list, err := w.o.Client.Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + uid})
	if err != nil {
		return fmt.Errorf("list events in %s: %w", namespace, err)
	}
	s.Events = list.Items
	return nil
}

// since returns when a kind of trouble of an attempt was first seen, which is now for a new one.
func (w *Watcher) since(id, kind string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.troubles[id] == nil {
		w.troubles[id] = map[string]time.Time{}
	}
	if _, ok := w.troubles[id][kind]; !ok {
		w.troubles[id][kind] = time.Now()
	}
	return w.troubles[id][kind]
}
