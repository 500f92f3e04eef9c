package auth

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Tries at signing in, for each e-mail address and each network address: a person who mistypes does not notice, a program that
// guesses does.
const (
	tries      = 8
	tryEvery   = 10 * time.Second
	maxBuckets = 10_000
)

// limiter counts tries by key. Each replica counts for itself.
type limiter struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, buckets: map[string]*rate.Limiter{}}
}

// allow takes one try from each key and reports whether all had one. The tries can be given back: people who know their password, and
// share an address, do not lock one another out.
func (l *limiter) allow(keys ...string) (giveBack func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	var taken []*rate.Reservation
	giveBack = func() {
		for _, r := range taken {
			r.CancelAt(now) // at its own time, or the library takes it for spent
		}
	}
	ok = true
	for _, key := range keys {
		r := l.bucket(key, now).ReserveN(now, 1)
		if r.DelayFrom(now) > 0 {
			r.CancelAt(now)
			ok = false
			continue
		}
		taken = append(taken, r)
	}
	return giveBack, ok
}

// bucket returns that of a key. When there are many it drops those that are full again, which are the same as none; when none is, it
// starts over rather than grow without end.
func (l *limiter) bucket(key string, now time.Time) *rate.Limiter {
	if b := l.buckets[key]; b != nil {
		return b
	}
	if len(l.buckets) >= maxBuckets {
		for k, b := range l.buckets {
			if b.TokensAt(now) >= tries {
				delete(l.buckets, k)
			}
		}
		if len(l.buckets) >= maxBuckets {
			clear(l.buckets)
		}
	}
	b := rate.NewLimiter(rate.Every(tryEvery), tries)
	l.buckets[key] = b
	return b
}
