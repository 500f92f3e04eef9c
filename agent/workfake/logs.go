package workfake

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Stream is what the control plane has of a log.
type Stream struct {
	Committed int64
	Data      []byte
	// Gaps is the number of bytes that were stated to be missing.
	Gaps  int64
	Final *runnerv1.LogTotals
	// Refused makes every further chunk be refused with this text.
	Refused string
}

// Stream returns a copy of a log stream.
func (c *ControlPlane) Stream(attemptID, stream string) Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.streamOf(attemptID, stream)
}

// SetStream replaces what the control plane has of a log.
func (c *ControlPlane) SetStream(attemptID, stream string, s Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.streamOf(attemptID, stream) = s
}

func (c *ControlPlane) streamOf(attemptID, stream string) *Stream {
	key := attemptID + "/" + stream
	if c.streams[key] == nil {
		c.streams[key] = &Stream{}
	}
	return c.streams[key]
}

// HoldLogs keeps answers to log chunks back until the returned function is called.
func (c *ControlPlane) HoldLogs() (release func()) {
	held := make(chan struct{})
	c.mu.Lock()
	c.held = held
	c.mu.Unlock()
	return func() {
		c.mu.Lock()
		c.held = nil
		c.mu.Unlock()
		close(held)
	}
}

// AppendLogs implements AgentGatewayServer.
func (c *ControlPlane) AppendLogs(stream grpc.BidiStreamingServer[agentv1.AppendLogsRequest, agentv1.AppendLogsResponse]) error {
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c.mu.Lock()
		held := c.held
		c.mu.Unlock()
		if held != nil {
			select {
			case <-held:
			case <-stream.Context().Done():
				return stream.Context().Err()
			}
		}
		answer, err := c.commit(r)
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

// commit takes a chunk when it begins where the stream ends.
func (c *ControlPlane) commit(r *agentv1.AppendLogsRequest) (*agentv1.AppendLogsResponse, error) {
	chunk := r.GetChunk()
	raw, err := Decompress(chunk)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streamOf(r.GetAttemptId(), chunk.GetStream())
	if s.Refused == "" && chunk.GetStartOffset() == s.Committed {
		s.Data = append(s.Data, raw...)
		s.Gaps += chunk.GetGapBytes()
		s.Committed += int64(len(raw)) + chunk.GetGapBytes()
		if chunk.GetFinal() != nil {
			s.Final = chunk.GetFinal()
		}
	}
	return &agentv1.AppendLogsResponse{
		AttemptId: r.GetAttemptId(), Stream: chunk.GetStream(), Committed: s.Committed, Final: s.Final != nil, Refused: s.Refused,
	}, nil
}

// Decompress returns the bytes of a chunk once its length and checksum are proven.
func Decompress(chunk *runnerv1.LogChunk) ([]byte, error) {
	if len(chunk.GetData()) == 0 {
		return nil, nil
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	raw, err := dec.DecodeAll(chunk.GetData(), nil)
	if err != nil {
		return nil, err
	}
	if len(raw) != int(chunk.GetRawLen()) || crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli)) != chunk.GetCrc32C() {
		return nil, fmt.Errorf("chunk of %s at %d is not what it says", chunk.GetStream(), chunk.GetStartOffset())
	}
	return raw, nil
}

// Compress returns a chunk of raw bytes.
func Compress(stream string, at int64, raw []byte) (*runnerv1.LogChunk, error) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		return nil, err
	}
	data := enc.EncodeAll(raw, nil)
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return &runnerv1.LogChunk{
		Stream: stream, StartOffset: at, RawLen: int32(len(raw)), Data: data, //nolint:gosec // tests send little
		Crc32C: crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli)),
	}, nil
}

// StreamState implements AgentGatewayServer.
func (c *ControlPlane) StreamState(_ context.Context, r *agentv1.StreamStateRequest) (*agentv1.StreamStateResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &agentv1.StreamStateResponse{Committed: map[string]int64{}}
	prefix := r.GetAttemptId() + "/"
	for key, s := range c.streams {
		if len(key) > len(prefix) && key[:len(prefix)] == prefix {
			out.Committed[key[len(prefix):]] = s.Committed
			if s.Final != nil {
				out.Final = append(out.Final, key[len(prefix):])
			}
		}
	}
	return out, nil
}

// File returns a file that was stored.
func (c *ControlPlane) File(attemptID, path string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.files[attemptID+"/"+path]
	return b, ok
}

// PutFile implements AgentGatewayServer.
func (c *ControlPlane) PutFile(stream grpc.ClientStreamingServer[agentv1.PutFileRequest, agentv1.PutFileResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	var body []byte
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		body = append(body, r.GetData()...)
	}
	h := first.GetHeader()
	c.mu.Lock()
	c.files[h.GetAttemptId()+"/"+h.GetPath()] = body
	c.mu.Unlock()
	return stream.SendAndClose(&agentv1.PutFileResponse{Size: int64(len(body))})
}
