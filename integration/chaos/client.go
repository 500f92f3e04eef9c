package chaos

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"time"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/integration/fleet"
	"github.com/seatrial/seatrial/integration/history"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const (
	callLimit = 5 * time.Second  // of one try
	idleLimit = 10 * time.Second // of a stream on which nothing comes
	tryAgain  = 200 * time.Millisecond
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// again tells whether a call is worth another try: its answer did not arrive, or said so.
func again(err error) bool {
	if !connect.IsWireError(err) {
		return true
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable, connect.CodeResourceExhausted, connect.CodeDeadlineExceeded, connect.CodeAborted:
		return true
	default:
		return false
	}
}

// call asks replica after replica until one answers, and returns its answer.
func call[T any](ctx context.Context, planes []*fleet.Plane, token string, f func(context.Context, fleet.API) (T, error)) (T, error) {
	for {
		try, cancel := context.WithTimeout(ctx, callLimit)
		out, err := f(try, planes[rand.IntN(len(planes))].API(token))
		cancel()
		if err == nil || !again(err) || !pass(ctx, tryAgain) {
			return out, err
		}
	}
}

// run is an execution that was accepted.
type run struct {
	id   string
	site *site
	done chan struct{} // closed when a viewer has seen the end of it and of its records
}

// start asks for an execution until it is accepted, and follows it; nil when the bout ends before.
func (b *Bout) start(ctx context.Context, s *site, key string) *run {
	w := b.w
	reply, err := call(ctx, w.planes, w.token, func(ctx context.Context, api fleet.API) (*apiv1.RunWorkflowResponse, error) {
		return api.RunWorkflow(ctx, &apiv1.RunWorkflowRequest{Workflow: "probe", Environments: []string{s.name}, IdempotencyKey: key})
	})
	if err != nil {
		b.refused(ctx, "start "+key, err)
		return nil
	}
	id := reply.GetExecution().GetId()
	b.book.Add(history.Event{Kind: history.Accepted, Tenant: "o", Execution: id, Key: key})
	r, known := b.accepted(id, s)
	if known {
		return r
	}
	b.calls.Go(func() { b.watch(b.ctx, r) })
	w.gates.reach(ctx, Accepted, s)
	return r
}

// cancel cancels an execution.
func (b *Bout) cancel(ctx context.Context, r *run) {
	_, err := call(ctx, b.w.planes, b.w.token, func(ctx context.Context, api fleet.API) (*apiv1.CancelExecutionResponse, error) {
		return api.CancelExecution(ctx, &apiv1.CancelExecutionRequest{Id: r.id, Reason: "no longer needed"})
	})
	switch {
	case err == nil:
		b.book.Add(history.Event{Kind: history.CancelAccepted, Execution: r.id})
	case connect.CodeOf(err) != connect.CodeFailedPrecondition: // it has ended already
		b.refused(ctx, "cancel "+r.id, err)
	}
}

// refused notes a call that has failed for good.
func (b *Bout) refused(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		b.fail("%s: %v", what, err)
	}
}

// watch is a viewer that looks at an execution until its end, and at the logs of every third.
func (b *Bout) watch(ctx context.Context, r *run) {
	v := &view{b: b, name: "live", seen: map[string]apiv1.Status{}}
	following := map[string]bool{}
	for ctx.Err() == nil {
		over, err := b.look(ctx, r, v, func(a *apiv1.Attempt) {
			if rand.IntN(3) == 0 && !following[a.GetId()] {
				for i := range steps {
					b.following.Add(1)
					b.tails.Go(func() { b.follow(ctx, a.GetId(), i) })
				}
			}
			following[a.GetId()] = true
		})
		if over {
			close(r.done)
			return
		}
		if err != nil && !again(err) && ctx.Err() == nil {
			b.fail("watch %s: %v", r.id, err)
			return
		}
		pass(ctx, tryAgain)
	}
}

// steps is how many steps the probe has.
const steps = 2

// look watches an execution with one call.
func (b *Bout) look(ctx context.Context, r *run, v *view, each func(*apiv1.Attempt)) (over bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(idleLimit, cancel)
	defer idle.Stop()
	stream, err := b.w.planes[rand.IntN(len(b.w.planes))].API(b.w.token).WatchExecution(ctx, &apiv1.WatchExecutionRequest{Id: r.id})
	if err != nil {
		return false, err //nolint:wrapcheck // the caller looks at its code
	}
	defer stream.Close()
	for stream.Receive() {
		idle.Reset(idleLimit)
		e := stream.Msg().GetExecution()
		if v.note(e); complete(e) {
			return true, nil
		}
		for _, run := range e.GetRuns() {
			for _, a := range run.GetAttempts() {
				each(a)
			}
		}
	}
	return false, stream.Err() //nolint:wrapcheck // the caller looks at its code
}

func terminal(s apiv1.Status) bool { return s >= apiv1.Status_STATUS_PASSED }

// complete tells whether an execution has ended with all its records.
func complete(e *apiv1.Execution) bool {
	for _, r := range e.GetRuns() {
		for _, a := range r.GetAttempts() {
			if !terminal(a.GetStatus()) || !a.GetDelivered() {
				return false
			}
		}
	}
	return terminal(e.GetStatus())
}

