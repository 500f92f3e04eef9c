package trigger

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
)

const (
	// Sweeps follow each other quickly, and every reminder has all agents of an organization ask.
	remindEvery = 10 * time.Second
	// For an agent that is away a reaction waits for so long after its event: later nobody expects the tests.
	maxAway = 24 * time.Hour
)

// remind tells agents again that they have something to try: a hint may have been lost.
func (s *Service) remind(ctx context.Context) {
	now := s.now().UnixNano()
	if last := s.reminded.Load(); now-last < int64(remindEvery) && now >= last || !s.reminded.CompareAndSwap(last, now) {
		return
	}
	orgs, err := s.store.Probing(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "agents not reminded of probes", "error", err)
	}
	for _, org := range orgs {
		s.bus.Publish(ctx, WatchTopic(org))
	}
}

// overdue ends a reaction of whose probes nobody has said in time how they ended. That an agent was away is no failure of what it was to
// try: it has its whole time from when it is back.
func (s *Service) overdue(ctx context.Context, c Claim) error {
	r, now := c.Reaction, s.now()
	late := fmt.Sprintf("the agent of the cluster %s has not said in time how the probes ended", c.Event.Source)
	whole := allowance(probes(c.Trigger.Spec))
	since, err := s.store.ConnectedSince(ctx, r.Cluster)
	switch {
	case fault.Is(err, fault.NotFound):
		return s.finish(ctx, c, Failed, late)
	case err != nil:
		return fmt.Errorf("find the agent of cluster %s: %w", c.Event.Source, err)
	case !since.IsZero() && now.Sub(since) >= whole, now.Sub(c.Event.At) >= maxAway:
		return s.finish(ctx, c, Failed, late)
	}
	if err := s.store.BeginProbes(ctx, r.ID, now.UTC().Add(whole)); err != nil {
		return fmt.Errorf("wait for the probes of trigger %s: %w", c.Trigger.Name, err)
	}
	return nil
}
