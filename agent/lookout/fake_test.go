package lookout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/lookout"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// cluster is an API server in memory.
type cluster struct {
	mu        sync.Mutex
	objects   map[string]*kube.Object // by resource/namespace/name
	watchers  map[string][]*watch.RaceFreeFakeWatcher
	version   int
	missing   map[string]bool // resources that are not known
	forbidden map[string]bool // namespaces in which nothing may be read
	full      map[string]bool // resources of which more than metadata was asked for
	listed    int
}

func newCluster() *cluster {
	return &cluster{
		objects: map[string]*kube.Object{}, watchers: map[string][]*watch.RaceFreeFakeWatcher{}, missing: map[string]bool{}, forbidden: map[string]bool{},
		full: map[string]bool{},
	}
}

func (c *cluster) Resource(_ context.Context, name string) (kube.Resource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	plural, group, _ := kube.Split(name)
	if c.missing[name] {
		return kube.Resource{}, apierrors.NewNotFound(schema.GroupResource{Group: group, Resource: plural}, "")
	}
	kind := map[string]string{"deployments": "Deployment", "configmaps": "ConfigMap"}[plural]
	return kube.Resource{GroupVersionResource: schema.GroupVersionResource{Group: group, Version: "v1", Resource: plural}, Kind: kind, Namespaced: plural != "nodes"}, nil
}

func (c *cluster) Objects(r kube.Resource, namespace string, metadata bool) lookout.Source {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.full[r.Resource] = c.full[r.Resource] || !metadata
	return source{c, r.Resource, namespace}
}

func (c *cluster) Images(_ context.Context, namespace string, _ *metav1.LabelSelector) ([]*agentv1.SubjectImage, string) {
	return []*agentv1.SubjectImage{{Container: "shop", Image: "shop:1", Digest: "sha256:" + strings.Repeat("a", 64)}}, "seen in " + namespace
}

// source is the objects of a resource in a namespace.
type source struct {
	*cluster

	resource, namespace string
}

func (s source) at() string { return s.resource + "/" + s.namespace + "/" }

func (s source) List(context.Context, metav1.ListOptions) (*kube.ObjectList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed++
	if s.forbidden[s.namespace] {
		return nil, apierrors.NewForbidden(schema.GroupResource{Resource: s.resource}, "", errors.New("no role"))
	}
	out := &kube.ObjectList{ListMeta: metav1.ListMeta{ResourceVersion: fmt.Sprint(s.version)}}
	for at, o := range s.objects {
		if strings.HasPrefix(at, s.at()) {
			out.Items = append(out.Items, *copied(o))
		}
	}
	return out, nil
}

func (s source) Watch(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if o.SendInitialEvents != nil {
		return nil, apierrors.NewInvalid(schema.GroupKind{}, "", nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := watch.NewRaceFreeFake()
	for at, o := range s.objects { // what has changed since the list
		if strings.HasPrefix(at, s.at()) {
			w.Modify(copied(o))
		}
	}
	s.watchers[s.at()] = append(s.watchers[s.at()], w)
	return w, nil
}

func (s source) Get(_ context.Context, name string) (*kube.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[s.at()+name]
	if o == nil {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: s.resource}, name)
	}
	return copied(o), nil
}

func copied(o *kube.Object) *kube.Object {
	c, _ := o.DeepCopyObject().(*kube.Object)
	return c
}

// put creates or changes an object.
func (c *cluster) put(resource string, o *kube.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	o.ResourceVersion, o.UID = fmt.Sprint(c.version), types.UID(o.Namespace+"-"+o.Name)
	at := resource + "/" + o.Namespace + "/"
	_, there := c.objects[at+o.Name]
	c.objects[at+o.Name] = o
	for _, w := range c.watchers[at] {
		if w.IsStopped() {
			continue
		}
		if there {
			w.Modify(copied(o))
		} else {
			w.Add(copied(o))
		}
	}
}

