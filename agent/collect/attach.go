package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/agent/work"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	helloFor = 10 * time.Second
	// Shorter than a runner waits for Welcome.
	committedFor = 8 * time.Second
	// How long one look at the pod may take, and how long looks that fail hold up the word of its runner: as long as an API server takes
	// to come back.
	lookTimeout = 5 * time.Second
	lookFor     = 2 * time.Minute
	lookAgain   = 200 * time.Millisecond
	maxAgain    = 5 * time.Second
	// A runner has a handful of chunks under way; one that never takes its answers is not one of ours.
	maxAnswers = 4096
)

type attachStream = connect.BidiStream[runnerv1.AttachRequest, runnerv1.AttachResponse]

// session is the connection of one container. Its reader takes in what comes and owns the session; the handler only writes answers.
type session struct {
	server    *Server
	attempt   string
	container string
	end       context.CancelCauseFunc
	gone      chan struct{} // closed when nothing is taken in any more
	wake      chan struct{}
	calls     sync.WaitGroup

	mu         sync.Mutex
	out        []*runnerv1.AttachResponse
	streams    map[string]*stream
	notes      []string // about refused logs
	asked      bool     // to cancel, by the agent
	finishing  bool
	delivering bool
}

// Attach implements the RunnerService.
func (s *Server) Attach(ctx context.Context, wire *attachStream) error {
	attempt, err := s.guard.attempt(ctx, wire.RequestHeader())
	if err != nil {
		s.o.Log.InfoContext(ctx, "runner not let in", "from", wire.Peer().Addr, "error", err)
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	x := &session{
		server: s, attempt: attempt, end: end, gone: make(chan struct{}), wake: make(chan struct{}, 1), streams: map[string]*stream{},
	}
	// Receive returns only when the handler has; so the server waits for the reader.
	s.running.Go(func() { x.read(ctx, wire) })
	err = x.write(ctx, wire)
	s.o.Log.DebugContext(ctx, "runner's connection ended", "attempt", attempt, "error", err)
	return err
}

// write sends answers until the session ends, and what is left then.
func (x *session) write(ctx context.Context, wire *attachStream) error {
	for {
		for _, m := range x.take() {
			if err := wire.Send(m); err != nil {
				return fmt.Errorf("answer runner: %w", err)
			}
		}
		select {
		case <-x.wake:
			continue
		case <-ctx.Done():
		}
		for _, m := range x.take() {
			if wire.Send(m) != nil {
				break // the end says why
			}
		}
		return ended(context.Cause(ctx))
	}
}

// ended is how the end of a session looks to the runner: except for its own faults, it shall come back.
func ended(cause error) error {
	var said *connect.Error
	switch {
	case errors.Is(cause, io.EOF):
		return nil
	case errors.As(cause, &said):
		return said
	default:
		return connect.NewError(connect.CodeUnavailable, cause)
	}
}

func (x *session) take() []*runnerv1.AttachResponse {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := x.out
	x.out = nil
	return out
}

// answer queues a message for the runner.
func (x *session) answer(m *runnerv1.AttachResponse) {
	x.mu.Lock()
	x.out = append(x.out, m)
	x.mu.Unlock()
	x.signal()
}

// signal wakes the writer.
func (x *session) signal() {
	x.mu.Lock()
	crowded := len(x.out) > maxAnswers
	x.mu.Unlock()
	if crowded {
		x.end(connect.NewError(connect.CodeResourceExhausted, errors.New("the answers are not read")))
	}
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// read takes in everything that the runner sends. It never lets a session end without a cause.
func (x *session) read(ctx context.Context, wire *attachStream) {
	timer := time.AfterFunc(helloFor, func() {
		x.end(connect.NewError(connect.CodeDeadlineExceeded, errors.New("the runner did not say who it is")))
	})
	defer timer.Stop()
	first, err := wire.Receive()
	timer.Stop()
	if err == nil {
		err = x.enter(ctx, first.GetHello())
	}
	if err != nil {
		x.end(err)
		return
	}
	defer x.leave()
	for err = x.greet(ctx); err == nil; {
		var m *runnerv1.AttachRequest
		if m, err = wire.Receive(); err == nil && ctx.Err() == nil {
			err = x.handle(ctx, m)
		}
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	x.end(err)
}

// enter checks who it is and takes the container's place.
func (x *session) enter(ctx context.Context, hello *runnerv1.Hello) error {
	switch {
	case hello == nil:
		return invalid("the first message is not Hello")
	case hello.GetAttemptId() != x.attempt:
		return connect.NewError(connect.CodePermissionDenied, errors.New("the pod belongs to another attempt"))
	case hello.GetContainer() == "" || len(hello.GetContainer()) > maxName:
		return invalid("Hello names no container")
	}
	x.container = hello.GetContainer()
	return x.server.hub.enter(ctx, x)
}

func (x *session) leave() {
	x.calls.Wait() // their context has ended
	x.server.o.Attempts.Detached(x.attempt, x.container)
	x.server.hub.leave(x)
}

// greet tells the runner where to go on.
func (x *session) greet(ctx context.Context) error {
	welcome := &runnerv1.Welcome{}
	welcome.Cancel, welcome.Resumed = x.server.o.Attempts.Attached(x.attempt, x.container)
	if welcome.Cancel != nil {
		x.wasAsked()
	}
	limited, cancel := context.WithTimeout(ctx, committedFor)
	defer cancel()
	var err error
	welcome.Committed, err = x.server.o.Uplink.Committed(limited, x.attempt)
	if err != nil && !errors.Is(err, work.ErrRefused) { // who refuses has nothing committed
		return fmt.Errorf("ask the control plane where to go on: %w", err)
	}
	x.mu.Lock()
	// A cancellation or a word to go on may have come in between.
	x.out = append([]*runnerv1.AttachResponse{{Message: &runnerv1.AttachResponse_Welcome{Welcome: welcome}}}, x.out...)
	x.mu.Unlock()
	x.signal()
	return nil
}

func (x *session) handle(ctx context.Context, m *runnerv1.AttachRequest) error {
	switch m := m.GetMessage().(type) {
	case *runnerv1.AttachRequest_Log:
		return x.log(ctx, m.Log)
	case *runnerv1.AttachRequest_Step:
		if err := checkStep(m.Step); err != nil {
			return err
		}
		x.server.o.Attempts.Step(x.attempt, x.container, m.Step)
		return nil
	case *runnerv1.AttachRequest_Finished:
		x.finish(ctx, m.Finished)
		return nil
	case *runnerv1.AttachRequest_Delivered:
		x.deliver(ctx, m.Delivered)
		return nil
	case *runnerv1.AttachRequest_Hello:
		return invalid("Hello came twice")
	default:
		return nil // of a newer runner
	}
}

// finish passes the result on while logs go on.
func (x *session) finish(ctx context.Context, f *runnerv1.Finished) {
	if x.finishing {
		return
	}
	x.finishing = true
	x.call(ctx, &runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_FinishedAck{FinishedAck: &runnerv1.FinishedAck{}}},
		func() error {
			if err := x.whyCancelled(ctx, f); err != nil {
				return err
			}
			return x.server.o.Attempts.Finished(ctx, x.attempt, proto.CloneOf(f))
		})
}

// wasAsked notes that the agent itself wants the runner to stop.
func (x *session) wasAsked() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked = true
}

// whyCancelled looks at the pod of a runner that was asked to stop, which cannot know why: what the cluster does to a pod has to be
// known before its runner's word counts, and informers may be behind. Unless it is the agent that has asked, the word waits for an API
// server that does not answer: it would make a cancellation of what was an eviction.
func (x *session) whyCancelled(ctx context.Context, f *runnerv1.Finished) error {
	if f.GetStatus() != runnerv1.StepStatus_STEP_STATUS_CANCELLED {
		return nil
	}
	for begun, again := time.Now(), lookAgain; ; again = min(2*again, maxAgain) {
		err := x.look(ctx)
		x.mu.Lock()
		asked := x.asked
		x.mu.Unlock()
		switch {
		case err == nil:
			return nil
		case asked, time.Since(begun) > x.server.lookFor():
			x.server.o.Log.WarnContext(ctx, "the pod of a cancelled attempt was not looked at", "attempt", x.attempt, "error", err)
			return nil
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (x *session) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return x.server.o.Pods.Look(ctx, x.attempt) //nolint:wrapcheck // transparent
}

func (x *session) deliver(ctx context.Context, d *runnerv1.Delivered) {
	if x.delivering {
		return
	}
	x.delivering = true
	x.mu.Lock()
	notes := bounded(append(d.GetNotes(), x.notes...))
	x.mu.Unlock()
	x.call(ctx, &runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_DeliveredAck{DeliveredAck: &runnerv1.DeliveredAck{}}},
		func() error { return x.server.o.Attempts.Delivered(ctx, x.attempt, x.container, notes) })
}

// call answers once f has returned; when it fails the runner shall come back and try again.
func (x *session) call(ctx context.Context, ack *runnerv1.AttachResponse, f func() error) {
	x.calls.Go(func() {
		switch err := f(); {
		case err == nil:
			x.answer(ack)
		case ctx.Err() == nil:
			x.end(err)
		}
	})
}
