package notify

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Whoever may change webhooks may have mail sent to whom they like, as far as the operator lets them. Tests of webhooks that send mail are
// limited for each organization, so that nobody makes of the operator's mail server one that sends what nobody has asked for.
const (
	trialsAtOnce = 10
	trialsEvery  = time.Minute
	maxTrials    = 10_000 // organizations
)

// trials counts the tests by mail of each organization; each replica counts for itself.
type trials struct {
	mu     sync.Mutex
	counts map[tenant.ID]*rate.Limiter
}

// take counts a test, or returns fault.Exhausted.
func (t *trials) take(of tenant.ID, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil || len(t.counts) >= maxTrials {
		t.counts = map[tenant.ID]*rate.Limiter{}
	}
	c := t.counts[of]
	if c == nil {
		c = rate.NewLimiter(rate.Every(trialsEvery), trialsAtOnce)
		t.counts[of] = c
	}
	if !c.AllowN(now, 1) {
		return fault.New(fault.Exhausted, "the organization has sent too many test mails lately").WithHint("Test it again in a minute.")
	}
	return nil
}
