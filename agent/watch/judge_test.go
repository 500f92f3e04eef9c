package watch_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/watch"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const attempt = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"

const (
	pending   = agentv1.AttemptStatus_ATTEMPT_STATUS_PENDING
	running   = agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING
	errored   = agentv1.AttemptStatus_ATTEMPT_STATUS_ERRORED
	cancelled = agentv1.AttemptStatus_ATTEMPT_STATUS_CANCELLED
)

const (
	imageGrace      = time.Minute
	schedulingGrace = time.Hour
)

func grace() watch.Grace { return watch.Grace{Image: imageGrace, Scheduling: schedulingGrace} }

// pod reads a pod as a cluster of version 1.34 showed it.
func pod(t *testing.T, name string, change ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var p corev1.Pod
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&p)
	}
	return &p
}

func job() *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Name: "t-x", Namespace: "tests", Labels: map[string]string{jobspec.LabelAttempt: attempt, jobspec.LabelAgent: "agent-1"},
		CreationTimestamp: metav1.NewTime(time.Date(2026, 11, 24, 9, 16, 0, 0, time.UTC)),
	}}
}

func disrupted(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, Message: message,
		})
	}
}

func failed(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, reason, message
		p.Status.ContainerStatuses = nil
	}
}

// targeted is a Job whose controller has decided that it fails, and is about to delete its pod.
func targeted(reason string) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: reason}}
	}
}

func suspend(j *batchv1.Job) { j.Spec.Suspend = ptr.To(true) }

func warning(reason, message string) corev1.Event {
	return corev1.Event{Reason: reason, Message: message, Type: corev1.EventTypeWarning}
}

type want struct {
	status agentv1.AttemptStatus
	reason string
	says   string
	stop   bool
	ended  bool
	// recheck is the bound within which the Watcher must look again; zero means that it need not.
	recheck time.Duration
}

func check(t *testing.T, why string, v watch.Verdict, w want) {
	t.Helper()
	r := v.Update.Report
	if r.GetStatus() != w.status || r.GetReason() != w.reason || !strings.Contains(r.GetMessage(), w.says) {
		t.Errorf("%s: %s %q %q, want %s %q saying %q", why, r.GetStatus(), r.GetReason(), r.GetMessage(), w.status, w.reason, w.says)
	}
	if v.Update.Stop != w.stop {
		t.Errorf("%s: stop is %v", why, v.Update.Stop)
	}
	if v.Update.Pod != nil && v.Update.Pod.Ended != w.ended {
		t.Errorf("%s: the pod has ended: %v", why, v.Update.Pod.Ended)
	}
	if (v.Recheck == 0) != (w.recheck == 0) || v.Recheck > w.recheck {
		t.Errorf("%s: looks again after %s, want at most %s", why, v.Recheck, w.recheck)
	}
	if final := r.GetStatus() > running; final && r.GetFinishedAt() == nil {
		t.Errorf("%s: ended without a time", why)
	}
}

