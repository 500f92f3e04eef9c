package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/seatrial/seatrial/agent/catalog"
	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// cluster is the custom resources of one namespace in memory.
type cluster struct {
	mu       sync.Mutex
	objects  map[string]*kube.Document // by kind/name
	watchers map[string][]*watch.FakeWatcher
	version  int
	missing  map[string]bool // kinds that the API server does not know
	patched  chan string
}

func newCluster() *cluster {
	return &cluster{objects: map[string]*kube.Document{}, watchers: map[string][]*watch.FakeWatcher{}, missing: map[string]bool{}, patched: make(chan string, 100)}
}

// kind is the API server's view of a kind.
type kind struct {
	*cluster

	name string
}

func (k kind) List(context.Context, metav1.ListOptions) (*kube.DocumentList, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.missing[k.name] {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: k.name}, "")
	}
	out := &kube.DocumentList{ListMeta: metav1.ListMeta{ResourceVersion: fmt.Sprint(k.version)}}
	for at, d := range k.objects {
		if strings.HasPrefix(at, k.name+"/") {
			out.Items = append(out.Items, *copied(d))
		}
	}
	return out, nil
}

func (k kind) Watch(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if o.SendInitialEvents != nil {
		return nil, apierrors.NewInvalid(schema.GroupKind{}, "", nil)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	w := watch.NewFakeWithChanSize(100, false)
	k.watchers[k.name] = append(k.watchers[k.name], w)
	return w, nil
}

func (k kind) Patch(_ context.Context, name string, _ types.PatchType, data []byte, _ metav1.PatchOptions, parts ...string) (*kube.Document, error) {
	if !slices.Equal(parts, []string{"status"}) {
		return nil, errors.New("more than the status is written")
	}
	k.mu.Lock()
	d := k.objects[k.name+"/"+name]
	k.mu.Unlock()
	if d == nil {
		return nil, apierrors.NewNotFound(schema.GroupResource{}, name)
	}
	var patch struct{ Status json.RawMessage }
	if err := json.Unmarshal(data, &patch); err != nil {
		return nil, err
	}
	next := copied(d)
	next.Status = patch.Status
	k.put(k.name, next)
	k.patched <- k.name + "/" + name + " " + string(patch.Status)
	return next, nil
}

func copied(d *kube.Document) *kube.Document {
	c, _ := d.DeepCopyObject().(*kube.Document)
	return c
}

// put creates or changes an object.
func (c *cluster) put(kind string, d *kube.Document) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	d.ResourceVersion = fmt.Sprint(c.version)
	at := kind + "/" + d.Name
	_, there := c.objects[at]
	c.objects[at] = d
	for _, w := range c.watchers[kind] {
		if there {
			w.Modify(copied(d))
		} else {
			w.Add(copied(d))
		}
	}
}

func (c *cluster) remove(kind, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.objects[kind+"/"+name]
	delete(c.objects, kind+"/"+name)
	for _, w := range c.watchers[kind] {
		w.Delete(copied(d))
	}
}

func object(name, spec string) *kube.Document {
	return &kube.Document{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Generation: 1}, Spec: json.RawMessage(spec)}
}

// plane is a control plane that answers as it is told to.
type plane struct {
	mu     sync.Mutex
	calls  chan any
	state  func(*agentv1.Document) *agentv1.DocumentState
	known  map[string]string // digest by kind/name
	fail   error
	active int
	most   int // calls at a time
}

func newPlane() *plane {
	return &plane{calls: make(chan any, 100), known: map[string]string{}}
}

func (p *plane) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active++
	p.most = max(p.most, p.active)
	return p.fail
}

func (p *plane) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active--
}

