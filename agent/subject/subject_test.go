package subject_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/subject"
	"github.com/seatrial/seatrial/agent/workfake"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// digest is one of sixteen.
func digest(hex string) string { return "sha256:" + strings.Repeat(hex, 64) }

// log keeps what is logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) lines() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), "\n")
}

type bundle struct {
	*subject.Observer
	cluster *workfake.Cluster
	log     *log
}

func setup(t *testing.T, cluster *workfake.Cluster, scopes ...subject.Scope) bundle {
	t.Helper()
	b := bundle{cluster: cluster, log: &log{}}
	var err error
	b.Observer, err = subject.New(subject.Options{
		Log: slog.New(slog.NewTextHandler(b.log, nil)), Client: cluster.Client(t), RunNamespaces: []string{"tests", "other"}, Scopes: scopes,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Start(t.Context())
	t.Cleanup(b.Stop)
	return b
}

// until waits for a snapshot that is as wanted: the caches follow the API server in their own time.
func (b bundle) until(t *testing.T, what string, match func(*agentv1.Subject) bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		got := b.Observe(t.Context(), "tests")
		if match(got) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s: got %v", what, got)
		case <-tick.C:
		}
	}
}

// pod is one that runs and is ready.
func pod(namespace, name, hex string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": "shop"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "shop:1"}}},
		Status: corev1.PodStatus{
			Phase:             corev1.PodRunning,
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "web", Image: "docker.io/shop:1", ImageID: "docker.io/shop@" + digest(hex)}},
		},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

// images writes a snapshot in short.
func images(s *agentv1.Subject) []string {
	out := []string{}
	for _, i := range s.GetImages() {
		out = append(out, i.GetContainer()+" "+i.GetImage()+" "+i.GetDigest()[:8])
	}
	return out
}

func TestObserver_Observe_Pods(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pods    []*corev1.Pod
		want    []string
		message string
		reason  string
	}{
		"Replicas": {
			pods: []*corev1.Pod{pod("tests", "a", "1"), pod("tests", "b", "1")},
			want: []string{"web shop:1 sha256:1"}, reason: "replicas of one image are one image",
		},
		"Rollout": {
			pods: []*corev1.Pod{pod("tests", "a", "2"), pod("tests", "b", "1")},
			want: []string{"web shop:1 sha256:1", "web shop:1 sha256:2"}, reason: "one tag, two digests: both are under test, in order",
		},
		"Sidecar": {
			pods: []*corev1.Pod{pod("tests", "a", "1", func(p *corev1.Pod) {
				p.Spec.InitContainers = []corev1.Container{
					{Name: "migrate", Image: "shop:1"}, {Name: "mesh", Image: "mesh:1", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)},
				}
				p.Status.InitContainerStatuses = []corev1.ContainerStatus{
					{Name: "migrate", ImageID: digest("3")}, {Name: "mesh", ImageID: "docker-pullable://mesh@" + digest("4")},
				}
			})},
			want: []string{"mesh mesh:1 sha256:4", "web shop:1 sha256:1"}, reason: "a sidecar serves, a container that prepares does not",
		},
		"Pending": {
			pods: []*corev1.Pod{pod("tests", "a", "1", func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending })}, want: []string{},
			message: "Nothing but tests runs in namespace tests: name where the application runs in subjects of the agent's chart.",
			reason:  "it does not run",
		},
		"Terminating": {
			pods: []*corev1.Pod{pod("tests", "a", "1", func(p *corev1.Pod) { p.DeletionTimestamp = ptr.To(metav1.Now()) }), pod("tests", "b", "2")},
			want: []string{"web shop:1 sha256:2"}, reason: "it is on its way out",
		},
		"Unready": {
			pods: []*corev1.Pod{pod("tests", "a", "1", func(p *corev1.Pod) { p.Status.Conditions = nil }), pod("tests", "b", "2")},
			want: []string{"web shop:1 sha256:2"}, message: "Pods that were not ready and are left out: 1.", reason: "it serves nobody, and that is said",
		},
		"NoDigest": {
			pods: []*corev1.Pod{pod("tests", "a", "1", func(p *corev1.Pod) { p.Status.ContainerStatuses[0].ImageID = "" })}, want: []string{},
			message: "Containers for which the cluster names no digest and which are left out: 1.", reason: "no digest is made up",
		},
		"NoStatus": {
			pods: []*corev1.Pod{pod("tests", "a", "1", func(p *corev1.Pod) { p.Status.ContainerStatuses = nil })}, want: []string{},
			message: "Containers for which the cluster names no digest and which are left out: 1.", reason: "the kubelet has not said yet",
		},
		"NoReference": {
			pods: []*corev1.Pod{pod("tests", "a", "1", func(p *corev1.Pod) { p.Spec.Containers[0].Image = "" })},
			want: []string{"web docker.io/shop:1 sha256:1"}, reason: "the status names it, too",
		},
		"Own": {
			pods: []*corev1.Pod{
				pod("tests", "attempt", "1", func(p *corev1.Pod) { p.Labels[jobspec.LabelAttempt] = "x" }),
				pod("tests", "probe", "2", func(p *corev1.Pod) { p.Labels["app.kubernetes.io/managed-by"] = "seatrial" }),
				pod("tests", "agent", "3", func(p *corev1.Pod) { p.Labels["app.kubernetes.io/name"] = "seatrial-agent" }),
				pod("tests", "shop", "4"), pod("elsewhere", "shop", "5"),
			},
			want: []string{"web shop:1 sha256:4"}, reason: "what Seatrial made is not under test, nor is another namespace",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := workfake.NewCluster(t)
			for _, p := range tc.pods {
				cluster.Put(p)
			}
			got := setup(t, cluster).Observe(t.Context(), "tests")
			if d := cmp.Diff(tc.want, images(got)); d != "" || got.GetMessage() != tc.message || got.GetObservedAt() == nil || got.GetCut() {
				t.Errorf("%s: %v\n%s", tc.reason, got, d)
			}
		})
	}
}

