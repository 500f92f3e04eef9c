package follow_test

import (
	"io"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/follow"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
)

func TestCluster_Process(t *testing.T) {
	t.Parallel()
	now := metav1.NewTime(epoch)
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{StartedAt: now}}
	for name, c := range map[string]struct {
		reason         string
		service, steps corev1.ContainerState
		change         func(*corev1.Pod)
		want           follow.Process
	}{
		"Runs":      {"beside the steps", running, running, nil, follow.Process{Running: true, Started: epoch, Restarts: 2}},
		"Ended":     {"it is started again", ended, running, nil, follow.Process{Started: epoch, Restarts: 2}},
		"StepsDone": {"nothing is started any more", ended, ended, nil, follow.Process{Started: epoch, Restarts: 2, Over: true}},
		"Stopping":  {"its last lines come", running, ended, nil, follow.Process{Running: true, Started: epoch, Restarts: 2, Over: true}},
		"Deleted": {"nothing is started any more", ended, corev1.ContainerState{}, func(p *corev1.Pod) { p.DeletionTimestamp = &now }, follow.Process{
			Started: epoch, Restarts: 2, Over: true,
		}},
		"Another": {"a pod of that name is not that pod", running, running, func(p *corev1.Pod) { p.UID = "another" }, follow.Process{Gone: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := workfake.NewCluster(t)
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "tests", Name: "p", UID: "u"}, Status: corev1.PodStatus{
				InitContainerStatuses: []corev1.ContainerStatus{{Name: "seatrial-install"}, {Name: "service-db", State: c.service, RestartCount: 2}},
				ContainerStatuses:     []corev1.ContainerStatus{{Name: "c0", State: c.steps}},
			}}
			if c.change != nil {
				c.change(p)
			}
			cluster.Put(p)
			source := follow.Cluster{Client: cluster.Client(t)}
			got, err := source.Process(t.Context(), work.PodIdentity{Namespace: "tests", Pod: "p", UID: "u"}, "db")
			if err != nil || got.Running != c.want.Running || got.Restarts != c.want.Restarts || got.Over != c.want.Over || got.Gone != c.want.Gone ||
				!got.Started.Equal(c.want.Started) {
				t.Errorf("%s: %+v, %v; want %+v", c.reason, got, err, c.want)
			}
		})
	}
}

func TestCluster_Open(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	cluster.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "tests", Name: "p", UID: "u"}})
	cluster.SetLog("p", "service-db", "line\n")
	source := follow.Cluster{Client: cluster.Client(t)}
	log, err := source.Open(t.Context(), work.PodIdentity{Namespace: "tests", Pod: "p"}, "db", follow.Opening{Since: epoch.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if b, err := io.ReadAll(log); err != nil || string(b) != "line\n" {
		t.Errorf("log %q, %v", b, err)
	}
	if _, err := source.Open(t.Context(), work.PodIdentity{Namespace: "tests", Pod: "none"}, "db", follow.Opening{}); err == nil {
		t.Error("the log of a pod that is not there was opened")
	}
}
