package link

import (
	"context"
	"errors"
	"fmt"
	"io"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const fileFrame = 256 << 10

// PutFile implements work.Uplink. A file is sent once; the runner sends it again after a failure.
func (l *Link) PutFile(ctx context.Context, header *runnerv1.FileHeader, body io.Reader) error {
	gateway, err := l.gateway(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := gateway.PutFile(ctx)
	if err != nil {
		return l.failed("send file", err)
	}
	err = stream.Send(&agentv1.PutFileRequest{Message: &agentv1.PutFileRequest_Header{Header: header}})
	for buf := make([]byte, fileFrame); err == nil; {
		n, readErr := io.ReadFull(body, buf)
		if n > 0 {
			err = stream.Send(&agentv1.PutFileRequest{Message: &agentv1.PutFileRequest_Data{Data: buf[:n]}})
		}
		switch {
		case errors.Is(readErr, io.EOF), errors.Is(readErr, io.ErrUnexpectedEOF):
			err = errors.Join(err, io.EOF)
		case readErr != nil:
			return fmt.Errorf("read file %s: %w", header.GetPath(), readErr)
		}
	}
	// io.EOF of Send means that the server has answered early; the answer tells.
	if _, err := stream.CloseAndRecv(); err != nil {
		return l.failed("send file "+header.GetPath(), err)
	}
	return nil
}
