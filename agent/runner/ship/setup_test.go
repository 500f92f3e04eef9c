package ship_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/agent/collect"
	"github.com/seatrial/seatrial/agent/runner/gather"
	"github.com/seatrial/seatrial/agent/runner/pin"
	"github.com/seatrial/seatrial/agent/runner/ship"
	"github.com/seatrial/seatrial/agent/runner/spool"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	attempt = "a"
	stream  = "step/0"
	within  = 2 * time.Minute
)

// bundle is a shipper, a real agent's end of its connection, and a control plane in memory.
type bundle struct {
	uplink   *workfake.Uplink
	attempts *workfake.Attempts
	reviews  *workfake.Reviews
	server   *collect.Server
	cert     tls.Certificate
	addr     string
	token    string // file

	ship    *ship.Shipper
	log     bytes.Buffer // of the shipper; read it when that has ended
	cancels chan *runnerv1.Cancel
	dir     string
	done    chan error
}

func setup(t *testing.T) *bundle {
	t.Helper()
	cert, key, err := pin.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{
		uplink: workfake.NewUplink(), attempts: workfake.NewAttempts(), cert: cert, addr: "127.0.0.1:0", dir: t.TempDir(),
		reviews: &workfake.Reviews{Tokens: map[string]work.PodIdentity{"good": {Namespace: "ns", Pod: "p", UID: "u"}}},
		cancels: make(chan *runnerv1.Cancel, 10), done: make(chan error, 1),
	}
	t.Cleanup(b.uplink.Close)
	b.start(t)
	t.Cleanup(b.stop)
	b.token = filepath.Join(b.dir, "token")
	if err := os.WriteFile(b.token, []byte("good\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.shipper(t, key)
	return b
}

// shipper makes a shipper that trusts a pin.
func (b *bundle) shipper(t *testing.T, pin string) {
	t.Helper()
	var err error
	b.ship, err = ship.New(ship.Options{
		Addr: b.addr, Pin: pin, TokenFile: b.token, AttemptID: attempt, Container: "c0", Version: "v0",
		Log: slog.New(slog.NewTextHandler(&b.log, nil)), Cancel: func(c *runnerv1.Cancel) { b.cancels <- c },
	})
	if err != nil {
		t.Fatal(err)
	}
}

// start lets the agent come back at the same address.
func (b *bundle) start(t *testing.T) {
	t.Helper()
	b.server = collect.New(collect.Options{
		Log: slog.New(slog.DiscardHandler), Listen: b.addr, Certificate: b.cert, Reviews: b.reviews,
		Pods: workfake.Pods{"p": attempt}, Uplink: b.uplink, Attempts: b.attempts,
	})
	if _, err := b.server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.addr = b.server.Addr().String()
}

func (b *bundle) stop() {
	if b.server != nil {
		b.server.Stop()
	}
	b.server = nil
}

// run ships until the end of the test at the latest.
func (b *bundle) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.done <- b.ship.Run(ctx) })
	t.Cleanup(wg.Wait)
	t.Cleanup(cancel)
}

// delivered waits for the shipper to end well.
func (b *bundle) delivered(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case err := <-b.done:
		if err != nil {
			t.Fatal(err)
		}
	case <-timer.C:
		t.Fatalf("not delivered; the record is %+v, the log %+v", b.attempts.View(), b.uplink.Log(attempt, stream))
	}
	if err := b.uplink.Fault(); err != nil {
		t.Error(err)
	}
}

// spool adds a stream to the shipper.
func (b *bundle) spool(t *testing.T, o spool.Options) *spool.Spool {
	t.Helper()
	o.Notify = b.ship.Wake
	s, err := spool.Create(filepath.Join(b.dir, "spool"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b.ship.Stream(stream, s)
	return s
}

// committed waits until the control plane has so many bytes.
func (b *bundle) committed(t *testing.T, bytes int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := b.uplink.Wait(ctx, attempt, stream, func(l *workfake.Log) bool { return l.Bytes >= bytes }); err != nil {
		t.Fatalf("%d bytes were not committed: %v", bytes, err)
	}
}

func (b *bundle) recorded(t *testing.T, cond func(workfake.View) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := b.attempts.Wait(ctx, cond); err != nil {
		t.Fatalf("%v; the record is %+v", err, b.attempts.View())
	}
}

// file makes a copy such as gather makes.
func (b *bundle) file(t *testing.T, name, content string) gather.File {
	t.Helper()
	f := gather.File{Copy: filepath.Join(b.dir, name)}
	if err := os.WriteFile(f.Copy, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(content))
	f.Header = &runnerv1.FileHeader{
		AttemptId: attempt, Kind: runnerv1.FileKind_FILE_KIND_ARTIFACT, Path: name, Size: int64(len(content)), Sha256: sum[:],
	}
	return f
}
