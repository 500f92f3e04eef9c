// Package outbox keeps the record of every live attempt. It merges what runners say with what the cluster shows and delivers the
// newest snapshot of each attempt to the control plane until that has taken it.
package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Reporter sends a snapshot to the control plane. work.ErrRefused means that it will never be taken.
type Reporter interface {
	Report(ctx context.Context, r *agentv1.AttemptReport) error
}

// Stopper ends the pods of an attempt and keeps its Job.
type Stopper interface {
	Stop(ctx context.Context, attemptID string, why jobspec.Stopped) error
}

// Follower delivers the log of a service while it runs. Over is closed when the steps have ended: the service then does, too, or its
// log is closed. It returns when the log is complete, with notes of what is missing, or when it never will be.
type Follower interface {
	Follow(ctx context.Context, attemptID string, pod work.PodIdentity, service string, over <-chan struct{}) (notes []string, err error)
}

// Tailer delivers what an ended pod's runner could not, from the cluster's own logs, and says in notes what is missing.
type Tailer interface {
	Tail(ctx context.Context, attemptID string, pod work.Pod, steps []*runnerv1.StepState) (notes []string, err error)
}

// Options are what an Outbox needs. Times that are zero get their defaults.
type Options struct {
	Log      *slog.Logger
	Reporter Reporter
	Stopper  Stopper
	Tailer   Tailer
	Follower Follower
	Observer Observer
	// Allowance is how long after the result logs and files may take to be delivered.
	Allowance time.Duration
	// AttachWait is how long a cancellation waits for a runner of a running pod to attach.
	AttachWait time.Duration
	// CancelGrace lies between SIGTERM and SIGKILL of a cancelled step.
	CancelGrace time.Duration
}

// Outbox implements work.Attempts and work.Sink.
type Outbox struct {
	o       Options
	runners work.Runners

	mu      sync.Mutex
	records map[string]*record
	todo    []func(context.Context)
	wake    chan struct{}
	senders chan struct{}

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// record is what is known of one attempt; it is guarded by the Outbox's lock.
type record struct {
	report    *agentv1.AttemptReport
	pod       *work.Pod
	podGone   bool
	vanished  string // UID of the pod that was gone once: a cache that shows it again is behind
	jobGone   bool
	delivered map[string]bool // by container
	attached  int             // runners that are connected
	// unseenBy is when a record goes that no Job was seen for, zero once one was.
	unseenBy time.Time

	resumed   []*runnerv1.Resume // by anybody, for runners that attach later
	cancelled string             // reason, empty for none
	forceAt   time.Time          // when a cancellation stops the pod
	stopAt    time.Time          // when stopping the pod is tried again
	deliverBy time.Time          // when what is missing is given up
	stopping  bool
	tailing   bool
	over      chan struct{}   // closed when the steps of the pod have ended
	following map[string]bool // services whose logs are under way (true) or done (false)

	hops hops

	startAsked bool // what is under test was asked for, at the start
	endAsked   bool // and at the end
	observing  int  // of these, how many are under way

	version, accepted  uint64
	endTaken, allTaken bool // the control plane took a report that says so
	sending            bool
	changed            chan struct{} // closed and replaced when accepted advances
}

// Attempts whose snapshots are under way at the same time.
const maxSenders = 8

// Runners and cancellations may come before the Job is seen. When that does not come within this, there is none.
const unseenFor = 10 * time.Minute

// New returns an Outbox; it takes in everything from now on and delivers once it is started.
func New(o Options) *Outbox {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&o.Allowance, 10*time.Minute)
	set(&o.AttachWait, 15*time.Second)
	set(&o.CancelGrace, 30*time.Second)
	return &Outbox{o: o, records: map[string]*record{}, wake: make(chan struct{}, 1), senders: make(chan struct{}, maxSenders)}
}

// Start begins to deliver; what people want of runners goes to runners.
func (o *Outbox) Start(ctx context.Context, runners work.Runners) {
	o.mu.Lock()
	o.runners = runners
	o.mu.Unlock()
	ctx, o.cancel = context.WithCancel(ctx)
	o.running.Go(func() { o.run(ctx) })
}

// Stop returns when nothing of the Outbox runs any more. What was not delivered is found again in the cluster at the next start.
func (o *Outbox) Stop() {
	o.cancel()
	o.running.Wait()
}

// Live returns the number of attempts that are not fully delivered.
func (o *Outbox) Live() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, r := range o.records {
		if !r.report.GetDelivered() || r.accepted < r.version {
			n++
		}
	}
	return n
}

// run starts what was put on the list, and looks at the deadlines of the attempts.
func (o *Outbox) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		o.mu.Lock()
		todo := o.todo
		o.todo = nil
		next := o.deadlines(time.Now())
		todo = append(todo, o.todo...)
		o.todo = nil
		o.mu.Unlock()
		for _, f := range todo {
			o.running.Go(func() { f(ctx) })
		}
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-timer.C:
		}
	}
}

