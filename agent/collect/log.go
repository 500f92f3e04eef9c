package collect

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/agent/work"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Bounds of what a runner says; an honest one stays far below.
const (
	maxName   = 253
	maxChunk  = 256 << 10
	maxData   = maxChunk + 4<<10 // what does not compress gets a little longer
	maxSteps  = 1000
	maxReason = 16 << 10
	maxNotes  = 200
	maxNote   = 1 << 10
)

var streamName = regexp.MustCompile(`^step/(0|[1-9][0-9]{0,2})$`)

// stream is a log of the session. Answers go out in the order of the chunks.
type stream struct {
	pending []*answer
	refused bool
}

type answer struct {
	end   int64
	final bool
	ack   *runnerv1.LogAck // nil while the control plane has not answered
}

// log passes a chunk on. It holds the reader, and by that the runner, while the control plane takes no more.
func (x *session) log(ctx context.Context, c *runnerv1.LogChunk) error {
	if err := checkChunk(c); err != nil {
		return err
	}
	c.ViaKubeApi = false
	a := &answer{end: c.GetStartOffset() + int64(c.GetRawLen()) + c.GetGapBytes(), final: c.GetFinal() != nil}
	x.mu.Lock()
	st := x.streams[c.GetStream()]
	if st == nil {
		st = &stream{}
		x.streams[c.GetStream()] = st
	}
	st.pending = append(st.pending, a)
	refused := st.refused
	x.mu.Unlock()
	name := c.GetStream()
	if refused {
		x.answered(name, st, a, nil, nil)
		return nil
	}
	err := x.server.o.Uplink.Append(ctx, x.attempt, c, func(ack *runnerv1.LogAck, err error) { x.answered(name, st, a, ack, err) })
	if err != nil {
		return fmt.Errorf("pass a log on: %w", err)
	}
	return nil
}

// answered takes the control plane's answer to a chunk; it is called by the uplink and must not block.
func (x *session) answered(name string, st *stream, a *answer, ack *runnerv1.LogAck, err error) {
	if err != nil && !errors.Is(err, work.ErrRefused) {
		x.end(fmt.Errorf("pass a log on: %w", err))
		return
	}
	x.mu.Lock()
	if err != nil && !st.refused {
		st.refused = true
		x.notes = append(x.notes, fmt.Sprintf("%s is not complete: %v", name, err))
	}
	if st.refused {
		// What never will be taken must not hold the test up. Delivered says that it is missing.
		ack = &runnerv1.LogAck{Stream: name, Committed: a.end, Final: a.final}
	}
	a.ack = ack
	for len(st.pending) > 0 && st.pending[0].ack != nil {
		x.out = append(x.out, &runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_LogAck{LogAck: st.pending[0].ack}})
		st.pending = st.pending[1:]
	}
	x.mu.Unlock()
	x.signal()
}

func checkChunk(c *runnerv1.LogChunk) error {
	switch {
	case !streamName.MatchString(c.GetStream()):
		return invalid("a log chunk names no stream of a step")
	case c.GetStartOffset() < 0, c.GetRawLen() < 0, c.GetGapBytes() < 0, c.GetLines() < 0, c.GetFirstLine() < 0:
		return invalid("a log chunk counts backwards")
	case c.GetRawLen() > maxChunk, len(c.GetData()) > maxData:
		return invalid("a log chunk is too large")
	case c.GetGapBytes() > 0 && len(c.GetData()) > 0:
		return invalid("a log chunk is both a gap and data")
	}
	return nil
}

func checkStep(s *runnerv1.StepState) error {
	switch {
	case s.GetIndex() < 0 || s.GetIndex() >= maxSteps:
		return invalid("a step has an index that no plan has")
	case len(s.GetName()) > maxReason || len(s.GetReason()) > maxReason:
		return invalid("a step says too much")
	}
	return nil
}

func invalid(text string) *connect.Error {
	return connect.NewError(connect.CodeInvalidArgument, errors.New(text))
}

// bounded keeps notes to what people may read.
func bounded(notes []string) []string {
	more := len(notes) - maxNotes
	if more > 0 {
		notes = notes[:maxNotes]
	}
	out := make([]string, 0, len(notes)+1)
	for _, n := range notes {
		if len(n) > maxNote {
			n = strings.ToValidUTF8(n[:maxNote], "") + "…"
		}
		out = append(out, n)
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("%d more notes are not kept.", more))
	}
	return out
}
