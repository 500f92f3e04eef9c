package watch_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/watch"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
)

type sink chan work.Update

func (s sink) Update(u work.Update) { s <- u }

// next returns the next update that matches.
func (s sink) next(t *testing.T, what string, match func(work.Update) bool) work.Update {
	t.Helper()
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	for {
		select {
		case u := <-s:
			if match(u) {
				return u
			}
		case <-timer.C:
			t.Fatalf("no update: %s", what)
		}
	}
}

type bundle struct {
	*watch.Watcher
	cluster *workfake.Cluster
	sink    sink
}

func setup(t *testing.T, cluster *workfake.Cluster, namespaces ...string) bundle {
	t.Helper()
	b := bundle{cluster: cluster, sink: make(sink, 1024)}
	var err error
	b.Watcher, err = watch.New(watch.Options{
		Log: slog.New(slog.DiscardHandler), Client: cluster.Client(t), Namespaces: namespaces, Agent: "agent-1", Sink: b.sink,
		Grace: grace(),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Start(t.Context())
	t.Cleanup(b.Stop)
	return b
}

// live is the attempt's Job as the API server has it.
func live(t *testing.T, change ...func(*batchv1.Job)) *batchv1.Job {
	t.Helper()
	j := job()
	name, err := jobspec.Name(attempt)
	if err != nil {
		t.Fatal(err)
	}
	j.Name, j.CreationTimestamp = name, metav1.Now()
	j.Annotations = map[string]string{jobspec.AnnotationDigest: "d1"}
	for _, f := range change {
		f(j)
	}
	return j
}

func TestWatcher_FollowsAnAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t, workfake.NewCluster(t), "tests")
	b.cluster.Put(live(t))
	b.sink.next(t, "the Job was seen", func(u work.Update) bool { return u.AttemptID == attempt && u.Pod == nil })
	b.cluster.Put(pod(t, "running"))
	b.sink.next(t, "its pod runs", func(u work.Update) bool { return u.Report.GetStatus() == running && u.Pod != nil })
	b.cluster.Put(pod(t, "running", func(p *corev1.Pod) {
		p.Status = pod(t, "exit-7").Status
		p.Status.ContainerStatuses[0].State.Terminated.Message = "last words"
	}))
	u := b.sink.next(t, "its pod has ended", func(u work.Update) bool { return u.Pod != nil && u.Pod.Ended })
	if c := u.Pod.Containers[0]; c.ExitCode != 7 || c.Message != "last words" {
		t.Errorf("the container ended with %+v", c)
	}
	b.cluster.Delete("pods", "tests", "running-pod")
	b.sink.next(t, "its pod is gone", func(u work.Update) bool { return u.Pod == nil && !u.Gone })
}

func TestWatcher_SeesWhatWasThereBefore(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	cluster.Put(live(t))
	cluster.Put(pod(t, "oom-killed"))
	b := setup(t, cluster, "tests")
	b.sink.next(t, "an agent that starts anew judges what it finds", func(u work.Update) bool { return u.Report.GetReason() == "OOMKilled" })
	items, err := b.Inventory(t.Context())
	if err != nil || len(items) != 1 || items[0].GetAttemptId() != attempt || items[0].GetSpecDigest() != "d1" {
		t.Errorf("inventory %v, %v", items, err)
	}
}

func TestWatcher_KeepsToItsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t, workfake.NewCluster(t), "tests")
	b.cluster.Put(live(t, func(j *batchv1.Job) { j.Labels[jobspec.LabelAgent] = "agent-2" }))
	b.cluster.Put(live(t, func(j *batchv1.Job) {
		j.Name = "t-other"
		j.Labels[jobspec.LabelAttempt] = "0190a1b2-0000-7000-8000-000000000009"
	}))
	u := b.sink.next(t, "the own Job", func(work.Update) bool { return true })
	if u.AttemptID == attempt {
		t.Error("a Job of another agent was reported")
	}
}

func TestWatcher_ADeletedJobIsGoneOnlyWithItsPod(t *testing.T) {
	t.Parallel()
	b := setup(t, workfake.NewCluster(t), "tests")
	b.cluster.Put(live(t))
	b.cluster.Put(pod(t, "running"))
	b.sink.next(t, "it runs", func(u work.Update) bool { return u.Report.GetStatus() == running })
	b.cluster.Delete("jobs", "tests", live(t).Name)
	u := b.sink.next(t, "the Job is gone", func(u work.Update) bool { return u.Gone })
	if u.Pod == nil || u.Report.GetReason() != "JobDeleted" || u.Report.GetStatus() != errored {
		t.Errorf("got %+v: its runner may still deliver", u)
	}
	b.cluster.Delete("pods", "tests", "running-pod")
	b.sink.next(t, "the pod is gone too", func(u work.Update) bool { return u.Gone && u.Pod == nil })
}

