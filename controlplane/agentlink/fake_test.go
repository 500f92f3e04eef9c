package agentlink_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

type ack struct {
	id      uuid.UUID
	outcome cluster.Outcome
	message string
}

// store is one cluster's commands and sessions in memory. Taken commands are gone until asked for again by waiting.
type store struct {
	mu      sync.Mutex
	epoch   int64
	queue   []cluster.Command
	opened  []cluster.Hello
	present []execution.AttemptID
	behind  [2][]execution.AttemptID // what a reconciliation finds open, and partial
	spec    []byte
	digest  string
	revoked bool
	lost    []cluster.ID // agents that were revoked lately
	old     bool         // the database knows a newer session
	acks    chan ack
	closed  chan int64
	answer  [3][]execution.AttemptID
	stamp   string // of what is to be watched
	fail    error
	limits  []int
	effects execution.Effects
}

func newStore() *store {
	return &store{acks: make(chan ack, 100), closed: make(chan int64, 10)}
}

func (s *store) OpenSession(_ context.Context, h cluster.Hello) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revoked {
		return 0, fault.New(fault.Unauthenticated, "revoked")
	}
	s.epoch++
	s.opened = append(s.opened, h)
	return s.epoch, s.fail
}

func (s *store) CloseSession(ctx context.Context, epoch int64) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.closed <- epoch
	return nil
}

func (s *store) TouchSessions(ctx context.Context, epochs map[cluster.ID]int64) (superseded, revoked []cluster.ID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, _ := tenant.FromContext(ctx); v.Kind != tenant.KindSystem {
		return nil, nil, fault.New(fault.Forbidden, "not the system")
	}
	for id := range epochs {
		switch {
		case s.revoked:
			revoked = append(revoked, id)
		case s.old:
			superseded = append(superseded, id)
		}
	}
	return superseded, revoked, nil
}

func (s *store) RevokedAgents(ctx context.Context, _ time.Duration) ([]cluster.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, _ := tenant.FromContext(ctx); v.Kind != tenant.KindSystem {
		return nil, fault.New(fault.Forbidden, "not the system")
	}
	return s.lost, nil
}

func (s *store) WatchStamps(_ context.Context, orgs []tenant.ID) (map[tenant.ID]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[tenant.ID]string{orgs[0]: s.stamp}, nil
}

func (s *store) WaitingCommands(_ context.Context, ids []cluster.ID, _ time.Duration) ([]cluster.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return nil, nil
	}
	return ids, nil
}

func (s *store) TakeCommands(_ context.Context, _ int64, limit int, _, expiry time.Duration) ([]cluster.Command, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = append(s.limits, limit)
	var taken, left []cluster.Command
	for _, c := range s.queue {
		if c.Kind == cluster.Start {
			if limit == 0 {
				left = append(left, c)
				continue
			}
			limit--
		}
		c.ExpiresAt = time.Now().Add(expiry)
		taken = append(taken, c)
	}
	s.queue = left
	return taken, nil
}

func (s *store) put(commands ...cluster.Command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, commands...)
}

