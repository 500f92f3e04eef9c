package agentlink

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

type fileStream = grpc.ClientStreamingServer[agentv1.PutFileRequest, agentv1.PutFileResponse]

// PutFile implements AgentGatewayServer.
func (s *Server) PutFile(stream fileStream) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	viewer, _ := tenant.FromContext(ctx) // the interceptor put it there
	b := &body{messages: make(chan *agentv1.PutFileRequest), over: make(chan error, 1), idle: s.o.Timing.Idle}
	s.sessions.addFile(b, viewer.Cluster)
	defer s.sessions.removeFile(b)
	s.running.Go(func() { b.receive(ctx, stream) })
	first, err := b.next()
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
	if err := s.o.Intake.File(ctx, f, b); err != nil {
		return fmt.Errorf("receive file: %w", err)
	}
	s.metrics.files.Inc()
	if err := stream.SendAndClose(&agentv1.PutFileResponse{Size: header.GetSize()}); err != nil {
		return fmt.Errorf("answer file: %w", err)
	}
	return nil
}

func fileFrom(id execution.AttemptID, h *runnerv1.FileHeader) execution.File {
	f := execution.File{
		Attempt: id, Step: int(h.GetStepIndex()), Path: h.GetPath(), Size: h.GetSize(), SHA256: hex.EncodeToString(h.GetSha256()),
		ContentType: h.GetContentType(), Format: h.GetFormat(),
	}
	if h.GetEncoding() != "" {
		f.Encoding, f.StoredSize, f.StoredSum = h.GetEncoding(), f.Size, f.SHA256
		f.Size, f.SHA256 = h.GetOriginalSize(), hex.EncodeToString(h.GetOriginalSha256())
	}
	switch h.GetKind() {
	case runnerv1.FileKind_FILE_KIND_METRICS:
		f.Kind = execution.FileMetrics
	case runnerv1.FileKind_FILE_KIND_REPORT:
		f.Kind = execution.FileReport
	case runnerv1.FileKind_FILE_KIND_ARTIFACT:
		f.Kind = execution.FileArtifact
	case runnerv1.FileKind_FILE_KIND_UNSPECIFIED:
	}
	return f
}

// body reads the bytes of a file from its stream. An agent that opened the stream and falls silent does not hold it for ever: keepalive
// tells only that its machine answers.
type body struct {
	messages chan *agentv1.PutFileRequest
	ended    error      // why messages was closed
	over     chan error // tells the reader to give up
	idle     time.Duration
	rest     []byte
}

// end makes the reader give up; only the first reason counts.
func (b *body) end(why ending) {
	select {
	case b.over <- status.Error(codes.Unauthenticated, string(why)):
	default:
	}
}

// receive ends with the stream, at the latest when its handler returns.
func (b *body) receive(ctx context.Context, stream fileStream) {
	defer close(b.messages)
	for {
		r, err := stream.Recv()
		if err != nil {
			b.ended = err
			return
		}
		select {
		case b.messages <- r:
		case <-ctx.Done():
			b.ended = ctx.Err()
			return
		}
	}
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		r, err := b.next()
		switch {
		case err != nil:
			return 0, err
		case r.GetHeader() != nil:
			return 0, fault.New(fault.Invalid, "a file has one header")
		}
		b.rest = r.GetData()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// next returns the next message; io.EOF is the agent's word that there is no other.
func (b *body) next() (*agentv1.PutFileRequest, error) {
	silence := time.NewTimer(b.idle)
	defer silence.Stop()
	select {
	case err := <-b.over:
		return nil, err
	case <-silence.C:
		return nil, fault.New(fault.Unavailable, "nothing more of the file came for %s", b.idle)
	case r, ok := <-b.messages:
		switch {
		case !ok && errors.Is(b.ended, io.EOF):
			return nil, io.EOF
		case !ok:
			return nil, fmt.Errorf("receive bytes: %w", b.ended)
		}
		return r, nil
	}
}
