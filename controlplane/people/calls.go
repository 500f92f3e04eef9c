package people

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// callWindow is the time that the quota of calls is for; a quota is read anew once in it.
const callWindow = time.Minute

// calls counts the calls of each organization. Each replica counts for itself.
type calls struct {
	quota func(ctx context.Context) (tenant.Quota, error)
	now   func() time.Time
	log   *slog.Logger

	mu   sync.Mutex
	orgs map[tenant.ID]*window
}

// window is the calls of one organization in this minute.
type window struct {
	began time.Time
	count int64
	most  int64 // zero means without limit
}

func newCalls(quota func(ctx context.Context) (tenant.Quota, error), now func() time.Time, log *slog.Logger) *calls {
	return &calls{quota: quota, now: now, log: log, orgs: map[tenant.ID]*window{}}
}

// Call counts a call of the API by the viewer's organization, or returns fault.Exhausted when it has made as many as it may this minute.
func (s *Service) Call(ctx context.Context) error { return s.calls.take(ctx) }

// take counts a call of the viewer's organization, or returns fault.Exhausted. A quota that cannot be read refuses nothing.
func (c *calls) take(ctx context.Context) error {
	v, ok := tenant.FromContext(ctx)
	if !ok {
		return nil // signing in has limits of its own
	}
	now := c.now()
	if c.stale(v.Organization, now) {
		quota, err := c.quota(ctx)
		if err != nil && !fault.Is(err, fault.NotFound) {
			c.log.WarnContext(ctx, "the quota of calls is not known", "organization", v.Organization, "error", err)
		}
		c.renew(v.Organization, now, quota.Calls)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.orgs[v.Organization]
	if w.most > 0 && w.count >= w.most {
		return fault.New(fault.Exhausted, "the organization may make %d calls a minute, and has made them", w.most).
			WithHint("Wait until %s. Watch an execution rather than ask for it again and again.", w.began.Add(callWindow).UTC().Format(time.TimeOnly+" UTC"))
	}
	w.count++
	return nil
}

func (c *calls) stale(org tenant.ID, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.orgs[org]
	return w == nil || now.Sub(w.began) >= callWindow
}

// renew begins the next minute, unless another call just has. Organizations that no longer call are forgotten.
func (c *calls) renew(org tenant.ID, now time.Time, most int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.orgs[org]; w != nil && now.Sub(w.began) < callWindow {
		return
	}
	for id, w := range c.orgs {
		if now.Sub(w.began) >= 2*callWindow {
			delete(c.orgs, id)
		}
	}
	c.orgs[org] = &window{began: now, most: most}
}

// used returns how many calls the viewer's organization has made in this minute.
func (c *calls) used(ctx context.Context) int64 {
	v, _ := tenant.FromContext(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.orgs[v.Organization]; w != nil {
		return w.count
	}
	return 0
}