func TestJudge_Pods(t *testing.T) {
	t.Parallel()
	// soon is when the trouble has just begun, late when it has lasted.
	const soon, late = 2 * time.Second, 10 * time.Minute
	for name, c := range map[string]struct {
		reason string
		pod    string
		change func(*corev1.Pod)
		events []corev1.Event
		age    time.Duration
		want   want
	}{
		"starting":            {"a node needs a moment", "creating", nil, nil, soon, want{status: pending, recheck: 10 * time.Second}},
		"copying":             {"the init container copies the runner", "init-running", nil, nil, late, want{status: pending}},
		"running":             {"the runner says the rest", "running", nil, nil, soon, want{status: running}},
		"unschedulable":       {"a node may come", "unschedulable", nil, nil, late, want{status: pending, reason: "Unschedulable", says: "Insufficient memory", recheck: schedulingGrace}},
		"unschedulable, late": {"none has come", "unschedulable", nil, nil, schedulingGrace, want{status: errored, reason: "Unschedulable", says: "change what it requests", stop: true}},

		"no image":       {"a registry may be back soon", "image-pull", nil, nil, soon, want{status: pending, reason: "ImagePull", says: "no such host", recheck: imageGrace}},
		"no image, late": {"it lasts", "image-pull", nil, nil, late, want{status: errored, reason: "ImagePull", says: "imagePullSecrets", stop: true}},
		"back-off": {
			"the first failure's words are in the events", "image-backoff", func(p *corev1.Pod) {
				p.Status.ContainerStatuses[0].State.Waiting.Message = "Back-off pulling image \"x\""
			},
			[]corev1.Event{warning("Failed", "Failed to pull image \"x\": unauthorized")},
			soon,
			want{status: pending, reason: "ImagePull", says: "unauthorized", recheck: imageGrace},
		},
		"never pulled":    {"no registry is asked", "image-never", nil, nil, late, want{status: errored, reason: "ImageNeverPull", says: "load it or change the policy", stop: true}},
		"bad name":        {"it will not get better", "image-bad-name", nil, nil, late, want{status: errored, reason: "InvalidImageName", says: "correct it", stop: true}},
		"missing secret":  {"somebody may be creating it", "config-error", nil, nil, soon, want{status: pending, reason: "ContainerConfig", says: `secret "nope" not found`, recheck: 10 * time.Second}},
		"no secret, late": {"nobody does", "config-error", nil, nil, late, want{status: errored, reason: "ContainerConfig", says: "create the Secret", stop: true}},
		"no sandbox": {
			"a node that cannot start the pod says why in events", "creating", nil,
			[]corev1.Event{warning("FailedCreatePodSandBox", "memory limit too low?")},
			30 * time.Second,
			want{status: pending, reason: "PodStart", says: "memory limit too low?", recheck: 5 * time.Minute},
		},
		"no sandbox, late": {
			"it lasts", "creating", nil,
			[]corev1.Event{warning("FailedCreatePodSandBox", "memory limit too low?")},
			late,
			want{status: errored, reason: "PodStart", says: "memory limit too low?", stop: true},
		},
		"no volume": {
			"somebody may be creating the secret", "creating", nil,
			[]corev1.Event{warning("FailedMount", `MountVolume.SetUp failed for volume "v-cert" : secret "cert" not found`)},
			30 * time.Second,
			want{status: pending, reason: "VolumeMissing", says: "create the Secret or ConfigMap", recheck: time.Minute},
		},
		"no volume, late": {
			"nobody does", "creating", nil,
			[]corev1.Event{warning("FailedMount", `MountVolume.SetUp failed for volume "v-cert" : secret "cert" not found`)},
			late,
			want{status: errored, reason: "VolumeMissing", says: `secret "cert" not found`, stop: true},
		},
		"no user": {
			"the words about what is missing would mislead", "config-error", func(p *corev1.Pod) {
				p.Status.ContainerStatuses[0].State.Waiting.Message = "container has runAsNonRoot and image will run as root"
			}, nil, soon,
			want{status: pending, reason: "ContainerConfig", says: "cannot be configured: container has runAsNonRoot", recheck: 10 * time.Second},
		},
		"slow pull": {
			"a large image is no trouble", "creating", nil,
			[]corev1.Event{{Reason: "Pulling", Type: corev1.EventTypeNormal}},
			late,
			want{status: pending, recheck: time.Minute},
		},

		"out of memory":  {"the whole container went", "oom-killed", nil, nil, soon, want{status: errored, reason: "OOMKilled", says: "limit of 64Mi", ended: true}},
		"cannot start":   {"the image lacks what it needs", "start-error", nil, nil, soon, want{status: errored, reason: "ContainerStart", says: "/nothing", ended: true}},
		"too long":       {"the backstop took effect", "deadline", nil, nil, soon, want{status: errored, reason: "DeadlineExceeded", says: "deadline", ended: true}},
		"not copied":     {"without a runner nothing runs", "init-failed", nil, nil, soon, want{status: errored, reason: "RunnerInstall", says: "exit code 3", ended: true}},
		"ended":          {"an exit code alone is no result: the runner's words decide", "exit-7", nil, nil, soon, want{status: running, ended: true}},
		"being evicted":  {"its runner still has the word", "evicting", nil, nil, 0, want{status: running, recheck: 2 * time.Minute}},
		"being deleted":  {"its runner still has the word", "deleting", nil, nil, soon, want{status: running}},
		"never went":     {"the node is lost for longer than the pod had", "evicting", nil, nil, late, want{status: errored, reason: "NodeLost", says: "node1"}},
		"node pressure":  {"the kubelet evicts without containers' states", "running", failed("Evicted", "The node was low on resource: memory."), nil, soon, want{status: errored, reason: "Evicted", says: "low on resource", ended: true}},
		"own disk use":   {"the pod's own limit is no fault of its node", "running", failed("Evicted", `Usage of EmptyDir volume "work" exceeds the limit "1Gi". `), nil, soon, want{status: errored, reason: "StorageLimit", says: "ephemeral-storage", ended: true}},
		"own volume":     {"another limit is to be raised", "running", failed("Evicted", `Usage of EmptyDir volume "v-scratch" exceeds the limit "1Gi". `), nil, soon, want{status: errored, reason: "StorageLimit", says: "sizeLimit of its volume scratch", ended: true}},
		"node shut down": {"a node that is switched off ends its pods", "running", failed("Terminated", "Pod was terminated in response to imminent node shutdown."), nil, soon, want{status: errored, reason: "NodeLost", says: "imminent node shutdown", ended: true}},
		"preempted": {
			"the scheduler needed the place", "exit-7", disrupted(corev1.PodReasonPreemptionByScheduler, "preempting to accommodate a higher priority pod"), nil, soon,
			want{status: errored, reason: "Preempted", says: "higher priority", ended: true},
		},
		"taint": {
			"a taint of the node drove it away", "exit-7", disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"), nil, soon,
			want{status: errored, reason: "NodeLost", says: "NoExecute", ended: true},
		},
		"cut off": {
			"a phase may come before the containers' states", "running", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }, nil, soon,
			want{status: running},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pod(t, c.pod)
			if c.change != nil {
				c.change(p)
			}
			begun := p.CreationTimestamp.Time
			if at := p.DeletionTimestamp; at != nil {
				begun = at.Time
			}
			now := begun.Add(c.age)
			v := watch.Judge(watch.Seen{Job: job(), Pod: p, Events: c.events, Since: func(string) time.Time { return begun }}, now, grace())
			check(t, c.reason, v, c.want)
		})
	}
}

