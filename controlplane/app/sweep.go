package app

import (
	"context"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/dispatch"
	"github.com/seatrial/seatrial/controlplane/execution"
)

// sweepEvery is the pause between two sweeps: how late something is at most when a hint was lost or a replica died.
const sweepEvery = 5 * time.Second

// sweep starts the one thing of a replica that asks the store without having been told that something happened. What may take long is
// carried out beside it: the executions that steps ask for are started one after the other.
func (p *parts) sweep(ctx context.Context) error {
	p.run = dispatch.New(dispatch.Config{
		Store: p.store, Bus: p.bus, Log: p.log, Topics: dispatch.Topics{Agent: cluster.Topic, Execution: execution.Topic},
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	due := make(chan struct{}, 1)
	var over sync.WaitGroup
	over.Go(func() { p.everyNowAndThen(ctx, due) })
	over.Go(func() { p.calls(ctx, due) })
	p.later("the sweep", func(context.Context) error {
		cancel()
		over.Wait()
		return nil
	})
	return nil
}

// everyNowAndThen does what is quick, and says when it is time to look for calls.
func (p *parts) everyNowAndThen(ctx context.Context, due chan<- struct{}) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		p.try(ctx, "commands", p.link.Sweep)
		p.try(ctx, "concurrency groups", p.run.Sweep)
		select {
		case due <- struct{}{}:
		default: // it is still busy
		}
	}
}

// calls begins what steps ask for, after a hint and when it is due.
func (p *parts) calls(ctx context.Context, due <-chan struct{}) {
	hints, forget := p.bus.Subscribe(ctx, execution.CallsTopic)
	defer forget()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hints:
		case <-due:
		}
		p.try(ctx, "calls", p.run.Calls)
	}
}

func (p *parts) try(ctx context.Context, what string, do func(context.Context) error) {
	if err := do(ctx); err != nil && ctx.Err() == nil {
		p.log.ErrorContext(ctx, "sweep failed", "of", what, "error", err)
	}
}
