package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/bus"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/dispatch"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/intake"
)

// replica is one process of the control plane.
type replica struct {
	w        *World
	name     string
	records  *records
	dispatch *dispatch.Dispatcher
	link     *agentlink.Server
	listener *listener
	dead     chan struct{}
	once     sync.Once
	dying    sync.Once
	stopping context.CancelFunc // of the sweep
	running  sync.WaitGroup
}

// sweepEvery is twice as long as in the program.
const sweepEvery = 10 * time.Second

// timing is that of the program where it matters to a fault, and shorter where only time would pass.
func timing() agentlink.Timing {
	return agentlink.Timing{Inventory: time.Minute, Revoked: time.Minute, Age: 100 * time.Second, Leave: 5 * time.Second}
}

// startReplica starts a process under a name.
func (w *World) startReplica(name string) error {
	r := &replica{w: w, name: name, listener: newListener(), dead: make(chan struct{})}
	r.records = &records{Store: w.store, w: w, by: r}
	hints := hints{w.bus, w}
	in, err := intake.New(r.records, nil, hints, w.log.With("replica", name), intake.NewHops(prometheus.NewRegistry()), intake.Limits{})
	if err != nil {
		return fmt.Errorf("build intake: %w", err)
	}
	r.dispatch = dispatch.New(dispatch.Config{
		Store: r.records, Bus: hints, Log: w.log.With("replica", name), NewID: w.newID, Clock: w.clock,
		Topics: dispatch.Topics{Agent: cluster.Topic, Execution: execution.Topic},
	})
	r.link = agentlink.New(agentlink.Options{
		Log: w.log.With("replica", name), Store: r.records, Identity: identities{w}, Bus: hints, Intake: received{in}, Gateway: name, Timing: timing(),
	})
	ctx, cancel := context.WithCancel(w.ctx)
	r.stopping = cancel
	r.running.Go(func() {
		if err := r.link.Serve(w.ctx, r.listener); err != nil && !r.gone() {
			w.log.Error("replica does not serve", "error", err)
		}
	})
	r.running.Go(func() { r.sweep(ctx) })
	w.mu.Lock()
	w.replicas[name] = r
	w.mu.Unlock()
	return nil
}

// received fits intake to agentlink.
type received struct{ *intake.Intake }

// File implements agentlink.Intake.
func (r received) File(ctx context.Context, f execution.File, body agentlink.Reader) error {
	return r.Intake.File(ctx, f, body) //nolint:wrapcheck // transparent
}

func (r *replica) host() string { return r.name }

func (r *replica) gone() bool {
	select {
	case <-r.dead:
		return true
	default:
		return false
	}
}

// sweep does what the program does from time to time.
func (r *replica) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if r.away() != nil {
			continue
		}
		if err := r.link.Sweep(ctx); err != nil {
			r.w.log.Warn("sweep failed", "error", err)
		}
	}
}

func (r *replica) away() error { return r.records.away() }

// kill ends the process as SIGKILL does: from this moment it changes nothing and says nothing. It comes back after a while.
func (r *replica) kill() { r.end(0) }

// end ends the process, after it had time to say goodbye when grace is not zero. Another one takes its name.
func (r *replica) end(grace time.Duration) {
	r.once.Do(func() {
		w := r.w
		w.mu.Lock()
		if w.replicas[r.name] == r {
			delete(w.replicas, r.name)
		}
		w.mu.Unlock()
		if grace == 0 {
			r.die()
		}
		w.running.Go(func() {
			ctx, cancel := context.WithTimeout(w.ctx, grace)
			defer cancel()
			r.link.Stop(ctx)
			r.die()
			r.stopping()
			r.running.Wait()
		})
		w.later(w.chance.within("replica.down", time.Second, 15*time.Second), func() error { return w.startReplica(r.name) })
	})
}

func (r *replica) die() {
	r.dying.Do(func() {
		close(r.dead)
		_ = r.listener.Close() // never fails
		r.w.network.cutAll(r)
	})
}

// hints is a bus that loses hints while the plan says so.
type hints struct {
	*bus.Local
	w *World
}

// Publish implements the buses of the stages.
func (h hints) Publish(ctx context.Context, topic string) {
	if !h.w.deafBus.Load() {
		h.Local.Publish(ctx, topic)
	}
}
