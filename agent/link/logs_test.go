package link_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

type answer struct {
	ack *runnerv1.LogAck
	err error
}

// appendTo sends a chunk and returns where its answer comes.
func (b *bundle) appendTo(ctx context.Context, t *testing.T, stream string, at int64, raw []byte) (<-chan answer, error) {
	t.Helper()
	chunk, err := workfake.Compress(stream, at, raw)
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan answer, 2)
	return out, b.Append(ctx, attempt, chunk, func(ack *runnerv1.LogAck, err error) { out <- answer{ack, err} })
}

func TestLink_Append(t *testing.T) {
	t.Parallel()
	b, _ := setup(t)
	for i, text := range []string{"one", "two", "three"} {
		for _, stream := range []string{"step/0", "step/1"} {
			answers, err := b.appendTo(limited(t), t, stream, int64(strings.Index("onetwothree", text)), []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := next(t, "an answer", answers); got.err != nil || got.ack.GetCommitted() != []int64{3, 6, 11}[i] || got.ack.GetStream() != stream {
				t.Errorf("answer %v, %v", got.ack, got.err)
			}
		}
	}
	if got := b.plane.Stream(attempt, "step/1"); string(got.Data) != "onetwothree" {
		t.Errorf("stored %q", got.Data)
	}
	if committed, err := b.Committed(limited(t), attempt); err != nil || committed["step/0"] != 11 || len(committed) != 2 {
		t.Errorf("committed %v, %v", committed, err)
	}
	if n := b.plane.Calls("AppendLogs"); n != 1 {
		t.Errorf("%d streams opened for one connection", n)
	}
}

func TestLink_Append_Window(t *testing.T) {
	t.Parallel()
	incompressible := make([]byte, 1<<20)
	_, _ = rand.Read(incompressible)
	for name, c := range map[string]struct {
		reason string
		raw    []byte
		fits   int
		other  bool // another stream has room yet
	}{
		"chunks": {"one stream must not fill the memory", []byte("x"), 8, true},
		"bytes":  {"all streams together must not either", incompressible, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := setup(t)
			release := b.plane.HoldLogs()
			var all []<-chan answer
			for i := range c.fits {
				a, err := b.appendTo(limited(t), t, "step/0", int64(i*len(c.raw)), c.raw)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, a)
			}
			short := func(stream string) (<-chan answer, error) {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				return b.appendTo(ctx, t, stream, 0, c.raw)
			}
			if a, err := short("step/0"); !errors.Is(err, context.DeadlineExceeded) || len(a) != 0 {
				t.Errorf("%s: chunk %d was let in: %v", c.reason, c.fits+1, err)
			}
			if _, err := short("step/1"); (err == nil) != c.other {
				t.Errorf("another stream: %v", err)
			}
			release()
			for i, a := range all {
				if got := next(t, "an answer", a); got.err != nil || got.ack.GetCommitted() != int64((i+1)*len(c.raw)) {
					t.Errorf("chunk %d answered %v, %v", i, got.ack, got.err)
				}
			}
			a, err := b.appendTo(limited(t), t, "step/0", int64(c.fits*len(c.raw)), c.raw)
			if err != nil {
				t.Fatalf("the window stays shut: %v", err)
			}
			next(t, "an answer", a)
		})
	}
}