func TestJudge_WithoutPod(t *testing.T) {
	t.Parallel()
	const soon, late = 5 * time.Second, 10 * time.Minute
	create := func(message string) []corev1.Event { return []corev1.Event{warning("FailedCreate", message)} }
	quota := create(`Error creating: pods "t-x-58xzt" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0`)
	account := create(`Error creating: pods "t-x-" is forbidden: error looking up service account tests/ghost: serviceaccount "ghost" not found`)
	for name, c := range map[string]struct {
		reason string
		change func(*batchv1.Job)
		events []corev1.Event
		age    time.Duration
		want   want
	}{
		"new":              {"the controller needs a moment", nil, nil, soon, want{status: pending, recheck: 10 * time.Second}},
		"quota":            {"room may come at any time", nil, quota, late, want{status: pending, reason: "QuotaExceeded", says: "q, requested: pods=1", recheck: 5 * time.Minute}},
		"quota, late":      {"none has come", nil, quota, schedulingGrace, want{status: errored, reason: "QuotaExceeded", says: "raise it", stop: true}},
		"no account":       {"somebody may be creating it", nil, account, soon, want{status: pending, reason: "ServiceAccountMissing", says: "ghost", recheck: time.Minute}},
		"no account, late": {"nobody does", nil, account, late, want{status: errored, reason: "ServiceAccountMissing", says: "create it or change it", stop: true}},
		"policy":           {"a webhook's words tell why", nil, create("admission webhook denied: no root"), late, want{status: errored, reason: "AdmissionDenied", says: "no root", stop: true}},
		"pod deleted":      {"a missing pod is never a success", func(j *batchv1.Job) { j.Status.Failed = 1 }, nil, late, want{status: errored, reason: "PodDeleted", says: "deleted"}},
		"complete": {"nothing proves the result", func(j *batchv1.Job) {
			j.Status.Succeeded = 1
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
		}, nil, late, want{status: errored, reason: "PodMissing", says: "nothing proves"}},
		"backstop": {"the Job's own deadline deletes the pod", func(j *batchv1.Job) {
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: batchv1.JobReasonDeadlineExceeded}}
		}, nil, late, want{status: errored, reason: "DeadlineExceeded", says: "raise timeout"}},
		"backstop, soon": {"the pod goes before the Job has failed", func(j *batchv1.Job) {
			j.Status.Failed = 1
			targeted(batchv1.JobReasonDeadlineExceeded)(j)
		}, nil, late, want{status: errored, reason: "DeadlineExceeded", says: "raise timeout"}},
		"held back":       {"a queue lets it go on when it has room", suspend, nil, late, want{status: pending, reason: "JobSuspended", says: "no room for it yet", recheck: 5 * time.Minute}},
		"held back, late": {"it has lasted", suspend, nil, schedulingGrace, want{status: errored, reason: "JobSuspended", says: "let the Job go on", stop: true}},
		"suspended": {"the pod went with it, and must not come back", func(j *batchv1.Job) {
			j.Status.Failed = 1
			suspend(j)
		}, nil, late, want{status: errored, reason: "JobSuspended", says: "run the test again", stop: true}},
		"stopped": {"the agent did it itself and wrote down why", func(j *batchv1.Job) {
			j.Annotations = map[string]string{jobspec.AnnotationStopped: `{"status":7,"reason":"Cancelled","message":"enough"}`}
		}, nil, late, want{status: cancelled, reason: "Cancelled", says: "enough"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := job()
			if c.change != nil {
				c.change(j)
			}
			begun := j.CreationTimestamp.Time
			v := watch.Judge(watch.Seen{Job: j, Events: c.events, Since: func(string) time.Time { return begun }}, begun.Add(c.age), grace())
			check(t, c.reason, v, c.want)
		})
	}
}

