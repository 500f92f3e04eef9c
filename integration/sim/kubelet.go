package sim

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/integration/history"
)

// pod is the pod of a Job, and the node under it.
type pod struct {
	site      *site
	name, uid string
	job       *batchv1.Job
	attempt   string
	process   *process
	interrupt chan struct{} // closed when the pod is asked to end
	dead      chan struct{} // closed when its process is killed
	once, die sync.Once
	evict     chan corev1.PodStatus // what a fault makes of it
	over      bool                  // that has happened
}

// onJob is called, with the API server locked, when a Job was created.
func (s *site) onJob(job *batchv1.Job) {
	s.w.history.Add(history.Event{Kind: history.Created, Tenant: s.name, Attempt: job.Labels[jobspec.LabelAttempt], Object: string(job.UID)})
	s.w.running.Go(func() { s.control(job) })
}

// control is the Job's controller and the kubelet of its pod.
func (s *site) control(job *batchv1.Job) {
	w := s.w
	if !w.sleep(w.chance.within("pod.created", 10*time.Millisecond, time.Second)) || !s.wanted(job) {
		return
	}
	p := s.createPod(job)
	s.oversee(p)
	s.forget(p)
	p.collect()
}

// oversee brings a pod to its end.
func (s *site) oversee(p *pod) {
	w := s.w
	if !p.wait(w.chance.within("pod.scheduled", 10*time.Millisecond, 2*time.Second)) {
		p.withdraw()
		return
	}
	p.change(func(o *corev1.Pod) {
		o.Spec.NodeName = "node"
		o.Status.StartTime = ptr.To(metav1.Now())
	})
	if !p.wait(w.chance.within("pod.started", 100*time.Millisecond, 4*time.Second)) {
		p.withdraw()
		return
	}
	p.run()
}

// withdraw removes a pod that has never run, unless a fault was faster: then it stays as that left it.
func (p *pod) withdraw() {
	if !p.over {
		p.remove()
	}
}

// collect removes what is left of the pod once its Job is gone, as the garbage collector does.
func (p *pod) collect() {
	k := p.site.kube
	for {
		k.mu.Lock()
		changed := k.changed
		job, ok := k.objects["jobs"][p.job.Namespace+"/"+p.job.Name].(*batchv1.Job)
		k.mu.Unlock()
		if !ok || job.UID != p.job.UID {
			p.remove()
			return
		}
		select {
		case <-changed:
		case <-p.site.w.ctx.Done():
			return
		}
	}
}

// wanted tells whether a Job is still there and not suspended.
func (s *site) wanted(job *batchv1.Job) bool {
	now := s.kube.job(job.Namespace, job.Name)
	return now != nil && now.UID == job.UID && !ptr.Deref(now.Spec.Suspend, false)
}

func (s *site) createPod(job *batchv1.Job) *pod {
	p := &pod{
		site: s, name: job.Name + "-0", job: job, attempt: job.Labels[jobspec.LabelAttempt], interrupt: make(chan struct{}), dead: make(chan struct{}),
		evict: make(chan corev1.PodStatus, 1),
	}
	o := &corev1.Pod{
		ObjectMeta: *job.Spec.Template.ObjectMeta.DeepCopy(), Spec: *job.Spec.Template.Spec.DeepCopy(), Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	o.Name, o.Namespace = p.name, job.Namespace
	o.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID, Controller: ptr.To(true)}}
	s.kube.set(func() { s.kube.put("pods", o) })
	p.uid = string(o.UID)
	s.mu.Lock()
	s.pods[p.uid] = p
	s.mu.Unlock()
	return p
}

func (s *site) forget(p *pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pods, p.uid)
}

// change stores another version of the pod, when it is still there.
func (p *pod) change(f func(o *corev1.Pod)) {
	k := p.site.kube
	k.mu.Lock()
	defer k.mu.Unlock()
	if o, ok := k.objects["pods"][namespace+"/"+p.name].(*corev1.Pod); ok && string(o.UID) == p.uid {
		o = o.DeepCopy()
		f(o)
		k.put("pods", o)
	}
}

func (p *pod) remove() {
	p.site.kube.set(func() { p.site.kube.remove("pods", namespace+"/"+p.name) })
}

// unwanted returns what is closed when the Job may have changed, and whether its pod has to go.
func (p *pod) unwanted() (changed <-chan struct{}, gone bool) {
	k := p.site.kube
	k.mu.Lock()
	changed = k.changed
	k.mu.Unlock()
	return changed, !p.site.wanted(p.job)
}

