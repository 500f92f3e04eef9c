package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/catalog"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/dispatch"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/mirror"
	"github.com/seatrial/seatrial/controlplane/mirror/git"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/release/assess"
	"github.com/seatrial/seatrial/controlplane/release/outlook"
	"github.com/seatrial/seatrial/controlplane/release/share"
	"github.com/seatrial/seatrial/controlplane/release/sign"
	"github.com/seatrial/seatrial/controlplane/search"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
	"github.com/seatrial/seatrial/controlplane/trigger"
)

// sweepEvery is the pause between two sweeps: how late something is at most when a hint was lost or a replica died.
const sweepEvery = 5 * time.Second

// executions builds what starts executions, and what keeps the catalog with clusters and repositories.
func (p *parts) executions(context.Context) error {
	rules, err := p.Config.Outbound()
	if err != nil {
		return fmt.Errorf("rules of outbound requests: %w", err)
	}
	p.run = dispatch.New(dispatch.Config{
		Store: p.store, Bus: p.bus, Log: p.log, Topics: dispatch.Topics{Agent: cluster.Topic, Execution: execution.Topic},
	})
	p.catalog = catalog.New(announced{p.store, p.bus})
	if err := p.telling(rules); err != nil {
		return err
	}
	p.triggers = trigger.New(p.store, starter.New(p.store, p.run), p.store, p.bus, p.log, nil)
	p.mirror = mirror.New(mirror.Config{
		Store: p.store, Apply: p.catalog, Run: p.run, Record: p.store, Git: git.New(rules), Bus: p.bus, Rules: outbound.Rules{Allow: rules.Allow, Ports: rules.Ports},
		Address: p.Config.PublicURL, Log: p.log,
	})
	p.mirror.Pushes = p.triggers
	return nil
}

// sweep starts the one thing of a replica that asks the store without having been told that something happened. What may take long is
// carried out beside it: the executions that steps ask for are started, and releases decided, one after the other.
func (p *parts) sweep(ctx context.Context) error {
	p.releases = assess.NewService(assess.Config{Store: p.store, Bus: p.bus, Log: p.log})
	p.bundles = sign.NewService(sign.Config{
		Store: p.store, Releases: p.releases, Log: p.log, PublicURL: p.Config.PublicURL, Version: p.Version,
	})
	p.share = share.New(share.Config{Store: p.store, Releases: p.releases, Secrets: p.auth, Log: p.log})
	p.tests = board.New(p.store, p.bus, p.log, nil)
	p.insight = insight.New(p.store, nil)
	p.search = search.New(p.store)
	p.outlook = outlook.New(p.store, nil)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	calls := longer{topic: execution.CallsTopic, due: make(chan struct{}, 1), what: "calls", do: p.run.Calls}
	releases := longer{topic: execution.EvidenceTopic, due: make(chan struct{}, 1), what: "releases", do: p.releases.Settle}
	repositories := longer{topic: mirror.Topic, due: make(chan struct{}, 1), what: "repositories", do: p.mirror.SweepRepositories}
	var over sync.WaitGroup
	names := longer{due: make(chan struct{}, 1), what: "what can be searched for", do: p.search.List}
	over.Go(func() { p.everyNowAndThen(ctx, calls, releases, repositories, names) })
	over.Go(func() { p.carryOut(ctx, names) })
	over.Go(func() { p.carryOut(ctx, repositories) })
	over.Go(func() { p.carryOut(ctx, calls) })
	over.Go(func() { p.carryOut(ctx, releases) })
	p.later("the sweep", func(context.Context) error {
		cancel()
		over.Wait()
		return nil
	})
	return nil
}

// longer is what may take long, and is carried out after a hint and when it is due.
type longer struct {
	topic string // of the hints; empty when it is never urgent
	due   chan struct{}
	what  string
	do    func(context.Context) error
}

// everyNowAndThen does what is quick, and says when it is time for the rest.
func (p *parts) everyNowAndThen(ctx context.Context, rest ...longer) {
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
		for _, l := range rest {
			select {
			case l.due <- struct{}{}:
			default: // it is still busy
			}
		}
	}
}

// carryOut does what may take long, one after the other.
func (p *parts) carryOut(ctx context.Context, l longer) {
	var hints <-chan struct{}
	if l.topic != "" {
		var forget func()
		hints, forget = p.bus.Subscribe(ctx, l.topic)
		defer forget()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-hints:
		case <-l.due:
		}
		p.try(ctx, l.what, l.do)
	}
}

func (p *parts) try(ctx context.Context, what string, do func(context.Context) error) {
	if err := do(ctx); err != nil && ctx.Err() == nil {
		p.log.ErrorContext(ctx, "sweep failed", "of", what, "error", err)
	}
}
