// Package app builds the agent: it creates the stages, connects them, starts them in order and stops them in reverse.
package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/seatrial/seatrial/agent/admit"
	"github.com/seatrial/seatrial/agent/catalog"
	"github.com/seatrial/seatrial/agent/collect"
	"github.com/seatrial/seatrial/agent/config"
	"github.com/seatrial/seatrial/agent/examine"
	"github.com/seatrial/seatrial/agent/follow"
	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/launch"
	"github.com/seatrial/seatrial/agent/link"
	"github.com/seatrial/seatrial/agent/lookout"
	"github.com/seatrial/seatrial/agent/outbox"
	"github.com/seatrial/seatrial/agent/subject"
	"github.com/seatrial/seatrial/agent/tail"
	"github.com/seatrial/seatrial/agent/watch"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	"github.com/seatrial/seatrial/proto/runspec"
)

// Creates under way at the same time; the control plane is told as credit.
const maxStarts = 20

// Main reads the configuration, runs the agent until a signal and returns the exit code. `ready URL` only asks another agent whether it is.
func Main(args []string, version string) int {
	if len(args) == 2 && args[0] == "ready" { // what `helm test` runs
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if err := Ready(ctx, args[1], os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "seatrial-agent: %v\n", err)
			return 1
		}
		return 0
	}
	cfg, err := config.Parse(args, os.Getenv, os.Stderr)
	if err != nil {
		fmt.Fprintf(os.Stderr, "seatrial-agent: the configuration is not complete:\n%v\n", err)
		return 2
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel))
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	klog.SetSlogLogger(log.With("component", "client-go"))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, cfg, version, log); err != nil && !errors.Is(err, context.Canceled) {
		log.Error("agent ended", "error", err)
		return 1
	}
	return 0
}

// stages are what runs once the agent is enrolled.
type stages struct {
	link    *link.Link
	subject *subject.Observer
	watch   *watch.Watcher
	outbox  *outbox.Outbox
	launch  *launch.Launcher
	collect *collect.Server
	catalog *catalog.Catalog // nil in a cluster without documents
	lookout *lookout.Lookout
	examine *examine.Examiner
}

// demands says what has to be signed, so that nobody has to guess it from what is missing.
func demands(signed runspec.Policy, log *slog.Logger) {
	if !signed.Demands() {
		log.Warn("signatures are not demanded: whatever the control plane asks for runs within the other rules")
		return
	}
	log.Info("signatures are demanded: nothing runs that is not signed", "rules", signed.Sentences())
}

// Run enrols the agent and serves until the context ends.
func Run(ctx context.Context, cfg config.Config, version string, log *slog.Logger) error {
	client, err := kubeClient(cfg)
	if err != nil {
		return err
	}
	demands(cfg.Signed, log)
	health := newHealth(log.With("component", "health"), version)
	if err := health.start(ctx, cfg.Metrics); err != nil {
		return err
	}
	defer health.stop()

	vault := link.Vault{Secrets: client.Secrets(cfg.Namespace), Name: cfg.SecretName}
	dial := link.Options{
		Log: log.With("component", "link"), Address: cfg.ControlPlane, Version: version, Namespaces: cfg.RunNamespaces,
		Starts: maxStarts, OnState: health.link, Vault: vault, Rotate: cfg.Rotate, Rules: append(cfg.Rules.Sentences(), cfg.Signed.Sentences()...),
	}
	if dial.TLS, err = transport(cfg); err != nil {
		return err
	}
	identity, err := enrol(ctx, client, vault, dial, cfg, log)
	if err != nil {
		return err
	}
	settings := jobspec.Settings{
		Agent: identity.ClusterID, RunnerImage: cfg.RunnerImage, RunnerPullPolicy: cfg.RunnerPullPolicy,
		SchedulingGrace: cfg.SchedulingGrace, Endpoint: cfg.Endpoint(), Pin: identity.Pin(),
	}
	dial.KubernetesVersion, err = again(ctx, log, func() (string, error) { return client.ServerVersion(ctx) })
	if err != nil {
		return err
	}
	settings.ImageVolume = delivery(ctx, cfg, client, vault, settings, dial.KubernetesVersion, log)
	dial.RunnerDelivery = config.DeliveryInitCopy
	if settings.ImageVolume {
		dial.RunnerDelivery = config.DeliveryImageVolume
	}
	s, err := build(cfg, client, identity, settings, dial, log)
	if err != nil {
		return err
	}
	health.attempts(s.outbox.Live)
	defer background(ctx, func(ctx context.Context) { trim(ctx, log) })()
	return s.serve(ctx)
}

