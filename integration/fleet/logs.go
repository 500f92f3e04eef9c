package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/work"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// chunk is how much one chunk of a log holds at most, in bytes.
const chunk = 256 << 10

// Ship delivers a whole log and returns once it is committed. It goes on where the control plane says that it is, however often the
// connection breaks.
func (a *Agent) Ship(ctx context.Context, attempt, stream string, text []byte) (*runnerv1.LogTotals, error) {
	totals := &runnerv1.LogTotals{
		Bytes: int64(len(text)), Lines: int64(bytes.Count(text, []byte{'\n'})), Crc32C: crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)),
	}
	for from := int64(0); ; {
		err := a.ship(ctx, attempt, stream, text, from, totals)
		if err == nil || !errors.Is(err, work.ErrUplinkLost) {
			return totals, err
		}
		known, err := a.link.Streams(ctx, attempt)
		for ; err != nil; known, err = a.link.Streams(ctx, attempt) {
			if err := pause(ctx); err != nil {
				return nil, err
			}
		}
		from = known.GetCommitted()[stream]
		for _, final := range known.GetFinal() {
			if final == stream {
				return totals, nil
			}
		}
	}
}

func (a *Agent) ship(ctx context.Context, attempt, stream string, text []byte, from int64, totals *runnerv1.LogTotals) error {
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return fmt.Errorf("pack a log: %w", err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan struct{})
	line := int64(bytes.Count(text[:from], []byte{'\n'}))
	for last := false; !last; {
		part := text[from:min(from+chunk, int64(len(text)))]
		last = from+int64(len(part)) == int64(len(text))
		c := &runnerv1.LogChunk{
			Stream: stream, StartOffset: from, RawLen: int32(len(part)), Lines: int32(bytes.Count(part, []byte{'\n'})), FirstLine: line,
			FirstTime: timestamppb.Now(), LastTime: timestamppb.Now(), Data: pack.EncodeAll(part, nil), Crc32C: crc32.Checksum(part, crc32.MakeTable(crc32.Castagnoli)),
		}
		if last {
			c.Final = totals
		}
		from += int64(len(part))
		line += int64(c.GetLines())
		err := a.link.Append(ctx, attempt, c, func(_ *runnerv1.LogAck, err error) {
			if err != nil {
				stop(err)
			}
			if last {
				close(ended)
			}
		})
		if err != nil {
			return cause(ctx, err)
		}
	}
	select {
	case <-ended:
		return context.Cause(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}