func TestObserver_Observe_Scopes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		scopes  []subject.Scope
		want    []string
		message string
		reason  string
	}{
		"None":     {nil, []string{"web shop:1 sha256:1"}, "", "the run namespace itself"},
		"Every":    {[]subject.Scope{{Namespace: "shop"}}, []string{"web shop:1 sha256:2", "web shop:1 sha256:3"}, "", "for every run namespace"},
		"Another":  {[]subject.Scope{{RunNamespace: "other", Namespace: "shop"}}, []string{"web shop:1 sha256:1"}, "", "it is not for these tests"},
		"Selector": {[]subject.Scope{{Namespace: "shop", Selector: "app in (shop), tier!=cache"}}, []string{"web shop:1 sha256:2"}, "", "some of them"},
		"Several": {
			[]subject.Scope{{Namespace: "shop", Selector: "tier=cache"}, {RunNamespace: "tests", Namespace: "tests"}, {Namespace: "shop", Selector: "tier=cache"}},
			[]string{"web shop:1 sha256:1", "web shop:1 sha256:3"},
			"", "they add up",
		},
		"Nothing": {
			[]subject.Scope{{Namespace: "shop", Selector: "app=none"}},
			[]string{},
			"No pod runs in namespace shop that matches app=none.",
			"a selector that matches nothing is said",
		},
		"Empty": {[]subject.Scope{{Namespace: "void"}}, []string{}, "No pod runs in namespace void.", "so is an empty namespace"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := workfake.NewCluster(t)
			cluster.Put(pod("tests", "a", "1"))
			cluster.Put(pod("shop", "b", "2"))
			cluster.Put(pod("shop", "c", "3", func(p *corev1.Pod) { p.Labels["tier"] = "cache" }))
			got := setup(t, cluster, tc.scopes...).Observe(t.Context(), "tests")
			if d := cmp.Diff(tc.want, images(got)); d != "" || got.GetMessage() != tc.message {
				t.Errorf("%s: %v\n%s", tc.reason, got, d)
			}
		})
	}
}

