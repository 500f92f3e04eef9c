package workfake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/seatrial/seatrial/agent/kube"
)

// ClusterUID is the UID of the namespace kube-system.
const ClusterUID = "11111111-2222-3333-4444-555555555555"

// Call is a request to the API server; Name is empty for lists and creations.
type Call struct {
	Verb, Resource, Namespace, Name string
}

// Cluster is an API server that keeps what it is given and runs nothing: tests play the controllers' and the kubelet's part.
type Cluster struct {
	server *httptest.Server
	codecs serializer.CodecFactory
	scheme *runtime.Scheme

	mu      sync.Mutex
	version int
	objects map[string]map[string]runtime.Object // by resource, then namespace/name
	watches map[*watcher]struct{}
	history []change
	fault   func(Call) error
	allow   func(kube.Access) bool // nil for what the agent's chart allows
	muted   bool                   // watches get nothing
	logs    map[string]string      // by pod/container
	calls   []Call
	changed chan struct{}
	done    func(Call, runtime.Object)
	review  func(*authenticationv1.TokenReview)
}

// remembered is how many changes a watch may be behind. Who is farther behind is told that they are gone, and lists anew.
const remembered = 4096

// change is an event as watches get it.
type change struct {
	version  int
	resource string
	object   runtime.Object
	text     string
}

// NewCluster returns an API server that ends with the test.
func NewCluster(tb testing.TB) *Cluster {
	tb.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme, authenticationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			tb.Fatal(err)
		}
	}
	c := &Cluster{
		codecs: serializer.NewCodecFactory(scheme), scheme: scheme, objects: map[string]map[string]runtime.Object{},
		watches: map[*watcher]struct{}{}, logs: map[string]string{}, changed: make(chan struct{}),
	}
	c.server = httptest.NewServer(http.HandlerFunc(c.serve))
	tb.Cleanup(c.server.Close)
	tb.Cleanup(c.server.CloseClientConnections)
	c.Put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: ClusterUID}})
	return c
}

// URL is the address of the API server.
func (c *Cluster) URL() string { return c.server.URL }

// Client returns a client of it.
func (c *Cluster) Client(tb testing.TB) *kube.Client {
	tb.Helper()
	client, err := kube.New(&rest.Config{Host: c.server.URL})
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

// Fault makes f decide on each request: an error is answered, nil lets it pass.
func (c *Cluster) Fault(f func(Call) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = f
}

// Done makes f hear of each request that has created something, with a copy of that, before the answer is sent.
func (c *Cluster) Done(f func(Call, runtime.Object)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = f
}

// Review makes f say whose a token is.
func (c *Cluster) Review(f func(*authenticationv1.TokenReview)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.review = f
}

// Changed returns what is closed at the next change of any object.
func (c *Cluster) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Object returns a copy of an object, nil for none.
func (c *Cluster) Object(resource, namespace, name string) runtime.Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	if obj, ok := c.objects[resource][namespace+"/"+name]; ok {
		return obj.DeepCopyObject()
	}
	return nil
}

// Change stores another version of an object that is still there, as f makes it of a copy.
func (c *Cluster) Change(resource, namespace, name string, f func(runtime.Object)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if obj, ok := c.objects[resource][namespace+"/"+name]; ok {
		obj = obj.DeepCopyObject()
		f(obj)
		c.put(resource, obj)
	}
}

// Allow makes f decide what clients are told of their rights.
func (c *Cluster) Allow(f func(kube.Access) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.allow = f
}

// Mute makes watches stall, as connections do that are half open.
func (c *Cluster) Mute(muted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.muted = muted
}

// Calls returns the requests so far.
func (c *Cluster) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Call(nil), c.calls...)
}

// SetLog gives a container a log.
func (c *Cluster) SetLog(pod, container, log string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logs[pod+"/"+container] = log
}

// Put creates or replaces an object, as a controller would.
func (c *Cluster) Put(obj runtime.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(resourceOf(obj), obj.DeepCopyObject())
}

