package tenant

import "github.com/seatrial/seatrial/controlplane/fault"

// Quota is how much of the instance an organization may use. Zero means without limit.
type Quota struct {
	Runs     int64 // at once
	Queued   int64 // runs that wait
	LogBytes int64 // of a day, in UTC
	Clusters int64
	Calls    int64 // of the API, a minute
}

// Or fills in what an organization has no quota of its own for.
func (q Quota) Or(of Quota) Quota {
	fill := func(own *int64, otherwise int64) {
		if *own == 0 {
			*own = otherwise
		}
	}
	fill(&q.Runs, of.Runs)
	fill(&q.Queued, of.Queued)
	fill(&q.LogBytes, of.LogBytes)
	fill(&q.Clusters, of.Clusters)
	fill(&q.Calls, of.Calls)
	return q
}

// Usage is one quota and how much of it is used.
type Usage struct {
	Name  string // on command lines
	What  string // in words
	Used  int64
	Limit int64 // zero means without limit
}

// Usages lists the quotas with their use.
func Usages(quota, use Quota) []Usage {
	return []Usage{
		{"runs", "runs at once", use.Runs, quota.Runs},
		{"queued", "runs that wait", use.Queued, quota.Queued},
		{"log-bytes", "bytes of logs today (UTC)", use.LogBytes, quota.LogBytes},
		{"clusters", "clusters", use.Clusters, quota.Clusters},
		{"api-calls", "calls of the API in a minute", use.Calls, quota.Calls},
	}
}

// Admit returns fault.Exhausted when more runs would exceed a quota.
func (q Quota) Admit(use Quota, runs int) error {
	const ask = "Whoever runs this control plane can raise it; see the settings for what is used."
	switch {
	case q.Queued > 0 && use.Queued+int64(runs) > q.Queued:
		return fault.New(fault.Exhausted, "the organization may have %d runs waiting: %d wait, and this would add %d", q.Queued, use.Queued, runs).
			WithHint("Wait until some have begun, or cancel some. " + ask)
	case q.LogBytes > 0 && use.LogBytes >= q.LogBytes:
		return fault.New(fault.Exhausted, "the organization has used up its %d bytes of logs of today", q.LogBytes).
			WithHint("What runs goes on; new runs may begin after midnight UTC. " + ask)
	}
	return nil
}
