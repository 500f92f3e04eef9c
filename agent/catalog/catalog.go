// Package catalog sends the custom resources of a cluster to the control plane, and writes into their status what became of them.
//
// Whatever changes is noted by name alone, so that several changes of an object are sent as one. One call is under way at a time: the
// control plane hears of things in the order in which they happened. At the begin of each session everything is listed, so that it also
// hears of what was deleted while the connection was away; what has no answer is sent again.
package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"k8s.io/client-go/tools/cache"

	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	// A call holds so many documents and so many bytes at most; the control plane takes 1 MiB.
	batchDocuments = 50
	batchBytes     = 900 << 10
	// After a failure nothing is sent for so long.
	pause = 3 * time.Second
)

// All is the name of all namespaces together.
const All = "*"

// Uplink is the connection to the control plane. Calls wait for it while it is away.
type Uplink interface {
	ListDocuments(ctx context.Context, r *agentv1.ListDocumentsRequest) (*agentv1.ListDocumentsResponse, error)
	SyncDocuments(ctx context.Context, r *agentv1.SyncDocumentsRequest) (*agentv1.SyncDocumentsResponse, error)
	DocumentStates(ctx context.Context, r *agentv1.DocumentStatesRequest) (*agentv1.DocumentStatesResponse, error)
}

// Options are what a Catalog is made of.
type Options struct {
	Log    *slog.Logger
	Uplink Uplink
	// Source returns the custom resources of a kind in a namespace, "" for all.
	Source func(kind, namespace string) (Source, error)
	// Namespaces are looked into; All stands for all of them.
	Namespaces []string
	// Clock is time.Now when nil.
	Clock func() time.Time
}

// ref names an object.
type ref struct{ kind, namespace, name string }

func (r ref) proto() *agentv1.DocumentRef {
	return &agentv1.DocumentRef{Kind: r.kind, Namespace: r.namespace, Name: r.name}
}

func refOf(r *agentv1.DocumentRef) ref { return ref{r.GetKind(), r.GetNamespace(), r.GetName()} }

// version is an object as it was at some time.
type version struct {
	uid    string
	digest [32]byte
}

// Catalog watches custom resources.
type Catalog struct {
	o     Options
	views []*view

	mu    sync.Mutex
	dirty map[ref]bool    // changed, and not answered for
	gone  map[ref]bool    // deleted, and not answered for
	sent  map[ref]version // answered for
	list  bool            // everything is to be compared
	ask   bool            // states have changed
	next  *timestamppb.Timestamp
	wake  chan struct{}

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// New returns a Catalog; Start starts it.
func New(o Options) (*Catalog, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	c := &Catalog{o: o, dirty: map[ref]bool{}, gone: map[ref]bool{}, sent: map[ref]version{}, wake: make(chan struct{}, 1)}
	for _, namespace := range o.Namespaces {
		if namespace == All {
			namespace = ""
		}
		for _, kind := range kube.DocumentKinds() {
			source, err := o.Source(kind.Name, namespace)
			if err != nil {
				return nil, err
			}
			v, err := newView(c, kind.Name, namespace, source)
			if err != nil {
				return nil, err
			}
			c.views = append(c.views, v)
		}
	}
	return c, nil
}

// Start begins to watch and to send.
func (c *Catalog) Start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	for _, v := range c.views {
		c.running.Go(func() { v.informer.RunWithContext(ctx) })
		c.running.Go(func() { v.sync(ctx) })
	}
	c.running.Go(func() { c.run(ctx) })
}

// Stop returns when nothing runs any more.
func (c *Catalog) Stop() {
	if c.cancel == nil {
		return
	}
	c.cancel()
	c.running.Wait()
}

// Changed says that states have changed, or that everything is to be compared.
func (c *Catalog) Changed(compare bool) {
	c.mu.Lock()
	c.list, c.ask = c.list || compare, c.ask || !compare
	c.mu.Unlock()
	c.nudge()
}

func (c *Catalog) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// seen notes an object that is new or may have changed.
func (c *Catalog) seen(kind string, d *kube.Document) {
	r := ref{kind, d.Namespace, d.Name}
	_, digest, err := source(kind, d)
	c.mu.Lock()
	delete(c.gone, r)
	known, ok := c.sent[r]
	same := ok && err == nil && known == (version{string(d.UID), digest})
	if !same {
		c.dirty[r] = true
	}
	c.mu.Unlock()
	if !same {
		c.nudge()
	}
}

