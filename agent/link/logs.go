package link

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// What may be in flight, of one stream and in all.
const (
	maxChunks = 8
	maxBytes  = 4 << 20
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

// logStream is one AppendLogs stream; pending is guarded by logs.mu and in the order of sending.
type logStream struct {
	grpc    grpc.BidiStreamingClient[agentv1.AppendLogsRequest, agentv1.AppendLogsResponse]
	sending sync.Mutex
	pending []pending
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
	p := pending{attempt: attemptID, stream: chunk.GetStream(), size: len(chunk.GetData()), done: done}
	s, err := l.logs.reserve(ctx, p)
	if err != nil {
		return err
	}
	return l.logs.send(s, p, &agentv1.AppendLogsRequest{AttemptId: attemptID, Chunk: chunk})
}

// reserve waits for a stream and for room in the window.
func (g *logs) reserve(ctx context.Context, p pending) (*logStream, error) {
	for {
		g.mu.Lock()
		fits := g.chunks[p.key()] < maxChunks && (g.bytes == 0 || g.bytes+p.size <= maxBytes)
		if s := g.stream; s != nil && fits {
			g.bytes += p.size
			g.chunks[p.key()]++
			g.mu.Unlock()
			return s, nil
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case g.wanted <- struct{}{}:
		default:
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait to send a log chunk: %w", ctx.Err())
		case <-changed:
		}
	}
}

func (g *logs) send(s *logStream, p pending, req *agentv1.AppendLogsRequest) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	g.mu.Lock()
	if g.stream != s {
		g.free(p)
		g.mu.Unlock()
		return work.ErrUplinkLost
	}
	s.pending = append(s.pending, p)
	g.mu.Unlock()
	_ = s.grpc.Send(req) // the reader sees the failure and answers all that is pending
	return nil
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

// run keeps a stream open from the first chunk on and moves it to each new connection.
func (g *logs) run(ctx context.Context, l *Link) {
	select {
	case <-ctx.Done():
		return
	case <-g.wanted:
	}
	for ctx.Err() == nil {
		err := g.carry(ctx, l)
		if ctx.Err() == nil && err != nil {
			l.o.Log.DebugContext(ctx, "log stream ended", "error", err)
			_ = pause(ctx, between(0, time.Second))
		}
	}
}

// carry serves one stream until it breaks or the connection is replaced.
func (g *logs) carry(ctx context.Context, l *Link) error {
	gateway, err := l.gateway(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	replaced := l.changed
	stale := l.current == nil || l.current.gateway != gateway
	l.mu.Unlock()
	if stale {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := gateway.AppendLogs(ctx)
	if err != nil {
		return fmt.Errorf("open log stream: %w", err)
	}
	s := &logStream{grpc: stream}
	g.mu.Lock()
	g.stream = s
	g.broadcast()
	g.mu.Unlock()
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-replaced:
			cancel()
		case <-ctx.Done():
		}
	})
	err = g.acks(s)
	cancel()
	watch.Wait()
	g.lose(s)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// acks passes answers to those who wait for them, in the order of sending.
func (g *logs) acks(s *logStream) error {
	for {
		r, err := s.grpc.Recv()
		if err != nil {
			return fmt.Errorf("log stream: %w", err)
		}
		g.mu.Lock()
		if len(s.pending) == 0 || s.pending[0].attempt != r.GetAttemptId() || s.pending[0].stream != r.GetStream() {
			g.mu.Unlock()
			return fmt.Errorf("the control plane acknowledged %s of attempt %s out of order", r.GetStream(), r.GetAttemptId())
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
	s.pending = nil
	for _, p := range lost {
		g.free(p)
	}
	g.broadcast()
	g.mu.Unlock()
	for _, p := range lost {
		p.done(nil, work.ErrUplinkLost)
	}
}