// build connects the stages.
//
//	┌───────────────────────────────────────────────────────────────────────────────────────┐
//	│ FLOW                                                                                  │
//	│                                                                                       │
//	│ control plane ══► link ──► admit ──► launch ──► Job                     (a start)     │
//	│                    │ ╰───► outbox ──► collect ──► runner                (a cancel)    │
//	│                    ╰─────► launch                                       (a release)   │
//	│                                                                                       │
//	│ Job, pod ──► watch ───────────────╮                                                   │
//	│ runner ──► collect ──► (states) ──┴──► outbox ──► link ══► control plane (snapshots)  │
//	│                ╰─────► (logs, files) ───────────► link ══► control plane              │
//	│ pods under test ──► subject ──► outbox                               (their images)   │
//	│ pods/log ──► tail ──── (logs, when the runner could not) ─► link ══► control plane    │
//	│ objects ──► lookout ── (what happened to them, probes) ───► link ══► control plane    │
//	│ custom resources ◄──► catalog ◄───────────────────► link ══► control plane            │
//	│ pods/log ──► follow ── (logs of services) ────────────────► link ══► control plane    │
//	│ agent, API server ──► examine ── (when somebody asks) ────► link ══► control plane    │
//	└───────────────────────────────────────────────────────────────────────────────────────┘
func build(
	cfg config.Config, client *kube.Client, identity link.Identity, settings jobspec.Settings, dial link.Options, log *slog.Logger,
) (*stages, error) {
	s := &stages{link: link.New(dial, identity)}
	var err error
	if s.subject, err = observer(cfg, client, log); err != nil {
		return nil, err
	}
	locator := &late{}
	s.launch = launch.New(launch.Options{
		Log: log.With("component", "launch"), Client: client, Namespaces: cfg.RunNamespaces, Rules: cfg.Rules, Signed: cfg.Signed,
		Settings: settings, Locator: locator, Linger: cfg.Linger,
	})
	s.outbox = outbox.New(outbox.Options{
		Log: log.With("component", "outbox"), Reporter: s.link, Stopper: s.launch,
		Tailer:   &tail.Tailer{Log: log.With("component", "tail"), Uplink: s.link, Source: tail.Cluster{Client: client}},
		Follower: &follow.Follower{Log: log.With("component", "follow"), Uplink: s.link, Source: follow.Cluster{Client: client}},
		Observer: s.subject,
	})
	s.watch, err = watch.New(watch.Options{
		Log: log.With("component", "watch"), Client: client, Namespaces: cfg.RunNamespaces, Agent: identity.ClusterID,
		Sink: s.outbox, Grace: watch.Grace{Image: cfg.ImageGrace, Scheduling: cfg.SchedulingGrace},
	})
	if err != nil {
		return nil, fmt.Errorf("watch the cluster: %w", err)
	}
	locator.Locator = s.watch
	s.collect = collect.New(collect.Options{
		Log: log.With("component", "collect"), Listen: cfg.Listen, Certificate: identity.Certificate, Reviews: client.TokenReviews(),
		Pods: s.watch, Uplink: s.link, Attempts: s.outbox,
	})
	s.lookout = sight(cfg, client, s.link, log)
	s.examine = s.examiner(cfg, client, identity.ClusterID, examine.Options{
		Log: log.With("component", "examine"), Version: dial.Version, Kubernetes: dial.KubernetesVersion,
	}, dial.TLS)
	if len(cfg.Catalog) == 0 {
		return s, nil
	}
	s.catalog, err = catalog.New(catalog.Options{
		Log: log.With("component", "catalog"), Uplink: s.link, Namespaces: cfg.Catalog,
		Source: func(kind, namespace string) (catalog.Source, error) { return client.Documents(kind, namespace) },
	})
	if err != nil {
		return nil, fmt.Errorf("watch the documents of the catalog: %w", err)
	}
	return s, nil
}

