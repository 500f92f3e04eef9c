package ship

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/runner/spool"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	frameSize   = 256 << 10
	maxInFlight = 8
	// While acknowledgements are out, small writes are collected this long.
	collectFor = 20 * time.Millisecond
	welcomeFor = 10 * time.Second
	// More refusals without progress than frames in flight mean that going on makes no sense on this connection.
	maxRefusals = 2 * maxInFlight
)

var (
	errNoWelcome = errors.New("the agent did not answer in time")
	errRefused   = errors.New("the agent keeps refusing the same bytes")
)

type wire = connect.BidiStreamForClientSimple[runnerv1.AttachRequest, runnerv1.AttachResponse]

// session is one connection. Its sender owns it; the receiver hands messages over by a channel.
type session struct {
	s        *Shipper
	wire     *wire
	in       chan *runnerv1.AttachResponse
	cursors  map[*stream]*cursor
	start    map[string]int64 // committed offsets of Welcome
	steps    map[int32]int    // versions sent
	finished bool             // Finished was sent
	goodbye  bool             // Delivered was sent
	inFlight int
	refusals int
	buf, zst []byte
}

// cursor is how far a stream is sent.
type cursor struct {
	next    int64
	final   bool // totals are sent
	sent    []sentFrame
	waiting time.Time // since when bytes wait to be collected
}

type sentFrame struct {
	end   int64
	final bool
	stale bool // the cursor has been set back since
}

// session attaches and delivers until the connection ends.
func (s *Shipper) session(ctx context.Context) (delivered bool, err error) {
	token, err := bearer(s.opts.TokenFile)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	callCtx, call := connect.NewClientContext(ctx)
	call.RequestHeader().Set("Authorization", token)
	w, err := s.client.Attach(callCtx)
	if err != nil {
		return false, fmt.Errorf("attach: %w", err)
	}
	defer w.CloseResponse() //nolint:errcheck // the session is over
	x := &session{
		s: s, wire: w, in: make(chan *runnerv1.AttachResponse), cursors: map[*stream]*cursor{}, steps: map[int32]int{},
		buf: make([]byte, frameSize),
	}
	hello := &runnerv1.Hello{AttemptId: s.opts.AttemptID, Container: s.opts.Container, RunnerVersion: s.opts.Version}
	for _, st := range s.snapshot() {
		hello.Streams = append(hello.Streams, st.name)
	}
	if err := w.Send(&runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Hello{Hello: hello}}); err != nil {
		_ = w.CloseRequest()
		return false, x.cause(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cancel(x.receive(ctx))
	}()
	delivered, err = x.run(ctx)
	cancel(err)
	// The transport waits for more of the request and sees the end of ctx only when there will be no more: without this, the
	// receiver would never return.
	_ = w.CloseRequest()
	<-ended
	return delivered, err
}

// cause replaces the io.EOF of a failed Send by what the agent said.
func (x *session) cause(err error) error {
	if _, said := x.wire.Receive(); said != nil {
		return fmt.Errorf("attach: %w", said)
	}
	return fmt.Errorf("attach: %w", err)
}

