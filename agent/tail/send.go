package tail

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const maxChunk = 256 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // a constant table

// span is one step's log: which bytes of it the kube API has, and where they are.
type span struct {
	part
	// size is the length of the step's log; the bytes before have are lost.
	size, have int64
	// skip is the number of the container's bytes that belong to other steps before it.
	skip int64
	// exact says that nothing is lost, so the runner's own checksum holds.
	exact bool
}

// ranges places each step in what is left of its container's log. The kube API loses the beginning of a log first, so what it has
// is taken for the end. When the last step has no totals, all that is left over is its own.
func ranges(parts []part, length int64) []span {
	sizes := make([]int64, len(parts))
	var expected int64
	for i, p := range parts {
		switch {
		case p.totals != nil:
			sizes[i] = p.totals.GetBytes() - p.totals.GetGapBytes()
		case i < len(parts)-1 || p.final:
			sizes[i] = p.committed
		default:
			sizes[i] = max(p.committed, length-expected)
		}
		expected += sizes[i]
	}
	lost := max(0, expected-length)
	var out []span
	var at int64 // position in the container's whole log
	for i, p := range parts {
		s := span{part: p, size: sizes[i], have: min(max(0, lost-at), sizes[i]), exact: lost == 0}
		if !p.final {
			s.skip = max(0, at-lost)
			out = append(out, s)
		}
		at += sizes[i]
	}
	return out
}

// sender reads a container's log once from front to back.
type sender struct {
	uplink  Uplink
	attempt string
	log     *bufio.Reader
	at      int64 // bytes read
}

// send completes one stream and returns how many bytes of it are missing.
func (s *sender) send(ctx context.Context, p span) (gap int64, err error) {
	if _, err := s.discard(p.skip - s.at); err != nil {
		return 0, err
	}
	pos, line := p.have, int64(0)
	if p.committed > pos {
		if line, err = s.discard(p.committed - pos); err != nil {
			return 0, err
		}
		pos = p.committed
	}
	if gap = pos - p.committed; gap > 0 {
		if err := s.append(ctx, &runnerv1.LogChunk{Stream: p.stream, StartOffset: p.committed, GapBytes: gap}); err != nil {
			return gap, err
		}
	}
	var crc uint32
	for pos < p.size {
		raw := make([]byte, min(maxChunk, p.size-pos))
		n, err := io.ReadFull(s.log, raw)
		if raw = raw[:n]; n > 0 {
			if err := s.append(ctx, chunk(p.stream, pos, line, raw)); err != nil {
				return gap, err
			}
			crc = crc32.Update(crc, castagnoli, raw)
			pos, s.at, line = pos+int64(n), s.at+int64(n), line+int64(bytes.Count(raw, []byte{'\n'}))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return gap, fmt.Errorf("read log: %w", err)
		}
	}
	if rest := p.size - pos; rest > 0 {
		gap += rest
		if err := s.append(ctx, &runnerv1.LogChunk{Stream: p.stream, StartOffset: pos, GapBytes: rest}); err != nil {
			return gap, err
		}
		pos = p.size
	}
	totals := &runnerv1.LogTotals{Bytes: pos, Lines: line, GapBytes: gap, Crc32C: crc}
	if p.totals != nil {
		totals.Lines = p.totals.GetLines()
		if p.exact && gap == 0 {
			totals = p.totals
		}
	}
	return gap, s.append(ctx, &runnerv1.LogChunk{Stream: p.stream, StartOffset: pos, Final: totals})
}

// discard skips bytes that are somebody else's or committed, and counts their lines.
func (s *sender) discard(n int64) (lines int64, err error) {
	if n <= 0 {
		return 0, nil
	}
	var count lineCounter
	done, err := io.CopyN(&count, s.log, n)
	s.at += done
	if err != nil && !errors.Is(err, io.EOF) {
		return int64(count), fmt.Errorf("read log: %w", err)
	}
	return int64(count), nil
}

type lineCounter int64

func (c *lineCounter) Write(p []byte) (int, error) {
	*c += lineCounter(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

func chunk(stream string, at, line int64, raw []byte) *runnerv1.LogChunk {
	return &runnerv1.LogChunk{
		Stream: stream, StartOffset: at, RawLen: int32(len(raw)), //nolint:gosec // at most 256 KiB
		Lines: int32(bytes.Count(raw, []byte{'\n'})), FirstLine: line, //nolint:gosec // at most 256 Ki
		Data: compress(raw), Crc32C: crc32.Checksum(raw, castagnoli),
	}
}

func compress(raw []byte) []byte {
	// Options that cannot fail; this path is rare, so no encoder is kept.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil
	}
	defer enc.Close() //nolint:errcheck // writes nowhere
	return enc.EncodeAll(raw, nil)
}

// append sends a chunk and waits for its answer: one in flight is enough for what the kube API gives.
func (s *sender) append(ctx context.Context, c *runnerv1.LogChunk) error {
	c.ViaKubeApi = true
	end := c.GetStartOffset() + int64(c.GetRawLen()) + c.GetGapBytes()
	answer := make(chan error, 1)
	err := s.uplink.Append(ctx, s.attempt, c, func(ack *runnerv1.LogAck, err error) {
		if err == nil && ack.GetCommitted() != end {
			err = fmt.Errorf("%s is committed to %d, not to %d", c.GetStream(), ack.GetCommitted(), end)
		}
		answer <- err
	})
	if err != nil {
		return fmt.Errorf("send log: %w", err)
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("send log: %w", ctx.Err())
	case err := <-answer:
		return err
	}
}
