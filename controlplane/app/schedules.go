package app

import (
	"context"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/starter"
)

// scheduling starts what starts schedules. It sleeps until the next is due, and looks at least as often as other sweeps: a schedule may be
// new, and another replica may have died.
func (p *parts) scheduling(ctx context.Context) error {
	p.schedules = schedule.New(p.store, func() schedule.Starter { return starter.New(starter.Remembering(p.store), p.run.Remembering()) }, p.log, nil)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var over sync.WaitGroup
	over.Go(func() { p.whenDue(ctx) })
	over.Go(func() {
		ticker := time.NewTicker(sweepResultsEvery)
		defer ticker.Stop()
		for {
			p.try(ctx, "old firings", p.schedules.Forget)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	p.later("schedules", func(context.Context) error {
		cancel()
		over.Wait()
		return nil
	})
	return nil
}

func (p *parts) whenDue(ctx context.Context) {
	for {
		wait := sweepEvery
		p.try(ctx, "schedules", func(ctx context.Context) error {
			next, err := p.schedules.Sweep(ctx)
			if err == nil && !next.IsZero() {
				wait = min(wait, max(time.Until(next), 0))
			}
			return err //nolint:wrapcheck // says what went wrong
		})
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
