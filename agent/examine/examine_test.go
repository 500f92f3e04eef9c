package examine_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/examine"
	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// world is what the examiner looks at, as it is when all is well.
type world struct {
	cluster *workfake.Cluster
	options examine.Options
	refused error
	ahead   time.Duration
	unseen  []string
}

func (w *world) Rehearse(context.Context, string) error { return w.refused }

func (w *world) Offset() (time.Duration, bool) { return w.ahead, true }

func (w *world) Unseen() []string { return w.unseen }

func setup(t *testing.T) *world {
	t.Helper()
	plane := httptest.NewUnstartedServer(http.NotFoundHandler())
	plane.EnableHTTP2, plane.Config.ErrorLog = true, log.New(io.Discard, "", 0) // connections without a request
	plane.StartTLS()
	t.Cleanup(plane.Close)
	roots := x509.NewCertPool()
	roots.AddCert(plane.Certificate())
	w := &world{cluster: workfake.NewCluster(t)}
	w.options = examine.Options{
		Log: slog.New(slog.DiscardHandler), Client: w.cluster.Client(t), Rehearsal: w, Offset: w, Views: w,
		Address: plane.Listener.Addr().String(), TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Version: "v1", Kubernetes: "v1.34.4",
		Rights:        []examine.Rights{{Where: "tests in shop", Needed: []kube.Access{{Group: "batch", Resource: "jobs", Verb: "create", Namespace: "shop"}}, Remedy: "Add shop."}},
		Forbidden:     []string{"shop"},
		RunNamespaces: []string{"shop"}, Mine: "seatrial.dev/agent=a", Endpoint: "127.0.0.1:9444",
	}
	return w
}

// through has the way to the control plane lead through a proxy.
func (w *world) through(t *testing.T, proxy string) {
	t.Helper()
	at, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	w.options.Proxy = func(*http.Request) (*url.URL, error) { return at, nil }
}

// TestExaminer_Proxy: where a proxy stands on the way, it is the proxy's way that is looked at.
func TestExaminer_Proxy(t *testing.T) {
	t.Parallel()
	w := setup(t)
	plane := w.options.Address
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != plane || r.Header.Get("Proxy-Authorization") != "Basic dTpw" {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		to, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", r.Host)
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		from, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			_ = to.Close()
			return
		}
		defer from.Close()
		defer to.Close()
		_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(from, to)
		}()
		_, _ = io.Copy(to, from) // until the examiner closes
		_ = to.Close()
		<-done
	}))
	t.Cleanup(proxy.Close)
	w.through(t, strings.Replace(proxy.URL, "http://", "http://u:p@", 1))
	all := examine.New(w.options).Examine(t.Context())
	if c := all[1]; c.GetName() != "control plane" || c.GetState() != agentv1.CheckState_CHECK_STATE_GOOD {
		t.Errorf("%v", c)
	}
}

// TestExaminer_ManyNamespaces: whoever has hundreds gets an answer for each, at another rate than that of Jobs, at which this would take longer
// than it may.
func TestExaminer_ManyNamespaces(t *testing.T) {
	t.Parallel()
	w := setup(t)
	const namespaces, rights = 300, 8
	w.options.Rights, w.options.Forbidden, w.options.Patience = nil, nil, time.Minute
	for i := range namespaces {
		ns := fmt.Sprintf("team-%03d", i)
		r := examine.Rights{Where: "tests in " + ns}
		for j := range rights {
			r.Needed = append(r.Needed, kube.Access{Group: "batch", Resource: "jobs", Verb: "create", Namespace: ns, Name: fmt.Sprintf("job-%d", j)})
		}
		w.options.Rights, w.options.Forbidden = append(w.options.Rights, r), append(w.options.Forbidden, ns)
	}
	permissions := 0
	for _, c := range examine.New(w.options).Examine(t.Context()) {
		if c.GetName() != "permissions" { // a busy machine is slow to answer, which the others tell
			continue
		}
		if permissions++; c.GetState() != agentv1.CheckState_CHECK_STATE_GOOD {
			t.Fatalf("%v", c)
		}
	}
	if permissions != namespaces+1 {
		t.Errorf("%d answers about permissions", permissions)
	}
}

func TestExaminer_Well(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var names []string
	for _, c := range examine.New(w.options).Examine(t.Context()) {
		names = append(names, c.GetName())
		if c.GetState() != agentv1.CheckState_CHECK_STATE_GOOD || c.GetRemedy() != "" || c.GetFound() == "" {
			t.Errorf("%v", c)
		}
	}
	want := []string{"agent", "control plane", "clock", "clock", "API server", "permissions", "permissions", "admission shop", "images shop", "watch"}
	if !slices.Equal(names, want) {
		t.Errorf("looked at %q, not %q", names, want)
	}
	for _, call := range w.cluster.Calls() {
		if call.Verb != "get" && call.Verb != "list" && call.Resource != "selfsubjectaccessreviews" {
			t.Errorf("it has changed something: %+v", call)
		}
	}
}

