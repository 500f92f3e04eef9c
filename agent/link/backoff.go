package link

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	maxWindow = 64 * time.Second
	// A session that lasted so long was healthy: the next loss starts with the smallest window again.
	healthyAfter = time.Minute
	// A revoked credential is tried again this seldom: the Jobs that run keep running.
	revokedWait = 5 * time.Minute
)

// backoff returns a random wait within the window of the n-th try, so that agents that lost one server do not come back at once.
func backoff(n int) time.Duration {
	window := maxWindow
	if n < 6 {
		window = time.Second << n
	}
	return rand.N(window) //nolint:gosec // spreads load, guards nothing
}

// between returns a random time between two bounds.
func between(low, high time.Duration) time.Duration {
	if low < 0 || high <= low {
		return max(low, 0)
	}
	return low + rand.N(high-low) //nolint:gosec // spreads load, guards nothing
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}
