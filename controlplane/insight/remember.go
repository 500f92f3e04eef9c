package insight

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	// maxCounted is how many answers on failures are remembered; when there are more all are forgotten, and counted again.
	maxCounted = 200
	// countedFor is how long one holds while nothing else fails: what is too old to count leaves it then, and what counts no longer.
	countedFor = time.Minute
	// maxCompared is how many comparisons are remembered; when there are more all are forgotten, and made again. One lists some hundred tests.
	maxCompared = 100
	// comparedFor is how long one holds: by then it is noticed that results are no longer kept, and what later runs say of durations.
	comparedFor = 10 * time.Minute
)

// counted remembers what has failed until something else fails: the same thousands of failures come out the same. Of what a viewer sees who
// does not see everything nothing is remembered.
type counted struct {
	mu   sync.Mutex
	made map[countedKey]countedAt
}

type countedKey struct {
	organization tenant.ID
	filter       Filter
}

type countedAt struct {
	Clusters

	last uuid.UUID // failure of all
	at   time.Time
}

// recall returns what was counted when a failure was the last one.
func (c *counted) recall(ctx context.Context, f Filter, last uuid.UUID, now time.Time) (Clusters, bool) {
	v, ok := tenant.FromContext(ctx)
	if !ok || v.Confined {
		return Clusters{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.made[countedKey{v.Organization, f}]
	return known.Clusters, ok && known.last == last && now.Sub(known.at) <= countedFor
}

// keep remembers what was counted. Nobody changes what it holds.
func (c *counted) keep(ctx context.Context, f Filter, last uuid.UUID, out Clusters, now time.Time) {
	v, ok := tenant.FromContext(ctx)
	if !ok || v.Confined {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil || len(c.made) >= maxCounted {
		c.made = map[countedKey]countedAt{}
	}
	c.made[countedKey{v.Organization, f}] = countedAt{out, last, now}
}

// comparisons remembers what is different between executions that have ended: to read ten thousand results of each and to put them side by
// side takes far longer than anything else on the page, and it comes out the same. Whoever asks has been shown both executions before.
type comparisons struct {
	mu   sync.Mutex
	made map[digest]compared
}

type compared struct {
	Comparison

	at time.Time
}

// key is of everything that a comparison depends on.
func (c Comparison) key(of tenant.ID) digest {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%s %t %q", of, c.LastGreen, c.Environment) // to a hash, which takes everything
	for _, e := range []execution.Execution{c.Before, c.After} {
		_, _ = fmt.Fprintf(sum, " %s %s %v", e.ID, e.Status, e.Tests)
		for _, r := range e.Runs {
			for _, a := range r.Attempts {
				_, _ = fmt.Fprintf(sum, " %s %s %t", a.ID, a.Status, a.Delivered)
			}
		}
	}
	return digest(sum.Sum(nil))
}

// recall fills a comparison that was made before.
func (c *comparisons) recall(key digest, into *Comparison, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.made[key]
	if !ok || now.Sub(known.at) > comparedFor {
		return false
	}
	into.Tests, into.Differences, into.Unknown, into.Messages = known.Tests, known.Differences, known.Unknown, known.Messages
	return true
}

// keep remembers a comparison. Nobody changes what it holds.
func (c *comparisons) keep(key digest, made Comparison, now time.Time) {
	made.Before, made.After = execution.Execution{}, execution.Execution{}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil || len(c.made) >= maxCompared {
		c.made = map[digest]compared{}
	}
	c.made[key] = compared{made, now}
}