func (s *store) set(change func(*store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *store) AckCommand(_ context.Context, id uuid.UUID, outcome cluster.Outcome, message string) (execution.Effects, error) {
	s.acks <- ack{id, outcome, message}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.effects, nil
}

func (s *store) Assignment(context.Context, execution.AttemptID) ([]byte, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spec, s.digest, s.fail
}

func (s *store) Reconcile(_ context.Context, present []execution.AttemptID, _ time.Duration) (execution.Reconciled, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present = present
	return execution.Reconciled{Cancel: s.answer[0], Unknown: s.answer[1], Release: s.answer[2], Open: s.behind[0], Partial: s.behind[1], Effects: s.effects}, s.fail
}

// identity takes the token "good" for its viewer.
type identity struct{ viewer tenant.Viewer }

func (i identity) Enrol(_ context.Context, token string, _ []byte, _, _ string) (cluster.Identity, error) {
	if token != "boot" {
		return cluster.Identity{}, fault.New(fault.Unauthenticated, "the bootstrap token is spent").WithHint("Create a new one.")
	}
	return i.known(), nil
}

func (i identity) known() cluster.Identity {
	return cluster.Identity{Cluster: i.viewer.Cluster, Organization: i.viewer.Organization, Name: "kind"}
}

func (i identity) Challenge(context.Context, cluster.ID) ([]byte, error) { return []byte("nonce"), nil }

func (i identity) Renew(_ context.Context, _ cluster.ID, nonce, _ []byte) (cluster.Identity, error) {
	if string(nonce) != "nonce" {
		return cluster.Identity{}, fault.New(fault.Unauthenticated, "not signed")
	}
	return i.known(), nil
}

func (i identity) RotateKey(_ context.Context, _ cluster.ID, nonce, _, _, _ []byte) error {
	if string(nonce) != "nonce" {
		return fault.New(fault.Unauthenticated, "not signed")
	}
	return nil
}

func (i identity) Token(context.Context, cluster.Identity) (string, time.Time, error) {
	return "good", time.Now().Add(time.Minute), nil
}

func (i identity) Agent(_ context.Context, token string) (tenant.Viewer, error) {
	switch token {
	case "good":
		return i.viewer, nil
	case "person":
		return tenant.Viewer{Kind: tenant.KindToken, Organization: i.viewer.Organization}, nil
	default:
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "the token is expired")
	}
}

// bus is one process wide.
type bus struct {
	mu   sync.Mutex
	subs map[string][]chan struct{}
	said chan string
	made chan string // topics that were subscribed to
}

func newBus() *bus {
	return &bus{subs: map[string][]chan struct{}{}, said: make(chan string, 100), made: make(chan string, 100)}
}

// await returns once a topic has been subscribed to.
func (b *bus) await(topic string) {
	for made := range b.made {
		if made == topic {
			return
		}
	}
}

func (b *bus) Publish(_ context.Context, topic string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.said <- topic:
	default:
	}
	for _, c := range b.subs[topic] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (b *bus) Subscribe(_ context.Context, topics ...string) (wake <-chan struct{}, cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := make(chan struct{}, 1)
	for _, topic := range topics {
		b.subs[topic] = append(b.subs[topic], c)
		b.made <- topic
	}
	return c, func() {}
}

// intake records what it gets. Each Append waits for a value of gate when there is one.
type intake struct {
	mu      sync.Mutex
	gate    chan struct{}
	entered chan struct{}
	opened  chan struct{} // gets a signal for each file
	groups  [][]execution.Chunk
	reports []execution.Report
	files   map[string]string
	fail    error
	viewer  tenant.Viewer
}

func newIntake() *intake {
	return &intake{entered: make(chan struct{}, 1000), opened: make(chan struct{}, 1000), files: map[string]string{}}
}

func (i *intake) Report(ctx context.Context, r execution.Report) (execution.Status, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.viewer, _ = tenant.FromContext(ctx)
	i.reports = append(i.reports, r)
	return r.Status, i.fail
}

func (i *intake) Append(_ context.Context, chunks []execution.Chunk) ([]execution.StreamState, error) {
	i.entered <- struct{}{}
	if i.gate != nil {
		<-i.gate
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.groups = append(i.groups, chunks)
	states := make([]execution.StreamState, len(chunks))
	for n, c := range chunks {
		states[n] = execution.StreamState{Stream: c.Stream, Committed: c.End(), Final: c.Final != nil}
		if c.Stream == "refuse" {
			states[n] = execution.StreamState{Stream: c.Stream, Refused: "no such step"}
		}
	}
	return states, i.fail
}

func (i *intake) Streams(context.Context, execution.AttemptID) ([]execution.StreamState, error) {
	return []execution.StreamState{{Stream: "step/0", Committed: 7, Final: true}, {Stream: "step/1", Committed: 3}, {
		Stream: "service/db", Committed: 4, Cursor: execution.Cursor{LastTime: time.Unix(5, 0), Lines: 1, GapBytes: 2},
	}}, i.fail
}

func (i *intake) File(_ context.Context, f execution.File, body agentlink.Reader) error {
	i.opened <- struct{}{}
	var data []byte
	for buf := make([]byte, 3); ; {
		n, err := body.Read(buf)
		data = append(data, buf[:n]...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.files[f.Path] = string(data)
	return i.fail
}
