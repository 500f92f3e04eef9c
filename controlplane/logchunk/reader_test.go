package logchunk_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/logchunk"
)

// source holds one stream.
type source struct {
	chunks    []execution.Chunk
	state     execution.StreamState
	delivered bool
	late      []execution.Chunk // stored while the attempt is looked up
}

func (s *source) Chunks(_ context.Context, _ execution.AttemptID, _ string, offset int64, limit int) (
	out []execution.Chunk, state execution.StreamState, err error,
) {
	for _, c := range s.chunks {
		if c.End() > offset && (len(out) == 0 || limit >= c.RawLen) {
			out = append(out, c)
			limit -= c.RawLen
		}
	}
	return out, s.state, nil
}

func (s *source) Attempt(context.Context, execution.AttemptID) (execution.Attempt, execution.ID, error) {
	s.chunks = append(s.chunks, s.late...)
	return execution.Attempt{Delivered: s.delivered}, uuid.Nil, nil
}

func (s *source) SeekLine(_ context.Context, _ execution.AttemptID, _ string, line int64) (offset, at int64, err error) {
	n := int64(0)
	for _, c := range s.chunks {
		if n < line || n == 0 {
			offset, at = c.Start, n
		}
		n += int64(c.Lines)
	}
	return offset, at, nil
}

func at(c execution.Chunk, start int64) execution.Chunk {
	c.Start = start
	return c
}

func TestReader_Read(t *testing.T) {
	t.Parallel()
	log := []execution.Chunk{
		chunk(t, "one\n"), at(chunk(t, "two\n"), 4), {Stream: "step/0", Start: 8, Gap: 10}, at(chunk(t, "end"), 18),
	}
	final := execution.StreamState{Committed: 21, Final: true}
	tests := map[string]struct {
		source source
		offset int64
		limit  int
		want   logchunk.Piece
		reason string
	}{
		"Start":      {source{chunks: log, state: final}, 0, 100, logchunk.Piece{Data: []byte("one\ntwo\n"), Next: 8}, "up to the gap"},
		"Middle":     {source{chunks: log, state: final}, 5, 100, logchunk.Piece{Offset: 5, Data: []byte("wo\n"), Next: 8}, "any offset is a place"},
		"Limit":      {source{chunks: log, state: final}, 1, 2, logchunk.Piece{Offset: 1, Data: []byte("ne"), Next: 3}, "no more than asked"},
		"Gap":        {source{chunks: log, state: final}, 8, 100, logchunk.Piece{Offset: 8, Gap: 10, Next: 18}, "a gap stands alone"},
		"InGap":      {source{chunks: log, state: final}, 12, 100, logchunk.Piece{Offset: 12, Gap: 6, Next: 18}, "the rest of it"},
		"End":        {source{chunks: log, state: final}, 18, 100, logchunk.Piece{Offset: 18, Data: []byte("end"), Next: 21, Complete: true}, "the last bytes"},
		"AfterEnd":   {source{chunks: log, state: final}, 21, 100, logchunk.Piece{Offset: 21, Next: 21, Complete: true}, "nothing follows"},
		"NotYet":     {source{chunks: log[:1], state: execution.StreamState{Committed: 4}}, 4, 100, logchunk.Piece{Offset: 4, Next: 4}, "more may come"},
		"NeverRan":   {source{delivered: true}, 0, 100, logchunk.Piece{Complete: true}, "a follower must not wait for ever"},
		"WriterGone": {source{chunks: log[:1], delivered: true}, 4, 100, logchunk.Piece{Offset: 4, Next: 4, Complete: true}, "nobody will end it"},
		"Late": {
			source{delivered: true, late: log[:1]},
			0, 100,
			logchunk.Piece{Data: []byte("one\n"), Next: 4},
			"bytes stored between the two looks are not lost",
		},
		"Hole": {source{chunks: log[1:2], state: final}, 0, 100, logchunk.Piece{Gap: 4, Next: 4}, "what is not stored any more"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := logchunk.NewReader(&tc.source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Read(t.Context(), uuid.New(), "step/0", tc.offset, tc.limit)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("%s: %s", tc.reason, d)
			}
		})
	}
}

func TestReader_Read_EveryByteOnce(t *testing.T) {
	t.Parallel()
	s := &source{state: execution.StreamState{Final: true}}
	want := ""
	for n := range 40 {
		text := strings.Repeat(string(rune('a'+n%26)), n) + "\n"
		s.chunks = append(s.chunks, at(chunk(t, text), int64(len(want))))
		want += text
	}
	s.state.Committed = int64(len(want))
	for _, limit := range []int{1, 7, 64, 10_000} {
		r, err := logchunk.NewReader(s)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for complete := false; !complete; {
			p, err := r.Read(t.Context(), uuid.New(), "step/0", int64(len(got)), limit)
			if err != nil || len(p.Data) > limit || p.Empty() {
				t.Fatalf("piece %+v, error %v", p, err)
			}
			got += string(p.Data)
			complete = p.Complete
		}
		if got != want {
			t.Errorf("limit %d: the log differs", limit)
		}
	}
}

func TestReader_Seek(t *testing.T) {
	t.Parallel()
	// Lines begin at 0, 4, 12 and 16; the second and the third chunk begin in the middle of line 1.
	s := &source{chunks: []execution.Chunk{
		chunk(t, "one\ntw"), at(chunk(t, "ooo"), 6), at(chunk(t, "oo\nabc\n"), 9), at(chunk(t, "end\n"), 16),
	}}
	tests := map[int64]struct {
		offset, at int64
		reason     string
	}{
		0: {0, 0, "the beginning"},
		1: {0, 0, "before the line is good enough"},
		2: {12, 2, "line 1 begins before its chunk, so the next whole line is the place"},
		3: {12, 2, "the last chunk before line 3 begins in line 1"},
		4: {16, 3, "a chunk that begins with its line"},
	}
	for line, tc := range tests {
		r, err := logchunk.NewReader(s)
		if err != nil {
			t.Fatal(err)
		}
		offset, number, err := r.Seek(t.Context(), uuid.New(), "step/0", line)
		if err != nil || offset != tc.offset || number != tc.at {
			t.Errorf("line %d: offset %d of line %d, error %v: %s", line, offset, number, err, tc.reason)
		}
	}
}
