package workfake

import (
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// Session is one session of the agent as the control plane sees it.
type Session struct {
	Hello *agentv1.Hello
	// Ended is closed when the agent or the test has ended the session.
	Ended <-chan struct{}

	frames chan *agentv1.AgentFrame
	out    chan *agentv1.ServerFrame
	drop   chan struct{}
	refuse chan struct{}
}

// Session implements AgentGatewayServer.
func (c *ControlPlane) Session(stream grpc.BidiStreamingServer[agentv1.AgentFrame, agentv1.ServerFrame]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.epoch++
	welcome := proto.CloneOf(c.Welcome)
	welcome.Epoch = c.epoch
	c.mu.Unlock()
	if welcome.GetServerTime() == nil {
		welcome.ServerTime = timestamppb.Now()
	}
	ended := make(chan struct{})
	s := &Session{
		Hello: first.GetHello(), Ended: ended, drop: make(chan struct{}), refuse: make(chan struct{}),
		frames: make(chan *agentv1.AgentFrame, 4096), out: make(chan *agentv1.ServerFrame, 64),
	}
	defer close(ended)
	if err := stream.Send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	received := make(chan error, 1)
	c.running.Go(func() {
		defer close(s.frames)
		for {
			f, err := stream.Recv()
			if err != nil {
				received <- err
				return
			}
			s.frames <- f
		}
	})
	c.sessions <- s
	for {
		select {
		case f := <-s.out:
			if err := stream.Send(f); err != nil {
				return err
			}
		case <-s.refuse:
			return status.Error(codes.Unauthenticated, "the agent's credential was revoked")
		case <-s.drop:
			return status.Error(codes.Unavailable, "dropped by the test")
		case err := <-received:
			if err == io.EOF { //nolint:errorlint // returned as it is
				return nil
			}
			return err
		}
	}
}

// NextSession returns the next session that the agent opens.
func (c *ControlPlane) NextSession(tb testing.TB) *Session {
	tb.Helper()
	return receive(tb, "a session", patience, c.sessions, nil)
}

// Drop ends the session without a word.
func (s *Session) Drop() { close(s.drop) }

// Refuse ends the session as one whose agent was revoked.
func (s *Session) Refuse() { close(s.refuse) }

// Send sends a frame.
func (s *Session) Send(f *agentv1.ServerFrame) { s.out <- f }

// Next returns the next frame that matches, passing over others.
func (s *Session) Next(tb testing.TB, match func(*agentv1.AgentFrame) bool) *agentv1.AgentFrame {
	tb.Helper()
	return receive(tb, "a frame", patience, s.frames, match)
}

// Ack returns the answer to a command.
func (s *Session) Ack(tb testing.TB, commandID string) *agentv1.CommandAck {
	tb.Helper()
	return s.Next(tb, func(f *agentv1.AgentFrame) bool { return f.GetCommandAck().GetCommandId() == commandID }).GetCommandAck()
}

// Start sends the command to start an attempt, which expires after life.
func (s *Session) Start(commandID string, a *agentv1.Assignment, life time.Duration) {
	s.Send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_Command{Command: &agentv1.Command{
		Id: commandID, ExpiresAt: timestamppb.New(time.Now().Add(life)),
		Kind: &agentv1.Command_Start{Start: &agentv1.Start{Assignment: a, SpecDigest: "digest-" + a.GetAttemptId()}},
	}}})
}

// Cancel sends the command to cancel an attempt.
func (s *Session) Cancel(commandID, attemptID, reason string) {
	s.Send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_Command{Command: &agentv1.Command{
		Id: commandID, Kind: &agentv1.Command_Cancel{Cancel: &agentv1.Cancel{AttemptId: attemptID, Reason: reason}},
	}}})
}

// Resume sends the command to let a step go on.
func (s *Session) Resume(commandID string, word *agentv1.Resume) {
	s.Send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_Command{Command: &agentv1.Command{
		Id: commandID, Kind: &agentv1.Command_Resume{Resume: word},
	}}})
}

// Release sends the command to let an attempt's Job go.
func (s *Session) Release(commandID, attemptID string) {
	s.Send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_Command{Command: &agentv1.Command{
		Id: commandID, Kind: &agentv1.Command_Release{Release: &agentv1.Release{AttemptId: attemptID}},
	}}})
}
