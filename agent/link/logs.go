package link

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// What may be in flight, of one stream and in all.
const (
	maxChunks = 8
	maxBytes  = 4 << 20
)

const (
	// What is in flight when the connection moves gets so long to be answered on the old one.
	drainFor = 5 * time.Second
	// Failures in a row after which the wait before the next stream grows no more.
	maxLogFailures = 4
)

// logs carries chunks of all streams over one AppendLogs stream within a bounded window.
type logs struct {
	mu      sync.Mutex
	stream  *logStream
	bytes   int
	chunks  map[string]int
	changed chan struct{} // closed and replaced when stream or window change
	wanted  chan struct{}
}

// logStream is one AppendLogs stream. What is pending and what is queued is guarded by logs.mu; both are in the order of sending.
type logStream struct {
	grpc    grpc.BidiStreamingClient[agentv1.AppendLogsRequest, agentv1.AppendLogsResponse]
	pending []pending
	queue   []*agentv1.AppendLogsRequest
	closing bool
	wake    chan struct{}
}

type pending struct {
	attempt, stream string
	size            int
	done            func(*runnerv1.LogAck, error)
}

func (p pending) key() string { return p.attempt + "/" + p.stream }

func newLogs() *logs {
	return &logs{chunks: map[string]int{}, changed: make(chan struct{}), wanted: make(chan struct{}, 1)}
}

// Append implements work.Uplink. When it returns an error, done is not called.
func (l *Link) Append(ctx context.Context, attemptID string, chunk *runnerv1.LogChunk, done func(*runnerv1.LogAck, error)) error {
	g := l.logs
	p := pending{attempt: attemptID, stream: chunk.GetStream(), size: len(chunk.GetData()), done: done}
	for {
		changed, ok := g.push(p, &agentv1.AppendLogsRequest{AttemptId: attemptID, Chunk: chunk})
		if ok {
			return nil
		}
		signal(g.wanted)
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait to send a log chunk: %w", ctx.Err())
		case <-changed:
		}
	}
}

// push queues a chunk if there is a stream and room in the window, else it returns what is closed when that changes. Nobody waits
// for the wire here: what is queued is bounded by the window.
func (g *logs) push(p pending, req *agentv1.AppendLogsRequest) (changed <-chan struct{}, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fits := g.chunks[p.key()] < maxChunks && (g.bytes == 0 || g.bytes+p.size <= maxBytes)
	if g.stream == nil || !fits {
		return g.changed, false
	}
	g.bytes += p.size
	g.chunks[p.key()]++
	g.stream.pending = append(g.stream.pending, p)
	g.stream.queue = append(g.stream.queue, req)
	signal(g.stream.wake)
	return nil, true
}

// signal wakes who waits, or who will.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write sends what is queued until the stream is closing or has ended.
func (g *logs) write(s *logStream) {
	for {
		g.mu.Lock()
		queue, closing := s.queue, s.closing
		s.queue = nil
		g.mu.Unlock()
		for _, req := range queue {
			if s.grpc.Send(req) != nil {
				return // the reader sees why and answers all that is pending
			}
		}
		if closing {
			_ = s.grpc.CloseSend() // never fails
			return
		}
		select {
		case <-s.wake:
		case <-s.grpc.Context().Done():
			return
		}
	}
}

// free gives back a place in the window; the caller holds the lock.
func (g *logs) free(p pending) {
	g.bytes -= p.size
	if g.chunks[p.key()]--; g.chunks[p.key()] <= 0 {
		delete(g.chunks, p.key())
	}
	g.broadcast()
}

func (g *logs) broadcast() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// run opens a stream when a chunk waits for one.
func (g *logs) run(ctx context.Context, l *Link) {
	for failed := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-g.wanted:
		}
		answered, err := g.carry(ctx, l)
		if answered {
			failed = 0
		}
		if err != nil && ctx.Err() == nil {
			l.o.Log.DebugContext(ctx, "log stream ended", "error", err)
			_ = pause(ctx, backoff(min(failed, maxLogFailures)))
			failed++
		}
		g.mu.Lock()
		g.broadcast() // who waits asks anew
		g.mu.Unlock()
	}
}

// carry serves one stream until it breaks or the connection is replaced, and tells whether it was of use.
func (g *logs) carry(ctx context.Context, l *Link) (answered bool, err error) {
	gateway, replaced, err := l.await(ctx)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := gateway.AppendLogs(ctx)
	if err != nil {
		return false, l.failed("open log stream", err)
	}
	s := &logStream{grpc: stream, wake: make(chan struct{}, 1)}
	var running sync.WaitGroup
	running.Go(func() { g.write(s) })
	ended := make(chan struct{})
	running.Go(func() {
		defer close(ended)
		answered, err = g.acks(s)
	})
	g.use(s)
	select {
	case <-ended:
		if status.Code(err) == codes.Unauthenticated {
			l.tokens.drop()
		}
	case <-replaced:
		// What is in flight may be committed yet: then nobody has to begin anew.
		timer := time.AfterFunc(drainFor, cancel)
		g.retire(s)
		<-ended
		timer.Stop()
		err = nil
	}
	cancel()
	running.Wait()
	g.lose(s)
	return answered, err
}

// use makes a stream the one that chunks go to.
func (g *logs) use(s *logStream) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stream = s
	g.broadcast()
}

// retire makes chunks wait for the next stream and closes this one behind those that it has.
func (g *logs) retire(s *logStream) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stream, s.closing = nil, true
	signal(s.wake)
}

// acks passes answers to those who wait for them, in the order of sending.
func (g *logs) acks(s *logStream) (answered bool, err error) {
	for ; ; answered = true {
		r, err := s.grpc.Recv()
		if err != nil {
			return answered, fmt.Errorf("log stream: %w", err)
		}
		g.mu.Lock()
		if len(s.pending) == 0 || s.pending[0].attempt != r.GetAttemptId() || s.pending[0].stream != r.GetStream() {
			g.mu.Unlock()
			return answered, fmt.Errorf("the control plane acknowledged %s of attempt %s out of order", r.GetStream(), r.GetAttemptId())
		}
		p := s.pending[0]
		s.pending = s.pending[1:]
		g.free(p)
		g.mu.Unlock()
		if why := r.GetRefused(); why != "" {
			p.done(nil, fmt.Errorf("%w: %s", work.ErrRefused, why))
			continue
		}
		p.done(&runnerv1.LogAck{Stream: r.GetStream(), Committed: r.GetCommitted(), Final: r.GetFinal()}, nil)
	}
}

// lose answers everything that is in flight on a broken stream.
func (g *logs) lose(s *logStream) {
	g.mu.Lock()
	g.stream = nil
	lost := s.pending
	s.pending, s.queue = nil, nil
	for _, p := range lost {
		g.free(p)
	}
	g.broadcast()
	g.mu.Unlock()
	for _, p := range lost {
		p.done(nil, work.ErrUplinkLost)
	}
}
