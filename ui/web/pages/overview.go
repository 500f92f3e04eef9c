package pages

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ui/web/words"
)

// summary says in one or two sentences how an organization is doing.
func summary(p OverviewProps) string {
	live, bad, ended := 0, 0, 0
	for _, e := range p.Recent {
		switch {
		case !e.Status.Terminal():
			live++
		case e.Status == execution.Failed || e.Status == execution.Errored || e.Status == execution.TimedOut:
			bad++
			ended++
		default:
			ended++
		}
	}
	var said []string
	if live > 0 {
		said = append(said, words.Count(int64(live), "execution")+" under way.")
	}
	switch {
	case ended == 0:
	case bad == 0:
		said = append(said, fmt.Sprintf("None of the last %d failed.", ended))
	default:
		said = append(said, fmt.Sprintf("%d of the last %d did not pass.", bad, ended))
	}
	if away := disconnected(p.Clusters); away > 0 {
		said = append(said, words.Count(int64(away), "cluster")+" disconnected.")
	}
	return strings.Join(said, " ")
}

func disconnected(list []cluster.Cluster) int {
	n := 0
	for _, c := range list {
		if c.Enrolled && !c.Connected {
			n++
		}
	}
	return n
}

// connection returns the state of a cluster as a class and a word.
func connection(c cluster.Cluster) (kind, word string) {
	switch {
	case !c.RevokedAt.IsZero():
		return "failed", "revoked"
	case !c.Enrolled:
		return "absent", "no agent yet"
	case c.Connected && c.Drained.On():
		return "waiting", "drained"
	case c.Connected:
		return "connected", "connected"
	}
	return "disconnected", "disconnected"
}

func connectionKind(c cluster.Cluster) string { k, _ := connection(c); return k }
func connectionWord(c cluster.Cluster) string { _, w := connection(c); return w }

// busyOf says how many runs are under way in a cluster, of how many that may be.
func busyOf(c cluster.Cluster) string {
	if c.MaxRuns == 0 {
		return words.Number(int64(c.Busy))
	}
	return words.Number(int64(c.Busy)) + " of " + words.Number(int64(c.MaxRuns))
}

// limitOf is the limit of a cluster as a person would type it.
func limitOf(c cluster.Cluster) string {
	if c.MaxRuns == 0 {
		return ""
	}
	return strconv.Itoa(c.MaxRuns)
}

// standing says what the state of a cluster means and what to do about it.
func standing(c cluster.Cluster, now time.Time) string {
	switch {
	case !c.RevokedAt.IsZero() && c.RevokedReason != "":
		return "Its agent was revoked " + words.Ago(c.RevokedAt, now) + ": " + c.RevokedReason + ". Enroll the cluster again to let it come back."
	case !c.RevokedAt.IsZero():
		return "Its agent was revoked " + words.Ago(c.RevokedAt, now) + ". Enroll the cluster again to let it come back."
	case !c.Enrolled:
		return "Its agent has not been installed, or cannot reach this control plane."
	case c.Connected && c.Drained.On():
		said := "Drained " + words.Ago(c.Drained.Since, now) + " by " + c.Drained.By
		if c.Drained.Reason != "" {
			said += ": " + c.Drained.Reason
		}
		return said + ". What runs there goes on; what comes waits until it is undrained."
	case c.Connected:
		return "Connected for " + words.Took(now.Sub(c.ConnectedAt)) + "."
	}
	return "Its agent was last heard " + words.Ago(c.LastSeenAt, now) + ". What runs there goes on; new executions wait."
}