func (p *plane) ListDocuments(_ context.Context, r *agentv1.ListDocumentsRequest) (*agentv1.ListDocumentsResponse, error) {
	defer p.leave()
	if err := p.enter(); err != nil {
		return nil, err
	}
	out := &agentv1.ListDocumentsResponse{Next: timestamppb.Now()}
	p.mu.Lock()
	for _, item := range r.GetItems() {
		if p.known[item.GetRef().GetKind()+"/"+item.GetRef().GetName()] != string(item.GetDigest()) {
			out.Wanted = append(out.Wanted, item.GetRef())
		}
	}
	p.mu.Unlock()
	p.calls <- r
	return out, nil
}

func (p *plane) SyncDocuments(_ context.Context, r *agentv1.SyncDocumentsRequest) (*agentv1.SyncDocumentsResponse, error) {
	defer p.leave()
	if err := p.enter(); err != nil {
		return nil, err
	}
	out := &agentv1.SyncDocumentsResponse{}
	p.mu.Lock()
	for _, d := range r.GetDocuments() {
		p.known[d.GetRef().GetKind()+"/"+d.GetRef().GetName()] = string(d.GetDigest())
		if p.state != nil {
			out.States = append(out.States, p.state(d))
		}
	}
	p.mu.Unlock()
	p.calls <- r
	return out, nil
}

func (p *plane) DocumentStates(context.Context, *agentv1.DocumentStatesRequest) (*agentv1.DocumentStatesResponse, error) {
	defer p.leave()
	return &agentv1.DocumentStatesResponse{Next: timestamppb.Now()}, p.enter()
}

func (p *plane) set(change func(*plane)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// next waits for a call that holds.
func next[C any](t *testing.T, p *plane, holds func(C) bool) C {
	t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		select {
		case c := <-p.calls:
			if one, ok := c.(C); ok && holds(one) {
				return one
			}
		case <-deadline:
			t.Fatal("the call does not come")
		}
	}
}

func sent(names ...string) func(*agentv1.SyncDocumentsRequest) bool {
	return func(r *agentv1.SyncDocumentsRequest) bool {
		var got []string
		for _, d := range r.GetDocuments() {
			got = append(got, d.GetRef().GetName())
		}
		for _, ref := range r.GetRemoved() {
			got = append(got, "-"+ref.GetName())
		}
		return slices.Equal(got, names)
	}
}

