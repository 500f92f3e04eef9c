// Package app builds the control plane from its parts, starts them in order and stops them in reverse. It decides nothing else.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/catalog"
	"github.com/seatrial/seatrial/controlplane/config"
	"github.com/seatrial/seatrial/controlplane/dispatch"
	"github.com/seatrial/seatrial/controlplane/federate"
	"github.com/seatrial/seatrial/controlplane/gate"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/intake"
	"github.com/seatrial/seatrial/controlplane/mirror"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/people"
	"github.com/seatrial/seatrial/controlplane/release/assess"
	"github.com/seatrial/seatrial/controlplane/release/outlook"
	"github.com/seatrial/seatrial/controlplane/release/share"
	"github.com/seatrial/seatrial/controlplane/release/sign"
	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/search"
	"github.com/seatrial/seatrial/controlplane/secretbox"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/telemetry"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
	"github.com/seatrial/seatrial/controlplane/trigger"
)

// stopTimeout bounds a stop beyond the time that agents have to move.
const stopTimeout = 15 * time.Second

// Options are what the program gets from outside.
type Options struct {
	Config  config.Config
	Version string
	Out     io.Writer // what is shown to a person: the address, and once the first credentials
	Log     io.Writer
	// Ready is told the addresses once both ports listen; it may be nil.
	Ready func(http, agents net.Addr)
}

// parts are what has been built so far, and how to stop it.
type parts struct {
	Options
	log      *slog.Logger
	metrics  *prometheus.Registry
	traces   trace.TracerProvider
	stops    []stop
	store    *store.Store
	auth     *auth.Auth
	people   *people.Service
	access   *federate.Service
	bus      hints
	blobs    blobs
	port     agentPort
	link     *agentlink.Server
	run      *dispatch.Dispatcher
	catalog  *catalog.Catalog
	mirror   *mirror.Mirror
	releases *assess.Service
	share    *share.Service
	bundles  *sign.Service
	tests    *board.Board
	insight  *insight.Service
	search   *search.Service
	outlook  *outlook.Service

	schedules *schedule.Service
	triggers  *trigger.Service
	webhooks  *notify.Service
	sender    *notify.Sender
	gate      *gate.Service
	draining  chan struct{}
	failed    chan error // of what serves; room for each
	serving   sync.WaitGroup
}

type stop struct {
	what string
	do   func(context.Context) error
}

// Run runs the control plane until the context ends and returns when everything has stopped.
//
//	people, pipelines                                         clusters
//	      │ HTTP                                                  │ gRPC over TLS
//	┌─────▼──────┐  ┌──────────┐  assignment + command  ┌─────────▼─┐
//	│ api  web   ├─►│ dispatch ├──────────┐   ┌────────►│ agentlink │
//	└─────┬──────┘  └──────────┘          │   │ commands└─────┬─────┘
//	      │ reads                         ▼   │               │ reports, logs, files
//	      │                           ┌───────┴─┐       ┌─────▼─────┐
//	      ├──────────────────────────►│  store  │◄──────┤  intake   │
//	      │                           └─────────┘       └─────┬─────┘
//	      └──────────────────────────►   blobs   ◄────────────┘
//
// Whoever changes a record publishes a hint on the bus; agentlink, api and web wake up by it.
func Run(ctx context.Context, o Options) (err error) {
	p := &parts{Options: o, metrics: telemetry.Metrics(), draining: make(chan struct{}), failed: make(chan error, 3)}
	defer func() { err = errors.Join(err, p.stop(context.WithoutCancel(ctx))) }()
	for _, step := range []func(context.Context) error{
		p.telemetry,  // log, metrics, traces
		p.folder,     // the data folder, for this process alone
		p.diagnose,   // what lets the operator look into the process
		p.records,    // store, auth; at the first start the first organization
		p.surrounds,  // bus, blobs, certificate of the agents' port
		p.executions, // dispatch, catalog, webhooks, mirror
		p.serveAgent, // intake, agentlink
		p.sweep,      // releases; what makes up for lost hints
		p.scheduling, // what is due
		p.triggering, // what happens
		p.gating,     // forges that hold deployments back
		p.notifying,  // what others want to hear of
		p.retention,  // months of results
		p.serveHTTP,  // api, web, health, metrics
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		p.log.InfoContext(ctx, "stopping")
		return nil
	case err := <-p.failed:
		return err
	}
}

// later registers how to stop what was just started.
func (p *parts) later(what string, do func(context.Context) error) {
	p.stops = append(p.stops, stop{what, do})
}

// stop stops everything in the reverse of the order of starting.
func (p *parts) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.Config.Drain+stopTimeout)
	defer cancel()
	close(p.draining)
	var errs []error
	for i := len(p.stops) - 1; i >= 0; i-- {
		if err := p.stops[i].do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", p.stops[i].what, err))
		}
	}
	p.serving.Wait()
	return errors.Join(errs...)
}

// serve runs something that serves until it is stopped.
func (p *parts) serve(run func() error) {
	p.serving.Go(func() {
		if err := run(); err != nil {
			p.failed <- err
		}
	})
}

