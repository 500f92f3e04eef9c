package trigger

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Forget removes events from long ago, and what is known of objects that are gone.
func (s *Service) Forget(ctx context.Context) error {
	const some = 1000
	for _, of := range []struct {
		what  string
		keep  time.Duration
		sweep func(ctx context.Context, before time.Time, limit int) (int, error)
	}{{"events", KeepEvents, s.store.SweepEvents}, {"marks of objects", keepMarks, s.store.SweepMarks}} {
		for ctx.Err() == nil {
			n, err := of.sweep(tenant.System(ctx), s.now().Add(-of.keep), some)
			if err != nil {
				return fmt.Errorf("remove old %s: %w", of.what, err)
			}
			if n < some {
				break
			}
		}
	}
	return nil
}
