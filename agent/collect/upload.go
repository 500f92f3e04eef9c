package collect

import (
	"context"
	"errors"
	"fmt"
	"io"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/agent/work"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Upload implements the RunnerService. The file is passed through as it comes; nothing of it is kept.
func (s *Server) Upload(ctx context.Context, wire *connect.ClientStream[runnerv1.UploadRequest]) (*runnerv1.UploadResponse, error) {
	attempt, err := s.guard.attempt(ctx, wire.RequestHeader())
	if err != nil {
		return nil, err
	}
	release, err := s.slots.take(ctx, attempt)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	defer release()
	if !wire.Receive() {
		return nil, invalid("the upload has no header")
	}
	h := wire.Msg().GetHeader()
	switch {
	case h == nil:
		return nil, invalid("the first message is not a header")
	case h.GetAttemptId() != attempt:
		return nil, connect.NewError(connect.CodePermissionDenied, errors.New("the pod belongs to another attempt"))
	case h.GetSize() < 0:
		return nil, invalid("the file has a negative size")
	}
	body := &body{wire: wire, left: h.GetSize()}
	err = s.o.Uplink.PutFile(ctx, h, body)
	switch {
	case body.fault != nil: // the file is not what its header says, or the runner has gone
		return nil, body.fault
	case errors.Is(err, work.ErrRefused):
		return nil, connect.NewError(connect.CodeFailedPrecondition, err)
	case err != nil:
		s.o.Log.DebugContext(ctx, "file not passed on", "attempt", attempt, "path", h.GetPath(), "error", err)
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	return &runnerv1.UploadResponse{Size: h.GetSize()}, nil
}

// body reads the bytes of a file from the wire.
type body struct {
	wire  *connect.ClientStream[runnerv1.UploadRequest]
	rest  []byte
	left  int64 // bytes that the header has promised
	fault error
}

// Read implements io.Reader. A file that is shorter or longer than promised is an error, never an end.
func (b *body) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.fault != nil {
			return 0, b.fault
		}
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *body) next() error {
	if !b.wire.Receive() {
		switch err := b.wire.Err(); {
		case err != nil:
			b.fault = connect.NewError(connect.CodeUnavailable, fmt.Errorf("receive file: %w", err))
		case b.left > 0:
			b.fault = connect.NewError(connect.CodeUnavailable, errors.New("the file ended early"))
		default:
			return io.EOF
		}
		return b.fault
	}
	b.rest = b.wire.Msg().GetData()
	if b.left -= int64(len(b.rest)); b.left < 0 {
		b.fault = invalid("the file is longer than its header says")
	}
	return b.fault
}
