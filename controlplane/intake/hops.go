package intake

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// Hops counts where the time goes between a trigger and its stored result, for attempts whose whole way was seen.
type Hops struct{ seconds *prometheus.HistogramVec }

// NewHops returns the counters, and adds them to a registry.
func NewHops(r prometheus.Registerer) *Hops {
	h := &Hops{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "seatrial_attempt_hop_seconds",
		Help: "Time from the creation of an attempt to its stored result (total) and its parts: queue until the start command is sent, " +
			"job until the Job exists, schedule until its pod has a node, container until the runner has attached, run until its result, " +
			"link for everything between control plane and agent.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 20), // to some nine minutes
	}, []string{"hop"})}
	r.MustRegister(h.seconds)
	return h
}

// observe counts an attempt. The parts are by two clocks and told by an agent: what does not add up is not counted.
func (h *Hops) observe(hops *execution.Hops, way *execution.Way) {
	if hops == nil || way == nil {
		return
	}
	parts := map[string]time.Duration{
		"queue": way.Queue, "job": hops.Job, "schedule": hops.Schedule, "container": hops.Container, "run": hops.Run,
	}
	link := way.Total
	for _, took := range parts {
		link -= took
		if took < 0 || took > way.Total {
			return
		}
	}
	if link < 0 {
		return
	}
	parts["link"], parts["total"] = link, way.Total
	for hop, took := range parts {
		h.seconds.WithLabelValues(hop).Observe(took.Seconds())
	}
}