func TestWatcher_AsksTheAPIServerBeforeItConcludes(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	cluster.Put(live(t))
	cluster.Put(pod(t, "running"))
	b := setup(t, cluster, "tests")
	b.sink.next(t, "it runs", func(u work.Update) bool { return u.Report.GetStatus() == running })
	// While the API server does not answer, a Job that has left the cache is not gone.
	cluster.Fault(func(c workfake.Call) error {
		if c.Verb == "get" && c.Resource == "jobs" {
			return apierrors.NewInternalError(errors.New("etcd"))
		}
		return nil
	})
	cluster.Delete("jobs", "tests", live(t).Name)
	asked := func() bool {
		for _, c := range cluster.Calls() {
			if c.Verb == "get" && c.Resource == "jobs" {
				return true
			}
		}
		return false
	}
	waitFor(t, asked)
	for more := true; more; {
		select {
		case u := <-b.sink:
			if u.Gone {
				t.Errorf("concluded %+v without an answer", u.Report)
			}
		default:
			more = false
		}
	}
	cluster.Fault(nil)
	b.sink.next(t, "it is gone once the API server has said so", func(u work.Update) bool { return u.Gone })
}

func TestWatcher_ANamespaceWithoutRoleHoldsUpNothing(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	cluster.Fault(func(c workfake.Call) error {
		if c.Namespace == "forbidden" {
			return apierrors.NewForbidden(schema.GroupResource{Resource: c.Resource}, "", errors.New("no Role"))
		}
		return nil
	})
	b := setup(t, cluster, "forbidden", "tests")
	cluster.Put(live(t))
	cluster.Put(pod(t, "running"))
	b.sink.next(t, "the other namespace is watched", func(u work.Update) bool { return u.Report.GetStatus() == running })
}

func TestWatcher_ANamespaceIsDeleted(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	cluster.Put(live(t))
	cluster.Put(pod(t, "running"))
	b := setup(t, cluster, "tests")
	b.sink.next(t, "it runs", func(u work.Update) bool { return u.Report.GetStatus() == running })
	ending := apierrors.NewForbidden(schema.GroupResource{Resource: "jobs"}, "", errors.New("it is being terminated"))
	ending.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	cluster.Fault(func(c workfake.Call) error {
		if c.Verb == "create" {
			return ending
		}
		return nil
	})
	cluster.Put(pod(t, "running", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Now()} }))
	b.sink.next(t, "the runner cannot know why it was asked to stop", func(u work.Update) bool {
		return u.Pod != nil && u.Pod.Interrupted != nil && u.Pod.Interrupted.Reason == "NamespaceDeleted"
	})
	cluster.Fault(func(c workfake.Call) error { // the Role has gone, too
		if c.Verb == "create" || c.Verb == "get" {
			return apierrors.NewForbidden(schema.GroupResource{Resource: c.Resource}, "", errors.New("no Role"))
		}
		return nil
	})
	cluster.Delete("pods", "tests", "running-pod")
	cluster.Delete("jobs", "tests", live(t).Name)
	b.sink.next(t, "nobody can be asked about the Job any more", func(u work.Update) bool { return u.Gone && u.Report.GetReason() == "NamespaceDeleted" })
}

func TestWatcher_LooksBeforeTheInformers(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	cluster.Put(live(t))
	cluster.Put(pod(t, "running"))
	cluster.Fault(func(c workfake.Call) error {
		if c.Verb == "watch" && c.Resource == "pods" {
			return apierrors.NewInternalError(errors.New("no watch today"))
		}
		return nil
	})
	b := setup(t, cluster, "tests")
	b.sink.next(t, "it runs", func(u work.Update) bool { return u.Report.GetStatus() == running })
	cluster.Put(pod(t, "running", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Now()} }))
	if err := b.Look(t.Context(), attempt); err != nil {
		t.Fatal(err)
	}
	b.sink.next(t, "the API server was asked", func(u work.Update) bool {
		return u.Pod != nil && u.Pod.Interrupted != nil && u.Pod.Interrupted.Reason == "PodDeleted"
	})
	// Its controller tells the Job first, then deletes: the Job in the cache may be older.
	cluster.Fault(func(c workfake.Call) error {
		if c.Verb == "watch" {
			return apierrors.NewInternalError(errors.New("no watch today"))
		}
		return nil
	})
	cluster.Put(live(t, targeted(batchv1.JobReasonDeadlineExceeded)))
	if err := b.Look(t.Context(), attempt); err != nil {
		t.Fatal(err)
	}
	b.sink.next(t, "the Job says why", func(u work.Update) bool {
		return u.Pod != nil && u.Pod.Interrupted != nil && u.Pod.Interrupted.Reason == "DeadlineExceeded"
	})
	cluster.Delete("pods", "tests", "running-pod")
	if err := b.Look(t.Context(), attempt); err != nil {
		t.Fatal(err)
	}
	b.sink.next(t, "the pod is gone", func(u work.Update) bool { return u.Pod == nil })
}

