package agentlink

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

func attemptID(text string) (execution.AttemptID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, fault.New(fault.Invalid, "%q is not the id of an attempt", text).WithField("attempt_id")
	}
	return id, nil
}

// FetchAttempt implements AgentGatewayServer.
func (s *Server) FetchAttempt(ctx context.Context, r *agentv1.FetchAttemptRequest) (*agentv1.FetchAttemptResponse, error) {
	id, err := attemptID(r.GetAttemptId())
	if err != nil {
		return nil, err
	}
	spec, digest, err := s.o.Store.Assignment(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("fetch attempt %s: %w", id, err)
	}
	assignment := &agentv1.Assignment{}
	if err := proto.Unmarshal(spec, assignment); err != nil {
		return nil, fmt.Errorf("decode assignment of attempt %s: %w", id, err)
	}
	return &agentv1.FetchAttemptResponse{Assignment: assignment, SpecDigest: digest}, nil
}

// ReportAttempt implements AgentGatewayServer.
func (s *Server) ReportAttempt(ctx context.Context, r *agentv1.ReportAttemptRequest) (*agentv1.ReportAttemptResponse, error) {
	id, err := attemptID(r.GetReport().GetAttemptId())
	if err != nil {
		return nil, err
	}
	now, err := s.o.Intake.Report(ctx, reportFrom(id, r.GetReport()))
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return &agentv1.ReportAttemptResponse{Status: attemptStatus(now)}, nil
}

// StreamState implements AgentGatewayServer.
func (s *Server) StreamState(ctx context.Context, r *agentv1.StreamStateRequest) (*agentv1.StreamStateResponse, error) {
	id, err := attemptID(r.GetAttemptId())
	if err != nil {
		return nil, err
	}
	states, err := s.o.Intake.Streams(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("stream state: %w", err)
	}
	out := &agentv1.StreamStateResponse{Committed: make(map[string]int64, len(states))}
	for _, state := range states {
		out.Committed[state.Stream] = state.Committed
		if state.Final {
			out.Final = append(out.Final, state.Stream)
		}
		if _, ok := execution.StreamService(state.Stream); ok {
			if out.Cursors == nil {
				out.Cursors = map[string]*agentv1.StreamCursor{}
			}
			out.Cursors[state.Stream] = cursorOf(state.Cursor)
		}
	}
	return out, nil
}

func cursorOf(c execution.Cursor) *agentv1.StreamCursor {
	out := &agentv1.StreamCursor{Lines: c.Lines, GapBytes: c.GapBytes}
	if !c.LastTime.IsZero() {
		out.LastTime = timestamppb.New(c.LastTime)
	}
	return out
}
