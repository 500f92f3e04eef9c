// Package lookout looks at objects of the cluster whose changes start tests. The control plane says what to look at, the rules of the
// cluster's owner say what may be, and what happens is reported until it is acknowledged.
//
// A state that an object had when a watch began is not reported but compared: the control plane knows which it had when the agent was there
// last, and so what has happened meanwhile. A restart of the agent starts no test anew, and loses none.
package lookout

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	// After a failure nothing is sent for so long.
	pause = 3 * time.Second
	// Several updates of an object within this time are one.
	settle = time.Second
	// A view that takes the place of another one has so long to show all there is.
	patience = 30 * time.Second
	// The control plane forgets what nobody tells of for months. Once a day it is told of all objects that there are.
	renewAfter = 24 * time.Hour
)

// Uplink is the connection to the control plane. Calls wait for it while it is away.
type Uplink interface {
	ListWatches(ctx context.Context) (*agentv1.ListWatchesResponse, error)
	ReportWatches(ctx context.Context, r *agentv1.ReportWatchesRequest) error
	CompareObjects(ctx context.Context, r *agentv1.CompareObjectsRequest) (*agentv1.CompareObjectsResponse, error)
	ReportObjects(ctx context.Context, r *agentv1.ReportObjectsRequest) error
	ReportProbe(ctx context.Context, r *agentv1.ReportProbeRequest) error
}

// Source is the objects of one resource in a namespace. Implemented by kube.Objects.
type Source interface {
	List(ctx context.Context, o metav1.ListOptions) (*kube.ObjectList, error)
	Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
	Get(ctx context.Context, name string) (*kube.Object, error)
}

// Cluster is the API server.
type Cluster interface {
	// Resource finds a resource that is named as kubectl names it. The error is one of the API server.
	Resource(ctx context.Context, name string) (kube.Resource, error)
	// Objects returns the objects of a resource in a namespace, "" for all; with metadata no more than that of them.
	Objects(r kube.Resource, namespace string, metadata bool) Source
	// Images returns what the pods of a namespace run that match a selector.
	Images(ctx context.Context, namespace string, selector *metav1.LabelSelector) (images []*agentv1.SubjectImage, note string)
}

// Scope says where what the attempts of a run namespace test is found; an empty RunNamespace is every one.
type Scope struct{ RunNamespace, Namespace string }

// Options are what a Lookout is made of.
type Options struct {
	Log     *slog.Logger
	Uplink  Uplink
	Cluster Cluster
	Rules   Rules
	// Scopes and RunNamespaces say which objects are under test for which attempts.
	Scopes        []Scope
	RunNamespaces []string
	// Dial is how probes reach a service; nil for the network's.
	Dial Dial
	// Renew is after how long all objects are compared anew; 0 for a day.
	Renew time.Duration
	// Interval is the least pause from one try of a probe to the next; 0 for a second.
	Interval time.Duration
	// Again is the pause between two questions for a resource that there is not; 0 for half a minute.
	Again time.Duration
}

func (o Options) again() time.Duration {
	if o.Again > 0 {
		return o.Again
	}
	return askAgain
}

func (o Options) renew() time.Duration { return cmp.Or(o.Renew, renewAfter) }

func (o Options) leastInterval() time.Duration { return cmp.Or(o.Interval, leastInterval) }

// Lookout looks at objects.
type Lookout struct {
	o      Options
	spool  *spool
	probes *prober

	mu    sync.Mutex
	ask   bool // there may be another list
	look  bool // a view has changed
	wake  chan struct{}
	views map[scope]*view // owned by run
	old   []*outgoing     // owned by run: until others have taken their place
	list  *agentv1.ListWatchesResponse
	plans []planned
	shown time.Time                     // when all views were begun last
	said  *agentv1.ReportWatchesRequest // what the control plane was told of the watches last

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// outgoing is a view that others take the place of.
type outgoing struct {
	*view

	until time.Time
}

// New returns a Lookout; Start starts it.
func New(o Options) *Lookout {
	l := &Lookout{o: o, wake: make(chan struct{}, 1), views: map[scope]*view{}}
	l.spool = newSpool(o.Log, l.nudge)
	l.probes = newProber(o)
	return l
}

// Start begins to look at what it is told to.
func (l *Lookout) Start(ctx context.Context) {
	ctx, l.cancel = context.WithCancel(ctx)
	l.running.Go(func() { l.run(ctx) })
}

// Stop returns when nothing runs any more.
func (l *Lookout) Stop() {
	if l.cancel == nil {
		return
	}
	l.cancel()
	l.running.Wait()
	for _, v := range l.views {
		v.stop()
	}
	for _, v := range l.old {
		v.stop()
	}
	l.probes.stop()
}

// Changed says that there may be another list of what to look at.
func (l *Lookout) Changed() {
	l.mu.Lock()
	l.ask = true
	l.mu.Unlock()
	l.nudge()
}

func (l *Lookout) viewChanged() {
	l.mu.Lock()
	l.look = true
	l.mu.Unlock()
	l.nudge()
}

func (l *Lookout) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run does one thing after the other, so that the control plane hears of them in order.
func (l *Lookout) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
		wait, err := l.turn(ctx)
		if err != nil && ctx.Err() == nil {
			level := slog.LevelWarn
			if errors.Is(err, work.ErrUplinkLost) {
				level = slog.LevelDebug // the link says so already
			}
			l.o.Log.Log(ctx, level, "not reported, it is reported again", "error", err)
			wait = pause
		}
		timer.Reset(wait)
	}
}

