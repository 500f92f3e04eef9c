package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/bus"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/dispatch"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/logchunk"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/integration/history"
)

// Limits are what a history of the simulation is judged by.
func Limits() history.Limits { return history.Limits{Cancel: 5 * time.Minute, Recover: recoverFor} }

const (
	replicas = 2
	// recoverFor is how long everything may take to come to its end, the time that Jobs linger included.
	recoverFor = 12 * time.Minute
	settlePoll = 5 * time.Second
)

// World is one simulation. All of it runs in one bubble.
type World struct {
	shared  *Shared
	plan    Plan
	mutants Mutants
	log     *slog.Logger
	chance  *chance
	history *history.Recorder
	points  *points
	network *network
	bus     *bus.Local
	store   *store.Store
	opener  *logchunk.Opener
	sites   []*site
	dir     string

	ctx     context.Context //nolint:containedctx // the end of the simulation is that of all its parties
	stop    context.CancelFunc
	running sync.WaitGroup

	calm      atomic.Bool // no faults any more
	storeAway atomic.Bool
	deafBus   atomic.Bool
	jumped    atomic.Int64 // nanoseconds that the control plane's clock is ahead of the others'
	ids       atomic.Uint64

	mu         sync.Mutex
	replicas   map[string]*replica
	agentsMade int
	epochs     map[cluster.ID]int64
	accepted   map[execution.ID]*site
	broken     error
}

// Result is what came of a simulation.
type Result struct {
	Plan    Plan
	Events  []history.Event
	Reached map[Point]int // how often each point was reached
	Acted   map[Point]int
	Took    time.Duration // in the time of the simulation
}

// Options change a simulation.
type Options struct {
	Mutants Mutants
	Log     *slog.Logger // nil for none
}

// Run runs the simulation of a plan. It has to be called in a bubble of its own.
func Run(ctx context.Context, shared *Shared, plan Plan, o Options) (Result, error) {
	w := &World{
		shared: shared, plan: plan, mutants: o.Mutants, log: o.Log, chance: newChance(plan.Seed), history: &history.Recorder{}, points: newPoints(plan.Rules),
		network: newNetwork(), bus: bus.NewLocal(), replicas: map[string]*replica{}, epochs: map[cluster.ID]int64{}, accepted: map[execution.ID]*site{},
	}
	if w.log == nil {
		w.log = quiet()
	}
	begun := time.Now()
	w.ctx, w.stop = context.WithCancel(ctx)
	if err := w.open(); err != nil {
		return Result{}, err
	}
	err := w.live()
	w.close()
	if err == nil {
		err = w.broken
	}
	return Result{Plan: plan, Events: w.history.Events(), Reached: w.points.reached, Acted: w.points.acted, Took: time.Since(begun)}, err
}

// open makes the store and starts every process.
func (w *World) open() (err error) {
	if w.dir, err = os.MkdirTemp(w.shared.dir, "seed-*"); err != nil {
		return fmt.Errorf("folder of the simulation: %w", err)
	}
	path := filepath.Join(w.dir, "seatrial.db")
	if err := os.WriteFile(path, w.shared.database, 0o600); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	if w.opener, err = logchunk.NewOpener(); err != nil {
		return fmt.Errorf("reader of logs: %w", err)
	}
	if w.store, err = w.openStore(path); err != nil {
		return err
	}
	for i := range sites {
		w.sites = append(w.sites, newSite(w, i))
	}
	for i := range replicas {
		if err := w.startReplica(fmt.Sprintf("replica-%d", i)); err != nil {
			return err
		}
	}
	for _, s := range w.sites {
		if err := w.startAgent(s); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) openStore(path string) (*store.Store, error) {
	out, err := store.Open(w.ctx, "sqlite:"+path, append(w.shared.options, store.WithClock(w.clock), store.WithReissue(dispatch.Reissue))...)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return out, nil
}

// live lets clients and faults do their part, and then waits until everything has come to its end.
func (w *World) live() error {
	var clients sync.WaitGroup
	for i, s := range w.plan.Starts {
		clients.Go(func() { w.client(i, s) })
	}
	for _, t := range w.plan.Timed {
		w.running.Go(func() { w.strike(t) })
	}
	w.sleep(w.plan.Horizon)
	w.heal()
	clients.Wait()
	w.settle()
	return w.read()
}

// close ends all parties and waits for them.
func (w *World) close() {
	w.calm.Store(true)
	w.stop()
	w.mu.Lock()
	var parties []owner
	for _, r := range w.replicas {
		parties = append(parties, r)
	}
	for _, s := range w.sites {
		for _, a := range s.agents {
			parties = append(parties, a)
		}
	}
	w.mu.Unlock()
	for _, p := range parties {
		p.kill()
	}
	w.running.Wait()
	if err := w.store.Close(); err != nil {
		w.fail(err)
	}
	if err := os.RemoveAll(w.dir); err != nil {
		w.fail(err)
	}
}

// fail notes what should not have gone wrong in the simulation itself.
func (w *World) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.broken = err
	}
}

