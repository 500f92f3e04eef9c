package workfake

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// watcher is one watch, or what a list selects.
type watcher struct {
	resource, namespace string
	labels              labels.Selector
	fields              string
	events              chan string
}

// wants tells whether an object is selected. Of field selectors only those by name and by involved object are known.
func (w *watcher) wants(obj runtime.Object) bool {
	m, err := meta.Accessor(obj)
	if err != nil || (w.namespace != "" && m.GetNamespace() != w.namespace) || !w.labels.Matches(labels.Set(m.GetLabels())) {
		return false
	}
	if name, ok := strings.CutPrefix(w.fields, "metadata.name="); ok {
		return m.GetName() == name
	}
	return true
}

func parse(r *http.Request) (Call, string) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if parts[0] == "api" {
		parts = parts[2:]
	} else {
		parts = parts[3:]
	}
	call := Call{Verb: map[string]string{"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[r.Method]}
	if parts[0] == "namespaces" && len(parts) > 2 {
		call.Namespace = parts[1]
		parts = parts[2:]
	}
	call.Resource = parts[0]
	var sub string
	if len(parts) > 1 {
		call.Name = parts[1]
	}
	if len(parts) > 2 {
		sub = parts[2]
	}
	if r.Method == http.MethodGet {
		switch {
		case sub != "":
			call.Verb = sub
		case call.Name != "":
			call.Verb = "get"
		case r.URL.Query().Get("watch") != "":
			call.Verb = "watch"
		default:
			call.Verb = "list"
		}
	}
	return call, sub
}

func (c *Cluster) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/version" {
		_, _ = io.WriteString(w, `{"major":"1","minor":"34","gitVersion":"v1.34.4"}`)
		return
	}
	call, _ := parse(r)
	c.mu.Lock()
	c.calls = append(c.calls, call)
	fault, done := c.fault, c.done
	c.mu.Unlock()
	if fault != nil {
		if err := fault(call); err != nil {
			refuse(w, err)
			return
		}
	}
	if call.Verb == "watch" {
		c.watch(w, r, call)
		return
	}
	if call.Resource == "selfsubjectaccessreviews" {
		c.tellRights(w, r)
		return
	}
	body, made, err := c.answer(call, r)
	if err != nil {
		refuse(w, err)
		return
	}
	if done != nil && made != nil {
		done(call, made)
	}
	if call.Verb != "log" {
		w.Header().Set("Content-Type", "application/json")
	}
	_, _ = io.WriteString(w, body) //nolint:gosec // a test reads it
}

func refuse(w http.ResponseWriter, err error) {
	var s apierrors.APIStatus
	if !errors.As(err, &s) {
		s = apierrors.NewInternalError(err)
	}
	status := s.Status()
	status.Kind, status.APIVersion = "Status", "v1"
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status) // the client is gone
}

// answer carries out a request that is no watch, and returns a copy of what it has created.
func (c *Cluster) answer(call Call, r *http.Request) (body string, made runtime.Object, err error) {
	switch {
	case call.Resource == "tokenreviews":
		body, err = c.judge(r)
		return body, nil, err
	case call.Verb == "create":
		return c.create(call, r)
	}
	body, err = c.carryOut(call, r)
	return body, nil, err
}

func (c *Cluster) create(call Call, r *http.Request) (body string, made runtime.Object, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if made, err = c.write(call, r); err != nil {
		return "", nil, err
	}
	if r.URL.Query().Get("dryRun") != "" {
		return c.encode(made), nil, nil
	}
	return c.encode(made), made.DeepCopyObject(), nil
}

func (c *Cluster) carryOut(call Call, r *http.Request) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := call.Namespace + "/" + call.Name
	there, ok := c.objects[call.Resource][key]
	if call.Name != "" && !ok {
		return "", missing(call.Resource, call.Name)
	}
	switch call.Verb {
	case "list":
		return c.list(selection(r, call)), nil
	case "get":
		return c.encode(there), nil
	case "log":
		return c.logs[call.Name+"/"+r.URL.Query().Get("container")], nil
	case "update":
		obj, err := c.write(call, r)
		if err != nil {
			return "", err
		}
		return c.encode(obj), nil
	case "patch":
		return c.patch(call, there, r)
	case "delete":
		if err := c.mayDelete(there, call, r); err != nil {
			return "", err
		}
		c.remove(call.Resource, key)
		return `{"kind":"Status","apiVersion":"v1","status":"Success"}`, nil
	default:
		return "", apierrors.NewMethodNotSupported(schema.GroupResource{Resource: call.Resource}, call.Verb)
	}
}

