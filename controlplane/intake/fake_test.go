package intake_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/intake"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// store keeps one attempt's streams; attempts other than own are not found, as the contract says.
type store struct {
	mu        sync.Mutex
	own       execution.AttemptID
	execution execution.ID
	wake      []cluster.ID
	way       *execution.Way
	down      error
	streams   map[string]execution.StreamState
	reports   []execution.Report
	files     []execution.File
	results   []execution.TestResult
}

func (s *store) SaveReport(_ context.Context, r execution.Report) (execution.Saved, error) {
	if s.down != nil || r.Attempt != s.own {
		return execution.Saved{}, s.missing(r.Attempt)
	}
	s.reports = append(s.reports, r)
	return execution.Saved{Status: r.Status, Way: s.way, Effects: execution.Effects{Wake: s.wake, Changed: []execution.ID{s.execution}}}, nil
}

func (s *store) missing(id execution.AttemptID) error {
	if s.down != nil {
		return s.down
	}
	if id != s.own {
		return fault.New(fault.NotFound, "no attempt %s", id)
	}
	return nil
}

func (s *store) AppendChunks(_ context.Context, chunks []execution.Chunk) ([]execution.StreamState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range chunks {
		if err := s.missing(c.Attempt); err != nil {
			return nil, err
		}
	}
	var states []execution.StreamState
	for _, c := range chunks {
		state := s.streams[c.Stream]
		state.Stream = c.Stream
		if c.Start == state.Committed {
			state.Committed, state.Final = c.End(), state.Final || c.Final != nil
		}
		s.streams[c.Stream] = state
		states = append(states, state)
	}
	return states, nil
}

func (s *store) Streams(_ context.Context, id execution.AttemptID) ([]execution.StreamState, error) {
	if err := s.missing(id); err != nil {
		return nil, err
	}
	var all []execution.StreamState
	for _, state := range s.streams {
		all = append(all, state)
	}
	return all, nil
}

func (s *store) SaveFile(_ context.Context, f execution.File, results []execution.TestResult) (bool, error) {
	for _, known := range s.files {
		if known.Attempt == f.Attempt && known.Kind == f.Kind && known.Path == f.Path && known.SHA256 == f.SHA256 {
			return true, nil
		}
	}
	s.files, s.results = append(s.files, f), append(s.results, results...)
	return false, nil
}

func (s *store) StepWorkflow(_ context.Context, id execution.AttemptID, _ int) (string, error) {
	return "shop-e2e", s.missing(id)
}

// blobs keeps bytes in memory; short makes it read no further than the declared size.
type blobs struct {
	short bool
	kept  map[string][]byte
}

type opened struct{ *bytes.Reader }

func (opened) Close() error { return nil }

func (b *blobs) Put(_ context.Context, key string, r io.Reader, size int64, _ string) error {
	if b.short {
		r = io.LimitReader(r, size)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	b.kept[key] = data
	return nil
}

func (b *blobs) Open(_ context.Context, key string) (io.ReadSeekCloser, error) {
	data, ok := b.kept[key]
	if !ok {
		return nil, fault.New(fault.NotFound, "no blob")
	}
	return opened{bytes.NewReader(data)}, nil
}

type bus struct{ topics []string }

func (b *bus) Publish(_ context.Context, topic string) { b.topics = append(b.topics, topic) }

type bench struct {
	metrics *prometheus.Registry
	store   *store
	blobs   *blobs
	bus     *bus
	intake  *intake.Intake
	viewer  tenant.Viewer
	ctx     context.Context //nolint:containedctx // the viewer of a test
}

func setup(t *testing.T, limits intake.Limits) *bench {
	t.Helper()
	b := &bench{
		metrics: prometheus.NewRegistry(),
		store:   &store{own: uuid.New(), execution: uuid.New(), streams: map[string]execution.StreamState{}},
		blobs:   &blobs{kept: map[string][]byte{}}, bus: &bus{},
		viewer: tenant.Viewer{Kind: tenant.KindAgent, Organization: uuid.New(), Cluster: uuid.New()},
	}
	b.ctx = tenant.WithViewer(t.Context(), b.viewer)
	var err error
	if b.intake, err = intake.New(b.store, b.blobs, b.bus, slog.New(slog.DiscardHandler), intake.NewHops(b.metrics), limits); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) heard(topic string) bool { return slices.Contains(b.bus.topics, topic) }
