// Package logchunk opens log chunks: it checks what an agent says of them and decompresses them within bounds.
package logchunk

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// MaxRaw bounds the decompressed bytes of one chunk.
const MaxRaw = 256 << 10

// Senders may declare a window larger than a chunk; only decoding beyond RawLen is refused.
const maxWindow = 8 << 20

// Far above what any step writes, and far below where offsets would overflow.
const maxOffset = math.MaxInt64 / 4

// ErrBad means that a chunk is not what it says: sending it again will not help.
var ErrBad = errors.New("bad log chunk")

// Opener decompresses chunks. It is safe for concurrent use.
type Opener struct {
	dec   *zstd.Decoder
	table *crc32.Table
}

// NewOpener returns an Opener. It starts no goroutine: decoding happens in the calling one.
func NewOpener() (*Opener, error) {
	dec, err := zstd.NewReader(nil,
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("make decompressor: %w", err)
	}
	return &Opener{dec: dec, table: crc32.MakeTable(crc32.Castagnoli)}, nil
}

// Open appends the decompressed bytes of a chunk to dst and returns the result. A chunk that does not decompress to RawLen bytes
// with its checksum is ErrBad.
func (o *Opener) Open(dst []byte, c execution.Chunk) ([]byte, error) {
	if c.RawLen == 0 {
		return dst, nil
	}
	if c.RawLen < 0 || c.RawLen > MaxRaw {
		return dst, fmt.Errorf("%w: %d raw bytes, at most %d are allowed", ErrBad, c.RawLen, MaxRaw)
	}
	// The capacity is the bound: a frame that grows beyond what was declared stops there.
	start := len(dst)
	room := make([]byte, 0, c.RawLen)
	if cap(dst)-start >= c.RawLen {
		room = dst[start:start:(start + c.RawLen)]
	}
	raw, err := o.dec.DecodeAll(c.Data, room)
	switch {
	case err != nil:
		return dst, fmt.Errorf("%w: decompress: %w", ErrBad, err)
	case len(raw) != c.RawLen:
		return dst, fmt.Errorf("%w: %d bytes decompressed, %d declared", ErrBad, len(raw), c.RawLen)
	case crc32.Checksum(raw, o.table) != c.CRC:
		return dst, fmt.Errorf("%w: checksum differs", ErrBad)
	}
	return append(dst, raw...), nil
}

// Check says whether a chunk is what it declares; the error is ErrBad. Scratch is reused and returned, so that checking many
// chunks needs the memory of one.
func (o *Opener) Check(scratch []byte, c execution.Chunk) ([]byte, error) {
	if err := shape(c); err != nil {
		return scratch, err
	}
	raw, err := o.Open(scratch[:0], c)
	if err != nil {
		return scratch, err
	}
	if n := bytes.Count(raw, []byte{'\n'}); n != c.Lines {
		return raw, fmt.Errorf("%w: %d lines, %d declared", ErrBad, n, c.Lines)
	}
	return raw, nil
}

func shape(c execution.Chunk) error {
	switch {
	case !execution.IsStream(c.Stream):
		return fmt.Errorf("%w: unknown stream %q", ErrBad, c.Stream)
	case c.Start < 0 || c.Start > maxOffset:
		return fmt.Errorf("%w: offset %d", ErrBad, c.Start)
	case c.Gap < 0 || c.Gap > maxOffset:
		return fmt.Errorf("%w: gap of %d bytes", ErrBad, c.Gap)
	case c.Lines < 0 || c.FirstLine < 0 || c.FirstLine > maxOffset:
		return fmt.Errorf("%w: line numbers out of range", ErrBad)
	case c.Gap > 0 && (c.RawLen != 0 || len(c.Data) != 0):
		return fmt.Errorf("%w: a gap carries no bytes", ErrBad)
	case c.RawLen == 0 && len(c.Data) != 0:
		return fmt.Errorf("%w: bytes without a declared length", ErrBad)
	case c.RawLen == 0 && c.Gap == 0 && c.Final == nil:
		return fmt.Errorf("%w: it is empty", ErrBad)
	}
	return totals(c.Final)
}

func totals(t *execution.Totals) error {
	if t == nil {
		return nil
	}
	if t.Bytes < 0 || t.Bytes > maxOffset || t.Lines < 0 || t.Lines > t.Bytes || t.GapBytes < 0 || t.GapBytes > t.Bytes {
		return fmt.Errorf("%w: totals of %d bytes, %d lines, %d left out", ErrBad, t.Bytes, t.Lines, t.GapBytes)
	}
	return nil
}