// follow reads the log of a step to its end, and goes on where it was whenever the call ends.
func (b *Bout) follow(ctx context.Context, attempt string, step int) {
	l := &reader{b: b, viewer: "live", attempt: attempt, step: step}
	defer b.following.Add(-1)
	for ctx.Err() == nil && !l.complete {
		if err := l.read(ctx, true); err != nil && !again(err) && ctx.Err() == nil {
			b.fail("follow step %d of %s: %v", step, attempt, err)
			return
		}
		if !l.complete {
			pass(ctx, tryAgain)
		}
	}
}

// reader reads a log from where it was.
type reader struct {
	b        *Bout
	viewer   string
	attempt  string
	step     int
	offset   int64
	gap      int64
	sum      uint32
	complete bool
}

func (l *reader) read(ctx context.Context, follow bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(idleLimit, cancel)
	defer idle.Stop()
	planes := l.b.w.planes
	stream, err := planes[rand.IntN(len(planes))].API(l.b.w.token).StreamLog(ctx, &apiv1.StreamLogRequest{
		AttemptId: l.attempt, StepIndex: int32(l.step), Offset: l.offset, Follow: follow,
	})
	if err != nil {
		return err //nolint:wrapcheck // the caller looks at its code
	}
	defer stream.Close()
	for stream.Receive() {
		idle.Reset(idleLimit)
		m := stream.Msg()
		if n := int64(len(m.GetData())) + m.GetGapBytes(); n > 0 {
			l.sum = crc32.Update(l.sum, castagnoli(), m.GetData())
			l.b.book.Add(history.Event{
				Kind: history.Read, Viewer: l.viewer, Attempt: l.attempt, Stream: fmt.Sprintf("step/%d", l.step),
				Offset: m.GetOffset(), Bytes: n, Gap: m.GetGapBytes(), Sum: l.sum,
			})
			l.offset, l.gap = m.GetOffset()+n, l.gap+m.GetGapBytes()
		}
		l.complete = l.complete || m.GetComplete()
	}
	return stream.Err() //nolint:wrapcheck // the caller looks at its code
}

// view is what one viewer has seen of an execution.
type view struct {
	b    *Bout
	name string
	seen map[string]apiv1.Status
}

// note writes down what is new of an execution and its attempts.
func (v *view) note(e *apiv1.Execution) {
	v.state(history.Event{Execution: e.GetId(), Reason: or(e.GetReason(), e.GetMessage())}, e.GetId(), e.GetStatus())
	for _, r := range e.GetRuns() {
		for _, a := range r.GetAttempts() {
			v.state(history.Event{Execution: e.GetId(), Attempt: a.GetId(), Reason: or(a.GetReason(), a.GetMessage())}, a.GetId(), a.GetStatus())
		}
	}
}

func (v *view) state(e history.Event, key string, now apiv1.Status) {
	if v.seen[key] == now {
		return
	}
	v.seen[key] = now
	e.Kind, e.Tenant, e.Status, e.Terminal = history.Seen, "o", name(now), terminal(now)
	v.b.book.Add(e)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

var errIncomplete = errors.New("the log is not complete")

// later looks at an execution and all its logs as somebody does who comes when all is over.
func (b *Bout) later(ctx context.Context, id string) error {
	reply, err := call(ctx, b.w.planes, b.w.token, func(ctx context.Context, api fleet.API) (*apiv1.GetExecutionResponse, error) {
		return api.GetExecution(ctx, &apiv1.GetExecutionRequest{Id: id})
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", id, err)
	}
	v := &view{b: b, name: "later", seen: map[string]apiv1.Status{}}
	v.note(reply.GetExecution())
	for _, r := range reply.GetExecution().GetRuns() {
		for _, a := range r.GetAttempts() {
			for _, s := range a.GetSteps() {
				if s.GetLog() == nil || s.GetLog().GetBytes() == 0 {
					continue
				}
				b.book.Add(history.Event{
					Kind: history.Totals, Attempt: a.GetId(), Stream: fmt.Sprintf("step/%d", s.GetIndex()), Offset: s.GetLog().GetBytes(), Complete: s.GetLog().GetComplete(),
				})
				if err := b.readAll(ctx, a.GetId(), int(s.GetIndex()), s.GetLog().GetBytes()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *Bout) readAll(ctx context.Context, attempt string, step int, bytes int64) error {
	l := &reader{b: b, viewer: "later", attempt: attempt, step: step}
	for l.offset < bytes {
		before := l.offset
		err := l.read(ctx, false)
		if err != nil && !again(err) {
			return fmt.Errorf("read step %d of %s: %w", step, attempt, err)
		}
		if err == nil && l.offset == before {
			return fmt.Errorf("step %d of %s: %d of %d bytes: %w", step, attempt, l.offset, bytes, errIncomplete)
		}
		if ctx.Err() != nil {
			return ctx.Err() //nolint:wrapcheck // its own
		}
	}
	return nil
}