// remove deletes an object of the namespace shop.
func (c *cluster) remove(resource, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := resource + "/shop/"
	o := c.objects[at+name]
	delete(c.objects, at+name)
	for _, w := range c.watchers[at] {
		if !w.IsStopped() {
			w.Delete(copied(o))
		}
	}
}

// deployment is one that has been rolled out.
func deployment(name, revision string, generation int64) *kube.Object {
	return &kube.Object{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, Generation: generation, Annotations: map[string]string{"deployment.kubernetes.io/revision": revision},
		},
		Spec:   kube.ObjectSpec{Selector: &metav1.LabelSelector{}},
		Status: kube.ObjectStatus{Workload: kube.Workload{ObservedGeneration: generation, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}},
	}
}

// plane is a control plane that remembers what it knows of objects.
type plane struct {
	mu      sync.Mutex
	list    *agentv1.ListWatchesResponse
	known   map[string]string // by uid: the state
	news    bool              // what is not known is news
	lost    int               // so many calls fail
	refuse  bool
	states  chan string
	objects chan string
	probes  chan string
	// compared gets the names of what is compared, unless it is nil.
	compared chan string
}

func newPlane(watches ...*agentv1.Watch) *plane {
	return &plane{
		list: &agentv1.ListWatchesResponse{Digest: "1", Watches: watches}, known: map[string]string{}, states: make(chan string, 100),
		objects: make(chan string, 100), probes: make(chan string, 100),
	}
}

func (p *plane) fails() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		return work.ErrRefused
	}
	if p.lost > 0 {
		p.lost--
		return work.ErrUplinkLost
	}
	return nil
}

func (p *plane) ListWatches(context.Context) (*agentv1.ListWatchesResponse, error) {
	if err := p.fails(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list, nil
}

func (p *plane) ReportWatches(_ context.Context, r *agentv1.ReportWatchesRequest) error {
	for _, s := range r.GetStates() {
		p.states <- strings.ToLower(strings.TrimPrefix(s.GetStatus().String(), "WATCH_STATUS_")) + " " + s.GetMessage()
	}
	return nil
}

func (p *plane) CompareObjects(_ context.Context, r *agentv1.CompareObjectsRequest) (*agentv1.CompareObjectsResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := &agentv1.CompareObjectsResponse{}
	for i, o := range r.GetObjects() {
		if p.compared != nil {
			p.compared <- o.GetObject().GetName()
		}
		state, ok := p.known[o.GetObject().GetUid()]
		if ok && state != o.GetState() || !ok && p.news {
			out.News = append(out.News, int32(i))
			continue
		}
		p.known[o.GetObject().GetUid()] = o.GetState()
	}
	return out, nil
}

func (p *plane) ReportObjects(_ context.Context, r *agentv1.ReportObjectsRequest) error {
	if err := p.fails(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(r.GetObjects(), func(o *agentv1.ObjectChange) bool { return o.GetObject().GetName() == "bad" }) {
		return work.ErrRefused
	}
	for _, o := range r.GetObjects() {
		p.known[o.GetObject().GetUid()] = o.GetState()
		digest := ""
		if len(o.GetImages()) > 0 {
			digest = " " + o.GetImages()[0].GetDigest()[:10] + " " + o.GetMessage()
		}
		p.objects <- fmt.Sprintf("%s %s %s/%s %s for %v%s", strings.ToLower(strings.TrimPrefix(o.GetEvent().String(), "OBJECT_EVENT_")), o.GetObject().GetResource(),
			o.GetObject().GetNamespace(), o.GetObject().GetName(), o.GetState(), o.GetRunNamespaces(), digest)
	}
	return nil
}

func (p *plane) ReportProbe(_ context.Context, r *agentv1.ReportProbeRequest) error {
	if err := p.fails(); err != nil {
		return err
	}
	p.probes <- fmt.Sprint(r.GetId(), " ", r.GetSucceeded(), " ", r.GetMessage())
	return nil
}