func TestObserver_Observe_FollowsARollout(t *testing.T) {
	t.Parallel()
	b := setup(t, workfake.NewCluster(t))
	b.cluster.Put(pod("tests", "a", "1"))
	b.until(t, "the first release", func(s *agentv1.Subject) bool { return len(images(s)) == 1 })
	b.cluster.Put(pod("tests", "b", "2"))
	b.until(t, "both", func(s *agentv1.Subject) bool { return len(images(s)) == 2 })
	b.cluster.Delete("pods", "tests", "a")
	b.until(t, "the second release", func(s *agentv1.Subject) bool {
		return cmp.Equal(images(s), []string{"web shop:1 sha256:2"})
	})
}

func TestObserver_Observe_IsBounded(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	for n := range 501 {
		cluster.Put(pod("tests", fmt.Sprintf("p%d", n), "1", func(p *corev1.Pod) {
			p.Spec.Containers[0].Image = fmt.Sprintf("%03d:%s", n, strings.Repeat("é", 400))
		}))
	}
	got := setup(t, cluster).Observe(t.Context(), "tests")
	if len(got.GetImages()) != 500 || !got.GetCut() || !strings.HasPrefix(got.GetMessage(), "Of 501 images the first 500 are listed") {
		t.Errorf("%d images, cut %t: %s", len(got.GetImages()), got.GetCut(), got.GetMessage())
	}
	if i := got.GetImages()[0]; len(i.GetImage()) > 512 || !strings.HasPrefix(i.GetImage(), "000:") || strings.ToValidUTF8(i.GetImage(), "") != i.GetImage() {
		t.Errorf("%d bytes of %q: a text that is broken cannot be sent", len(i.GetImage()), i.GetImage())
	}
}

func TestObserver_Observe_WithoutRole(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	deny := func(c workfake.Call) error {
		if c.Namespace == "shop" {
			return apierrors.NewForbidden(schema.GroupResource{Resource: c.Resource}, "", errors.New("no Role"))
		}
		return nil
	}
	cluster.Fault(deny)
	cluster.Put(pod("tests", "a", "1"))
	cluster.Put(pod("shop", "b", "2"))
	b := setup(t, cluster, subject.Scope{Namespace: "tests"}, subject.Scope{Namespace: "shop"})
	begin := time.Now()
	got := b.Observe(t.Context(), "tests")
	if got.GetObservedAt() != nil || len(got.GetImages()) > 0 || !strings.Contains(got.GetMessage(), "may not list pods in namespace shop") {
		t.Errorf("got %v: a part of the images is no evidence", got)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %v: nothing is to be waited for", took)
	}
	requests := func() int {
		n := 0
		for _, c := range cluster.Calls() {
			if c.Namespace == "shop" {
				n++
			}
		}
		return n
	}
	b.until(t, "it is tried again", func(*agentv1.Subject) bool { return requests() >= 4 })
	if n := b.log.lines(); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
	cluster.Fault(nil)
	b.until(t, "the Role is there", func(s *agentv1.Subject) bool { return len(images(s)) == 2 && s.GetObservedAt() != nil })
}

func TestObserver_Observe_ClusterAway(t *testing.T) {
	t.Parallel()
	b := setup(t, workfake.NewCluster(t))
	b.cluster.Fault(func(workfake.Call) error { return apierrors.NewInternalError(errors.New("etcd")) })
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if got := b.Observe(ctx, "nowhere"); !strings.Contains(got.GetMessage(), "runs no tests in namespace nowhere") {
		t.Errorf("got %v", got)
	}
	b2 := setup(t, b.cluster)
	if got := b2.Observe(ctx, "tests"); got.GetObservedAt() != nil || got.GetMessage() == "" {
		t.Errorf("got %v: what is not known is said", got)
	}
}