func TestLink_Append_LostWithTheConnection(t *testing.T) {
	t.Parallel()
	b, _ := setup(t)
	release := b.plane.HoldLogs()
	var all []<-chan answer
	for i := range 3 {
		a, err := b.appendTo(limited(t), t, "step/0", int64(i), []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	b.plane.Down()
	for i, a := range all {
		if got := next(t, "an answer", a); !errors.Is(got.err, work.ErrUplinkLost) {
			t.Errorf("chunk %d answered %v, %v", i, got.ack, got.err)
		}
	}
	release()
	b.plane.Up(t)
	b.plane.NextSession(t)
	committed, err := b.Committed(limited(t), attempt)
	if err != nil {
		t.Fatal(err)
	}
	a, err := b.appendTo(limited(t), t, "step/0", committed["step/0"], []byte("after"))
	if err != nil {
		t.Fatal(err)
	}
	if got := next(t, "an answer", a); got.err != nil || got.ack.GetCommitted() != committed["step/0"]+5 {
		t.Errorf("after the loss: %v, %v", got.ack, got.err)
	}
	for i, a := range all {
		if len(a) != 0 {
			t.Errorf("chunk %d was answered twice", i)
		}
	}
}

func TestLink_Append_MovesWithoutALoss(t *testing.T) {
	t.Parallel()
	b, first := setup(t)
	release := b.plane.HoldLogs()
	inFlight, err := b.appendTo(limited(t), t, "step/0", 0, []byte("in flight"))
	if err != nil {
		t.Fatal(err)
	}
	first.Send(away("the control plane restarts", 0, 0))
	b.plane.NextSession(t)
	<-first.Ended
	type sent struct {
		a   <-chan answer
		err error
	}
	later := make(chan sent, 1)
	go func() {
		a, err := b.appendTo(limited(t), t, "step/0", 9, []byte(", later"))
		later <- sent{a, err}
	}()
	release()
	if got := next(t, "an answer", inFlight); got.err != nil || got.ack.GetCommitted() != 9 {
		t.Errorf("in flight: %v, %v: nobody should have to begin anew", got.ack, got.err)
	}
	next := next(t, "the later chunk", later)
	if next.err != nil {
		t.Fatal(next.err)
	}
	if got := <-next.a; got.err != nil || got.ack.GetCommitted() != 16 {
		t.Errorf("later: %v, %v", got.ack, got.err)
	}
	if got := b.plane.Stream(attempt, "step/0"); string(got.Data) != "in flight, later" {
		t.Errorf("stored %q", got.Data)
	}
}

func TestLink_Append_WaitsWhileNoStreamCanBeOpened(t *testing.T) {
	t.Parallel()
	b, _ := setup(t)
	b.plane.Fail("AppendLogs", status.Error(codes.Unavailable, "not now"))
	type sent struct {
		a   <-chan answer
		err error
	}
	done := make(chan sent, 2)
	for _, stream := range []string{"step/0", "step/1"} {
		go func() {
			a, err := b.appendTo(limited(t), t, stream, 0, []byte("x"))
			done <- sent{a, err}
		}()
	}
	for b.plane.Calls("AppendLogs") < 1 { // both chunks may go on one stream
		if err := b.Report(limited(t), &agentv1.AttemptReport{}); err != nil {
			t.Fatal(err)
		}
		b.plane.Report(t, func(*agentv1.AttemptReport) bool { return true }) // else they fill up
	}
	b.plane.Fail("AppendLogs", nil)
	for range 2 {
		s := next(t, "a chunk", done)
		if s.err != nil {
			t.Fatal(s.err)
		}
		// A stream that fails is only seen when it is used: what was sent on it is lost, and said to be.
		if got := next(t, "an answer", s.a); got.err != nil && !errors.Is(got.err, work.ErrUplinkLost) {
			t.Errorf("answered %v, %v", got.ack, got.err)
		}
	}
	a, err := b.appendTo(limited(t), t, "step/2", 0, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if got := next(t, "an answer", a); got.err != nil && !errors.Is(got.err, work.ErrUplinkLost) {
		t.Errorf("answered %v, %v", got.ack, got.err)
	}
}

func TestLink_Append_Refused(t *testing.T) {
	t.Parallel()
	b, _ := setup(t)
	b.plane.SetStream(attempt, "step/0", workfake.Stream{Refused: "the quota is used up"})
	a, err := b.appendTo(limited(t), t, "step/0", 0, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if got := next(t, "an answer", a); !errors.Is(got.err, work.ErrRefused) || !strings.Contains(got.err.Error(), "quota") {
		t.Errorf("answered %v, %v", got.ack, got.err)
	}
}

func TestLink_PutFile(t *testing.T) {
	t.Parallel()
	b, _ := setup(t)
	for _, size := range []int{0, 1, 256 << 10, 1_000_000} {
		body := bytes.Repeat([]byte("x"), size)
		h := &runnerv1.FileHeader{AttemptId: attempt, Path: "r.xml", Size: int64(size)}
		if err := b.PutFile(limited(t), h, bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
		if got, ok := b.plane.File(attempt, "r.xml"); !ok || !bytes.Equal(got, body) {
			t.Errorf("%d bytes stored of %d", len(got), size)
		}
	}
}

// TestLink_Unsendable: what cannot be written as a message is not tried for ever.
func TestLink_Unsendable(t *testing.T) {
	t.Parallel()
	b, _ := setup(t)
	if err := b.ReportProbe(limited(t), &agentv1.ReportProbeRequest{Id: "p", Message: "caf\xc3"}); !errors.Is(err, work.ErrRefused) {
		t.Errorf("no UTF-8: %v", err)
	}
}

func TestLink_PutFile_Err(t *testing.T) {
	t.Parallel()
	gone := errors.New("the runner has gone")
	for name, c := range map[string]struct {
		reason string
		fault  error
		body   error
		want   error
	}{
		"refused":   {"it is never taken", status.Error(codes.FailedPrecondition, "too large"), nil, work.ErrRefused},
		"too large": {"it exceeds a limit, and will the next time", status.Error(codes.ResourceExhausted, "at most 1 GiB"), nil, work.ErrRefused},
		"unknown":   {"an older control plane does not take files", status.Error(codes.Unimplemented, "unknown method PutFile"), nil, work.ErrRefused},
		"proxy": {
			"the proxy has no control plane at the moment",
			status.Error(codes.Unimplemented, "unexpected HTTP status code received from server: 404 (Not Found)"), nil, work.ErrUplinkLost,
		},
		"lost":   {"it may be sent again", status.Error(codes.Unavailable, "not now"), nil, work.ErrUplinkLost},
		"reader": {"half a file is none", nil, gone, gone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := setup(t)
			b.plane.Fail("PutFile", c.fault)
			body := iotest.ErrReader(c.body)
			if c.body == nil {
				body = bytes.NewReader(make([]byte, 1<<20))
			}
			err := b.PutFile(limited(t), &runnerv1.FileHeader{AttemptId: attempt, Path: "r.xml"}, body)
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.reason, err)
			}
			if _, ok := b.plane.File(attempt, "r.xml"); ok {
				t.Error("stored all the same")
			}
		})
	}
}
