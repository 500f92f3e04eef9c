package sim

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/integration/history"
)

// records is the store as one replica reaches it: every write stands between two points, and may fail or take its time.
type records struct {
	*store.Store
	w  *World
	by *replica
}

// write carries out a side effect.
func (r *records) write(effect string, do func() error) error {
	w := r.w
	if w.faulty() && w.chance.happens("store.slow", 0.2) {
		w.pause(r.by.dead, w.chance.within("store.slow.by", 0, 200*time.Millisecond))
	}
	if err := r.away(); err != nil {
		return err
	}
	err := w.around(r.by, effect, do)
	if err == errDead || err == errFailed { //nolint:errorlint // its own
		return fault.Wrap(fault.Unavailable, err, "the database cannot be reached")
	}
	return err
}

func (r *records) away() error {
	if r.by.gone() || r.w.storeAway.Load() || r.w.happens("store.error", r.w.plan.Store) {
		return fault.New(fault.Unavailable, "the database cannot be reached")
	}
	return nil
}

// CreateExecution implements dispatch.Store.
func (r *records) CreateExecution(ctx context.Context, n execution.New) (id execution.ID, existed bool, err error) {
	if r.w.mutants.NoKeys {
		n.Idempotency = ""
	}
	err = r.write("store.create-execution", func() error {
		id, existed, err = r.Store.CreateExecution(ctx, n)
		return err
	})
	return id, existed, err
}

// CancelExecution implements dispatch.Store.
func (r *records) CancelExecution(ctx context.Context, id execution.ID, reason string) (effects execution.Effects, err error) {
	err = r.write("store.cancel-execution", func() error {
		effects, err = r.Store.CancelExecution(ctx, id, reason)
		return err
	})
	return effects, err
}

// OpenSession implements agentlink.Store.
func (r *records) OpenSession(ctx context.Context, hello cluster.Hello) (epoch int64, err error) {
	err = r.write("store.open-session", func() error {
		if epoch, err = r.Store.OpenSession(ctx, hello); err == nil {
			r.w.opened(clusterOf(ctx), epoch)
		}
		return err
	})
	return epoch, err
}

// CloseSession implements agentlink.Store.
func (r *records) CloseSession(ctx context.Context, epoch int64) error {
	return r.write("store.close-session", func() error { return r.Store.CloseSession(ctx, epoch) })
}

// TouchSessions implements agentlink.Store.
func (r *records) TouchSessions(ctx context.Context, epochs map[cluster.ID]int64) (superseded, revoked []cluster.ID, err error) {
	err = r.write("store.touch-sessions", func() error {
		superseded, revoked, err = r.Store.TouchSessions(ctx, epochs)
		return err
	})
	return superseded, revoked, err
}

// TakeCommands implements agentlink.Store.
func (r *records) TakeCommands(ctx context.Context, epoch int64, limit int, resend, expiry time.Duration) (out []cluster.Command, err error) {
	said := epoch
	if r.w.mutants.Unfenced {
		epoch = r.w.newest(clusterOf(ctx))
	}
	err = r.write("store.take-commands", func() error {
		since := time.Now()
		if out, err = r.Store.TakeCommands(ctx, epoch, limit, resend, expiry); err == nil && len(out) > 0 {
			r.w.history.Add(history.Event{
				Kind: history.Acted, Cluster: clusterOf(ctx).String(), Epoch: said, Since: since, Name: "take commands",
			})
		}
		return err
	})
	if err == nil && r.w.mutants.FireAndForget {
		for _, c := range out {
			if _, err := r.Store.AckCommand(ctx, c.ID, cluster.Done, ""); err != nil {
				return nil, err //nolint:wrapcheck // a bug on purpose
			}
		}
	}
	return out, err
}

// AckCommand implements agentlink.Store.
func (r *records) AckCommand(ctx context.Context, id uuid.UUID, outcome cluster.Outcome, message string) (effects execution.Effects, err error) {
	err = r.write("store.ack-command", func() error {
		effects, err = r.Store.AckCommand(ctx, id, outcome, message)
		return err
	})
	return effects, err
}

// Reconcile implements agentlink.Store.
func (r *records) Reconcile(ctx context.Context, present []execution.AttemptID, grace time.Duration) (out execution.Reconciled, err error) {
	err = r.write("store.reconcile", func() error {
		out, err = r.Store.Reconcile(ctx, present, grace)
		return err
	})
	return out, err
}

// SaveReport implements intake.Store.
func (r *records) SaveReport(ctx context.Context, report execution.Report) (saved execution.Saved, err error) {
	err = r.write("store.save-report", func() error {
		saved, err = r.Store.SaveReport(ctx, report)
		return err
	})
	return saved, err
}

// AppendChunks implements intake.Store.
func (r *records) AppendChunks(ctx context.Context, chunks []execution.Chunk) (out []execution.StreamState, err error) {
	if r.w.mutants.EarlyAck && r.w.chance.happens("mutant.early-ack", 0.2) {
		for _, c := range chunks {
			out = append(out, execution.StreamState{Stream: c.Stream, Committed: c.End(), Final: c.Final != nil})
		}
		return out, nil
	}
	if r.w.mutants.Overlapping {
		if chunks, err = r.moved(ctx, chunks); err != nil {
			return nil, err
		}
	}
	err = r.write("store.append-chunks", func() error {
		out, err = r.Store.AppendChunks(ctx, chunks)
		return err
	})
	return out, err
}

// Streams implements intake.Store.
func (r *records) Streams(ctx context.Context, id execution.AttemptID) ([]execution.StreamState, error) {
	out, err := r.Store.Streams(ctx, id)
	if r.w.mutants.Overlapping {
		for i := range out {
			out[i].Committed = 0
		}
	}
	return out, err //nolint:wrapcheck // transparent
}

// moved makes chunks begin where their streams end.
func (r *records) moved(ctx context.Context, chunks []execution.Chunk) ([]execution.Chunk, error) {
	out := make([]execution.Chunk, len(chunks))
	ends := map[string]int64{}
	for i, c := range chunks {
		key := c.Attempt.String() + c.Stream
		if _, known := ends[key]; !known {
			states, err := r.Store.Streams(ctx, c.Attempt)
			if err != nil {
				return nil, err //nolint:wrapcheck // a bug on purpose
			}
			for _, s := range states {
				if s.Stream == c.Stream {
					ends[key] = s.Committed
				}
			}
		}
		c.Start = ends[key]
		ends[key] = c.End()
		out[i] = c
	}
	return out, nil
}

func clusterOf(ctx context.Context) cluster.ID {
	v, _ := tenant.FromContext(ctx)
	return v.Cluster
}
