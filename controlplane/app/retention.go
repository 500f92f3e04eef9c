package app

import (
	"context"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/ui/web/view"
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

// kept says what is kept for how long, for the page that shows it.
func (p *parts) kept() []view.Kept {
	return []view.Kept{
		{What: "Results of tests", For: time.Duration(p.Config.KeepResults) * 24 * time.Hour, Set: "--keep-results of the control plane"},
		{What: "Results that are evidence for a release, and the newest of each workflow"},
		{What: "Executions with their logs, reports and artifacts"},
		{What: "Releases with their verdicts and waivers"},
		{What: "Documents of the catalog, in every revision"},
		{What: "What schedules have started, and missed", For: schedule.KeepFirings},
		{What: "Events, and what triggers made of them", For: trigger.KeepEvents},
		{What: "What was sent to webhooks", For: notify.KeepDeliveries},
		{What: "Snapshots of releases, for those who have the link", For: release.MaxShared, AtMost: true, Set: "whoever shares the release"},
		{What: "The audit log"},
	}
}
