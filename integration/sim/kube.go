package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
)

// kinds are what the API server knows, the same for all of them.
type kinds struct {
	scheme  *runtime.Scheme
	decoder runtime.Decoder
}

func newKinds() (*kinds, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register kinds: %w", err)
		}
	}
	return &kinds{scheme: scheme, decoder: serializer.NewCodecFactory(scheme).UniversalDeserializer()}, nil
}

// apiServer is that of one cluster. It keeps every version of every object, so that a read may be stale.
type apiServer struct {
	kinds *kinds
	name  string

	mu      sync.Mutex
	version int
	objects map[string]map[string]runtime.Object // by resource, then namespace/name
	log     []change
	logs    map[string]*bytes.Buffer // of containers, by pod/container
	changed chan struct{}
	down    bool          // no request is answered
	behind  time.Duration // how far lists that may be stale, and watches, are behind
	onJob   func(job *batchv1.Job)
}

// change is one version of an object.
type change struct {
	version  int
	at       time.Time
	kind     string // ADDED, MODIFIED, DELETED
	resource string
	object   runtime.Object
	text     []byte
}

func newAPIServer(k *kinds, name string) *apiServer {
	return &apiServer{kinds: k, name: name, objects: map[string]map[string]runtime.Object{}, logs: map[string]*bytes.Buffer{}, changed: make(chan struct{})}
}

