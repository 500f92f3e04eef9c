package cluster

import (
	"fmt"
	"time"
)

// ReasonQueue is the machine-readable cause of an attempt that waits for its turn in a cluster.
const ReasonQueue = "Queue"

// MaxRunsLimit is the most that a cluster may be told to have under way at once: more than that many pods of tests no cluster carries.
const MaxRunsLimit = 100_000

// Drain is why nothing begins in a cluster. What is under way there goes on to its end.
type Drain struct {
	Since  time.Time // zero for a cluster that is not drained
	By     string
	Reason string
}

// On reports whether the cluster is drained.
func (d Drain) On() bool { return !d.Since.IsZero() }

// Words says who drains the cluster, since when and why, as a part of a sentence.
func (d Drain) Words() string {
	out := "drained since " + d.Since.UTC().Format(time.DateTime+" UTC")
	if d.By != "" {
		out += " by " + d.By
	}
	if d.Reason != "" {
		out += " (" + d.Reason + ")"
	}
	return out
}

// Place is where an attempt stands that waits for its turn.
type Place struct {
	Number int   // 1 for the one that is next; 0 for one that stands somewhere behind
	Of     int   // how many wait
	Taken  int64 // runs that have a place in the organization
	Quota  int64 // how many may have one there at once; 0 for no limit
}

// Waits returns the sentence for a test that waits for its turn in the cluster, with why it does and what to do. It is empty for one that
// is next and that nothing holds back: its agent is just being told.
func (c Cluster) Waits(p Place) string {
	where := "Waits in the queue of cluster " + c.Name
	if p.Number > 0 {
		where = fmt.Sprintf("Place %d of %d in the queue of cluster %s", p.Number, p.Of, c.Name)
	}
	switch {
	case c.Drained.On():
		return fmt.Sprintf("%s, which is %s. It begins after `seatrial cluster undrain %s`.", where, c.Drained.Words(), c.Name)
	case c.MaxRuns > 0 && c.Busy >= c.MaxRuns:
		return fmt.Sprintf("%s: %d of at most %d runs are under way there.", where, c.Busy, c.MaxRuns)
	case p.Quota > 0 && p.Taken >= p.Quota:
		return fmt.Sprintf("%s: %d of at most %d runs are under way in the organization.", where, p.Taken, p.Quota)
	case p.Number != 1:
		return where + ": those before it begin first, as fast as the agent creates their Jobs."
	}
	return ""
}
