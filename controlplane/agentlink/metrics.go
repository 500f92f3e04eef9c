package agentlink

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	sessions prometheus.Gauge
	commands *prometheus.CounterVec
	ignored  prometheus.Counter
	logBytes prometheus.Counter
	commits  prometheus.Histogram
	files    prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	m := promauto.With(r)
	return metrics{
		sessions: m.NewGauge(prometheus.GaugeOpts{Name: "seatrial_agent_sessions", Help: "Sessions of agents on this replica."}),
		commands: m.NewCounterVec(prometheus.CounterOpts{Name: "seatrial_commands_sent_total", Help: "Commands sent to agents."},
			[]string{"kind"}),
		ignored:  m.NewCounter(prometheus.CounterOpts{Name: "seatrial_agent_frames_ignored_total", Help: "Frames this version does not know."}),
		logBytes: m.NewCounter(prometheus.CounterOpts{Name: "seatrial_log_bytes_total", Help: "Log bytes received, decompressed."}),
		commits: m.NewHistogram(prometheus.HistogramOpts{
			Name: "seatrial_log_commit_seconds", Help: "Time to commit one group of log chunks.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12),
		}),
		files: m.NewCounter(prometheus.CounterOpts{Name: "seatrial_files_total", Help: "Reports and artifacts stored."}),
	}
}
