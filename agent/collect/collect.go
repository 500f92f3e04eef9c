// Package collect is where the runners of a cluster dial: it takes logs, step states and files of test pods in, passes them on to
// the control plane and tells the runners what that has stored.
//
// It stores nothing. A chunk is acknowledged when the control plane has committed it; whenever that is uncertain the connection
// ends, and the runner, which keeps everything, asks anew where to go on.
//
//	┌──────────────────────────────────────────────────────────────────────────────────┐
//	│ FLOW                                                                             │
//	│                                                                                  │
//	│ runner ──► token ──► pod ──► attempt                     (who it is)             │
//	│                                                                                  │
//	│ runner ══► reader ──► Uplink.Append ┄┄► done ──► answers ══► runner  (LogAck)     │
//	│              ├──────► Attempts.Step                                              │
//	│              ╰──────► Attempts.Finished, Delivered ──► answers ══► runner         │
//	│ outbox ──► Cancel, Resume ───────────────────────────► answers ══► runner         │
//	│ runner ══► Upload ──► Uplink.PutFile                                             │
//	└──────────────────────────────────────────────────────────────────────────────────┘
package collect

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/agent/work"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1/runnerv1connect"
)

// A link that is half open is noticed within pingAfter + pingFor.
const (
	headerFor = 10 * time.Second
	idleFor   = 2 * time.Minute
	pingAfter = 10 * time.Second
	pingFor   = 5 * time.Second
	writeFor  = 15 * time.Second
	stopFor   = 2 * time.Second
	// An upload that takes longer is begun anew.
	uploadFor = 15 * time.Minute
)

// What one runner may make this process hold: hundreds of them share a few dozen MiB.
const (
	maxMessage    = 512 << 10
	streamBuffer  = 64 << 10
	connBuffer    = 128 << 10
	maxStreams    = 16
	maxHeaderSize = 32 << 10
)

var errStopping = errors.New("the agent is stopping")

// Options are what a Server needs; all of them but for Listener and LookFor.
type Options struct {
	Log *slog.Logger
	// Listen is host:port.
	Listen string
	// Listener takes the place of Listen unless it is nil; the server closes it.
	Listener net.Listener
	// Certificate is that of the agent; runners pin its key.
	Certificate tls.Certificate
	Reviews     Reviews
	Pods        work.Pods
	Uplink      work.Uplink
	Attempts    work.Attempts
	// LookFor is how long the word of a runner that was stopped waits for a look at its pod; zero means two minutes.
	LookFor time.Duration
}

// Server implements work.Runners and the RunnerService.
type Server struct {
	o     Options
	guard *guard
	hub   *hub
	slots *slots

	addr net.Addr
	stop func()

	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

// New returns a Server; Start makes it listen.
func New(o Options) *Server {
	return &Server{o: o, guard: newGuard(o.Reviews, o.Pods), hub: newHub(), slots: newSlots()}
}

// Start listens. The channel tells when the server ends by itself.
func (s *Server) Start(ctx context.Context) (<-chan error, error) {
	listener := s.o.Listener
	if listener == nil {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.o.Listen); err != nil {
			return nil, fmt.Errorf("listen for runners: %w", err)
		}
	}
	base, cancel := context.WithCancelCause(ctx)
	server := s.httpServer(base)
	s.addr = listener.Addr()
	s.stop = func() {
		cancel(errStopping)
		ctx, done := context.WithTimeout(context.WithoutCancel(base), stopFor)
		defer done()
		if err := server.Shutdown(ctx); err != nil {
			_ = server.Close() // runners keep what was not acknowledged
		}
	}
	failed := make(chan error, 1)
	s.running.Go(func() {
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve runners: %w", err)
		}
	})
	return failed, nil
}

// Addr returns the address that the server listens at.
func (s *Server) Addr() net.Addr { return s.addr }

// Stop ends the runners' connections, which they resume with the next agent, and returns when nothing of the server runs.
func (s *Server) Stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.stop()
	s.running.Wait()
}

// admit counts a request among what Stop waits for; it returns false when the server does not serve any more.
func (s *Server) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.running.Add(1)
	return true
}

// Cancel implements work.Runners.
func (s *Server) Cancel(attemptID, reason string, grace time.Duration) bool {
	sessions := s.hub.of(attemptID)
	for _, x := range sessions {
		x.wasAsked()
		x.answer(&runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_Cancel{
			Cancel: &runnerv1.Cancel{Reason: reason, Grace: durationpb.New(grace)},
		}})
	}
	return len(sessions) > 0
}

func (s *Server) lookFor() time.Duration { return cmp.Or(s.o.LookFor, lookFor) }

// Resume implements work.Runners.
func (s *Server) Resume(attemptID string, word *runnerv1.Resume) {
	for _, x := range s.hub.of(attemptID) {
		x.answer(&runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_Resume{Resume: word}})
	}
}

// counted lets Stop wait for the requests that h serves.
func (s *Server) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.admit() {
			http.Error(w, errStopping.Error(), http.StatusServiceUnavailable)
			return
		}
		defer s.running.Done()
		h.ServeHTTP(w, r)
	})
}

func (s *Server) httpServer(ctx context.Context) *http.Server {
	mux := http.NewServeMux()
	path, handler := runnerv1connect.NewRunnerServiceHandler(s,
		connect.WithReadMaxBytes(maxMessage),
		connect.WithCompression("gzip", nil, nil)) // chunks are compressed already
	mux.Handle(path, handler)
	mux.HandleFunc(runnerv1connect.RunnerServiceUploadProcedure, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadFor)); err != nil {
			s.o.Log.DebugContext(r.Context(), "upload without a deadline", "error", err)
		}
		handler.ServeHTTP(w, r)
	})
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	return &http.Server{
		Handler: s.counted(mux), ReadHeaderTimeout: headerFor, IdleTimeout: idleFor, MaxHeaderBytes: maxHeaderSize, Protocols: &protocols,
		TLSConfig:   &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{s.o.Certificate}},
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: connBuffer,
			SendPingTimeout: pingAfter, PingTimeout: pingFor, WriteByteTimeout: writeFor,
		},
	}
}
