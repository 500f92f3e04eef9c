package logchunk

import (
	"bytes"
	"context"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// Source is where stored chunks are read from, for the viewer of the context.
type Source interface {
	// Chunks returns stored chunks of a log that end after offset, in order, together at most limit raw bytes (at least
	// one when there is one), and the state of the stream.
	Chunks(ctx context.Context, id execution.AttemptID, stream string, offset int64, limit int) ([]execution.Chunk, execution.StreamState, error)
	// SeekLine returns the start of a stored chunk before a line (from zero) of a log, and the number of the line that its
	// first byte is in.
	SeekLine(ctx context.Context, id execution.AttemptID, stream string, line int64) (offset, at int64, err error)
	// Attempt returns one attempt and the execution it belongs to.
	Attempt(ctx context.Context, id execution.AttemptID) (execution.Attempt, execution.ID, error)
}

// Piece is a run of bytes of a log.
type Piece struct {
	Offset   int64
	Data     []byte
	Gap      int64 // bytes that were left out at Offset; Data is empty then
	Next     int64 // offset after the piece
	Complete bool  // nothing follows Next, now or later
}

// Empty reports whether the piece carries nothing.
func (p Piece) Empty() bool { return len(p.Data) == 0 && p.Gap == 0 }

// Reader reads logs by offset.
type Reader struct {
	source Source
	opener *Opener
}

// NewReader returns a Reader.
func NewReader(source Source) (*Reader, error) {
	opener, err := NewOpener()
	if err != nil {
		return nil, err
	}
	return &Reader{source: source, opener: opener}, nil
}

// Read returns what is stored of a log from offset: at most limit bytes, or one gap. With nothing stored there the piece
// is empty and Next is offset.
func (r *Reader) Read(ctx context.Context, id execution.AttemptID, stream string, offset int64, limit int) (Piece, error) {
	p, err := r.read(ctx, id, stream, offset, limit)
	if err != nil || p.Complete || !p.Empty() {
		return p, err
	}
	// A stream that nobody will end: its step or service never ran, or its writer is gone. What was stored before the attempt was said to be
	// delivered is all there is; it is read once more, because the question comes after the first answer.
	attempt, _, err := r.source.Attempt(ctx, id)
	if err != nil {
		return p, fmt.Errorf("attempt of a log: %w", err)
	}
	if !attempt.Delivered {
		return p, nil
	}
	if p, err = r.read(ctx, id, stream, offset, limit); err == nil && p.Empty() {
		p.Complete = true
	}
	return p, err
}

func (r *Reader) read(ctx context.Context, id execution.AttemptID, stream string, offset int64, limit int) (Piece, error) {
	chunks, state, err := r.source.Chunks(ctx, id, stream, offset, limit)
	if err != nil {
		return Piece{}, fmt.Errorf("read log: %w", err)
	}
	p := Piece{Offset: offset, Next: offset}
	for _, c := range chunks {
		if c.Start > p.Next || c.Gap > 0 { // a hole in what is stored is a gap as well
			if len(p.Data) == 0 {
				p.Next = c.Start
				if c.Gap > 0 {
					p.Next = c.End()
				}
				p.Gap = p.Next - offset
			}
			break
		}
		if c.End() <= p.Next {
			continue // the end of a stream without bytes
		}
		if err := r.add(&p, c, limit); err != nil {
			return Piece{}, fmt.Errorf("log %s of attempt %s at %d: %w", stream, id, c.Start, err)
		}
		if len(p.Data) >= limit {
			break
		}
	}
	p.Complete = state.Final && p.Next >= state.Committed
	return p, nil
}

// add appends the bytes of a chunk from p.Next on.
func (r *Reader) add(p *Piece, c execution.Chunk, limit int) error {
	raw, err := r.opener.Open(nil, c)
	if err != nil {
		return err
	}
	raw = raw[p.Next-c.Start:]
	raw = raw[:min(len(raw), limit-len(p.Data))]
	p.Data = append(p.Data, raw...)
	p.Next += int64(len(raw))
	return nil
}

// A line so long is not searched for its end: the seeker lands in the middle of it.
const maxSearch = 4 << 20

// Seek returns a place at or before a line (from zero): the offset of a line's first byte and that line's number.
func (r *Reader) Seek(ctx context.Context, id execution.AttemptID, stream string, line int64) (offset, at int64, err error) {
	offset, at, err = r.source.SeekLine(ctx, id, stream, line)
	if err != nil || offset == 0 {
		return offset, at, err
	}
	// A chunk may begin in the middle of a line; the next line is the first whole one then. The byte before the chunk tells.
	for next := offset - 1; next < offset+maxSearch; {
		p, err := r.read(ctx, id, stream, next, MaxRaw)
		if err != nil {
			return 0, 0, err
		}
		if len(p.Data) == 0 { // a gap, or the end
			return offset, at, nil
		}
		if n := bytes.IndexByte(p.Data, '\n'); n >= 0 {
			start := next + int64(n) + 1
			if start > offset {
				at++
			}
			return start, at, nil
		}
		next = p.Next
	}
	return offset, at, nil
}
