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

// allow takes one try from each key and reports whether all had one.
func (l *limiter) allow(keys ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, ok := l.now(), true
	for _, key := range keys {
		b := l.buckets[key]
		if b == nil {
			l.shrink(now)
			b = rate.NewLimiter(rate.Every(tryEvery), tries)
			l.buckets[key] = b
		}
		ok = b.AllowN(now, 1) && ok
	}
	return ok
}

// shrink drops buckets that are full again, which are the same as none. When none is, it starts over rather than grow without end.
func (l *limiter) shrink(now time.Time) {
	if len(l.buckets) < maxBuckets {
		return
	}
	for key, b := range l.buckets {
		if b.TokensAt(now) >= tries {
			delete(l.buckets, key)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}