func TestExaminer_Finds(t *testing.T) {
	t.Parallel()
	waiting := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "t-1", Labels: map[string]string{"seatrial.dev/agent": "a"}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Image: "qa:9", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such tag"},
		}}}},
	}
	const doubtful, bad = agentv1.CheckState_CHECK_STATE_DOUBTFUL, agentv1.CheckState_CHECK_STATE_BAD
	for name, tc := range map[string]struct {
		reason string
		spoil  func(*testing.T, *world)
		check  string
		state  agentv1.CheckState
		found  string // a part of it
		remedy string // a part of it
	}{
		"Unreachable": {"nobody listens", func(t *testing.T, w *world) {
			t.Helper()
			closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			w.options.Address = closed.Addr().String()
			_ = closed.Close()
		}, "control plane", bad, "no new connection", "network policies"},
		"UnknownAuthority": {"another certificate than the agent was given", func(_ *testing.T, w *world) {
			w.options.TLS = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		}, "control plane", bad, "no new connection", "controlPlane.ca"},
		"Plaintext": {"anybody can read it", func(_ *testing.T, w *world) { w.options.TLS = nil }, "control plane", doubtful, "without TLS", "controlPlane.insecure"},
		"NoSuchName": {"names are not resolved", func(_ *testing.T, w *world) {
			w.options.Endpoint = "agent.invalid:9444"
			w.options.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no DNS") }}
		}, "DNS", bad, "agent.invalid", "DNS"},
		"Proxy": {"it lets nothing through", func(t *testing.T, w *world) {
			t.Helper()
			proxy := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(proxy.Close)
			w.through(t, proxy.URL)
		}, "control plane", bad, "404 Not Found to CONNECT", "proxy on the way"},
		"Late": {"tokens do not hold", func(_ *testing.T, w *world) { w.ahead = -2 * time.Minute }, "clock", bad, "the control plane differs by 2m0s", "NTP"},
		"Fast": {"log lines look odd", func(_ *testing.T, w *world) {
			w.options.Now = func() time.Time { return time.Now().Add(9 * time.Second) }
		}, "clock", doubtful, "the API server", "NTP"},
		"Upgrade": {"the way of the runner into pods may be another now", func(_ *testing.T, w *world) { w.options.Kubernetes = "v1.33.0" }, "API server", doubtful, "was v1.33.0", "Restart the agent"},
		"Missing": {"its Role is gone", func(_ *testing.T, w *world) {
			w.cluster.Allow(func(a kube.Access) bool { return false })
		}, "permissions", bad, "tests in shop: may not create jobs", "Add shop."},
		"TooMuch": {"somebody has made it an administrator", func(_ *testing.T, w *world) {
			w.cluster.Allow(func(a kube.Access) bool { return a.Resource != "secrets" || a.Namespace == "shop" })
		}, "permissions", bad, "get secrets in namespace shop", "binding"},
		"Refused": {"a policy of the cluster", func(_ *testing.T, w *world) { w.refused = &work.RejectedError{Message: "A policy forbids it."} }, "admission shop", bad, "A policy forbids it.", "refused"},
		"Quota":   {"the API server says something else", func(_ *testing.T, w *world) { w.refused = errors.New("exceeded quota") }, "admission shop", bad, "exceeded quota", "quotas"},
		"NoImage": {"a pod waits for it", func(_ *testing.T, w *world) { w.cluster.Put(waiting) }, "images shop", bad, "ImagePullBackOff of qa:9: no such tag", "imagePullSecrets"},
		"Unseen":  {"a watch is refused", func(_ *testing.T, w *world) { w.unseen = []string{"shop"} }, "watch", bad, "not seen in shop", "permissions"},
		"NoAnswers": {"the API server is broken", func(_ *testing.T, w *world) {
			w.cluster.Fault(func(workfake.Call) error { return apierrors.NewInternalError(errors.New("etcd is gone")) })
		}, "permissions", bad, "etcd is gone", "API server"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			tc.spoil(t, w)
			all := examine.New(w.options).Examine(t.Context())
			if !slices.ContainsFunc(all, func(c *agentv1.Check) bool {
				return c.GetName() == tc.check && c.GetState() == tc.state && strings.Contains(c.GetFound(), tc.found) && strings.Contains(c.GetRemedy(), tc.remedy)
			}) {
				t.Errorf("%s: %v", tc.reason, all)
			}
		})
	}
}