// mayDelete checks the precondition of a deletion.
func (c *Cluster) mayDelete(there runtime.Object, call Call, r *http.Request) error {
	b, err := io.ReadAll(r.Body)
	if err != nil || len(b) == 0 {
		return err
	}
	decoded, _, err := c.codecs.UniversalDeserializer().Decode(b, nil, &metav1.DeleteOptions{})
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	opts, isOptions := decoded.(*metav1.DeleteOptions)
	m, err := meta.Accessor(there)
	if !isOptions || err != nil || opts.Preconditions == nil || opts.Preconditions.UID == nil || *opts.Preconditions.UID == m.GetUID() {
		return err
	}
	return apierrors.NewConflict(schema.GroupResource{Resource: call.Resource}, call.Name, errors.New("the UID in the precondition is another one"))
}

// judge answers a review of a token; it is kept nowhere.
func (c *Cluster) judge(r *http.Request) (string, error) {
	obj, err := c.decode(r)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	f := c.review
	c.mu.Unlock()
	if review, ok := obj.(*authenticationv1.TokenReview); ok && f != nil {
		f(review) // without the lock: it looks for pods
	}
	return c.encode(obj), nil
}

func (c *Cluster) decode(r *http.Request) (runtime.Object, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	obj, _, err := c.codecs.UniversalDeserializer().Decode(b, nil, nil)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return obj, nil
}

func (c *Cluster) write(call Call, r *http.Request) (runtime.Object, error) {
	obj, err := c.decode(r)
	if err != nil {
		return nil, err
	}
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, err
	}
	m.SetNamespace(call.Namespace)
	if was, ok := c.objects[call.Resource][call.Namespace+"/"+m.GetName()]; ok && call.Verb == "create" {
		return nil, apierrors.NewAlreadyExists(schema.GroupResource{Resource: call.Resource}, m.GetName())
	} else if old, err := meta.Accessor(was); ok && err == nil && m.GetResourceVersion() != old.GetResourceVersion() {
		return nil, apierrors.NewConflict(schema.GroupResource{Resource: call.Resource}, m.GetName(), errors.New("it was changed"))
	}
	if r.URL.Query().Get("dryRun") == "" {
		c.put(call.Resource, obj)
	}
	return obj, nil
}

func (c *Cluster) patch(call Call, there runtime.Object, r *http.Request) (string, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	var object, change map[string]any
	if err := errors.Join(json.Unmarshal([]byte(c.encode(there)), &object), json.Unmarshal(b, &change)); err != nil {
		return "", apierrors.NewBadRequest(err.Error())
	}
	merge(object, change)
	merged, err := json.Marshal(object)
	if err != nil {
		return "", err
	}
	obj, _, err := c.codecs.UniversalDeserializer().Decode(merged, nil, nil)
	if err != nil {
		return "", apierrors.NewBadRequest(err.Error())
	}
	c.put(call.Resource, obj)
	return c.encode(obj), nil
}

// merge applies a merge patch.
func merge(into, change map[string]any) {
	for k, v := range change {
		inner, isMap := v.(map[string]any)
		was, wasMap := into[k].(map[string]any)
		switch {
		case v == nil:
			delete(into, k)
		case isMap && wasMap:
			merge(was, inner)
		default:
			into[k] = v
		}
	}
}

func selection(r *http.Request, call Call) *watcher {
	q := r.URL.Query()
	selector, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		selector = labels.Nothing()
	}
	return &watcher{resource: call.Resource, namespace: call.Namespace, labels: selector, fields: q.Get("fieldSelector")}
}

// watch streams changes, beginning after the version that the client has.
func (c *Cluster) watch(w http.ResponseWriter, r *http.Request, call Call) {
	if r.URL.Query().Get("sendInitialEvents") != "" {
		refuse(w, apierrors.NewInvalid(schema.GroupKind{Kind: "ListOptions"}, "", nil))
		return
	}
	sel := selection(r, call)
	sel.events = make(chan string, 4*remembered)
	c.mu.Lock()
	from, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil { // what there is comes first
		from = c.version
		for _, obj := range c.objects[sel.resource] {
			if sel.wants(obj) {
				sel.events <- `{"type":"ADDED","object":` + c.encode(obj) + `}`
			}
		}
	}
	if len(c.history) > 0 && from+1 < c.history[0].version && from > 0 {
		c.mu.Unlock()
		refuse(w, apierrors.NewResourceExpired("what was changed since that version is forgotten"))
		return
	}
	for _, e := range c.history {
		if e.version > from && e.resource == sel.resource && sel.wants(e.object) {
			sel.events <- e.text
		}
	}
	c.watches[sel] = struct{}{}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.watches, sel)
		c.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "application/json")
	flush := http.NewResponseController(w)
	for _ = flush.Flush(); ; _ = flush.Flush() {
		select {
		case <-r.Context().Done():
			return
		case e := <-sel.events:
			if _, err := io.WriteString(w, e+"\n"); err != nil {
				return
			}
		}
	}
}
