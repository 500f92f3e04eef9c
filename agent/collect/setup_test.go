package collect_test

import (
	"context"
	"crypto/tls"
	"errors"
	"hash/crc32"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/collect"
	"github.com/seatrial/seatrial/agent/runner/pin"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1/runnerv1connect"
)

type wire = connect.BidiStreamForClientSimple[runnerv1.AttachRequest, runnerv1.AttachResponse]

// bundle is a server with everything around it. The pod "p" belongs to attempt "a" and has the token "good".
type bundle struct {
	server   *collect.Server
	uplink   *workfake.Uplink
	attempts *workfake.Attempts
	reviews  *workfake.Reviews
	pods     *lookedAt
	client   runnerv1connect.RunnerServiceClient
}

// lookedAt counts how often the attempt was looked at before it had a result.
type lookedAt struct {
	workfake.Pods
	before func() int

	mu   sync.Mutex
	seen int
	fail int // so many looks fail; below 0 all of them
}

func (l *lookedAt) looks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

// Look implements work.Pods.
func (l *lookedAt) Look(context.Context, string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.before() == 0 {
		l.seen++
	}
	if l.fail != 0 {
		l.fail--
		return errors.New("the API server is away")
	}
	return nil
}

func setup(t *testing.T) *bundle {
	t.Helper()
	cert, _, err := pin.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{
		uplink: workfake.NewUplink(), attempts: workfake.NewAttempts(),
		reviews: &workfake.Reviews{Tokens: map[string]work.PodIdentity{
			"good": {Namespace: "ns", Pod: "p", UID: "u"}, "other": {Namespace: "ns", Pod: "q", UID: "v"},
			"foreign": {Namespace: "ns", Pod: "stranger", UID: "w"},
		}},
	}
	b.pods = &lookedAt{Pods: workfake.Pods{"p": "a", "q": "b"}, before: func() int { return len(b.attempts.View().Finished) }}
	t.Cleanup(b.uplink.Close)
	b.server = collect.New(collect.Options{
		Log: slog.New(slog.DiscardHandler), Listen: "127.0.0.1:0", Certificate: cert, Reviews: b.reviews,
		Pods: b.pods, Uplink: b.uplink, Attempts: b.attempts, LookFor: time.Second,
	})
	if _, err := b.server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: &protocols}
	t.Cleanup(b.server.Stop)
	t.Cleanup(transport.CloseIdleConnections)
	b.client = runnerv1connect.NewRunnerServiceClient(&http.Client{Transport: transport}, "https://"+b.server.Addr().String())
	return b
}

// call returns a context for a call with a token.
func call(t *testing.T, token string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ctx, info := connect.NewClientContext(ctx)
	if token != "" {
		info.RequestHeader().Set("Authorization", "Bearer "+token)
	}
	return ctx
}

// attach says hello and returns the stream with the welcome.
func (b *bundle) attach(t *testing.T, container string) (*wire, *runnerv1.Welcome) {
	t.Helper()
	w := b.dial(t, "good", &runnerv1.Hello{AttemptId: "a", Container: container})
	return w, receive(t, w).GetWelcome()
}

func (b *bundle) dial(t *testing.T, token string, hello *runnerv1.Hello) *wire {
	t.Helper()
	w, err := b.client.Attach(call(t, token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.CloseRequest()
		_ = w.CloseResponse()
	})
	first := &runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Hello{Hello: hello}}
	if hello == nil {
		first = &runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Finished{}}
	}
	_ = w.Send(first) // the answer says what is wrong
	return w
}

func receive(t *testing.T, w *wire) *runnerv1.AttachResponse {
	t.Helper()
	m, err := w.Receive()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// code receives until the stream ends and returns how.
func code(w *wire) connect.Code {
	for {
		if _, err := w.Receive(); err != nil {
			return connect.CodeOf(err)
		}
	}
}

func send(t *testing.T, w *wire, c *runnerv1.LogChunk) {
	t.Helper()
	if err := w.Send(&runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Log{Log: c}}); err != nil {
		t.Fatal(err)
	}
}

func chunk(t *testing.T, stream string, at int64, text string) *runnerv1.LogChunk {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &runnerv1.LogChunk{
		Stream: stream, StartOffset: at, RawLen: int32(len(text)), Data: enc.EncodeAll([]byte(text), nil),
		FirstTime: timestamppb.Now(), LastTime: timestamppb.Now(),
		Crc32C: crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)),
	}
}
