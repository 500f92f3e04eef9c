package agentlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// capabilityDocuments says in Hello that the agent asks for the states of documents when it is told to.
const capabilityDocuments = "documents"

const (
	protocol     = 1
	closeTimeout = 5 * time.Second
	leaveTimeout = 30 * time.Second // an agent that was asked to come again has so long to do it
)

// ending is why a session is over.
type ending string

const (
	endSuperseded ending = "superseded by a newer session of the same agent"
	endRevoked    ending = "the agent's credential was revoked"
	endNoSession  ending = "the agent has no session here"
	endAge        ending = "the connection is moved"
	endStopping   ending = "the control plane restarts"
)

// session is one open Session stream. Its handler's goroutine owns all fields but the channels.
type session struct {
	id        uuid.UUID
	viewer    tenant.Viewer
	epoch     int64
	stream    grpc.BidiStreamingServer[agentv1.AgentFrame, agentv1.ServerFrame]
	frames    chan *agentv1.AgentFrame
	readErr   error         // why frames was closed
	wake      chan struct{} // the sweep found commands
	endings   chan ending
	documents bool                  // the agent brings documents into the catalog
	watches   bool                  // the agent looks at objects for triggers
	examines  bool                  // the agent looks at itself when it is asked
	credit    int                   // starts that the agent takes now
	more      bool                  // starts may wait that the credit of then did not reach
	present   []execution.AttemptID // pages of an inventory so far
	unknown   []string              // of those, what is no id at all
	// of those, what was taken of their reports once: the end, and everything (true)
	taken   map[execution.AttemptID]bool
	leaving <-chan time.Time // set once the agent was asked to come again
}

// end asks the session's handler to end it; only the first reason counts.
func (ss *session) end(why ending) {
	select {
	case ss.endings <- why:
	default:
	}
}

// nudge asks the session to look for commands.
func (ss *session) nudge() {
	select {
	case ss.wake <- struct{}{}:
	default:
	}
}

// Session implements AgentGatewayServer.
func (s *Server) Session(stream grpc.BidiStreamingServer[agentv1.AgentFrame, agentv1.ServerFrame]) error {
	ctx := stream.Context()
	viewer, _ := tenant.FromContext(ctx) // the interceptor put it there
	ss := &session{
		id: uuid.New(), viewer: viewer, stream: stream, frames: make(chan *agentv1.AgentFrame), wake: make(chan struct{}, 1),
		endings: make(chan ending, 1), taken: map[execution.AttemptID]bool{},
	}
	s.running.Go(ss.read)
	hello, err := s.greet(ctx, ss)
	if err != nil {
		return err
	}
	// Subscribed before the first look for commands, so that none falls between.
	hints, cancel := s.o.Bus.Subscribe(ctx, cluster.Topic(viewer.Organization, viewer.Cluster))
	defer cancel()
	s.sessions.add(ss)
	s.metrics.sessions.Inc()
	s.o.Log.InfoContext(ctx, "agent connected", "cluster", viewer.Name, "epoch", ss.epoch, "version", hello.AgentVersion)
	err = s.serve(ctx, ss, hints)
	s.metrics.sessions.Dec()
	s.sessions.remove(ss)
	s.closed(ctx, ss, err)
	return err
}

// closed stores that the agent is away, also when its own context has ended.
func (s *Server) closed(ctx context.Context, ss *session, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	s.o.Log.InfoContext(ctx, "agent disconnected", "cluster", ss.viewer.Name, "epoch", ss.epoch, "why", why)
	if err := s.o.Store.CloseSession(ctx, ss.epoch); err != nil {
		s.o.Log.WarnContext(ctx, "session not marked closed; it counts as silent soon", "cluster", ss.viewer.Name, "error", err)
	}
}

// read moves frames from the stream to the channel until the stream ends.
func (ss *session) read() {
	defer close(ss.frames)
	for {
		f, err := ss.stream.Recv()
		if err != nil {
			ss.readErr = err
			return
		}
		select {
		case ss.frames <- f:
		case <-ss.stream.Context().Done():
			ss.readErr = ss.stream.Context().Err()
			return
		}
	}
}

// greet waits for Hello, opens the session in the store and answers Welcome.
func (s *Server) greet(ctx context.Context, ss *session) (cluster.Hello, error) {
	select {
	case <-s.stopping:
		return cluster.Hello{}, status.Error(codes.Unavailable, string(endStopping))
	default:
	}
	timer := time.NewTimer(s.o.Timing.Handshake)
	defer timer.Stop()
	var hello *agentv1.Hello
	select {
	case f, ok := <-ss.frames:
		if !ok && !errors.Is(ss.readErr, io.EOF) {
			return cluster.Hello{}, ss.readErr
		}
		if hello = f.GetHello(); hello == nil {
			return cluster.Hello{}, status.Error(codes.InvalidArgument, "a session begins with Hello")
		}
	case <-timer.C:
		return cluster.Hello{}, status.Error(codes.DeadlineExceeded, "no Hello came")
	case <-s.closing:
		return cluster.Hello{}, status.Error(codes.Unavailable, string(endStopping))
	}
	if hello.GetProtocolMin() > protocol || hello.GetProtocolMax() < protocol {
		return cluster.Hello{}, status.Errorf(codes.FailedPrecondition,
			"the agent speaks protocol %d to %d, the control plane %d: install the agent's chart of the control plane's version",
			hello.GetProtocolMin(), hello.GetProtocolMax(), protocol)
	}
	said := helloFrom(hello, s.o.Gateway)
	epoch, err := s.o.Store.OpenSession(ctx, said)
	if err != nil {
		return said, fmt.Errorf("open session: %w", err)
	}
	ss.epoch = epoch
	ss.documents, ss.watches = slices.Contains(hello.GetCapabilities(), capabilityDocuments), slices.Contains(hello.GetCapabilities(), capabilityWatches)
	ss.examines = slices.Contains(hello.GetCapabilities(), capabilityExamine)
	return said, ss.send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_Welcome{Welcome: &agentv1.Welcome{
		SessionId: ss.id.String(), Epoch: epoch, ServerTime: timestamppb.Now(), Protocol: protocol,
		PingEvery: durationpb.New(s.o.Timing.Ping), InventoryEvery: durationpb.New(s.o.Timing.Inventory),
	}}})
}

func (ss *session) send(f *agentv1.ServerFrame) error {
	if err := ss.stream.Send(f); err != nil {
		return fmt.Errorf("send to agent: %w", err)
	}
	return nil
}

// goAway asks the agent to come again between the two times.
func (ss *session) goAway(why ending, after, before time.Duration) error {
	return ss.send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_GoAway{GoAway: &agentv1.GoAway{
		Reason: string(why), ReconnectAfterMin: durationpb.New(after), ReconnectAfterMax: durationpb.New(before),
	}}})
}

// aged returns a random age near the limit, so that agents that came together do not leave together.
func (s *Server) aged() time.Duration {
	limit := s.o.Timing.Age
	return limit - rand.N(limit/6+1) //nolint:gosec // spreads load, guards nothing
}
