package api_test

import (
	"context"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/execution"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

func (b *bench) topic() string { return execution.Topic(b.world.org, b.world.execution.ID) }

func (b *bench) watch(t *testing.T) *connect.ServerStreamForClient[apiv1.WatchExecutionResponse] {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	stream, err := b.executions.WatchExecution(ctx, &apiv1.WatchExecutionRequest{Id: b.world.execution.ID.String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stream.Close() })
	return stream
}

func TestAPI_WatchExecution_TellsEveryChangeUntilTheRecordsAreComplete(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{Safety: time.Hour})
	stream := b.watch(t)
	next := func() *apiv1.Execution {
		t.Helper()
		if !stream.Receive() {
			t.Fatalf("the watch ended: %v", stream.Err())
		}
		return stream.Msg().GetExecution()
	}
	if e := next(); e.GetStatus() != apiv1.Status_STATUS_RUNNING {
		t.Fatalf("first %v", e)
	}
	b.world.change(func(w *world) { w.execution.Status = execution.Failed })
	b.bus.publish(b.topic())
	if e := next(); e.GetStatus() != apiv1.Status_STATUS_FAILED {
		t.Fatalf("then %v", e)
	}
	b.world.change(func(w *world) {
		w.execution.Runs = []execution.Run{{Attempts: []execution.Attempt{{ID: w.execution.ID, Delivered: true}}}}
	})
	b.bus.publish(b.topic())
	if e := next(); !e.GetRuns()[0].GetAttempts()[0].GetDelivered() {
		t.Fatalf("last %v", e)
	}
	if stream.Receive() || stream.Err() != nil {
		t.Errorf("the watch goes on, or failed: %v", stream.Err())
	}
}

func TestAPI_WatchExecution_Ends(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		timing api.Timing
		cause  func(*bench)
		code   connect.Code // zero for a good end
		reason string
	}{
		"LostHint": {api.Timing{Safety: time.Millisecond}, func(b *bench) {
			b.world.change(func(w *world) { w.execution.Status, w.execution.Runs = execution.Passed, nil })
		}, 0, "a hint may be lost"},
		"NoRecords": {api.Timing{Safety: time.Millisecond}, func(b *bench) {
			b.world.change(func(w *world) {
				w.execution.Status, w.execution.FinishedAt = execution.Errored, time.Now().Add(-time.Hour)
			})
		}, 0, "records that never come must not keep a pipeline"},
		"Draining": {api.Timing{Safety: time.Hour}, func(b *bench) { close(b.draining) }, connect.CodeUnavailable, "the program stops"},
		"Revoked": {api.Timing{Safety: time.Hour, Recheck: time.Millisecond}, func(b *bench) {
			b.world.change(func(w *world) { delete(w.tokens, "read") })
		}, connect.CodeUnauthenticated, "a stream ends with the right to it"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "read", tc.timing)
			stream := b.watch(t)
			if !stream.Receive() {
				t.Fatal(stream.Err())
			}
			tc.cause(b)
			for stream.Receive() {
			}
			if err := stream.Err(); (tc.code == 0) != (err == nil) || (err != nil && connect.CodeOf(err) != tc.code) {
				t.Errorf("error %v: %s", err, tc.reason)
			}
		})
	}
}

func logChunk(t *testing.T, start int64, text string) execution.Chunk {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return execution.Chunk{
		Start: start, RawLen: len(text), Data: enc.EncodeAll([]byte(text), nil), CRC: crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)),
	}
}

func (b *bench) follow(t *testing.T, offset int64, follow bool) *connect.ServerStreamForClient[apiv1.StreamLogResponse] {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	stream, err := b.executions.StreamLog(ctx, &apiv1.StreamLogRequest{AttemptId: b.attempt().ID.String(), Offset: offset, Follow: follow})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stream.Close() })
	return stream
}

