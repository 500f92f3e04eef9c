package agentlink

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
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

type fileStream = grpc.ClientStreamingServer[agentv1.PutFileRequest, agentv1.PutFileResponse]

// PutFile implements AgentGatewayServer.
func (s *Server) PutFile(stream fileStream) error {
	first, err := stream.Recv()
	if err != nil {
		return fmt.Errorf("receive file: %w", err)
	}
	header := first.GetHeader()
	if header == nil {
		return status.Error(codes.InvalidArgument, "a file begins with its header")
	}
	id, err := attemptID(header.GetAttemptId())
	if err != nil {
		return err
	}
	f := fileFrom(id, header)
	if err := s.o.Intake.File(stream.Context(), f, &body{stream: stream}); err != nil {
		return fmt.Errorf("receive file: %w", err)
	}
	s.metrics.files.Inc()
	if err := stream.SendAndClose(&agentv1.PutFileResponse{Size: f.Size}); err != nil {
		return fmt.Errorf("answer file: %w", err)
	}
	return nil
}

func fileFrom(id execution.AttemptID, h *runnerv1.FileHeader) execution.File {
	f := execution.File{
		Attempt: id, Step: int(h.GetStepIndex()), Path: h.GetPath(), Size: h.GetSize(), SHA256: hex.EncodeToString(h.GetSha256()),
		ContentType: h.GetContentType(), Format: h.GetFormat(),
	}
	switch h.GetKind() {
	case runnerv1.FileKind_FILE_KIND_REPORT:
		f.Kind = execution.FileReport
	case runnerv1.FileKind_FILE_KIND_ARTIFACT:
		f.Kind = execution.FileArtifact
	case runnerv1.FileKind_FILE_KIND_UNSPECIFIED:
	}
	return f
}

// body reads the bytes of a file from its stream.
type body struct {
	stream fileStream
	rest   []byte
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		r, err := b.stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return 0, io.EOF
		case err != nil:
			return 0, fmt.Errorf("receive bytes: %w", err)
		case r.GetHeader() != nil:
			return 0, fault.New(fault.Invalid, "a file has one header")
		}
		b.rest = r.GetData()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}
