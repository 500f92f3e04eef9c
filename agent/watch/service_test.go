package watch_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/watch"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	waits    = agentv1.ServiceStatus_SERVICE_STATUS_WAITING
	starting = agentv1.ServiceStatus_SERVICE_STATUS_STARTING
	ready    = agentv1.ServiceStatus_SERVICE_STATUS_READY
	stopped  = agentv1.ServiceStatus_SERVICE_STATUS_STOPPED
	broken   = agentv1.ServiceStatus_SERVICE_STATUS_FAILED
)

// begun is when the first service of the pod started; its probe gives it 60 s.
func begun() time.Time { return time.Date(2026, 11, 24, 9, 38, 31, 0, time.UTC) }

func at(after time.Duration) metav1.Time { return metav1.NewTime(begun().Add(after)) }

func runs(after time.Duration) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(after)}}
}

func exited(code int32, from, to time.Duration, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: "Error", Message: message, StartedAt: at(from), FinishedAt: at(to),
	}}
}

func backOff() corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 10s restarting failed container"}}
}

// db is the first service, mail the second.
func db(p *corev1.Pod) *corev1.ContainerStatus   { return &p.Status.InitContainerStatuses[1] }
func mail(p *corev1.Pod) *corev1.ContainerStatus { return &p.Status.InitContainerStatuses[2] }

// up makes services ready and steps run.
func up(p *corev1.Pod) {
	db(p).Started, db(p).Ready = ptr.To(true), true
	mail(p).Started, mail(p).State = ptr.To(true), runs(time.Second)
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses[0].State = runs(2 * time.Second)
}

// done ends the steps; the services run.
func done(p *corev1.Pod) {
	up(p)
	p.Status.ContainerStatuses[0].State = exited(0, 2*time.Second, 10*time.Second, "")
}

func secret(p *corev1.Pod) {
	p.Spec.InitContainers[1].Env = []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}}}
}

// probe is an event as the kubelet makes it of a probe.
func probe(reason, message string) corev1.Event {
	e := warning(reason, message)
	e.InvolvedObject.FieldPath = "spec.initContainers{service-db}"
	return e
}

