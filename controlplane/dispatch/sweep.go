package dispatch

import (
	"context"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Sweep lets begin what waits in a concurrency group although it could run: the safety net for what is lost when a replica dies between
// the end of one run and the beginning of the next.
func (d *Dispatcher) Sweep(ctx context.Context) error {
	ctx = tenant.System(ctx)
	effects, err := d.store.AdmitWaiting(ctx)
	for org, e := range effects {
		d.tell(ctx, org, e)
	}
	if err != nil {
		return fmt.Errorf("let begin what waits: %w", err)
	}
	return nil
}