// lost notes an object that was deleted.
func (c *Catalog) lost(kind string, d *kube.Document) {
	r := ref{kind, d.Namespace, d.Name}
	c.mu.Lock()
	delete(c.dirty, r)
	delete(c.sent, r)
	c.gone[r] = true
	c.mu.Unlock()
	c.nudge()
}

// run sends what there is to send, one call after the other.
func (c *Catalog) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		err := c.turn(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		level := slog.LevelWarn
		if errors.Is(err, work.ErrUplinkLost) {
			level = slog.LevelDebug // the link says so already
		}
		c.o.Log.Log(ctx, level, "documents not sent, they are sent again", "error", err)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		c.nudge()
	}
}

// turn does everything that is to be done now.
func (c *Catalog) turn(ctx context.Context) error {
	c.mu.Lock()
	list := c.list
	c.mu.Unlock()
	if list {
		if err := c.compare(ctx); err != nil {
			return err
		}
	}
	for {
		more, err := c.send(ctx)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	c.mu.Lock()
	ask, since := c.ask, c.next
	c.ask = false
	c.mu.Unlock()
	if !ask {
		return nil
	}
	reply, err := c.o.Uplink.DocumentStates(ctx, &agentv1.DocumentStatesRequest{Since: since})
	if err != nil {
		c.mu.Lock()
		c.ask = true
		c.mu.Unlock()
		return c.refused(ctx, err)
	}
	c.mu.Lock()
	c.next = reply.GetNext()
	c.mu.Unlock()
	return c.write(ctx, reply.GetStates())
}

// refused passes an error on that another try may mend. A control plane that does not know the call is asked again in the next session.
func (c *Catalog) refused(ctx context.Context, err error) error {
	if !errors.Is(err, work.ErrRefused) {
		return err
	}
	c.mu.Lock()
	c.list, c.ask = false, false
	c.mu.Unlock()
	c.o.Log.ErrorContext(ctx, "the control plane takes no documents of this cluster", "error", err)
	return nil
}

// compare lists everything that is known to be whole.
func (c *Catalog) compare(ctx context.Context) error {
	c.mu.Lock()
	c.list = false
	before := maps.Clone(c.gone)
	c.mu.Unlock()
	r, versions := c.inventory()
	if len(r.GetKinds()) == 0 {
		return nil // a view that becomes whole wakes the sender
	}
	reply, err := c.o.Uplink.ListDocuments(ctx, r)
	if err != nil {
		c.mu.Lock()
		c.list = true
		c.mu.Unlock()
		return c.refused(ctx, err)
	}
	c.mu.Lock()
	c.next = reply.GetNext()
	for _, w := range reply.GetWanted() {
		delete(versions, refOf(w))
		delete(c.sent, refOf(w))
		c.dirty[refOf(w)] = true
	}
	maps.Copy(c.sent, versions) // the control plane has those as they are
	for at := range before {    // they were not listed, which tells it
		if slices.Contains(r.GetKinds(), at.kind) {
			delete(c.gone, at)
		}
	}
	c.mu.Unlock()
	return c.write(ctx, reply.GetStates())
}

// inventory lists the objects of the kinds that every namespace has shown all of.
func (c *Catalog) inventory() (*agentv1.ListDocumentsRequest, map[ref]version) {
	r := &agentv1.ListDocumentsRequest{}
	whole := map[string]bool{}
	for _, v := range c.views {
		known, ok := whole[v.kind]
		whole[v.kind] = v.whole() && (known || !ok)
	}
	for _, kind := range kube.DocumentKinds() {
		if whole[kind.Name] {
			r.Kinds = append(r.Kinds, kind.Name)
		}
	}
	if !slices.Contains(c.o.Namespaces, All) {
		r.Namespaces = c.o.Namespaces
	}
	versions := map[ref]version{}
	for _, v := range c.views {
		if !whole[v.kind] {
			continue
		}
		for _, d := range v.documents() {
			_, digest, err := source(v.kind, d)
			if err != nil || over(d) {
				continue
			}
			at := ref{v.kind, d.Namespace, d.Name}
			versions[at] = version{string(d.UID), digest}
			r.Items = append(r.Items, &agentv1.DocumentItem{Ref: at.proto(), Uid: string(d.UID), Digest: digest[:]})
		}
	}
	return r, versions
}

// send sends some of what has changed.
func (c *Catalog) send(ctx context.Context) (more bool, err error) {
	r, versions := c.batch()
	if len(r.GetDocuments())+len(r.GetRemoved()) == 0 {
		return false, nil
	}
	reply, err := c.o.Uplink.SyncDocuments(ctx, r)
	switch {
	case errors.Is(err, work.ErrRefused):
		// To send it again would not help. The next comparison asks for it once more.
		c.o.Log.ErrorContext(ctx, "the control plane does not take documents", "documents", len(r.GetDocuments()), "error", err)
	case err != nil:
		c.mu.Lock()
		defer c.mu.Unlock()
		for at := range versions {
			if !c.gone[at] {
				c.dirty[at] = true
			}
		}
		for _, at := range r.GetRemoved() {
			if !c.dirty[refOf(at)] {
				c.gone[refOf(at)] = true
			}
		}
		return false, fmt.Errorf("send documents: %w", err)
	}
	c.mu.Lock()
	for at, v := range versions {
		if !c.dirty[at] && !c.gone[at] {
			c.sent[at] = v
		}
	}
	c.mu.Unlock()
	return true, c.write(ctx, reply.GetStates())
}

// batch takes some of what has changed. The control plane is told of what is gone before what is new: a name may have moved.
func (c *Catalog) batch() (*agentv1.SyncDocumentsRequest, map[ref]version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, versions, bytes := &agentv1.SyncDocumentsRequest{}, map[ref]version{}, 0
	for at := range c.gone {
		if len(r.Removed) < batchDocuments {
			r.Removed = append(r.Removed, at.proto())
			delete(c.gone, at)
		}
	}
	for _, at := range ordered(c.dirty) {
		d := c.find(at)
		if d == nil || over(d) {
			delete(c.dirty, at)
			continue
		}
		text, digest, err := source(at.kind, d)
		if err != nil || len(text) > batchBytes {
			delete(c.dirty, at)
			c.o.Log.Error("a document cannot be sent", "kind", at.kind, "namespace", at.namespace, "name", at.name, "bytes", len(text), "error", err)
			continue
		}
		if c.sent[at] == (version{string(d.UID), digest}) {
			delete(c.dirty, at)
			continue
		}
		if bytes += len(text); len(r.Documents) == batchDocuments || (bytes > batchBytes && len(r.Documents) > 0) {
			break
		}
		delete(c.dirty, at)
		versions[at] = version{string(d.UID), digest}
		r.Documents = append(r.Documents, &agentv1.Document{
			Ref: at.proto(), Uid: string(d.UID), Generation: d.Generation, Digest: digest[:], Source: string(text), Adopt: d.Annotations[adopt] == "true",
		})
	}
	return r, versions
}

// ordered returns names in the order in which the control plane wants documents: what others build upon comes first.
func ordered(of map[ref]bool) []ref {
	rank := map[string]int{}
	for i, kind := range kube.DocumentKinds() {
		rank[kind.Name] = i
	}
	out := make([]ref, 0, len(of))
	for at := range of {
		out = append(out, at)
	}
	slices.SortFunc(out, func(a, b ref) int {
		return cmp.Or(cmp.Compare(rank[a.kind], rank[b.kind]), strings.Compare(a.namespace, b.namespace), strings.Compare(a.name, b.name))
	})
	return out
}

// find returns an object as the cluster shows it, nil when it is gone.
func (c *Catalog) find(at ref) *kube.Document {
	for _, v := range c.views {
		if v.kind != at.kind || v.namespace != "" && v.namespace != at.namespace {
			continue
		}
		obj, ok, err := v.informer.GetStore().GetByKey(cache.NewObjectName(at.namespace, at.name).String())
		if d, is := obj.(*kube.Document); ok && err == nil && is {
			return d
		}
	}
	return nil
}