// wait lets time pass; it returns false when the pod has to go before.
func (p *pod) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		changed, gone := p.unwanted()
		if gone {
			return false
		}
		select {
		case <-timer.C:
			return true
		case <-changed:
		case status := <-p.evict:
			p.taken(status)
			return false
		case <-p.site.w.ctx.Done():
			return false
		}
	}
}

// taken shows what a fault has made of the pod.
func (p *pod) taken(status corev1.PodStatus) {
	p.over = true
	p.change(func(o *corev1.Pod) { o.Status = status })
	p.finishJob(false)
}

// run starts the process and sees it to its end, or to that of its pod.
func (p *pod) run() {
	w := p.site.w
	began := metav1.Now()
	p.container(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: began}})
	dir, err := os.MkdirTemp(w.dir, "pod-*")
	if err != nil {
		w.log.Error("no volume for a pod", "error", err)
		return
	}
	w.history.Add(history.Event{Kind: history.Began, Tenant: p.site.name, Execution: p.job.Labels[jobspec.LabelExecution], Attempt: p.attempt, Object: p.uid})
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	p.process = newProcess(p, filepath.Clean(dir))
	over := make(chan outcome, 1)
	w.running.Go(func() { over <- p.process.run(ctx) })
	p.attend(over, cancel, began)
}

// attend waits for the end of the process and for what the cluster wants of it.
func (p *pod) attend(over <-chan outcome, cancel context.CancelFunc, began metav1.Time) {
	for deleting := (<-chan time.Time)(nil); ; {
		changed, gone := p.unwanted()
		if gone && deleting == nil {
			deleting = time.After(p.grace())
			p.change(func(o *corev1.Pod) { o.DeletionTimestamp = ptr.To(metav1.Now()) })
			p.once.Do(func() { close(p.interrupt) })
		}
		select {
		case out := <-over:
			p.ended()
			p.conclude(out, began)
			if deleting != nil {
				p.remove()
			}
			return
		case status := <-p.evict:
			p.destroy(cancel, over)
			p.taken(status)
			return
		case <-deleting:
			p.destroy(cancel, over)
			p.remove()
			return
		case <-changed:
		case <-p.site.w.ctx.Done():
			p.destroy(cancel, over)
			return
		}
	}
}

func (p *pod) grace() time.Duration {
	return time.Duration(ptr.Deref(p.job.Spec.Template.Spec.TerminationGracePeriodSeconds, 30)) * time.Second
}

func (p *pod) destroy(cancel context.CancelFunc, over <-chan outcome) {
	p.die.Do(func() { close(p.dead) })
	p.site.w.network.cutAll(p)
	cancel()
	<-over
	p.ended()
}

func (p *pod) ended() {
	p.site.w.history.Add(history.Event{Kind: history.Ended, Tenant: p.site.name, Attempt: p.attempt, Object: p.uid})
}

// container says how the only container stands.
func (p *pod) container(phase corev1.PodPhase, state corev1.ContainerState) {
	p.change(func(o *corev1.Pod) {
		o.Status.Phase = phase
		o.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: o.Spec.Containers[0].Name, State: state}}
	})
}

// conclude shows how the process ended.
func (p *pod) conclude(out outcome, began metav1.Time) {
	phase := corev1.PodSucceeded
	if out.code != 0 {
		phase = corev1.PodFailed
	}
	p.container(phase, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: out.code, Message: out.message, StartedAt: began, FinishedAt: metav1.Now(),
	}})
	p.site.w.sleep(p.site.w.chance.within("job.noticed", 0, time.Second))
	p.finishJob(out.code == 0)
}

// finishJob is how the controller notes the end of the only pod.
func (p *pod) finishJob(succeeded bool) {
	k := p.site.kube
	k.mu.Lock()
	defer k.mu.Unlock()
	job, ok := k.objects["jobs"][p.job.Namespace+"/"+p.job.Name].(*batchv1.Job)
	if !ok || job.UID != p.job.UID {
		return
	}
	job = job.DeepCopy()
	condition := batchv1.JobFailed
	if succeeded {
		condition, job.Status.Succeeded = batchv1.JobComplete, 1
	} else {
		job.Status.Failed = 1
	}
	job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
	k.put("jobs", job)
}

// take takes the pod away as a fault of the cluster does.
func (p *pod) take(status corev1.PodStatus) {
	p.site.w.history.Add(history.Event{Kind: history.Taken, Tenant: p.site.name, Attempt: p.attempt})
	select {
	case p.evict <- status:
	default:
	}
}

func (p *pod) host() string { return "pod of " + p.site.name }

func (p *pod) gone() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// kill implements owner. No point stops a pod: its faults are those of the cluster.
func (p *pod) kill() {}