// turn does everything that is to be done now, and returns when there is more.
func (l *Lookout) turn(ctx context.Context) (wait time.Duration, err error) {
	l.mu.Lock()
	ask := l.ask
	l.ask, l.look = false, false
	l.mu.Unlock()
	if ask {
		if err := l.inquire(ctx); err != nil {
			return 0, err
		}
	}
	renewal := l.o.renew()
	if l.list != nil {
		if time.Since(l.shown) >= l.o.renew() && len(l.old) == 0 {
			l.show(ctx, true)
		}
		renewal = max(time.Millisecond, l.o.renew()-time.Since(l.shown))
	}
	if err := l.report(ctx); err != nil {
		return 0, err
	}
	if err := l.compare(ctx); err != nil {
		return 0, err
	}
	wait = min(renewal, l.retire(time.Now()))
	for {
		batch, next := l.spool.take(time.Now())
		if len(batch) == 0 {
			return min(wait, next), nil
		}
		if err := l.send(ctx, batch); err != nil {
			return 0, err
		}
		l.spool.done(batch)
	}
}

// inquire asks for the list, and looks at what it says.
func (l *Lookout) inquire(ctx context.Context) error {
	list, err := l.o.Uplink.ListWatches(ctx)
	switch {
	case errors.Is(err, work.ErrRefused): // it is asked again in the next session
		l.o.Log.InfoContext(ctx, "the control plane has nothing to look at", "error", err)
		return nil
	case err != nil:
		l.mu.Lock()
		l.ask = true
		l.mu.Unlock()
		return err
	}
	l.said = nil // the control plane may have forgotten it, or never have had it
	l.probes.want(ctx, list.GetProbes())
	if l.list.GetDigest() == list.GetDigest() && l.list != nil {
		return nil
	}
	if l.list == nil {
		l.shown = time.Now()
	}
	l.list, l.plans = list, l.plan(list.GetWatches())
	l.show(ctx, false)
	l.o.Log.InfoContext(ctx, "looking at objects", "watches", len(list.GetWatches()), "views", len(l.views))
	return nil
}

// show has a view of everything that the plans need; anew also where there is one already.
func (l *Lookout) show(ctx context.Context, anew bool) {
	if anew {
		l.shown = time.Now()
	}
	wanted := wants(l.plans)
	var gone []*view
	for s, v := range l.views {
		if anew || !slices.Equal(v.judge.wants, wanted[s]) {
			gone = append(gone, v)
			delete(l.views, s)
		}
	}
	for s, list := range wanted {
		if l.views[s] == nil {
			v := newView(l.o, s, list, l.happened, l.viewChanged)
			v.start(ctx)
			l.views[s] = v
		}
	}
	for _, v := range gone { // what happens until the new views show all there is must not be missed
		l.old = append(l.old, &outgoing{v, time.Now().Add(patience)})
	}
}

// retire stops the views that others have taken the place of, and returns when there is more to stop.
func (l *Lookout) retire(now time.Time) time.Duration {
	wait := time.Hour
	settled := true
	for _, v := range l.views {
		settled = settled && v.ready()
	}
	l.old = slices.DeleteFunc(l.old, func(v *outgoing) bool {
		if settled || !now.Before(v.until) {
			v.stop()
			return true
		}
		wait = min(wait, v.until.Sub(now))
		return false
	})
	return wait
}