func TestWatcher_KnowsWhosePodARunnerIs(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	b := setup(t, cluster, "tests")
	mine := pod(t, "running", func(p *corev1.Pod) { own(t, p) })
	cluster.Put(mine)
	cluster.Put(live(t, func(j *batchv1.Job) { j.UID = "job-1" }))
	b.sink.next(t, "the cache has the pod", func(u work.Update) bool { return u.Report.GetStatus() == running })
	dressed := pod(t, "running", func(p *corev1.Pod) { p.Name, p.UID = "dressed", "u1" })
	cluster.Put(dressed)
	former := pod(t, "running", func(p *corev1.Pod) {
		p.Name, p.UID = "former", "u3"
		own(t, p)
		p.OwnerReferences[0].UID = "job-0"
	})
	cluster.Put(former)
	adopted := pod(t, "running", func(p *corev1.Pod) {
		p.Name, p.UID = "adopted", "u2"
		own(t, p)
		p.OwnerReferences[0].Name = "somebody-elses"
	})
	cluster.Put(adopted)
	cluster.Put(pod(t, "exit-7", func(p *corev1.Pod) { p.Labels[jobspec.LabelAgent] = "agent-2" }))
	id := func(p *corev1.Pod) work.PodIdentity {
		return work.PodIdentity{Namespace: p.Namespace, Pod: p.Name, UID: string(p.UID)}
	}
	if got, err := b.AttemptOf(t.Context(), id(mine)); err != nil || got != attempt {
		t.Errorf("attempt %q, %v", got, err)
	}
	for name, c := range map[string]struct {
		reason string
		id     work.PodIdentity
	}{
		"foreign":           {"another agent made it", id(pod(t, "exit-7"))},
		"dressed":           {"somebody gave it the labels; no Job made it", id(dressed)},
		"former":            {"its Job was deleted and made anew", id(former)},
		"adopted":           {"another Job made it", id(adopted)},
		"namesake":          {"the pod of that name is another one by now", work.PodIdentity{Namespace: "tests", Pod: mine.Name, UID: "old"}},
		"unknown":           {"there is no such pod", work.PodIdentity{Namespace: "tests", Pod: "none", UID: "x"}},
		"foreign namespace": {"the agent runs nothing there", work.PodIdentity{Namespace: "kube-system", Pod: mine.Name, UID: string(mine.UID)}},
	} {
		if got, err := b.AttemptOf(t.Context(), c.id); err == nil {
			t.Errorf("%s: %s: taken for attempt %q", name, c.reason, got)
		}
	}
}

// own makes a pod one of the attempt's Job.
func own(t *testing.T, p *corev1.Pod) {
	t.Helper()
	name, err := jobspec.Name(attempt)
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: name, UID: "job-1", Controller: &yes}}
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !what() {
		select {
		case <-deadline:
			t.Fatal("it did not come to that")
		case <-tick.C:
		}
	}
}

// The agent deletes the Jobs of what is over: nothing is concluded from that, so the API server is not asked about it.
func TestWatcher_WhatIsOverGoesWithoutQuestions(t *testing.T) {
	t.Parallel()
	b := setup(t, workfake.NewCluster(t), "tests")
	b.cluster.Put(live(t))
	ended := pod(t, "running", func(p *corev1.Pod) { p.Status = pod(t, "exit-7").Status })
	b.cluster.Put(ended)
	b.sink.next(t, "it is over", func(u work.Update) bool { return u.Pod != nil && u.Pod.Ended })
	before := len(b.cluster.Calls())
	now := metav1.Now()
	ended.DeletionTimestamp, ended.Finalizers = &now, []string{"kubernetes"}
	b.cluster.Put(ended)
	b.sink.next(t, "its pod is being deleted", func(u work.Update) bool { return u.Pod != nil && u.Pod.Ended })
	b.cluster.Delete("jobs", "tests", live(t).Name)
	b.sink.next(t, "the Job is gone", func(u work.Update) bool { return u.Gone })
	b.cluster.Delete("pods", "tests", ended.Name)
	b.sink.next(t, "the pod is gone too", func(u work.Update) bool { return u.Gone && u.Pod == nil })
	for _, c := range b.cluster.Calls()[before:] {
		if c.Resource == "jobs" {
			t.Errorf("the API server was asked: %+v", c)
		}
	}
}
