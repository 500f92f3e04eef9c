package follow

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/types/known/timestamppb"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	maxChunk = 256 << 10
	// Lines are gathered until they are so many bytes, or wait for so long.
	flushAt    = 64 << 10
	flushAfter = 300 * time.Millisecond
)

// writer appends lines to a stream. It is used by one goroutine.
type writer struct {
	uplink  Uplink
	attempt string
	stream  string
	notes   []string

	at, line, gap int64     // what is committed
	cursor        time.Time // of the last line that is
	crc           uint32    // of the bytes that this writer has sent
	begun         bool      // there were others before
	resumed       bool      // nothing was read since it was told where to go on

	fresh int  // lines that the last log had beyond the cursor
	met   bool // the last log had the line at the cursor

	buf         []byte
	count       int64 // lines in buf
	first, last time.Time
}

// note keeps something for people, once.
func (w *writer) note(text string) {
	if !slices.Contains(w.notes, text) {
		w.notes = append(w.notes, text)
	}
}

// resume goes on where the control plane has come to.
func (w *writer) resume(committed int64, c *agentv1.StreamCursor) {
	if committed != w.at {
		w.begun, w.crc = committed > 0, 0
	}
	w.at, w.line, w.gap, w.cursor, w.resumed = committed, c.GetLines(), c.GetGapBytes(), time.Time{}, true
	w.buf, w.count = nil, 0
	if c.GetLastTime() != nil {
		w.cursor = c.GetLastTime().AsTime()
	}
}

// copy sends the lines of a log that are beyond the cursor, and closes it.
func (w *writer) copy(ctx context.Context, log io.ReadCloser, whole bool) error {
	ctx, cancel := context.WithCancel(ctx)
	lines := make(chan line, 64)
	var failed error
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(lines)
		failed = scan(log, whole, func(l line) bool {
			select {
			case lines <- l:
				return true
			case <-ctx.Done():
				return false
			}
		})
	})
	defer reading.Wait()
	defer log.Close() //nolint:errcheck // read only
	defer cancel()
	if err := w.take(ctx, lines); err != nil {
		return err
	}
	return failed // lines is closed, so nobody writes to it
}

// take sends lines as they come, many of them together.
func (w *writer) take(ctx context.Context, lines <-chan line) error {
	floor := w.cursor
	w.fresh, w.met = 0, false
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for lines: %w", ctx.Err())
		case <-timer.C:
			if err := w.flush(ctx); err != nil {
				return err
			}
		case l, ok := <-lines:
			if !ok {
				return w.flush(ctx)
			}
			if !floor.IsZero() && !l.at.After(floor) {
				w.met = w.met || l.at.Equal(floor)
				continue
			}
			w.fresh++
			if len(w.buf) == 0 {
				timer.Reset(flushAfter)
			}
			if err := w.add(ctx, l); err != nil {
				return err
			}
		}
	}
}

// add puts a line into the next chunk. Lines of the same instant go together: the cursor cannot tell them apart.
func (w *writer) add(ctx context.Context, l line) error {
	full := len(w.buf)+len(l.text)+1 > maxChunk
	if full || len(w.buf) >= flushAt && !l.at.Equal(w.last) {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	if len(w.buf) == 0 {
		w.first = l.at
	}
	w.buf, w.count, w.last = append(append(w.buf, l.text...), '\n'), w.count+1, l.at
	if l.cut == 0 {
		return nil
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	if err := w.send(ctx, &runnerv1.LogChunk{FirstLine: w.line, GapBytes: l.cut}); err != nil {
		return err
	}
	w.at, w.gap = w.at+l.cut, w.gap+l.cut
	return nil
}

// flush sends what was gathered.
func (w *writer) flush(ctx context.Context) error {
	if len(w.buf) == 0 {
		return nil
	}
	err := w.send(ctx, &runnerv1.LogChunk{
		RawLen: int32(len(w.buf)), Lines: int32(w.count), FirstLine: w.line, //nolint:gosec // at most 256 Ki
		FirstTime: stamp(w.first), LastTime: stamp(w.last), Data: compress(w.buf), Crc32C: crc32.Checksum(w.buf, castagnoli),
	})
	if err != nil {
		return err
	}
	w.crc = crc32.Update(w.crc, castagnoli, w.buf)
	w.at, w.line, w.cursor = w.at+int64(len(w.buf)), w.line+int64(bytes.Count(w.buf, []byte{'\n'})), w.last
	w.buf, w.count = w.buf[:0], 0
	return nil
}

// finish says that nothing follows. The checksum of a log is known to who has sent all of it.
func (w *writer) finish(ctx context.Context) error {
	totals := &runnerv1.LogTotals{Bytes: w.at, Lines: w.line, GapBytes: w.gap, Crc32C: w.crc}
	if w.begun {
		totals.Crc32C = 0
	}
	return w.send(ctx, &runnerv1.LogChunk{FirstLine: w.line, Final: totals})
}

// send appends a chunk at the end of what is committed and waits until it is, too.
func (w *writer) send(ctx context.Context, c *runnerv1.LogChunk) error {
	c.Stream, c.StartOffset, c.ViaKubeApi = w.stream, w.at, true
	end := w.at + int64(c.GetRawLen()) + c.GetGapBytes()
	answer := make(chan error, 1)
	err := w.uplink.Append(ctx, w.attempt, c, func(ack *runnerv1.LogAck, err error) {
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

var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // a constant table

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func compress(raw []byte) []byte {
	// Options that cannot fail. No encoder is kept: a service may be silent for hours.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil
	}
	defer enc.Close() //nolint:errcheck // writes nowhere
	return enc.EncodeAll(raw, nil)
}