func (p *parts) telemetry(ctx context.Context) error {
	level, err := p.Config.Level()
	if err != nil {
		return fmt.Errorf("log level: %w", err)
	}
	p.log = telemetry.Log(p.Log, p.Config.LogFormat, level)
	traces, flush, err := telemetry.Traces(ctx, p.Config.OTLPEndpoint, "seatrial-controlplane", p.Version)
	if err != nil {
		return fmt.Errorf("traces: %w", err)
	}
	p.traces = traces
	p.later("traces", flush)
	return nil
}

// records opens the store and, at the first start, fills it.
func (p *parts) records(ctx context.Context) error {
	keys, err := Keys(p.Config)
	if err != nil {
		return err
	}
	box := secretbox.New(keys)
	records, err := store.Open(ctx, p.Config.Database, store.WithReissue(dispatch.Reissue), store.WithSystem(p.Config.DatabaseSystem),
		store.WithQuota(p.Config.Quota), store.WithSecrets(box))
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	p.store = records
	p.later("database", func(context.Context) error { return records.Close() })
	if role := records.Unguarded(); role != "" {
		p.log.WarnContext(ctx, "the database role sees through row level security, so only the program keeps organizations apart; "+
			"connect as a role that is no superuser and has no BYPASSRLS", "role", role)
	}
	n, err := records.SealSettings(ctx)
	if err != nil {
		return fmt.Errorf("encrypt the stored secrets: %w", err)
	}
	if n > 0 {
		p.log.InfoContext(ctx, "secrets that an earlier version stored in plain text are encrypted now", "secrets", n)
	}
	if p.auth, err = auth.New(ctx, auth.Config{
		Accounts: records, Agents: records, Keys: records, Bus: laterBus{p}, Log: p.log,
		Proxied: p.Config.InsecureHTTP && len(p.Config.TrustedProxies) == 0, // plaintext is for a proxy that ends TLS, and hides who comes
	}); err != nil {
		return fmt.Errorf("load the keys: %w", err)
	}
	p.people = people.New(records, p.auth, nil, p.log)
	if err := p.federation(box); err != nil {
		return err
	}
	first, created, err := p.auth.Bootstrap(ctx, p.Config.AdminEmail, p.Config.AdminPassword)
	if err != nil {
		return fmt.Errorf("make the first organization: %w", err)
	}
	if created {
		return p.introduce(first)
	}
	return nil
}

// federation builds what asks the issuers of others.
func (p *parts) federation(box *secretbox.Box) error {
	out, err := p.Config.Outbound()
	if err != nil {
		return err //nolint:wrapcheck // it names the flag
	}
	out.MaxBody = federate.MaxBody
	p.access = federate.New(federate.Config{Store: p.store, Box: box, Secrets: p.auth, Client: outbound.New(out), Log: p.log})
	return nil
}

// laterBus is the bus for what is built before it.
type laterBus struct{ *parts }

// Publish implements auth.Bus.
func (l laterBus) Publish(ctx context.Context, topic string) {
	if l.bus != nil {
		l.bus.Publish(ctx, topic)
	}
}

// introduce shows the credentials of the first start. They are shown before anything else can fail, because nobody can show them
// again.
func (p *parts) introduce(first auth.First) error {
	password := first.Password
	if p.Config.AdminPassword != "" {
		password = "(as given)"
	}
	_, err := fmt.Fprintf(p.Out, "\nFirst start: this is shown once.\n\n  E-mail     %s\n  Password   %s\n  API token  %s\n\n  seatrial login --server %s --token %s\n\n",
		first.Email, password, first.Token, p.Config.PublicURL, first.Token)
	if err != nil {
		return fmt.Errorf("show the first credentials: %w", err)
	}
	return nil
}

// serveAgent starts the port of the agents.
func (p *parts) serveAgent(ctx context.Context) error {
	in, err := intake.New(p.store, p.blobs, p.bus, p.log, intake.NewHops(p.metrics), intake.Limits{})
	if err != nil {
		return fmt.Errorf("build intake: %w", err)
	}
	timing := agentlink.Timing{Leave: p.Config.Drain}
	if p.Config.Drain > 0 {
		timing.Spread = p.Config.Drain * 2 / 3
	}
	p.link = agentlink.New(agentlink.Options{ //nolint:contextcheck // each call has a context of its own
		Log: p.log, Store: p.store, Identity: p.auth, Bus: p.bus, Intake: received{in}, Documents: p.mirror, Watches: p.triggers, Examinations: p.store, Metrics: p.metrics, Traces: p.traces,
		Gateway: gateway(), TLS: p.port.tls, Timing: timing,
	})
	lis, err := listen(ctx, p.Config.AgentListen, "agent-listen")
	if err != nil {
		return err
	}
	p.port.addr = lis.Addr()
	p.later("agents' port", func(ctx context.Context) error {
		p.link.Stop(ctx)
		return nil
	})
	outlive := context.WithoutCancel(ctx) // it ends with the server
	p.serve(func() error { return p.link.Serve(outlive, lis) })
	return nil
}

func (p *parts) install() api.Install {
	return api.Install{Chart: p.Config.AgentChart, Address: p.Config.AgentAddress, CA: p.port.ca}
}

// gateway names this replica.
func gateway() string {
	name, err := os.Hostname()
	if err != nil {
		name = "replica"
	}
	return name + "-" + uuid.NewString()[:8]
}

func listen(ctx context.Context, address, flag string) (net.Listener, error) {
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w; another process may hold the port", flag, err)
	}
	return lis, nil
}
