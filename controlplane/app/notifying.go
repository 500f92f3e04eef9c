package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/outbound"
)

// notifying starts what tells other systems of what happens.
func (p *parts) notifying(ctx context.Context) error {
	rules, err := p.Config.Outbound()
	if err != nil {
		return fmt.Errorf("rules of outbound requests: %w", err)
	}
	sender := notify.NewSender(notify.Config{Store: p.store, Client: outbound.New(rules), Log: p.log, Address: p.Config.PublicURL})
	p.webhooks = notify.New(p.store, sender, outbound.Rules{Allow: rules.Allow, Ports: rules.Ports})
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var over sync.WaitGroup
	over.Go(func() { sender.Run(ctx) })
	over.Go(func() {
		ticker := time.NewTicker(sweepResultsEvery)
		defer ticker.Stop()
		for {
			p.try(ctx, "old notices", sender.Forget)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	p.later("notifications", func(context.Context) error {
		cancel()
		over.Wait()
		return nil
	})
	return nil
}
