package agentlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	groupBytes  = 1 << 20 // a group so large is committed at once
	groupChunks = 256     // and one of so many chunks
	readAhead   = 16      // chunks received while a group is committed
)

type logStream = grpc.BidiStreamingServer[agentv1.AppendLogsRequest, agentv1.AppendLogsResponse]

// appending is one AppendLogs stream. Its handler commits groups; a reader runs ahead within bounds.
type appending struct {
	stream   logStream
	cluster  clusterID
	over     chan error // tells the handler to end
	requests chan *agentv1.AppendLogsRequest
	readErr  error     // why requests was closed
	last     time.Time // when the latest group was begun
}

// AppendLogs implements AgentGatewayServer. A chunk that arrives alone is committed at once; while chunks keep coming, groups of
// at most Timing.Group or groupBytes are committed together, whatever streams they belong to.
func (s *Server) AppendLogs(stream logStream) error {
	viewer, _ := tenant.FromContext(stream.Context()) // the interceptor put it there
	a := &appending{
		stream: stream, cluster: viewer.Cluster, over: make(chan error, 1), requests: make(chan *agentv1.AppendLogsRequest, readAhead),
	}
	s.running.Go(a.read)
	s.sessions.addLogs(a)
	defer s.sessions.removeLogs(a)
	for {
		group, ended := a.gather(s.closing, s.o.Timing.Group)
		if len(group) > 0 {
			if err := s.commit(stream.Context(), stream, group); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(ended, io.EOF):
			return nil
		case ended != nil:
			return ended
		}
	}
}

// end asks the handler to end; only the first reason counts.
func (a *appending) end(why ending) {
	code := codes.Aborted
	if why == endRevoked {
		code = codes.Unauthenticated
	}
	select {
	case a.over <- status.Error(code, string(why)):
	default:
	}
}

func (a *appending) read() {
	defer close(a.requests)
	for {
		r, err := a.stream.Recv()
		if err != nil {
			a.readErr = err
			return
		}
		select {
		case a.requests <- r:
		case <-a.stream.Context().Done():
			a.readErr = a.stream.Context().Err()
			return
		}
	}
}

// gather waits for a chunk and takes what follows it. It does not wait for more when the latest group was begun long enough ago:
// then the stream is quiet, and a line should be seen at once.
func (a *appending) gather(closing <-chan struct{}, within time.Duration) (group []*agentv1.AppendLogsRequest, ended error) {
	select {
	case r, ok := <-a.requests:
		if !ok {
			return nil, a.readErr
		}
		group = append(group, r)
	case err := <-a.over:
		return nil, err
	case <-closing:
		return nil, status.Error(codes.Unavailable, string(endStopping))
	}
	timer := time.NewTimer(time.Until(a.last.Add(within)))
	defer timer.Stop()
	defer func() { a.last = time.Now() }()
	for size := len(group[0].GetChunk().GetData()); size < groupBytes && len(group) < groupChunks; {
		select {
		case r, ok := <-a.requests:
			if !ok {
				return group, a.readErr
			}
			group = append(group, r)
			size += len(r.GetChunk().GetData())
		case <-timer.C:
			return group, nil
		case <-closing:
			return group, nil // the next call says so
		}
	}
	return group, nil
}

// commit hands a group to intake and answers each chunk in order.
func (s *Server) commit(ctx context.Context, stream logStream, group []*agentv1.AppendLogsRequest) error {
	answers := make([]*agentv1.AppendLogsResponse, len(group))
	chunks, places := make([]execution.Chunk, 0, len(group)), make([]int, 0, len(group))
	for n, r := range group {
		id, err := uuid.Parse(r.GetAttemptId())
		if err != nil || r.GetChunk() == nil {
			answers[n] = &agentv1.AppendLogsResponse{
				AttemptId: r.GetAttemptId(), Stream: r.GetChunk().GetStream(), Refused: "not a log chunk of an attempt",
			}
			continue
		}
		chunks, places = append(chunks, chunkFrom(id, r.GetChunk())), append(places, n)
	}
	begun := time.Now()
	states, err := s.o.Intake.Append(ctx, chunks)
	if err != nil {
		return fmt.Errorf("append logs: %w", err)
	}
	s.metrics.commits.Observe(time.Since(begun).Seconds())
	for n, state := range states {
		s.metrics.logBytes.Add(float64(chunks[n].RawLen))
		answers[places[n]] = &agentv1.AppendLogsResponse{
			AttemptId: group[places[n]].GetAttemptId(), Stream: chunks[n].Stream,
			Committed: state.Committed, Final: state.Final, Refused: state.Refused,
		}
	}
	for _, answer := range answers {
		if err := stream.Send(answer); err != nil {
			return fmt.Errorf("answer log chunk: %w", err)
		}
	}
	return nil
}