func (k *apiServer) set(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

// put stores a version of an object and tells the watches; the caller holds the lock.
func (k *apiServer) put(resource string, obj runtime.Object) {
	m := accessor(obj)
	k.version++
	m.SetResourceVersion(strconv.Itoa(k.version))
	if m.GetUID() == "" {
		m.SetUID(types.UID(fmt.Sprintf("%s-%d", k.name, k.version)))
		m.SetCreationTimestamp(metav1.Now())
	}
	if k.objects[resource] == nil {
		k.objects[resource] = map[string]runtime.Object{}
	}
	key := m.GetNamespace() + "/" + m.GetName()
	kind := "MODIFIED"
	if _, ok := k.objects[resource][key]; !ok {
		kind = "ADDED"
	}
	k.objects[resource][key] = obj
	k.note(kind, resource, obj)
}

func (k *apiServer) remove(resource, key string) {
	if obj, ok := k.objects[resource][key]; ok {
		delete(k.objects[resource], key)
		obj = obj.DeepCopyObject()
		k.version++
		accessor(obj).SetResourceVersion(strconv.Itoa(k.version))
		k.note("DELETED", resource, obj)
	}
}

func (k *apiServer) note(kind, resource string, obj runtime.Object) {
	k.log = append(k.log, change{k.version, time.Now(), kind, resource, obj, k.encode(obj)})
	close(k.changed)
	k.changed = make(chan struct{})
}

func accessor(obj runtime.Object) metav1.Object {
	m, err := meta.Accessor(obj)
	if err != nil {
		return &metav1.ObjectMeta{} // every kind here has metadata
	}
	return m
}

func (k *apiServer) encode(obj runtime.Object) []byte {
	obj = obj.DeepCopyObject()
	if gvks, _, err := k.kinds.scheme.ObjectKinds(obj); err == nil {
		obj.GetObjectKind().SetGroupVersionKind(gvks[0])
	}
	b, err := json.Marshal(obj)
	if err != nil {
		return []byte("{}")
	}
	return b
}

// job returns a copy of what there is, nil for nothing.
func (k *apiServer) job(namespace, name string) *batchv1.Job {
	k.mu.Lock()
	defer k.mu.Unlock()
	if job, ok := k.objects["jobs"][namespace+"/"+name].(*batchv1.Job); ok {
		return job.DeepCopy()
	}
	return nil
}

// names lists the objects of a resource.
func (k *apiServer) names(resource string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for key := range k.objects[resource] {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

// query is a request as the API server understands it.
type query struct {
	verb, resource, namespace, name, sub string
	selector                             labels.Selector
	uid                                  string // of the object that events are about
	version                              string
	dryRun                               bool
}

// parse reads the URL of a request: /api/v1/… or /apis/batch/v1/….
func parse(r *http.Request) (query, error) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	skip := 2
	if parts[0] == "apis" {
		skip = 3
	}
	if len(parts) < skip+3 || parts[skip] != "namespaces" {
		return query{}, apierrors.NewNotFound(schema.GroupResource{}, r.URL.Path)
	}
	q := query{namespace: parts[skip+1], resource: parts[skip+2]}
	rest := parts[skip+3:]
	if len(rest) > 0 {
		q.name = rest[0]
	}
	if len(rest) > 1 {
		q.sub = rest[1]
	}
	args := r.URL.Query()
	selector, err := labels.Parse(args.Get("labelSelector"))
	if err != nil {
		return q, apierrors.NewBadRequest(err.Error())
	}
	q.selector, q.version, q.dryRun = selector, args.Get("resourceVersion"), args.Get("dryRun") != ""
	q.uid = strings.TrimPrefix(args.Get("fieldSelector"), "involvedObject.uid=")
	q.verb = map[string]string{"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[r.Method]
	switch {
	case q.verb != "":
	case q.sub != "":
		q.verb = q.sub
	case q.name != "":
		q.verb = "get"
	case args.Get("watch") != "":
		q.verb = "watch"
		if args.Get("sendInitialEvents") != "" { // an older API server: the client lists instead
			return q, apierrors.NewInvalid(schema.GroupKind{Kind: "ListOptions"}, "", nil)
		}
	default:
		q.verb = "list"
	}
	return q, nil
}

func (q query) group() schema.GroupResource { return schema.GroupResource{Resource: q.resource} }

// wants tells whether an object is selected.
func (q query) wants(obj runtime.Object) bool {
	m := accessor(obj)
	return m.GetNamespace() == q.namespace && q.selector.Matches(labels.Set(m.GetLabels()))
}

// answer carries out a request that is not a watch.
func (k *apiServer) answer(q query, body []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := q.namespace + "/" + q.name
	there, ok := k.objects[q.resource][key]
	if q.name != "" && !ok {
		return nil, apierrors.NewNotFound(q.group(), q.name)
	}
	switch q.verb {
	case "list":
		return k.list(q), nil
	case "get":
		return k.encode(there), nil
	case "log":
		return nil, errors.New("logs are read by openLog")
	case "create":
		return k.create(q, body)
	case "patch":
		return k.patch(q, there, body)
	case "delete":
		return k.delete(q, there, body)
	default:
		return nil, apierrors.NewMethodNotSupported(q.group(), q.verb)
	}
}

func (k *apiServer) create(q query, body []byte) ([]byte, error) {
	obj, _, err := k.kinds.decoder.Decode(body, nil, nil)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if q.dryRun {
		return k.encode(obj), nil
	}
	m := accessor(obj)
	m.SetNamespace(q.namespace)
	if _, exists := k.objects[q.resource][q.namespace+"/"+m.GetName()]; exists {
		return nil, apierrors.NewAlreadyExists(q.group(), m.GetName())
	}
	k.put(q.resource, obj)
	if job, ok := obj.(*batchv1.Job); ok && k.onJob != nil {
		k.onJob(job.DeepCopy())
	}
	return k.encode(obj), nil
}

func (k *apiServer) patch(q query, there runtime.Object, body []byte) ([]byte, error) {
	var object, wanted map[string]any
	if err := errors.Join(json.Unmarshal(k.encode(there), &object), json.Unmarshal(body, &wanted)); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	merge(object, wanted)
	merged, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode what is patched: %w", err)
	}
	obj, _, err := k.kinds.decoder.Decode(merged, nil, nil)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	k.put(q.resource, obj)
	return k.encode(obj), nil
}

// merge applies a merge patch.
func merge(into, change map[string]any) {
	for key, v := range change {
		inner, isMap := v.(map[string]any)
		was, wasMap := into[key].(map[string]any)
		switch {
		case v == nil:
			delete(into, key)
		case isMap && wasMap:
			merge(was, inner)
		default:
			into[key] = v
		}
	}
}

func (k *apiServer) delete(q query, there runtime.Object, body []byte) ([]byte, error) {
	if len(body) > 0 {
		decoded, _, err := k.kinds.decoder.Decode(body, nil, &metav1.DeleteOptions{})
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		if o, ok := decoded.(*metav1.DeleteOptions); ok && o.Preconditions != nil && o.Preconditions.UID != nil && *o.Preconditions.UID != accessor(there).GetUID() {
			return nil, apierrors.NewConflict(q.group(), q.name, errors.New("the UID in the precondition is another one"))
		}
	}
	k.remove(q.resource, q.namespace+"/"+q.name)
	return []byte(`{"kind":"Status","apiVersion":"v1","status":"Success"}`), nil
}

// list returns what there is, or what there was when the client does not mind.
func (k *apiServer) list(q query) []byte {
	version, objects := k.version, k.objects[q.resource]
	if q.version == "0" && k.behind > 0 {
		version, objects = k.past(q.resource, time.Now().Add(-k.behind))
	}
	var items [][]byte
	if q.resource != "events" { // nobody writes events here
		for _, obj := range objects {
			if q.wants(obj) {
				items = append(items, k.encode(obj))
			}
		}
	}
	kind, group := map[string]string{"jobs": "JobList", "pods": "PodList", "events": "EventList"}[q.resource], "v1"
	if q.resource == "jobs" {
		group = "batch/v1"
	}
	return fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"%d"},"items":[%s]}`, kind, group, version, bytes.Join(items, []byte(",")))
}

// past returns the objects of a resource as they were.
func (k *apiServer) past(resource string, at time.Time) (version int, objects map[string]runtime.Object) {
	objects = map[string]runtime.Object{}
	for _, c := range k.log {
		if c.at.After(at) {
			break
		}
		version = c.version
		if c.resource != resource {
			continue
		}
		key := accessor(c.object).GetNamespace() + "/" + accessor(c.object).GetName()
		if objects[key] = c.object; c.kind == "DELETED" {
			delete(objects, key)
		}
	}
	return version, objects
}

// next returns the changes after a version that a watch is shown now, and what to wait for.
func (k *apiServer) next(q query, from int) (events []byte, seen int, changed <-chan struct{}, again time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	seen = from
	for _, c := range k.log {
		if c.version <= from {
			continue
		}
		if late := time.Until(c.at.Add(k.behind)); late > 0 || k.down {
			return events, seen, k.changed, max(late, time.Second)
		}
		if seen = c.version; c.resource == q.resource && q.wants(c.object) {
			events = fmt.Appendf(events, `{"type":%q,"object":%s}`+"\n", c.kind, c.text)
		}
	}
	return events, seen, k.changed, time.Hour
}

// openLog returns what the kubelet has of a container's log.
func (k *apiServer) openLog(pod, container string) io.ReadCloser {
	k.mu.Lock()
	defer k.mu.Unlock()
	if b := k.logs[pod+"/"+container]; b != nil {
		return io.NopCloser(bytes.NewReader(bytes.Clone(b.Bytes())))
	}
	return http.NoBody
}

// write appends to what the kubelet keeps of a container's output.
func (k *apiServer) write(pod, container string, b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := pod + "/" + container
	if k.logs[key] == nil {
		k.logs[key] = &bytes.Buffer{}
	}
	k.logs[key].Write(b)
}
