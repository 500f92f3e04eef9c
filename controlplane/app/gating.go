package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/gate"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
)

// gating starts what answers forges that hold deployments back, which receivers are asked about.
func (p *parts) gating(ctx context.Context) error {
	rules, err := p.Config.Outbound()
	if err != nil {
		return fmt.Errorf("rules of outbound requests: %w", err)
	}
	p.gate = gate.New(gate.Config{
		Store: p.store, Releases: p.releases, Client: outbound.New(rules), Rules: outbound.Rules{Allow: rules.Allow, Ports: rules.Ports}, Log: p.log,
		Address: p.Config.PublicURL,
		Viewer: func(ctx context.Context, org tenant.ID, team uuid.UUID, name string) (tenant.Viewer, error) {
			return starter.By{Organization: org, Team: team, Actor: name}.Viewer(ctx, p.store)
		},
	})
	p.triggers.Asked = func(ctx context.Context, r trigger.Receiver, d forge.Deployment) (bool, error) {
		return p.gate.Hold(ctx, r.ID, r.Name, d)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var over sync.WaitGroup
	over.Go(func() { p.gate.Run(ctx) })
	over.Go(func() {
		ticker := time.NewTicker(sweepResultsEvery)
		defer ticker.Stop()
		for {
			p.try(ctx, "old deployments", p.gate.Forget)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	p.later("deployments", func(context.Context) error {
		cancel()
		over.Wait()
		return nil
	})
	return nil
}