func TestJudge_TellsContainersThatRanFromThoseThatDidNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason, pod string
		started     bool
	}{
		"ran":        {"it has a log to deliver", "exit-7", true},
		"runs":       {"it has a log to deliver", "running", true},
		"never did":  {"its start has the time of the epoch", "start-error", false},
		"waits":      {"nothing was executed", "config-error", false},
		"after init": {"the copy failed before it", "init-failed", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := watch.Judge(watch.Seen{Job: job(), Pod: pod(t, c.pod), Since: func(string) time.Time { return time.Now() }}, time.Now(), grace())
			if got := v.Update.Pod.Containers[0].Started; got != c.started {
				t.Errorf("%s: started is %v", c.reason, got)
			}
			if at := v.Update.Report.GetStartedAt(); at != nil && at.AsTime().Year() < 2000 {
				t.Errorf("%s: it is said to have started at %s", c.reason, at.AsTime())
			}
		})
	}
}

func TestJudge_NamesTheInterruption(t *testing.T) {
	t.Parallel()
	v := watch.Judge(watch.Seen{Job: job(), Pod: pod(t, "evicting"), Since: func(string) time.Time { return time.Now() }}, time.Now(), grace())
	if i := v.Update.Pod.Interrupted; i == nil || i.Reason != "Evicted" || !strings.Contains(i.Message, "Eviction API") {
		t.Errorf("interruption %+v: a runner that is asked to stop cannot know why", i)
	}
}

func TestJudge_ForEver(t *testing.T) {
	t.Parallel()
	begun := time.Now().Add(-1000 * time.Hour)
	seen := watch.Seen{Job: job(), Pod: pod(t, "unschedulable"), Since: func(string) time.Time { return begun }}
	v := watch.Judge(seen, time.Now(), watch.Grace{Image: imageGrace})
	check(t, "nobody limits it", v, want{status: pending, reason: "Unschedulable", says: "Insufficient memory"})
}

func TestJudge_Deleted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ending bool
		change func(*corev1.Pod)
		job    func(*batchv1.Job)
		want   string
		reason string
	}{
		"Pod":       {false, nil, nil, "PodDeleted", "nobody else can say why the runner was asked to stop"},
		"Namespace": {true, nil, nil, "NamespaceDeleted", "the same, and running it again is no cure"},
		"Evicted":   {true, disrupted("EvictionByEvictionAPI", "Eviction API: evicting"), nil, "Evicted", "the cluster says why by itself"},
		"Deadline":  {false, func(p *corev1.Pod) { p.Status.Reason = "DeadlineExceeded" }, nil, "", "nobody deleted it"},
		"Job":       {false, nil, targeted(batchv1.JobReasonDeadlineExceeded), "DeadlineExceeded", "the Job's own deadline deletes its pod"},
		"Failed":    {false, nil, targeted("PodFailurePolicy"), "PodDeleted", "the Job does not say that it is over"},
		"Suspended": {false, nil, suspend, "JobSuspended", "a controller of queues deletes pods by suspending their Job"},
		"Stopped": {false, nil, func(j *batchv1.Job) {
			suspend(j)
			j.Annotations = map[string]string{jobspec.AnnotationStopped: `{"status":7,"reason":"Cancelled"}`}
		}, "PodDeleted", "the agent suspended it: the outbox knows why"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pod(t, "deleting")
			if tc.change != nil {
				tc.change(p)
			}
			j := job()
			if tc.job != nil {
				tc.job(j)
			}
			v := watch.Judge(watch.Seen{Job: j, Pod: p, Ending: tc.ending, Since: func(string) time.Time { return time.Now() }}, time.Now(), grace())
			got := ""
			if i := v.Update.Pod.Interrupted; i != nil {
				got = i.Reason
			}
			if got != tc.want {
				t.Errorf("%s: interrupted by %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
	j := job()
	j.Status.Failed = 1
	v := watch.Judge(watch.Seen{Job: j, Ending: true, Since: func(string) time.Time { return time.Now() }}, time.Now(), grace())
	check(t, "the pod has gone with its namespace", v, want{status: errored, reason: "NamespaceDeleted", says: `"tests" was deleted`})
}
