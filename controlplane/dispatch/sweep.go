package dispatch

import (
	"context"
	"time"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// SweepEvery is the pause between two sweeps of a replica.
const SweepEvery = 5 * time.Second

// Sweep lets begin what waits although it could run, until the context ends: the safety net for what is lost when a replica dies
// between the end of one run and the beginning of the next. Ticks come from a ticker of SweepEvery.
func (d *Dispatcher) Sweep(ctx context.Context, ticks <-chan time.Time) {
	ctx = tenant.System(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		effects, err := d.store.AdmitWaiting(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.ErrorContext(ctx, "sweep of the concurrency groups failed", "error", err)
		}
		for org, e := range effects {
			d.tell(ctx, org, e)
		}
	}
}