// report says how it stands with the watches, when that has changed.
func (l *Lookout) report(ctx context.Context) error {
	if l.list == nil {
		return nil
	}
	r := &agentv1.ReportWatchesRequest{Digest: l.list.GetDigest()}
	for _, p := range l.plans {
		r.States = append(r.States, l.standing(p))
	}
	if proto.Equal(r, l.said) {
		return nil
	}
	err := l.o.Uplink.ReportWatches(ctx, r)
	if errors.Is(err, work.ErrRefused) { // there is another list by now, and a hint on its way: it is said again then
		l.said = nil
		return nil
	}
	if err == nil {
		l.said = r
	}
	return err
}

// standing is the worst of what a watch needs.
func (l *Lookout) standing(p planned) *agentv1.WatchState {
	out := &agentv1.WatchState{Id: p.watch.GetId(), Status: agentv1.WatchStatus_WATCH_STATUS_WATCHING}
	if p.refused != "" {
		out.Status, out.Message = agentv1.WatchStatus_WATCH_STATUS_REFUSED, p.refused
		return out
	}
	rank := func(s agentv1.WatchStatus) int {
		return slices.Index([]agentv1.WatchStatus{
			agentv1.WatchStatus_WATCH_STATUS_WATCHING, agentv1.WatchStatus_WATCH_STATUS_PENDING, agentv1.WatchStatus_WATCH_STATUS_FAILING,
			agentv1.WatchStatus_WATCH_STATUS_REFUSED,
		}, s)
	}
	for _, s := range p.scopes {
		if status, message := l.views[s].state(); rank(status) > rank(out.GetStatus()) {
			out.Status, out.Message = status, message
		}
	}
	return out
}

// happened takes in what a view has seen.
func (l *Lookout) happened(v *view, list []seen) {
	for _, s := range list {
		l.spool.add(l.entry(v, s))
	}
}

func (l *Lookout) entry(v *view, s seen) *entry {
	s.RunNamespaces = l.tests(s.Object.GetNamespace())
	e := &entry{change: s.ObjectChange}
	if s.Event == agentv1.ObjectEvent_OBJECT_EVENT_ROLLED_OUT {
		e.view = v
	}
	return e
}

// compare asks which of the states that objects had when views began have come to be meanwhile.
func (l *Lookout) compare(ctx context.Context) error {
	for _, v := range l.views {
		list, ok := v.replayed()
		if !ok {
			continue
		}
		for rest := list; len(rest) > 0; {
			n := fits(rest)
			if err := l.ask4news(ctx, v, rest[:n]); err != nil {
				v.mu.Lock()
				v.replay = rest
				v.mu.Unlock()
				return err
			}
			rest = rest[n:]
		}
	}
	return nil
}

func (l *Lookout) ask4news(ctx context.Context, v *view, part []seen) error {
	r := &agentv1.CompareObjectsRequest{}
	for _, s := range part {
		s.RunNamespaces = l.tests(s.Object.GetNamespace())
		r.Objects = append(r.Objects, s.ObjectChange)
	}
	reply, err := l.o.Uplink.CompareObjects(ctx, r)
	if errors.Is(err, work.ErrRefused) {
		l.o.Log.ErrorContext(ctx, "the control plane does not compare objects", "objects", len(part), "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, i := range reply.GetNews() {
		if int(i) < len(part) && i >= 0 {
			l.spool.add(l.entry(v, part[i]))
		}
	}
	return nil
}

// send reports what has happened. The images are those that run by now: what was rolled out.
func (l *Lookout) send(ctx context.Context, batch []*entry) error {
	r := &agentv1.ReportObjectsRequest{}
	for _, e := range batch {
		if e.view != nil && !e.looked {
			e.change.Images, e.change.Message = l.images(ctx, e)
			e.looked = true
		}
		r.Objects = append(r.Objects, e.change)
	}
	err := l.o.Uplink.ReportObjects(ctx, r)
	if errors.Is(err, work.ErrRefused) && len(batch) > 1 { // one that is refused takes no other with it
		half := len(batch) / 2
		if err := l.send(ctx, batch[:half]); err != nil {
			return err
		}
		return l.send(ctx, batch[half:])
	}
	if errors.Is(err, work.ErrRefused) { // to send it again would not help
		l.o.Log.ErrorContext(ctx, "the control plane does not take what happened", "objects", len(batch), "error", err)
		return nil
	}
	return err
}