// deadlines acts on those that have passed and returns the next one; the caller holds the lock.
func (o *Outbox) deadlines(now time.Time) (next time.Time) {
	for id, r := range o.records {
		if due(r.unseenBy, now) && r.attached <= 0 {
			delete(o.records, id)
			continue
		}
		if due(r.forceAt, now) {
			o.force(r)
		}
		if due(r.stopAt, now) {
			r.stopAt = time.Time{}
			o.stop(r)
		}
		if due(r.deliverBy, now) {
			o.giveUp(r, "Logs and files were not complete when their time was up.")
		}
		for _, at := range []time.Time{r.forceAt, r.stopAt, r.deliverBy, r.unseenBy} {
			if at.After(now) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	return next
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// later puts something on the list of run; the caller holds the lock.
func (o *Outbox) later(f func(context.Context)) {
	if f != nil {
		o.todo = append(o.todo, f)
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// record returns the record of an attempt; the caller holds the lock.
func (o *Outbox) record(id string) *record {
	r, ok := o.records[id]
	if !ok {
		r = &record{
			report:    &agentv1.AttemptReport{AttemptId: id, Status: agentv1.AttemptStatus_ATTEMPT_STATUS_PENDING},
			delivered: map[string]bool{}, following: map[string]bool{}, over: make(chan struct{}), changed: make(chan struct{}), unseenBy: time.Now().Add(unseenFor),
		}
		o.records[id] = r
		o.later(nil)
	}
	return r
}

// Attached implements work.Attempts.
func (o *Outbox) Attached(attemptID, _ string) (cancel *runnerv1.Cancel, resumed []*runnerv1.Resume) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.record(attemptID)
	note(&r.hops.attached)
	r.attached++
	resumed = slices.Clone(r.resumed)
	if r.cancelled == "" {
		return nil, resumed
	}
	if !ended(r.report) {
		o.allow(r)
	}
	return &runnerv1.Cancel{Reason: r.cancelled, Grace: durationpb.New(o.o.CancelGrace)}, resumed
}

// Detached implements work.Attempts. A runner may come back until its pod has ended, which the informer tells.
func (o *Outbox) Detached(attemptID, _ string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r, ok := o.records[attemptID]; ok {
		r.attached--
		if !r.unseenBy.IsZero() {
			r.unseenBy = time.Now().Add(unseenFor)
			o.later(nil)
		}
	}
}

// Step implements work.Attempts.
func (o *Outbox) Step(attemptID, _ string, state *runnerv1.StepState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.record(attemptID)
	if mergeStep(r.report, state) {
		o.touch(r)
		o.observe(r)
	}
}

// Finished implements work.Attempts.
func (o *Outbox) Finished(ctx context.Context, attemptID string, f *runnerv1.Finished) error {
	o.mu.Lock()
	r := o.record(attemptID)
	if mergeFinished(r.report, f, true, r.interruption()) {
		r.report.Hops = r.hops.report(time.Now())
		o.concluded(r)
	}
	return o.wait(ctx, r)
}

// Delivered implements work.Attempts.
func (o *Outbox) Delivered(ctx context.Context, attemptID, container string, notes []string) error {
	o.mu.Lock()
	r := o.record(attemptID)
	if !r.delivered[container] {
		r.delivered[container] = true
		r.report.Notes = append(r.report.Notes, notes...)
		o.touch(r)
		o.settle(r)
	}
	return o.wait(ctx, r)
}

// Update implements work.Sink.
func (o *Outbox) Update(u work.Update) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, known := o.records[u.AttemptID]
	if !known && u.Gone {
		return
	}
	r := o.record(u.AttemptID)
	r.unseenBy = time.Time{}
	if r.podGone = r.pod != nil && u.Pod == nil; r.podGone {
		r.vanished = r.pod.UID
	}
	if u.Pod != nil {
		r.pod = newer(r.pod, u.Pod)
		for _, c := range u.Pod.Containers {
			if m, ok := lastWords(u.AttemptID, c); ok && m.Delivered {
				r.delivered[c.Name] = true // before this agent was started, perhaps
			}
		}
	}
	if u.Report.GetNode() != "" {
		note(&r.hops.placed)
	}
	r.jobGone = u.Gone
	before := ended(r.report)
	if mergeUpdate(r.report, u, r.cancelled != "") || r.version == 0 { // that the Job exists is news, also of a record that others made
		o.touch(r)
	}
	if !before && ended(r.report) {
		o.concluded(r)
	}
	if u.Stop {
		o.stop(r)
	}
	o.follow(r)
	if r.cancelled != "" && !ended(r.report) && r.forceAt.IsZero() {
		o.tellRunner(r)
	}
	o.observe(r)
	o.settle(r)
	o.forget(r)
}

// newer returns a pod as it was seen now. A cache that is behind a look at the API server does not take back what was done to the pod.
func newer(before, now *work.Pod) *work.Pod {
	if before == nil || before.UID != now.UID || before.Interrupted == nil || now.Interrupted != nil {
		return now
	}
	out := *now
	out.Interrupted = before.Interrupted
	return &out
}

// wait unlocks and returns once the control plane has taken the snapshot as it is now.
func (o *Outbox) wait(ctx context.Context, r *record) error {
	want := r.version
	for {
		done, changed := r.accepted >= want, r.changed
		o.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the control plane to take the report: %w", ctx.Err())
		case <-changed:
		}
		o.mu.Lock()
	}
}

// concluded begins the time in which logs and files may still come.
func (o *Outbox) concluded(r *record) {
	r.forceAt = time.Time{}
	r.deliverBy = time.Now().Add(o.o.Allowance)
	o.touch(r)
	o.observe(r)
	o.settle(r)
}

// forget drops a record that can no longer change; the caller holds the lock.
func (o *Outbox) forget(r *record) {
	if r.jobGone && (r.podGone || r.pod == nil) && r.report.GetDelivered() && r.accepted >= r.version && !r.sending {
		delete(o.records, r.report.GetAttemptId())
	}
}
