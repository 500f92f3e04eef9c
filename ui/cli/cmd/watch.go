package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

// errCut means that a stream ended before its end was said: the control plane went away in good order.
var errCut = errors.New("the control plane closed the stream")

// transient reports whether trying again may help: the control plane is away, restarting, or the connection broke.
func transient(err error) bool {
	var wire *connect.Error
	if errors.Is(err, errCut) {
		return true
	}
	if !errors.As(err, &wire) || wire.Code() == connect.CodeCanceled {
		return false
	}
	return wire.Code() == connect.CodeUnavailable || !connect.IsWireError(err)
}

// gaveUpError says that the control plane was waited for in vain.
type gaveUpError struct {
	waited time.Duration
	cause  error
}

func (e *gaveUpError) Error() string {
	return fmt.Sprintf("gave up after waiting %s: %v", e.waited, e.cause)
}

func (e *gaveUpError) Unwrap() error { return e.cause }

// steady is how many pauses a connection must outlive to count as a good one.
const steady = 10

// persist calls try until it ends other than by a transient error. Patience bounds how long it goes without progress: try calls
// progress whenever something new arrived. A connection that held for a while is progress, too, or a proxy that cuts streams
// every few minutes would end the watching of a long test; one that is cut at once over and over is not.
func (a *app) persist(ctx context.Context, try func(progress func()) error) error {
	var since time.Time
	for {
		begun := time.Now()
		err := try(func() {
			since = time.Time{}
			a.lost.Store(false)
		})
		if err == nil || ctx.Err() != nil || !transient(err) {
			return err
		}
		if time.Since(begun) > steady*a.Backoff {
			since = time.Time{}
		}
		if since.IsZero() {
			since = time.Now()
			if !a.lost.Swap(true) { // a log and a state are watched at once: say it once
				a.say("Connection to %s lost; trying again for %s.", a.target.Server, a.Patience)
			}
		}
		if time.Since(since) > a.Patience {
			return coded(exitcode.Errored, &gaveUpError{a.Patience, err})
		}
		pause := time.NewTimer(a.Backoff)
		select {
		case <-ctx.Done():
			pause.Stop()
			return err
		case <-pause.C:
		}
	}
}

// watch calls seen with every state until the execution and its records are complete.
func (a *app) watch(ctx context.Context, cl clients, id string, seen func(*apiv1.Execution)) (*apiv1.Execution, error) {
	var last *apiv1.Execution
	err := a.persist(ctx, func(progress func()) error {
		s, err := cl.executions.WatchExecution(ctx, &apiv1.WatchExecutionRequest{Id: id})
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		for s.Receive() {
			if now := s.Msg().GetExecution(); !proto.Equal(now, last) {
				progress()
				last = now
				seen(last)
			}
		}
		if s.Err() != nil {
			return s.Err()
		}
		if !terminal(last.GetStatus()) {
			return errCut
		}
		return nil
	})
	return last, err
}

// readLog is how far the log of a step or service was read.
type readLog struct {
	attempt  string
	step     int32
	service  string // instead of a step
	offset   int64
	complete bool
}

// stream writes the log from where it stands. A cut stream goes on at the first byte not yet written.
func (a *app) stream(ctx context.Context, cl clients, l *readLog, follow bool) error {
	return a.persist(ctx, func(progress func()) error {
		s, err := cl.executions.StreamLog(ctx, &apiv1.StreamLogRequest{
			AttemptId: l.attempt, StepIndex: l.step, Service: l.service, Offset: l.offset, Follow: follow,
		})
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		for s.Receive() {
			before := *l
			if err := a.take(l, s.Msg()); err != nil {
				return err
			}
			if *l != before {
				progress()
			}
		}
		if s.Err() != nil {
			return s.Err()
		}
		if follow && !l.complete {
			return errCut
		}
		return nil
	})
}

// take writes what is new of a message.
func (a *app) take(l *readLog, m *apiv1.StreamLogResponse) error {
	l.complete = l.complete || m.GetComplete()
	if g := m.GetGapBytes(); g > 0 && m.GetOffset()+g > l.offset {
		l.offset = m.GetOffset() + g
		a.say("[%d bytes of the log are missing here]", g)
	}
	data, at := m.GetData(), m.GetOffset()
	if at+int64(len(data)) <= l.offset {
		return nil
	}
	if at < l.offset {
		data = data[l.offset-at:]
	}
	n, err := a.Out.Write(data)
	l.offset = max(at, l.offset) + int64(n)
	return err
}

func terminal(s apiv1.Status) bool { return s >= apiv1.Status_STATUS_PASSED }
