// Package ship delivers what a container of a test pod has to tell: log bytes, step states, the result and files.
//
// It holds one connection to the agent, makes a new one whenever it breaks, and goes on where the control plane says it is. Nothing
// it is told is forgotten before it is acknowledged, and nothing it does holds a step up.
package ship

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/agent/runner/gather"
	"github.com/seatrial/seatrial/agent/runner/spool"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1/runnerv1connect"
)

const (
	backoffMin = 100 * time.Millisecond
	backoffMax = 3 * time.Second
	healthy    = 2 * time.Second // a session this long lets the back-off begin anew

	uploaders = 2
)

// Options say who ships where.
type Options struct {
	Addr      string // host:port of the agent
	Pin       string // hex SHA-256 of the public key of its certificate
	TokenFile string
	AttemptID string
	Container string
	Version   string
	Log       *slog.Logger
	// Dial takes the place of the network unless it is nil.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Cancel is called when the agent asks to stop; it must not block.
	Cancel func(*runnerv1.Cancel)
	// Resume is called when a step that waits for a person may go on; it must not block.
	Resume func(*runnerv1.Resume)
}

// Shipper is the delivery of one container.
type Shipper struct {
	opts      Options
	client    runnerv1connect.RunnerServiceClient
	transport *http.Transport
	encoder   *zstd.Encoder
	wake      chan struct{}
	more      chan struct{} // wakes uploaders

	mu       sync.Mutex
	streams  []*stream
	steps    map[int32]*stepState
	finished *runnerv1.Finished
	done     bool // the control plane has stored finished
	queue    []gather.File
	busy     int            // files being uploaded
	copies   map[string]int // copies on disk, by how many of the files that are not over yet they are of
	notes    []string
	complete bool
	progress bool // something was acknowledged in this session
}

type stream struct {
	name  string
	spool *spool.Spool
	final bool // the totals are acknowledged
}

type stepState struct {
	state   *runnerv1.StepState
	version int
}

// New returns a shipper; Run makes it work.
func New(o Options) (*Shipper, error) {
	client, transport, err := newClient(o.Addr, o.Pin, o.Dial)
	if err != nil {
		return nil, err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(512<<10),
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("make encoder: %w", err)
	}
	return &Shipper{
		opts: o, client: client, transport: transport, encoder: enc, steps: map[int32]*stepState{}, copies: map[string]int{},
		wake: make(chan struct{}, 1), more: make(chan struct{}, uploaders),
	}, nil
}

// Stream adds a log stream. The spool must call Wake on each change.
func (s *Shipper) Stream(name string, sp *spool.Spool) {
	s.mu.Lock()
	s.streams = append(s.streams, &stream{name: name, spool: sp})
	s.mu.Unlock()
	s.Wake()
}

// Step replaces the snapshot of a step.
func (s *Shipper) Step(state *runnerv1.StepState) {
	s.mu.Lock()
	if s.steps[state.GetIndex()] == nil {
		s.steps[state.GetIndex()] = &stepState{}
	}
	st := s.steps[state.GetIndex()]
	st.state = proto.CloneOf(state)
	st.version++
	s.mu.Unlock()
	s.Wake()
}

// Finish reports the end of the attempt, after all step states.
func (s *Shipper) Finish(f *runnerv1.Finished) {
	s.mu.Lock()
	s.finished = f
	s.mu.Unlock()
	s.Wake()
}

// Result returns what Finish was told, nil before.
func (s *Shipper) Result() *runnerv1.Finished {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finished
}

// Files uploads copies in the background. Files may share a copy, such as a report that is an artifact, too: it is removed after the
// last of those that were given together.
func (s *Shipper) Files(files []gather.File) {
	s.mu.Lock()
	s.queue = append(s.queue, files...)
	for _, f := range files {
		s.copies[f.Copy]++
	}
	s.mu.Unlock()
	for range min(len(files), uploaders) {
		signal(s.more)
	}
}

// Note adds sentences for people to the record.
func (s *Shipper) Note(notes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range notes {
		if !slices.Contains(s.notes, n) {
			s.notes = append(s.notes, n)
		}
	}
}

// Complete says that nothing more will come; Run ends when all of it is delivered.
func (s *Shipper) Complete() {
	s.mu.Lock()
	s.complete = true
	s.mu.Unlock()
	s.Wake()
}

// Wake makes the shipper look at its streams.
func (s *Shipper) Wake() { signal(s.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run delivers until all is delivered, which gives nil, or ctx is done.
func (s *Shipper) Run(ctx context.Context) error {
	defer s.transport.CloseIdleConnections()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range uploaders {
		wg.Go(func() { s.upload(ctx) })
	}
	down := false
	var last error // that of a connection, not of the end of time
	for tries := 0; ; tries++ {
		begin := time.Now()
		delivered, err := s.session(ctx)
		if delivered {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("deliver to the agent: %w", errors.Join(context.Cause(ctx), last))
		}
		last = err
		if s.takeProgress() || time.Since(begin) > healthy {
			tries, down = 0, false
		}
		if !down {
			s.opts.Log.WarnContext(ctx, "connection to the agent lost, the step goes on", "error", err)
			down = true
		}
		if !pause(ctx, tries) {
			return fmt.Errorf("deliver to the agent: %w", errors.Join(context.Cause(ctx), last))
		}
	}
}

func (s *Shipper) takeProgress() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.progress
	s.progress = false
	return p
}

// pause waits a random part of a window that doubles with each try, so that the pods of a cluster do not come back all at once.
func pause(ctx context.Context, tries int) bool {
	window := min(backoffMax, backoffMin<<min(tries, 10))
	timer := time.NewTimer(rand.N(window)) //nolint:gosec // G404: jitter
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// snapshot returns the streams there are now.
func (s *Shipper) snapshot() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.streams)
}

// dirty returns the step states whose version is not among those sent, in order.
func (s *Shipper) dirty(sent map[int32]int) []*runnerv1.StepState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*runnerv1.StepState
	for _, index := range slices.Sorted(maps.Keys(s.steps)) {
		if st := s.steps[index]; sent[index] != st.version {
			sent[index] = st.version
			out = append(out, proto.CloneOf(st.state))
		}
	}
	return out
}

// result returns the end of the attempt when it is still to be reported.
func (s *Shipper) result() *runnerv1.Finished {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return nil
	}
	return s.finished
}

// delivered returns the last message when everything else is acknowledged.
func (s *Shipper) delivered() *runnerv1.Delivered {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.complete || len(s.queue)+s.busy > 0 || s.finished != nil && !s.done {
		return nil
	}
	for _, st := range s.streams {
		if !st.final {
			return nil
		}
	}
	return &runnerv1.Delivered{Notes: slices.Clone(s.notes)}
}