// sight builds what looks at objects. It exists also where nothing may be looked at, and says so.
func sight(cfg config.Config, client *kube.Client, uplink lookout.Uplink, log *slog.Logger) *lookout.Lookout {
	o := lookout.Options{
		Log: log.With("component", "lookout"), Uplink: uplink, Cluster: lookout.API{Client: client}, Rules: lookout.Rules(cfg.Triggers),
		RunNamespaces: cfg.RunNamespaces,
	}
	for _, s := range cfg.Subjects {
		o.Scopes = append(o.Scopes, lookout.Scope{RunNamespace: s.RunNamespace, Namespace: s.Namespace})
	}
	return lookout.New(o)
}

func observer(cfg config.Config, client *kube.Client, log *slog.Logger) (*subject.Observer, error) {
	o := subject.Options{Log: log.With("component", "subject"), Client: client, RunNamespaces: cfg.RunNamespaces}
	for _, s := range cfg.Subjects {
		o.Scopes = append(o.Scopes, subject.Scope(s))
	}
	out, err := subject.New(o)
	if err != nil {
		return nil, fmt.Errorf("watch what is under test: %w", err)
	}
	return out, nil
}

// late is a launch.Locator that is known after the launcher: the watcher's findings may stop what the launcher made.
type late struct{ launch.Locator }

// serve starts the stages in order, waits and stops them in reverse.
func (s *stages) serve(ctx context.Context) error {
	// Stages outlive the signal until it is their turn to stop.
	base := context.WithoutCancel(ctx)
	var stops []func()
	defer func() {
		for _, stop := range slices.Backward(stops) {
			stop()
		}
	}()
	s.subject.Start(base)
	stops = append(stops, s.subject.Stop)
	s.outbox.Start(base, s.collect)
	stops = append(stops, s.outbox.Stop)
	s.watch.Start(base)
	stops = append(stops, s.watch.Stop)
	failed, err := s.collect.Start(base)
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}
	stops = append(stops, s.collect.Stop)
	stops = append(stops, background(base, s.launch.Run))
	linked := link.Stages{
		Start: s.outbox.Timed(admit.New(s.launch, maxStarts)), Cancel: s.outbox.Cancel, Resume: s.outbox.Resume, Release: s.launch.Release, Inventory: s.inventory,
		Again: s.outbox.Again,
	}
	if s.catalog != nil {
		linked.Documents = s.catalog.Changed
		s.catalog.Start(base)
		stops = append(stops, s.catalog.Stop)
	}
	linked.Watches, linked.Examine = s.lookout.Changed, s.examine.Examine
	s.lookout.Start(base)
	stops = append(stops, s.lookout.Stop)
	s.link.Start(base, linked)
	stops = append(stops, s.link.Stop)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// inventory lists the Jobs that the caches show, and those that were made and are not seen yet: what it lacks counts as deleted.
func (s *stages) inventory(ctx context.Context) ([]*agentv1.InventoryItem, error) {
	made := s.launch.Made() // asked first, so that no Job falls between
	items, err := s.watch.Inventory(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the Jobs: %w", err)
	}
	for _, item := range items {
		delete(made, item.GetAttemptId())
	}
	for id, ref := range made {
		items = append(items, &agentv1.InventoryItem{AttemptId: id, JobUid: ref.UID})
	}
	s.outbox.Mark(items)
	return items, nil
}

// background runs f and returns what stops it.
func background(ctx context.Context, f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func kubeClient(cfg config.Config) (*kube.Client, error) {
	rc, err := rest.InClusterConfig()
	if cfg.Kubeconfig != "" {
		rc, err = clientcmd.BuildConfigFromFlags("", cfg.Kubeconfig)
	}
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	client, err := kube.New(rc)
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	return client, nil
}

// transport returns the TLS configuration towards the control plane, nil for plaintext.
func transport(cfg config.Config) (*tls.Config, error) {
	if cfg.Insecure {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(cfg.ControlPlane)
	if err != nil {
		return nil, fmt.Errorf("control plane's address: %w", err)
	}
	out := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: host}
	if cfg.CA != "" {
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM([]byte(cfg.CA)) {
			return nil, errors.New("the control plane's CA holds no certificate in PEM: check controlPlane.ca of the agent's chart")
		}
	}
	return out, nil
}
