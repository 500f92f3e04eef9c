package agentlink

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	maxCredit = 500
	// A larger assignment does not travel in a frame: the agent fetches it.
	maxInline = 128 << 10
)

// dispatch takes what waits for the agent and sends it. A command that is lost on the way is sent again by a later dispatch.
func (s *Server) dispatch(ctx context.Context, ss *session) error {
	select {
	case <-s.stopping:
		return nil // the replica that the agent moves to sends them
	default:
	}
	credit := ss.credit
	ss.more = true
	commands, err := s.o.Store.TakeCommands(ctx, ss.epoch, credit, s.o.Timing.Resend, s.o.Timing.Expiry)
	if err != nil {
		if ctx.Err() == nil { // the sweep tries again
			s.o.Log.ErrorContext(ctx, "commands not taken", "cluster", ss.viewer.Name, "error", err)
		}
		return nil
	}
	starts := 0
	for _, c := range commands {
		if c.Kind == cluster.Start {
			starts++
		}
	}
	ss.more = starts >= credit
	for _, c := range commands {
		frame, err := s.command(ss, c)
		if err != nil {
			s.unsendable(ctx, ss, c, err)
			continue
		}
		if err := ss.send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_Command{Command: frame}}); err != nil {
			return err
		}
		s.metrics.commands.WithLabelValues(string(c.Kind)).Inc()
	}
	return nil
}

// unsendable ends a command that no agent will ever be able to take.
func (s *Server) unsendable(ctx context.Context, ss *session, c cluster.Command, err error) {
	s.o.Log.ErrorContext(ctx, "command cannot be sent", "cluster", ss.viewer.Name, "command", c.ID, "error", err)
	message := "The stored assignment cannot be read: run the workflow again."
	effects, err := s.o.Store.AckCommand(ctx, c.ID, cluster.Rejected, message)
	if err != nil {
		s.o.Log.ErrorContext(ctx, "command not rejected", "command", c.ID, "error", err)
	}
	s.tell(ctx, ss, effects)
}

// command translates a command and accounts for a start.
func (s *Server) command(ss *session, c cluster.Command) (*agentv1.Command, error) {
	out := &agentv1.Command{Id: c.ID.String(), ExpiresAt: timestamppb.New(c.ExpiresAt)}
	switch c.Kind {
	case cluster.Cancel:
		out.Kind = &agentv1.Command_Cancel{Cancel: &agentv1.Cancel{AttemptId: c.Attempt.String(), Reason: c.Reason}}
	case cluster.Resume:
		out.Kind = &agentv1.Command_Resume{Resume: &agentv1.Resume{
			AttemptId: c.Attempt.String(), StepIndex: int32(c.Step), Reason: c.Reason, //nolint:gosec // G115: the index of a step
			Status: verdict(c.Verdict),
		}}
	case cluster.Release:
		out.Kind = &agentv1.Command_Release{Release: &agentv1.Release{AttemptId: c.Attempt.String()}}
	case cluster.Start:
		assignment := &agentv1.Assignment{}
		if err := proto.Unmarshal(c.Spec, assignment); err != nil {
			return nil, fmt.Errorf("decode assignment: %w", err)
		}
		ss.credit = max(0, ss.credit-1)
		if len(c.Spec) > maxInline {
			assignment = &agentv1.Assignment{AttemptId: assignment.GetAttemptId()}
		}
		out.Kind = &agentv1.Command_Start{Start: &agentv1.Start{Assignment: assignment, SpecDigest: c.SpecDigest}}
	default:
		return nil, fmt.Errorf("unknown kind of command %q", c.Kind)
	}
	return out, nil
}

// acked stores the agent's answer. An answer that cannot be stored comes again: the command is sent once more.
func (s *Server) acked(ctx context.Context, ss *session, ack *agentv1.CommandAck) {
	id, err := uuid.Parse(ack.GetCommandId())
	outcome, known := outcomeFrom(ack.GetOutcome())
	if err != nil || !known {
		s.metrics.ignored.Inc()
		return
	}
	effects, err := s.o.Store.AckCommand(ctx, id, outcome, ack.GetMessage())
	if err != nil && !fault.Is(err, fault.NotFound) {
		s.o.Log.ErrorContext(ctx, "command answer not stored", "cluster", ss.viewer.Name, "command", id, "error", err)
	}
	s.tell(ctx, ss, effects)
}

// tell wakes those who have something to do or to show after what an agent said was stored.
func (s *Server) tell(ctx context.Context, ss *session, effects execution.Effects) {
	if effects.Undecided != nil {
		s.o.Log.ErrorContext(ctx, "concurrency groups not decided", "cluster", ss.viewer.Name, "error", effects.Undecided)
	}
	for _, id := range effects.Wake {
		s.o.Bus.Publish(ctx, cluster.Topic(ss.viewer.Organization, id))
	}
	for _, id := range effects.Changed {
		s.o.Bus.Publish(ctx, execution.Topic(ss.viewer.Organization, id))
	}
	if len(effects.Changed) > 0 {
		s.o.Bus.Publish(ctx, execution.ChangesTopic(ss.viewer.Organization))
	}
	if effects.Calls {
		s.o.Bus.Publish(ctx, execution.CallsTopic)
	}
	if effects.Judge {
		s.o.Bus.Publish(ctx, execution.EvidenceTopic)
	}
}