func TestJudge_Services(t *testing.T) {
	t.Parallel()
	refused := probe("Unhealthy", "Startup probe failed: 127.0.0.1:5432 - no response\n")
	for name, c := range map[string]struct {
		reason   string
		change   func(*corev1.Pod)
		events   []corev1.Event
		age      time.Duration // since the first service started
		want     want
		services [2]agentv1.ServiceStatus
		says     string // of the first service
		note     string
	}{
		"first seconds": {
			reason: "nothing was asked yet", age: time.Second, want: want{status: pending, reason: "ServiceNotReady", says: "Service db is not ready yet.", recheck: 3 * time.Second},
			services: [2]agentv1.ServiceStatus{starting, waits},
		},
		"not ready": {
			reason: "the probe says why", events: []corev1.Event{refused}, age: 20 * time.Second,
			want:     want{status: pending, reason: "ServiceNotReady", says: "Service db is not ready yet: 127.0.0.1:5432 - no response", recheck: 3 * time.Second},
			services: [2]agentv1.ServiceStatus{starting, waits}, says: "Not ready yet: 127.0.0.1:5432",
		},
		"not ready, secret": {
			reason: "a command may print what the service is given", change: secret, events: []corev1.Event{refused}, age: 20 * time.Second,
			want:     want{status: pending, reason: "ServiceNotReady", says: "not shown, because the service is given a secret", recheck: 3 * time.Second},
			services: [2]agentv1.ServiceStatus{starting, waits},
		},
		"being ended": {
			reason: "the kubelet ends what is not ready in time", age: 61 * time.Second,
			events:   []corev1.Event{refused, probe("Killing", "Container service-db failed startup probe, will be restarted")},
			want:     want{status: errored, reason: "ServiceNotReady", says: "Service db was not ready within 1m0s: 127.0.0.1:5432 - no response", stop: true},
			services: [2]agentv1.ServiceStatus{broken, waits}, says: "was not ready within 1m0s",
		},
		"ended, not ready": {
			reason: "the event may be lost: the times tell", events: []corev1.Event{refused}, age: 70 * time.Second,
			change: func(p *corev1.Pod) {
				db(p).RestartCount, db(p).LastTerminationState, db(p).State = 1, exited(137, 0, 61*time.Second, ""), runs(62*time.Second)
			},
			want:     want{status: errored, reason: "ServiceNotReady", says: "within 1m0s: 127.0.0.1:5432", stop: true},
			services: [2]agentv1.ServiceStatus{broken, waits},
		},
		"was ready": {
			reason: "it ended long after it was ready, while a later service was not yet", events: []corev1.Event{refused}, age: 200 * time.Second,
			change: func(p *corev1.Pod) {
				db(p).RestartCount, db(p).LastTerminationState, db(p).State = 1, exited(1, 0, 190*time.Second, "segfault\n"), runs(191*time.Second)
			},
			want:     want{status: pending, reason: "ServiceEnded", says: "is started once more", recheck: 3 * time.Second},
			services: [2]agentv1.ServiceStatus{starting, waits},
		},
		"wants root": {
			reason: "it says what the user can do about it", age: 5 * time.Second,
			change: func(p *corev1.Pod) {
				db(p).State = exited(1, 0, 2*time.Second, "chown: changing ownership of '/var/lib/postgresql/data': Operation not permitted\n")
			},
			want:     want{status: pending, reason: "ServiceEnded", says: "securityContext.runAsUser", recheck: 3 * time.Second},
			services: [2]agentv1.ServiceStatus{starting, waits},
		},
		"probe hangs": {
			reason: "a probe that hangs for seconds each time makes the kubelet late", age: 95 * time.Second,
			want:     want{status: errored, reason: "ServiceNotReady", says: "Service db was not ready within 1m0s.", stop: true},
			services: [2]agentv1.ServiceStatus{broken, waits},
		},
		"ended once": {
			reason: "it may have been too early for something", age: 5 * time.Second,
			change: func(p *corev1.Pod) { db(p).State = exited(1, 0, 2*time.Second, "no such user\n") },
			want: want{
				status: pending, reason: "ServiceEnded", recheck: 3 * time.Second,
				says: "Service db ended before it was ready and is started once more. It ended with exit code 1: no such user",
			},
			services: [2]agentv1.ServiceStatus{starting, waits}, says: "Ended with exit code 1: no such user",
		},
		"ended twice": {
			reason: "nobody waits two minutes for a wrong option", age: 9 * time.Second,
			change: func(p *corev1.Pod) {
				db(p).RestartCount, db(p).LastTerminationState, db(p).State = 1, exited(1, 3*time.Second, 4*time.Second, "no such user"), backOff()
			},
			want:     want{status: errored, reason: "ServiceEnded", says: "Service db ended before it was ready, with exit code 1: no such user", stop: true},
			services: [2]agentv1.ServiceStatus{broken, waits}, says: "exit code 1: no such user",
		},
		"ended twice, secret": {
			reason: "the last words are the log's", age: 9 * time.Second,
			change: func(p *corev1.Pod) {
				secret(p)
				db(p).RestartCount, db(p).LastTerminationState, db(p).State = 1, exited(1, 3*time.Second, 4*time.Second, "hunter2"), backOff()
			},
			want:     want{status: errored, reason: "ServiceEnded", says: "with exit code 1; its log is not shown, because it is given a secret", stop: true},
			services: [2]agentv1.ServiceStatus{broken, waits},
		},
		"no image": {
			reason: "a registry may be back soon", age: 2 * time.Second,
			change: func(p *corev1.Pod) {
				db(p).State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "failed to pull: not found"}}
			},
			want:     want{status: pending, reason: "ImagePull", says: `Image "docker.io/example/postgres:17" of service db cannot be pulled`, recheck: imageGrace},
			services: [2]agentv1.ServiceStatus{waits, waits},
		},
		"second waits": {
			reason: "one starts after another", age: 20 * time.Second, change: func(p *corev1.Pod) { db(p).Started = ptr.To(true) },
			want:     want{status: pending, reason: "ServiceNotReady", says: "Service mail is being started."},
			services: [2]agentv1.ServiceStatus{ready, waits},
		},
		"up": {reason: "the runner says the rest", change: up, age: time.Minute, want: want{status: running}, services: [2]agentv1.ServiceStatus{ready, ready}},
		"ended while steps run": {
			reason: "that may be why a test fails", age: 30 * time.Second,
			change: func(p *corev1.Pod) {
				up(p)
				db(p).Started, db(p).State = ptr.To(false), exited(3, 0, 20*time.Second, "panic")
			},
			want: want{
				status: running, reason: "ServiceEnded",
				says: "Service db ended while the steps run and is started again. It ended with exit code 3: panic",
			},
			services: [2]agentv1.ServiceStatus{starting, ready}, says: "exit code 3: panic", note: "Service db ended while the steps ran, with exit code 3: panic",
		},
		"out of memory": {
			reason: "the limit is named", age: 30 * time.Second,
			change: func(p *corev1.Pod) {
				up(p)
				db(p).RestartCount, db(p).LastTerminationState = 1, exited(137, 0, 20*time.Second, "")
				db(p).LastTerminationState.Terminated.Reason = "OOMKilled"
			},
			want:     want{status: running},
			services: [2]agentv1.ServiceStatus{ready, ready}, says: "its limit of 64Mi (OOMKilled)", note: "Service db ended while the steps ran, with more memory",
		},
		"ended before the steps": {
			reason: "what was over when they began is no note", age: 30 * time.Second,
			change: func(p *corev1.Pod) {
				up(p)
				db(p).RestartCount, db(p).LastTerminationState = 1, exited(1, 0, time.Second, "")
			},
			want: want{status: running}, services: [2]agentv1.ServiceStatus{ready, ready}, says: "exit code 1",
		},
		"steps done": {
			reason: "the phase waits for the services, the result does not", change: done, age: 11 * time.Second,
			want: want{status: running, ended: true}, services: [2]agentv1.ServiceStatus{ready, ready},
		},
		"all done": {
			reason: "services are ended by a signal: that is no failure", age: 15 * time.Second,
			change: func(p *corev1.Pod) {
				done(p)
				db(p).State, mail(p).State = exited(143, 0, 11*time.Second, "shutting down"), exited(1, time.Second, 11*time.Second, "")
				p.Status.Phase = corev1.PodSucceeded
			},
			want: want{status: running, ended: true}, services: [2]agentv1.ServiceStatus{stopped, stopped},
		},
		"stopped while it starts": {
			reason: "a pod that goes away before its steps began waits for nothing", age: 30 * time.Second,
			change: func(p *corev1.Pod) {
				p.DeletionTimestamp, p.DeletionGracePeriodSeconds = ptr.To(at(10*time.Second+10*time.Minute)), ptr.To[int64](600)
			},
			want: want{status: pending, reason: "ServiceNotReady", says: "not ready yet", recheck: 3 * time.Second}, services: [2]agentv1.ServiceStatus{starting, waits},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pod(t, "services")
			if c.change != nil {
				c.change(p)
			}
			v := watch.Judge(watch.Seen{Job: job(), Pod: p, Events: c.events, Since: func(string) time.Time { return begun() }}, begun().Add(c.age), grace())
			check(t, c.reason, v, c.want)
			got := v.Update.Report.GetServices()
			if len(got) != 2 || got[0].GetStatus() != c.services[0] || got[1].GetStatus() != c.services[1] || !strings.Contains(got[0].GetMessage(), c.says) {
				t.Errorf("%s: services %v", c.reason, got)
			}
			if notes := strings.Join(v.Update.Report.GetNotes(), "\n"); (notes == "") != (c.note == "") || !strings.Contains(notes, c.note) {
				t.Errorf("%s: noted %q", c.reason, notes)
			}
			if text := v.Update.Report.String(); strings.Contains(text, "hunter2") {
				t.Errorf("a secret leaves the cluster: %s", text)
			}
		})
	}
}

// TestJudge_ServicesAreNoSteps holds that services are told apart from the containers of steps and from what copies the runner.
func TestJudge_ServicesAreNoSteps(t *testing.T) {
	t.Parallel()
	p := pod(t, "services", done, secret, func(p *corev1.Pod) {
		db(p).State, mail(p).State = exited(1, 0, 11*time.Second, ""), exited(1, 0, 11*time.Second, "")
		p.Status.Phase = corev1.PodFailed
	})
	v := watch.Judge(watch.Seen{Job: job(), Pod: p, Since: func(string) time.Time { return begun() }}, begun().Add(time.Minute), grace())
	u := v.Update
	if len(u.Pod.Containers) != 1 || len(u.Pod.Services) != 2 || !u.Pod.Services[0].Started || !u.Pod.Services[0].Withheld || u.Pod.Services[1].Withheld {
		t.Errorf("containers %+v, services %+v", u.Pod.Containers, u.Pod.Services)
	}
	if u.Report.GetReason() != "" || !u.Report.GetFinishedAt().AsTime().Equal(at(10*time.Second).Time) {
		t.Errorf("the attempt ended for %q at %s, want with its last step", u.Report.GetReason(), u.Report.GetFinishedAt().AsTime())
	}
}