func TestAPI_StreamLog_FollowsToTheEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{Safety: time.Hour})
	b.world.chunks = []execution.Chunk{logChunk(t, 0, "one\n")}
	stream := b.follow(t, 1, true)
	if !stream.Receive() || string(stream.Msg().GetData()) != "ne\n" || stream.Msg().GetOffset() != 1 {
		t.Fatalf("first %v, %v", stream.Msg(), stream.Err())
	}
	topics := <-b.bus.subscribed
	if !slices.Contains(topics, b.topic()) || len(topics) != 2 {
		t.Errorf("listens to %q: the end of the execution may be the end of the log", topics)
	}
	b.world.change(func(w *world) {
		w.chunks = append(w.chunks, execution.Chunk{Start: 4, Gap: 6}, logChunk(t, 10, "end"))
		w.stream = execution.StreamState{Committed: 13, Final: true}
	})
	b.bus.publish(execution.LogTopic(b.world.org, b.attempt().ID, "step/0"))
	if !stream.Receive() || stream.Msg().GetGapBytes() != 6 || stream.Msg().GetOffset() != 4 || stream.Msg().GetComplete() {
		t.Fatalf("gap %v, %v", stream.Msg(), stream.Err())
	}
	if !stream.Receive() || string(stream.Msg().GetData()) != "end" || !stream.Msg().GetComplete() {
		t.Fatalf("end %v, %v", stream.Msg(), stream.Err())
	}
	if stream.Receive() || stream.Err() != nil {
		t.Errorf("the stream goes on, or failed: %v", stream.Err())
	}
}

func TestAPI_StreamLog_WithoutFollowEndsWhereTheLogIs(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{Safety: time.Hour})
	text := strings.Repeat("x", 200<<10)
	b.world.chunks = []execution.Chunk{logChunk(t, 0, text), logChunk(t, int64(len(text)), text)}
	stream := b.follow(t, 0, false)
	got := 0
	for stream.Receive() {
		got += len(stream.Msg().GetData())
		if n := len(stream.Msg().GetData()); n > 256<<10 {
			t.Errorf("a message of %d bytes", n)
		}
	}
	if got != 2*len(text) || stream.Err() != nil {
		t.Errorf("%d bytes, error %v", got, stream.Err())
	}
}

func TestAPI_StreamLog_StepThatNeverRanEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{Safety: time.Hour})
	stream := b.follow(t, 0, true)
	<-b.bus.subscribed
	b.world.change(func(w *world) { w.execution.Runs[0].Attempts[0].Delivered = true })
	b.bus.publish(b.topic())
	if !stream.Receive() || !stream.Msg().GetComplete() || stream.Receive() {
		t.Errorf("last %v, %v", stream.Msg(), stream.Err())
	}
}

// TestAPI_StreamLog_OfServices holds that a service's log is found by name, and that one which is not kept says so.
func TestAPI_StreamLog_OfServices(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{Safety: time.Hour})
	b.world.change(func(w *world) {
		w.execution.Runs[0].Attempts[0].Services = []execution.Service{{Name: "web"}, {Name: "db", LogWithheld: true}}
		w.chunks, w.stream = []execution.Chunk{logChunk(t, 0, "hello\n")}, execution.StreamState{Committed: 6, Final: true}
	})
	for name, tc := range map[string]struct {
		service string
		code    connect.Code
		says    string
	}{
		"OK":       {"web", 0, ""},
		"Withheld": {"db", connect.CodeUnimplemented, "given a secret"},
		"NoName":   {"../db", connect.CodeInvalidArgument, "not the name of a service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stream, err := b.executions.StreamLog(t.Context(), &apiv1.StreamLogRequest{AttemptId: b.attempt().ID.String(), Service: tc.service})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stream.Close() }()
			got := ""
			for stream.Receive() {
				got += string(stream.Msg().GetData())
			}
			if tc.code == 0 {
				if got != "hello\n" || stream.Err() != nil || b.world.asked() != "service/web" {
					t.Errorf("%q of %q, %v", got, b.world.asked(), stream.Err())
				}
				return
			}
			if err := stream.Err(); connect.CodeOf(err) != tc.code || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v, want %s about %q", err, tc.code, tc.says)
			}
		})
	}
}