// heal ends all faults.
func (w *World) heal() {
	w.calm.Store(true)
	w.storeAway.Store(false)
	w.deafBus.Store(false)
	w.jumped.Store(0)
	for _, s := range w.sites {
		s.setSkew(0)
		s.kube.set(func() { s.kube.down, s.kube.behind = false, 0 })
		w.network.partition(s.name, false, false)
		w.unsplit(s)
	}
	w.history.Add(history.Event{Kind: history.Healed})
}

// faulty tells whether faults may still be injected.
func (w *World) faulty() bool { return !w.calm.Load() }

func (w *World) happens(what string, probability float64) bool {
	return probability > 0 && w.faulty() && w.chance.happens(what, probability)
}

// fault notes that a fault was injected.
func (w *World) fault(name string) {
	w.log.Info("FAULT", "fault", name)
	w.history.Add(history.Event{Kind: history.Fault, Name: name})
}

// sleep lets time pass; it returns false when the simulation ends before.
func (w *World) sleep(d time.Duration) bool { return w.pause(nil, d) }

// pause lets time pass unless a party dies, or the simulation ends, before.
func (w *World) pause(dead <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-dead:
		return false
	case <-w.ctx.Done():
		return false
	}
}

// later does something after a while, unless the simulation ends before.
func (w *World) later(d time.Duration, do func() error) {
	if w.ctx.Err() != nil {
		return
	}
	w.running.Go(func() {
		if !w.sleep(d) {
			return
		}
		if err := do(); err != nil {
			w.fail(err)
		}
	})
}

// clock is that of the control plane's records.
func (w *World) clock() time.Time { return time.Now().Add(time.Duration(w.jumped.Load())) }

// newID makes ids that sort by time and are the same for the same seed.
func (w *World) newID() (uuid.UUID, error) {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(time.Now().UnixMilli())<<16)
	binary.BigEndian.PutUint16(id[6:8], 0x7000|uint16(w.ids.Add(1)&0xfff))
	binary.BigEndian.PutUint64(id[8:], w.chance.bits("id")&^(3<<62)|1<<63)
	return id, nil
}

func (w *World) siteOf(id cluster.ID) *site {
	if i := slices.IndexFunc(w.sites, func(s *site) bool { return s.id == id }); i >= 0 {
		return w.sites[i]
	}
	return nil
}

// anyReplica returns one that lives, nil for none.
func (w *World) anyReplica(purpose string) *replica {
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for name := range w.replicas {
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return w.replicas[names[w.chance.among(purpose, len(names))]]
}

// opened notes that a session was opened.
func (w *World) opened(id cluster.ID, epoch int64) {
	w.mu.Lock()
	w.epochs[id] = max(w.epochs[id], epoch)
	w.mu.Unlock()
	w.history.Add(history.Event{Kind: history.Opened, Cluster: id.String(), Epoch: epoch})
}

func (w *World) newest(id cluster.ID) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.epochs[id]
}
