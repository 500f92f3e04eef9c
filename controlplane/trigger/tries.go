package trigger

import (
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"
)

// Messages that are refused are counted by the network address they come from, by the receiver that they are for, and by both: whoever guesses
// secrets gets nowhere, and costs nothing but a look at the counts. Messages that are taken do not count, so that a forge is never told to wait
// for what it does right. An address and a receiver stand more refusals than both together: a forge sends for everybody from a few addresses,
// and somebody who knows where a receiver is could otherwise shut it by sending rubbish.
const (
	ofBoth      = 30 // refusals at once
	ofBothEvery = 2 * time.Second
	ofOne       = 600
	ofOneEvery  = 100 * time.Millisecond
	maxCounts   = 20_000
)

// tries counts refusals. Each replica counts for itself.
type tries struct {
	mu     sync.Mutex
	counts map[counted]*rate.Limiter
}

func newTries() *tries { return &tries{counts: map[counted]*rate.Limiter{}} }

// counted is what a message is counted by. An address that nobody knows is empty, and so is a receiver that there is not.
type counted struct {
	remote   string
	receiver uuid.UUID
}

// parts are the message by its address, its receiver, and both.
func (c counted) parts() (out []counted) {
	if c.remote != "" {
		out = append(out, counted{remote: c.remote})
	}
	if c.receiver != uuid.Nil {
		out = append(out, counted{receiver: c.receiver})
	}
	if len(out) == 2 {
		out = append(out, c)
	}
	return out
}

// wait says how long a message has to wait until it is looked at; zero for not at all. It counts nothing.
func (t *tries) wait(now time.Time, of counted) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range of.parts() {
		c := t.counts[key]
		if c == nil {
			continue
		}
		if left := c.TokensAt(now); left < 1 {
			wait = max(wait, time.Duration((1-left)/float64(c.Limit())*float64(time.Second)))
		}
	}
	return wait
}

// refused counts a refusal.
func (t *tries) refused(now time.Time, of counted) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range of.parts() {
		t.count(key, now).ReserveN(now, 1)
	}
}

// count returns that of a key. When there are many it drops those that are full again, which are the same as none; when none is, it starts
// over rather than grow without end.
func (t *tries) count(key counted, now time.Time) *rate.Limiter {
	if c := t.counts[key]; c != nil {
		return c
	}
	if len(t.counts) >= maxCounts {
		for k, c := range t.counts {
			if c.TokensAt(now) >= float64(c.Burst()) {
				delete(t.counts, k)
			}
		}
		if len(t.counts) >= maxCounts {
			clear(t.counts)
		}
	}
	c := rate.NewLimiter(rate.Every(ofOneEvery), ofOne)
	if key.remote != "" && key.receiver != uuid.Nil {
		c = rate.NewLimiter(rate.Every(ofBothEvery), ofBoth)
	}
	t.counts[key] = c
	return c
}

// Wait says how long a message for a receiver has to wait until it is looked at, since many before it were refused; zero for not at all. Remote
// is the network address that it comes from, empty when nobody knows.
func (s *Service) Wait(receiver uuid.UUID, remote string) time.Duration {
	return s.tries.wait(s.now(), counted{remote, receiver})
}