func start(t *testing.T, c *cluster, p *plane) *catalog.Catalog {
	t.Helper()
	one, err := catalog.New(catalog.Options{
		Log: slog.New(slog.DiscardHandler), Uplink: p, Namespaces: []string{"shop"},
		Source: func(name, _ string) (catalog.Source, error) { return kind{c, name}, nil },
		Clock:  func() time.Time { return time.Unix(1_800_000_000, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	one.Start(t.Context())
	t.Cleanup(one.Stop)
	one.Changed(true)
	return one
}

// TestKinds holds that the agent watches exactly the kinds that its chart defines.
func TestKinds(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../charts/agent/files/resources/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var defined, watched []string
	for _, file := range files {
		defined = append(defined, strings.TrimSuffix(filepath.Base(file), ".yaml"))
	}
	for _, k := range kube.DocumentKinds() {
		watched = append(watched, k.Plural)
	}
	slices.Sort(watched)
	if !slices.Equal(defined, watched) {
		t.Errorf("the chart defines %v, the agent watches %v", defined, watched)
	}
}

func TestCatalog_Sends(t *testing.T) {
	t.Parallel()
	c, p := newCluster(), newPlane()
	c.put("TestWorkflow", object("flow", `{"steps":[{"run":"x"}]}`))
	c.put("TestWorkflowTemplate", object("base", `{}`))
	over := object("done", `{"workflow":"flow"}`)
	over.Status = json.RawMessage(`{"phase":"passed"}`)
	c.put("TestExecution", over)
	start(t, c, p)
	got := map[string]bool{}
	for !got["flow"] || !got["base"] {
		r := next(t, p, func(r *agentv1.SyncDocumentsRequest) bool { return len(r.GetDocuments()) > 0 })
		for i, d := range r.GetDocuments() {
			got[d.GetRef().GetName()] = true
			if d.GetRef().GetName() == "flow" && i == 0 && len(r.GetDocuments()) > 1 {
				t.Error("a workflow is sent before the template that it may use")
			}
			if d.GetRef().GetName() == "flow" && !strings.Contains(d.GetSource(), "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata:\n  name: flow\nspec:") {
				t.Errorf("it is sent as\n%s", d.GetSource())
			}
		}
	}
	if got["done"] {
		t.Error("an execution that has ended is sent")
	}
	changed := object("flow", `{"steps":[{"run":"y"}]}`)
	changed.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}", "seatrial.dev/adopt": "true"}
	c.put("TestWorkflow", changed)
	r := next(t, p, sent("flow"))
	if d := r.GetDocuments()[0]; !d.GetAdopt() || strings.Contains(d.GetSource(), "annotations") {
		t.Errorf("%v", d)
	}
	c.remove("TestWorkflow", "flow")
	next(t, p, sent("-flow"))
	if p.most > 1 {
		t.Errorf("%d calls at a time", p.most)
	}
}

// TestCatalog_Resumes holds that what had no answer is sent again, and that a list tells what was deleted while nobody listened.
func TestCatalog_Resumes(t *testing.T) {
	t.Parallel()
	c, p := newCluster(), newPlane()
	c.put("TestWorkflow", object("flow", `{}`))
	one := start(t, c, p)
	next(t, p, sent("flow"))
	p.set(func(p *plane) { p.fail = fmt.Errorf("gone: %w", work.ErrUplinkLost) })
	c.put("TestWorkflow", object("flow", `{"timeout":"1m"}`))
	c.put("TestWorkflow", object("other", `{}`))
	c.remove("TestWorkflow", "flow")
	p.set(func(p *plane) { p.fail = nil })
	one.Changed(true)
	gone, came := false, false // either by the list, or by what comes after it
	for deadline := time.After(20 * time.Second); !gone || !came; {
		select {
		case call := <-p.calls:
			switch r := call.(type) {
			case *agentv1.ListDocumentsRequest:
				whole := slices.Contains(r.GetKinds(), "TestWorkflow")
				gone = gone || whole && !slices.ContainsFunc(r.GetItems(), func(i *agentv1.DocumentItem) bool { return i.GetRef().GetName() == "flow" })
				if !slices.Equal(r.GetNamespaces(), []string{"shop"}) {
					t.Errorf("the list is whole of %v", r.GetNamespaces())
				}
			case *agentv1.SyncDocumentsRequest:
				gone = gone || slices.ContainsFunc(r.GetRemoved(), func(d *agentv1.DocumentRef) bool { return d.GetName() == "flow" })
				came = came || slices.ContainsFunc(r.GetDocuments(), func(d *agentv1.Document) bool { return d.GetRef().GetName() == "other" })
			}
		case <-deadline:
			t.Fatalf("gone %t, came %t", gone, came)
		}
	}
}

// TestCatalog_Incomplete holds that a kind which cannot be read is not said to have no objects.
func TestCatalog_Incomplete(t *testing.T) {
	t.Parallel()
	c, p := newCluster(), newPlane()
	c.missing["TestWorkflow"] = true
	c.put("TestWorkflowTemplate", object("base", `{}`))
	start(t, c, p)
	list := next(t, p, func(r *agentv1.ListDocumentsRequest) bool { return len(r.GetKinds()) == len(kube.DocumentKinds())-1 })
	if slices.Contains(list.GetKinds(), "TestWorkflow") {
		t.Errorf("the list is said to be whole of %v", list.GetKinds())
	}
}

func TestCatalog_Status(t *testing.T) {
	t.Parallel()
	c, p := newCluster(), newPlane()
	p.state = func(d *agentv1.Document) *agentv1.DocumentState {
		s := &agentv1.DocumentState{Ref: d.GetRef(), Uid: d.GetUid(), Generation: d.GetGeneration(), Digest: d.GetDigest(), Revision: 3}
		switch d.GetRef().GetName() {
		case "lost":
			s.Reason, s.Message, s.Owner, s.Revision = "Conflict", "taken", "repository shop", 0
		case "try":
			s.Last = &agentv1.DocumentExecution{Id: "e", Status: "running", Url: "https://x/e"}
		case "deployed":
			s.Conditions = []*agentv1.DocumentCondition{{Type: "Watching", Reason: "Refused", Message: "eu-1: the cluster does not let the agent watch deployments."}}
		}
		return s
	}
	c.put("TestWorkflow", object("flow", `{}`))
	c.put("TestWorkflow", object("lost", `{}`))
	c.put("TestExecution", object("try", `{"workflow":"flow"}`))
	c.put("Trigger", object("deployed", `{}`))
	rest := object("rest", `{}`) // it was watched, and is suspended now
	rest.Status = []byte(`{"observedGeneration":1,"conditions":[{"type":"Watching","status":"True","reason":"Watching","message":"","lastTransitionTime":"2027-01-15T07:00:00Z"}]}`)
	c.put("Trigger", rest)
	start(t, c, p)
	want := map[string]string{
		"Trigger/deployed": `{"observedGeneration":1,"conditions":[{"type":"Synced","status":"True","observedGeneration":1,"lastTransitionTime":"2027-01-15T08:00:00Z","reason":"Synced","message":"The catalog has it as it is here."},` +
			`{"type":"Watching","status":"False","observedGeneration":1,"lastTransitionTime":"2027-01-15T08:00:00Z","reason":"Refused","message":"eu-1: the cluster does not let the agent watch deployments."}],"owner":null,"revision":3}`,
		"Trigger/rest":      `{"observedGeneration":1,"conditions":[{"type":"Synced","status":"True","observedGeneration":1,"lastTransitionTime":"2027-01-15T08:00:00Z","reason":"Synced","message":"The catalog has it as it is here."}],"owner":null,"revision":3}`,
		"TestWorkflow/flow": `{"observedGeneration":1,"conditions":[{"type":"Synced","status":"True","observedGeneration":1,"lastTransitionTime":"2027-01-15T08:00:00Z","reason":"Synced","message":"The catalog has it as it is here."}],"owner":null,"revision":3}`,
		"TestWorkflow/lost": `{"observedGeneration":1,"conditions":[{"type":"Synced","status":"False","observedGeneration":1,"lastTransitionTime":"2027-01-15T08:00:00Z","reason":"Conflict","message":"taken"}],"owner":"repository shop","revision":null}`,
		"TestExecution/try": `{"observedGeneration":1,"conditions":[{"type":"Synced","status":"True","observedGeneration":1,"lastTransitionTime":"2027-01-15T08:00:00Z","reason":"Synced","message":"It was started."}],"owner":null,"revision":3,"phase":"running","execution":"e","message":null,"startedAt":null,"finishedAt":null,"url":"https://x/e"}`,
	}
	for range want {
		select {
		case got := <-c.patched:
			at, status, _ := strings.Cut(got, " ")
			if want[at] != status {
				t.Errorf("%s is\n%s\nwant\n%s", at, status, want[at])
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no status is written")
		}
	}
	// The same state again writes nothing: otherwise every write would be news, and lead to the next one. One that was under way when the news
	// came may come twice, and says the same.
	c.put("TestWorkflow", object("last", `{}`))
	for again := 0; ; again++ {
		select {
		case got := <-c.patched:
			at, status, _ := strings.Cut(got, " ")
			if at == "TestWorkflow/last" {
				return
			}
			if again == len(want) || want[at] != status {
				t.Fatalf("it is written again: %s", got)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no status is written")
		}
	}
}
