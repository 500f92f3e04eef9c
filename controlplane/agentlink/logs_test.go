package agentlink_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/fault"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

type logClient = grpc.BidiStreamingClient[agentv1.AppendLogsRequest, agentv1.AppendLogsResponse]

func (b *bench) logs(t *testing.T) logClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(as(t.Context(), "good"), time.Minute)
	t.Cleanup(cancel)
	stream, err := b.gateway.AppendLogs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func appendChunk(t *testing.T, to logClient, attempt, stream string, start int64, data []byte) {
	t.Helper()
	err := to.Send(&agentv1.AppendLogsRequest{AttemptId: attempt, Chunk: &runnerv1.LogChunk{
		Stream: stream, StartOffset: start, RawLen: 10, Data: data,
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func answer(t *testing.T, from logClient) *agentv1.AppendLogsResponse {
	t.Helper()
	r, err := from.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestServer_AppendLogs_AnswersInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	stream := b.logs(t)
	id := uuid.NewString()
	appendChunk(t, stream, id, "step/0", 0, nil)
	appendChunk(t, stream, "strange", "step/0", 0, nil)
	appendChunk(t, stream, id, "refuse", 0, nil)
	appendChunk(t, stream, id, "step/1", 30, nil)
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		id + " step/0 10 false", "strange step/0 0 true", id + " refuse 0 true", id + " step/1 40 false",
	}
	for _, w := range want {
		r := answer(t, stream)
		if got := fmt.Sprintf("%s %s %d %t", r.GetAttemptId(), r.GetStream(), r.GetCommitted(), r.GetRefused() != ""); got != w {
			t.Errorf("answer %q, want %q", got, w)
		}
	}
	if _, err := stream.Recv(); err != io.EOF { //nolint:errorlint // the end of a stream is never wrapped
		t.Errorf("end %v", err)
	}
}

func TestServer_AppendLogs_CommitsTogether(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{Group: time.Hour})
	b.intake.gate = make(chan struct{})
	stream := b.logs(t)
	id := uuid.NewString()
	appendChunk(t, stream, id, "step/0", 0, nil)
	// The first chunk is alone, so its group takes no further chunk in: an hour would be long.
	<-b.intake.entered
	big := make([]byte, 256<<10)
	for n := range 4 {
		appendChunk(t, stream, id, "step/0", int64(10+10*n), big)
	}
	b.intake.gate <- struct{}{}
	<-b.intake.entered // a mebibyte does not wait either
	b.intake.gate <- struct{}{}
	for range 5 {
		answer(t, stream)
	}
	b.intake.mu.Lock()
	defer b.intake.mu.Unlock()
	if len(b.intake.groups) != 2 || len(b.intake.groups[0]) != 1 || len(b.intake.groups[1]) != 4 {
		t.Errorf("%d groups, first of %d", len(b.intake.groups), len(b.intake.groups[0]))
	}
}

func TestServer_AppendLogs_GroupEndsInTime(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{Group: 5 * time.Millisecond})
	stream := b.logs(t)
	id := uuid.NewString()
	for n := range 20 {
		appendChunk(t, stream, id, "step/0", int64(10*n), nil)
	}
	for n := range 20 {
		if r := answer(t, stream); r.GetCommitted() != int64(10*n+10) {
			t.Fatalf("answer %v, want %d", r, 10*n+10)
		}
	}
}

func TestServer_AppendLogs_StoreAwayEndsTheStream(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	b.intake.fail = fault.New(fault.Unavailable, "the disk is full").WithHint("Free some space.")
	stream := b.logs(t)
	appendChunk(t, stream, uuid.NewString(), "step/0", 0, nil)
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("error %v: an answer would lose the bytes", err)
	}
}

func TestServer_AppendLogs_RevokedAgentIsCutOff(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{Touch: time.Millisecond})
	b.connect(t)
	stream := b.logs(t)
	appendChunk(t, stream, uuid.NewString(), "step/0", 0, nil)
	answer(t, stream)
	b.store.set(func(s *store) { s.revoked = true })
	if _, err := stream.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("error %v: logs are still taken", err)
	}
}

func TestServer_Stop_CommitsWhatWasSent(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	b.intake.gate = make(chan struct{})
	stream := b.logs(t)
	appendChunk(t, stream, uuid.NewString(), "step/0", 0, nil)
	<-b.intake.entered
	stopped := make(chan struct{})
	go func() {
		b.server.Stop(context.WithoutCancel(t.Context()))
		close(stopped)
	}()
	select {
	case <-stopped:
		t.Fatal("stopped with a commit under way")
	case b.intake.gate <- struct{}{}:
	}
	if r := answer(t, stream); r.GetCommitted() != 10 {
		t.Errorf("answer %v", r)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("error %v", err)
	}
	<-stopped
}
