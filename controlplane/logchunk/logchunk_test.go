package logchunk_test

import (
	"bytes"
	"errors"
	"hash/crc32"
	"math"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/logchunk"
)

func opener(tb testing.TB) *logchunk.Opener {
	tb.Helper()
	o, err := logchunk.NewOpener()
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

func pack(tb testing.TB, text string) []byte {
	tb.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return enc.EncodeAll([]byte(text), nil)
}

func chunk(tb testing.TB, text string) execution.Chunk {
	tb.Helper()
	return execution.Chunk{
		Stream: execution.Stream(0), RawLen: len(text), Lines: strings.Count(text, "\n"), Data: pack(tb, text),
		CRC: crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)),
	}
}

func TestOpener_Check(t *testing.T) {
	t.Parallel()
	final := &execution.Totals{Bytes: 4, Lines: 1}
	tests := map[string]struct {
		change func(*execution.Chunk)
		bad    bool
		reason string
	}{
		"OK":             {func(*execution.Chunk) {}, false, "an honest chunk"},
		"OKFinal":        {func(c *execution.Chunk) { *c = execution.Chunk{Stream: "step/1", Final: final} }, false, "an end may carry no bytes"},
		"OKService":      {func(c *execution.Chunk) { c.Stream = "service/db" }, false, "services have logs, too"},
		"OKGap":          {func(c *execution.Chunk) { *c = execution.Chunk{Stream: "step/1", Gap: 7} }, false, "a stated gap"},
		"ErrCRC":         {func(c *execution.Chunk) { c.CRC++ }, true, "damaged on the way"},
		"ErrShort":       {func(c *execution.Chunk) { c.RawLen++ }, true, "fewer bytes than declared"},
		"ErrLong":        {func(c *execution.Chunk) { c.RawLen-- }, true, "more bytes than declared"},
		"ErrLines":       {func(c *execution.Chunk) { c.Lines++ }, true, "jumping to a line would land elsewhere"},
		"ErrNotPacked":   {func(c *execution.Chunk) { c.Data = []byte("a\nb") }, true, "not a frame"},
		"ErrHuge":        {func(c *execution.Chunk) { c.RawLen = logchunk.MaxRaw + 1 }, true, "over the limit"},
		"ErrNegative":    {func(c *execution.Chunk) { c.RawLen = -1 }, true, "no such length"},
		"ErrStream":      {func(c *execution.Chunk) { c.Stream = "step/01" }, true, "one name for a stream"},
		"ErrOffset":      {func(c *execution.Chunk) { c.Start = -1 }, true, "no such offset"},
		"ErrOverflow":    {func(c *execution.Chunk) { c.Start = math.MaxInt64 - 1 }, true, "offsets must not wrap"},
		"ErrGapOverflow": {func(c *execution.Chunk) { *c = execution.Chunk{Stream: "step/1", Gap: math.MaxInt64} }, true, "offsets must not wrap"},
		"ErrGapBytes":    {func(c *execution.Chunk) { c.Gap = 1 }, true, "a gap carries nothing"},
		"ErrStray":       {func(c *execution.Chunk) { c.RawLen = 0; c.Final = final }, true, "bytes that no length covers"},
		"ErrEmpty":       {func(c *execution.Chunk) { *c = execution.Chunk{Stream: "step/1"} }, true, "says nothing"},
		"ErrTotals":      {func(c *execution.Chunk) { c.Final = &execution.Totals{Bytes: 1, GapBytes: 2} }, true, "left out more than there was"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := chunk(t, "a\nbc")
			tc.change(&c)
			_, err := opener(t).Check(nil, c)
			if errors.Is(err, logchunk.ErrBad) != tc.bad {
				t.Errorf("error %v: %s", err, tc.reason)
			}
		})
	}
}

func TestOpener_Open_AppendsToWhatIsThere(t *testing.T) {
	t.Parallel()
	for name, room := range map[string]int{"Grows": 0, "Reuses": 64} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := opener(t).Open(append(make([]byte, 0, room+1), '>'), chunk(t, "one\ntwo\n"))
			if err != nil || string(got) != ">one\ntwo\n" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestOpener_Check_StopsABomb(t *testing.T) {
	t.Parallel()
	c := chunk(t, "a\nbc")
	c.Data = pack(t, strings.Repeat("x", 64<<20))
	if _, err := opener(t).Check(nil, c); !errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		t.Errorf("error %v: decompression went on beyond what was declared", err)
	}
}

func FuzzOpener_Check(f *testing.F) {
	o := opener(f)
	good := chunk(f, "a\nb\n")
	f.Add(good.Data, 4, 2, good.CRC, int64(0), "step/0")
	f.Add([]byte{}, 0, 0, uint32(0), int64(9), "step/1")
	f.Fuzz(func(t *testing.T, data []byte, raw, lines int, crc uint32, gap int64, stream string) {
		c := execution.Chunk{Data: data, RawLen: raw, Lines: lines, CRC: crc, Gap: gap, Stream: stream}
		got, err := o.Check(nil, c)
		if err == nil && (len(got) != raw || bytes.Count(got, []byte{'\n'}) != lines) {
			t.Errorf("accepted %d bytes, %d declared", len(got), raw)
		}
	})
}
