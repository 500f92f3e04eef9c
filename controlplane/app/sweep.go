package app

import (
	"context"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/dispatch"
	"github.com/seatrial/seatrial/controlplane/execution"
)

// sweepEvery is the pause between two sweeps: how late something is at most when a hint was lost or a replica died.
const sweepEvery = 5 * time.Second

// sweep starts the one thing of a replica that asks the store without having been told that something happened.
func (p *parts) sweep(ctx context.Context) error {
	p.run = dispatch.New(dispatch.Config{
		Store: p.store, Bus: p.bus, Log: p.log, Topics: dispatch.Topics{Agent: cluster.Topic, Execution: execution.Topic},
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	over := make(chan struct{})
	go func() {
		defer close(over)
		ticker := time.NewTicker(sweepEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				p.sweepOnce(ctx)
			}
		}
	}()
	p.later("the sweep", func(context.Context) error {
		cancel()
		<-over
		return nil
	})
	return nil
}

func (p *parts) sweepOnce(ctx context.Context) {
	for _, of := range []struct {
		what string
		do   func(context.Context) error
	}{{"commands", p.link.Sweep}, {"concurrency groups", p.run.Sweep}} {
		if err := of.do(ctx); err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "sweep failed", "of", of.what, "error", err)
		}
	}
}