// Delete removes an object.
func (c *Cluster) Delete(resource, namespace, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(resource, namespace+"/"+name)
}

// Job waits for the Job of that name.
func (c *Cluster) Job(ctx context.Context, namespace, name string, match func(*batchv1.Job) bool) (*batchv1.Job, error) {
	for {
		c.mu.Lock()
		job, ok := c.objects["jobs"][namespace+"/"+name].(*batchv1.Job)
		changed := c.changed
		c.mu.Unlock()
		if ok && (match == nil || match(job)) {
			return job.DeepCopy(), nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("job %s/%s: %w", namespace, name, ctx.Err())
		case <-changed:
		}
	}
}

func resourceOf(obj runtime.Object) string {
	switch obj.(type) {
	case *batchv1.Job:
		return "jobs"
	case *corev1.Pod:
		return "pods"
	case *corev1.Event:
		return "events"
	case *corev1.Secret:
		return "secrets"
	default:
		return "namespaces"
	}
}

// put stores an object and tells the watches; the caller holds the lock.
func (c *Cluster) put(resource string, obj runtime.Object) {
	m, err := meta.Accessor(obj)
	if err != nil {
		return
	}
	c.version++
	m.SetResourceVersion(strconv.Itoa(c.version))
	if m.GetUID() == "" {
		m.SetUID(types.UID("uid-" + strconv.Itoa(c.version)))
	}
	if at := m.GetCreationTimestamp(); at.IsZero() {
		m.SetCreationTimestamp(metav1.Now())
	}
	if c.objects[resource] == nil {
		c.objects[resource] = map[string]runtime.Object{}
	}
	key := m.GetNamespace() + "/" + m.GetName()
	kind := "MODIFIED"
	if _, ok := c.objects[resource][key]; !ok {
		kind = "ADDED"
	}
	c.objects[resource][key] = obj
	c.tell(kind, resource, obj)
}

func (c *Cluster) remove(resource, key string) {
	if obj, ok := c.objects[resource][key]; ok {
		delete(c.objects[resource], key)
		c.version++
		c.tell("DELETED", resource, obj)
	}
}

func (c *Cluster) tell(kind, resource string, obj runtime.Object) {
	close(c.changed)
	c.changed = make(chan struct{})
	event := fmt.Sprintf(`{"type":%q,"object":%s}`, kind, c.encode(obj))
	c.history = append(c.history, change{c.version, resource, obj, event})
	if len(c.history) > 2*remembered {
		c.history = append([]change(nil), c.history[remembered:]...)
	}
	for w := range c.watches {
		if !c.muted && w.resource == resource && w.wants(obj) {
			w.events <- event
		}
	}
}

// encode returns an object as JSON with its kind.
func (c *Cluster) encode(obj runtime.Object) string {
	obj = obj.DeepCopyObject()
	if kinds, _, err := c.scheme.ObjectKinds(obj); err == nil {
		obj.GetObjectKind().SetGroupVersionKind(kinds[0])
	}
	b, err := json.Marshal(obj)
	if err != nil {
		return "{}"
	}
	return string(b)
}

// list returns all objects of a resource that are wanted, as JSON.
func (c *Cluster) list(w *watcher) string {
	var items []string
	for _, obj := range c.objects[w.resource] {
		if w.wants(obj) {
			items = append(items, c.encode(obj))
		}
	}
	gv := schema.GroupVersion{Version: "v1"}
	kind := map[string]string{"jobs": "JobList", "pods": "PodList", "events": "EventList"}[w.resource]
	if w.resource == "jobs" {
		gv.Group = batchv1.GroupName
	}
	return fmt.Sprintf(`{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"%d"},"items":[%s]}`,
		kind, gv.String(), c.version, strings.Join(items, ","))
}

func missing(resource, name string) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: resource}, name)
}

// Objects returns all objects of a resource.
func (c *Cluster) Objects(resource string) []runtime.Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []runtime.Object
	for _, obj := range c.objects[resource] {
		out = append(out, obj.DeepCopyObject())
	}
	return out
}
