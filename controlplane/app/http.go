package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/certs"
	"github.com/seatrial/seatrial/controlplane/examine"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
	"github.com/seatrial/seatrial/controlplane/telemetry"
	"github.com/seatrial/seatrial/controlplane/workflow/schema"
	"github.com/seatrial/seatrial/ui/web"
	"github.com/seatrial/seatrial/ui/web/view"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	readyTimeout  = 5 * time.Second
	maxHeader     = 64 << 10
)

// serveHTTP starts pages, API, health and metrics.
func (p *parts) serveHTTP(ctx context.Context) error {
	handler, err := p.handler()
	if err != nil {
		return err
	}
	var secure *tls.Config
	if p.Config.TLSCert != "" {
		files, err := certs.OpenFiles(p.Config.TLSCert, p.Config.TLSKey, time.Now, p.log)
		if err != nil {
			return fmt.Errorf("--tls-cert: %w", err)
		}
		secure = files.TLS()
	}
	if p.Config.MetricsListen != "" && p.Config.MetricsListen != p.Config.Listen {
		if _, err := p.listenHTTP(ctx, p.metricsHandler(), p.Config.MetricsListen, "metrics-listen", nil); err != nil {
			return err
		}
	}
	addr, err := p.listenHTTP(ctx, handler, p.Config.Listen, "listen", secure)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(p.Out, "Seatrial is ready: %s (agents: %s)\n", p.Config.PublicURL, p.Config.AgentAddress); err != nil {
		p.log.WarnContext(ctx, "nobody was told of the start", "error", err)
	}
	p.log.InfoContext(ctx, "ready", "http", addr.String(), "agents", p.port.addr.String(), "version", p.Version)
	if p.Ready != nil {
		p.Ready(addr, p.port.addr)
	}
	return nil
}

func (p *parts) listenHTTP(ctx context.Context, h http.Handler, address, flag string, secure *tls.Config) (net.Addr, error) {
	lis, err := listen(ctx, address, flag)
	if err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC clients behind a proxy that ends TLS
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, Protocols: protocols,
		TLSConfig: secure, ErrorLog: slog.NewLogLogger(p.log.With("component", "http").Handler(), slog.LevelDebug),
	}
	p.later("HTTP", func(ctx context.Context) error {
		if err := server.Shutdown(ctx); err != nil {
			return errors.Join(err, server.Close())
		}
		return nil
	})
	p.serve(func() error {
		serve := func() error { return server.Serve(lis) }
		if secure != nil {
			serve = func() error { return server.ServeTLS(lis, "", "") }
		}
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP on %s: %w", lis.Addr(), err)
		}
		return nil
	})
	return lis.Addr(), nil
}

// handler routes all that the HTTP port serves.
func (p *parts) handler() (http.Handler, error) {
	run := p.run
	calls, err := api.New(api.Options{
		Catalog: p.store, Applier: p.catalog, History: p.store, Fleet: p.store, Enroller: p.auth, Runner: run, Queues: run, Examiner: &examine.Examiner{Store: p.store, Bus: p.bus}, Releases: p.releases, Sharer: p.share, Bundles: p.bundles, Tests: p.tests, Insight: p.insight, Searcher: p.search, Triggers: p.triggers, Gate: p.gate, Webhooks: p.webhooks, Schedules: p.schedules, Accounts: p.auth, Origins: p.store, Syncer: p.mirror, People: p.people, Access: p.access, Audit: p.store, Bus: p.bus, Blobs: p.blobs,
		Log: p.log, Cookie: view.SessionCookie, PublicURL: p.Config.PublicURL, Version: p.Version, Install: p.install(), Draining: p.draining,
	})
	if err != nil {
		return nil, fmt.Errorf("build API: %w", err)
	}
	pages, err := p.pages(run, calls)
	if err != nil {
		return nil, fmt.Errorf("build pages: %w", err)
	}
	mux := http.NewServeMux()
	for _, path := range api.Paths() {
		mux.Handle(path, calls)
	}
	documents, err := documentSchema()
	if err != nil {
		return nil, err
	}
	mux.HandleFunc("POST "+api.HooksPath+"{receiver}", p.hook)
	mux.Handle("GET "+schema.Path, documents)
	mux.Handle("GET "+openAPIPath, openAPI())
	mux.Handle("GET "+key.Path+"{organization}", publicKeys(p.bundles, p.log))
	mux.Handle("/", pages)
	observed := telemetry.HTTP(mux, p.metrics, p.traces)
	outer := http.NewServeMux()
	outer.HandleFunc("GET /healthz", p.healthy)
	outer.HandleFunc("GET /readyz", p.ready)
	if p.Config.MetricsListen == p.Config.Listen {
		outer.Handle("GET /metrics", p.metricsHandler())
	}
	outer.Handle("/", bounded(observed, bodyTimeout))
	return behind(p.Config.Trusted(), outer), nil
}

func (p *parts) pages(run runner, calls http.Handler) (http.Handler, error) {
	a, err := newPages(p, run)
	if err != nil {
		return nil, err
	}
	return web.New(web.Options{ //nolint:wrapcheck // the caller says what for
		Sessions: a, Door: a, Account: p.auth, Tokens: p.auth, People: p.people, Access: p.access, SSO: a, History: a, Launcher: a, Catalog: a, Origins: p.store, Repositories: p.mirror, Fleet: a, Releases: p.releases, Snapshots: p.share, Schedules: p.schedules, Triggers: p.triggers, Webhooks: p.webhooks, Tests: p.tests, Insight: p.insight, Search: p.search, Outlook: p.outlook, Audit: p.store, Logs: a, Events: p.bus, Log: p.log,
		PublicURL: p.Config.PublicURL, Draining: p.draining, Retention: p.kept(), API: calls,
	})
}

func (p *parts) metricsHandler() http.Handler {
	return promhttp.HandlerFor(p.metrics, promhttp.HandlerOpts{Registry: p.metrics})
}

// healthy says that the process answers.
func (p *parts) healthy(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") }

// ready says whether requests should come here: not once a stop has begun, and not while the database is away.
func (p *parts) ready(w http.ResponseWriter, r *http.Request) {
	select {
	case <-p.draining:
		answer(w, http.StatusServiceUnavailable, "stopping")
		return
	default:
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	// The cheapest question there is: a row that cannot exist.
	if _, err := p.store.AgentIdentity(ctx, uuid.Nil); err != nil && !fault.Is(err, fault.NotFound) {
		p.log.WarnContext(ctx, "not ready", "error", err)
		answer(w, http.StatusServiceUnavailable, "the database does not answer")
		return
	}
	answer(w, http.StatusOK, "ready")
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text + "\n")) //nolint:gosec // G705: plain text, and the browser is told not to guess
}
