package app

import (
	"context"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

// sweepResultsEvery is the pause between two sweeps of old results: partitions are made months ahead, and results go by the month.
const sweepResultsEvery = 6 * time.Hour

// retention starts what makes room for new results and removes those that are kept no longer. Each replica does so; the store has one of
// them do each part.
func (p *parts) retention(ctx context.Context) error {
	ctx, cancel := context.WithCancel(tenant.System(context.WithoutCancel(ctx)))
	var over sync.WaitGroup
	over.Go(func() {
		ticker := time.NewTicker(sweepResultsEvery)
		defer ticker.Stop()
		for {
			p.try(ctx, "results", p.sweepResults)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	p.later("the sweep of results", func(context.Context) error {
		cancel()
		over.Wait()
		return nil
	})
	return nil
}

func (p *parts) sweepResults(ctx context.Context) error {
	swept, err := p.store.SweepResults(ctx, time.Duration(p.Config.KeepResults)*24*time.Hour)
	if swept != (testcase.Swept{}) {
		p.log.InfoContext(ctx, "old results swept", "months_made", swept.Months, "months_dropped", swept.Dropped, "results", swept.Results,
			"strips", swept.Strips)
	}
	return err //nolint:wrapcheck // what was swept is said where it is logged
}