func (x *session) receive(ctx context.Context) error {
	for {
		m, err := x.wire.Receive()
		if err != nil {
			return fmt.Errorf("connection to the agent: %w", err)
		}
		if c := m.GetCancel(); c != nil {
			x.s.opts.Cancel(c) // not behind a sender that the agent holds back
			continue
		}
		if r := m.GetResume(); r != nil {
			x.s.opts.Resume(r)
			continue
		}
		select {
		case x.in <- m:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (x *session) run(ctx context.Context) (delivered bool, err error) {
	if err := x.welcome(ctx); err != nil {
		return false, err
	}
	timer := time.NewTimer(collectFor)
	defer timer.Stop()
	for {
		wait, err := x.send()
		if err != nil {
			return false, x.ended(ctx, err)
		}
		timer.Reset(wait)
		select {
		case m := <-x.in:
			if delivered, err := x.handle(m); delivered || err != nil {
				return delivered, err
			}
		case <-x.s.wake:
		case <-timer.C:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// ended prefers what the receiver has heard over the bare end that a sender sees.
func (x *session) ended(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-x.in:
	case <-time.After(time.Second):
	}
	return err
}

func (x *session) welcome(ctx context.Context) error {
	timer := time.NewTimer(welcomeFor)
	defer timer.Stop()
	select {
	case m := <-x.in:
		w := m.GetWelcome()
		if w == nil {
			return errNoWelcome
		}
		x.start = w.GetCommitted()
		if c := w.GetCancel(); c != nil {
			x.s.opts.Cancel(c)
		}
		for _, r := range w.GetResumed() {
			x.s.opts.Resume(r)
		}
		return nil
	case <-timer.C:
		return errNoWelcome
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// send sends all that can be sent now and returns when to look again at the latest.
func (x *session) send() (time.Duration, error) {
	wait := time.Hour
	for _, st := range x.s.snapshot() {
		w, err := x.sendStream(st, x.cursor(st))
		if err != nil {
			return 0, err
		}
		wait = min(wait, w)
	}
	for _, state := range x.s.dirty(x.steps) {
		if err := x.wire.Send(&runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Step{Step: state}}); err != nil {
			return 0, fmt.Errorf("send step: %w", err)
		}
	}
	if f := x.s.result(); f != nil && !x.finished {
		x.finished = true
		if err := x.wire.Send(&runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Finished{Finished: f}}); err != nil {
			return 0, fmt.Errorf("send result: %w", err)
		}
	}
	if d := x.s.delivered(); d != nil && !x.goodbye {
		x.goodbye = true
		if err := x.wire.Send(&runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Delivered{Delivered: d}}); err != nil {
			return 0, fmt.Errorf("send delivered: %w", err)
		}
	}
	return wait, nil
}

// cursor returns that of a stream; at first it stands where Welcome said.
func (x *session) cursor(st *stream) *cursor {
	c := x.cursors[st]
	if c == nil {
		end, _ := st.spool.State()
		c = &cursor{next: min(x.start[st.name], end.Bytes)}
		x.cursors[st] = c
		st.spool.Acked(c.next)
		x.s.mu.Lock()
		// What was final once may have been lost by a database that went back.
		c.final = st.final && c.next == end.Bytes
		st.final = c.final
		x.s.mu.Unlock()
	}
	return c
}

func (x *session) sendStream(st *stream, c *cursor) (time.Duration, error) {
	for x.inFlight < maxInFlight && !c.final {
		end, sealed := st.spool.State()
		left := end.Bytes - c.next
		if left == 0 && !sealed {
			c.waiting = time.Time{}
			break
		}
		if left < frameSize && !sealed && len(c.sent) > 0 {
			if c.waiting.IsZero() {
				c.waiting = time.Now()
			}
			if rest := collectFor - time.Since(c.waiting); rest > 0 {
				return rest, nil
			}
		}
		c.waiting = time.Time{}
		f, err := st.spool.Read(c.next, x.buf)
		if err != nil {
			return 0, err //nolint:wrapcheck // says what it is
		}
		chunk := x.chunk(st.name, f)
		c.final = sealed && f.End() == end.Bytes
		if c.final {
			chunk.Final = Totals(end)
		}
		c.next = f.End()
		c.sent = append(c.sent, sentFrame{end: f.End(), final: c.final})
		x.inFlight++
		if err := x.wire.Send(&runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Log{Log: chunk}}); err != nil {
			return 0, fmt.Errorf("send log: %w", err)
		}
	}
	return time.Hour, nil
}

// Totals returns the totals of a spool as they go over the wire.
func Totals(t spool.Totals) *runnerv1.LogTotals {
	return &runnerv1.LogTotals{Bytes: t.Bytes, Lines: t.Lines, GapBytes: t.GapBytes, Crc32C: t.CRC}
}

func (x *session) chunk(name string, f spool.Frame) *runnerv1.LogChunk {
	c := &runnerv1.LogChunk{
		Stream: name, StartOffset: f.Start, RawLen: int32(len(f.Data)), //nolint:gosec // G115: at most frameSize
		Lines: int32(f.Lines), FirstLine: f.FirstLine, GapBytes: f.Gap, //nolint:gosec // G115: at most frameSize
	}
	if !f.FirstTime.IsZero() {
		c.FirstTime, c.LastTime = timestamppb.New(f.FirstTime), timestamppb.New(f.LastTime)
	}
	if len(f.Data) > 0 {
		x.zst = x.s.encoder.EncodeAll(f.Data, x.zst[:0])
		c.Data, c.Crc32C = x.zst, crc32.Checksum(f.Data, crc32.MakeTable(crc32.Castagnoli))
	}
	return c
}

func (x *session) handle(m *runnerv1.AttachResponse) (delivered bool, err error) {
	switch {
	case m.GetLogAck() != nil:
		return false, x.ack(m.GetLogAck())
	case m.GetFinishedAck() != nil:
		x.s.mu.Lock()
		x.s.done, x.s.progress = true, true
		x.s.mu.Unlock()
	case m.GetDeliveredAck() != nil:
		return x.goodbye, nil
	}
	return false, nil
}

// ack takes the answer to the oldest frame in flight of a stream.
func (x *session) ack(a *runnerv1.LogAck) error {
	for st, c := range x.cursors {
		if st.name != a.GetStream() {
			continue
		}
		var f sentFrame
		if len(c.sent) > 0 {
			f, c.sent = c.sent[0], c.sent[1:]
			x.inFlight--
		}
		st.spool.Acked(a.GetCommitted())
		if a.GetFinal() {
			x.s.mu.Lock()
			st.final = true
			x.s.mu.Unlock()
		}
		if f.stale {
			return nil
		}
		return x.follow(st, c, f, a)
	}
	return nil
}

// follow moves the cursor when the control plane is not where the frame ended.
func (x *session) follow(st *stream, c *cursor, f sentFrame, a *runnerv1.LogAck) error {
	if a.GetCommitted() >= f.end && (a.GetFinal() || !f.final) {
		x.refusals = 0
		x.s.mu.Lock()
		x.s.progress = true
		x.s.mu.Unlock()
		return nil
	}
	if x.refusals++; x.refusals > maxRefusals {
		return errRefused
	}
	for i := range c.sent {
		c.sent[i].stale = true
	}
	end, _ := st.spool.State()
	c.next, c.final = min(a.GetCommitted(), end.Bytes), false
	return nil
}
