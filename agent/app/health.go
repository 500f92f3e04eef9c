package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seatrial/seatrial/agent/link"
)

// health serves /healthz, /readyz and /metrics. An agent that is not connected is alive: a restart would mend nothing.
type health struct {
	log       *slog.Logger
	registry  *prometheus.Registry
	connected *prometheus.GaugeVec
	server    *http.Server
	done      chan struct{}

	mu    sync.Mutex
	state link.State
	why   error
}

func newHealth(log *slog.Logger, version string) *health {
	h := &health{
		log: log, registry: prometheus.NewRegistry(), state: link.StateNotEnrolled, done: make(chan struct{}),
		connected: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "seatrial_agent_connection", Help: "1 for the state that the connection to the control plane is in.",
		}, []string{"state"}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "seatrial_agent_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	h.registry.MustRegister(h.connected, info, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	h.link(link.StateNotEnrolled, nil)
	return h
}

// link notes the state of the connection.
func (h *health) link(s link.State, why error) {
	h.mu.Lock()
	h.state, h.why = s, why
	h.mu.Unlock()
	for _, one := range []link.State{link.StateNotEnrolled, link.StateDisconnected, link.StateConnected, link.StateRevoked} {
		value := 0.0
		if one == s {
			value = 1
		}
		h.connected.WithLabelValues(string(one)).Set(value)
	}
}

// attempts adds the number of attempts that are not delivered.
func (h *health) attempts(live func() int) {
	h.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "seatrial_agent_attempts", Help: "Attempts that run or are not delivered in full.",
	}, func() float64 { return float64(live()) }))
}

func (h *health) start(ctx context.Context, address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen for health checks: %w", err)
	}
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(h.done)
		if err := h.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			h.log.Error("health checks ended", "error", err)
		}
	}()
	return nil
}

func (h *health) stop() {
	_ = h.server.Close()
	<-h.done
}

func (h *health) ready(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	state, why := h.state, h.why
	h.mu.Unlock()
	if state != link.StateConnected {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = fmt.Fprintln(w, state)
	if why != nil {
		_, _ = fmt.Fprintln(w, why)
	}
}
