package auth

import (
	"sync"
	"time"
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
	buckets map[string]bucket
}

// bucket is how many tries a key had left at a time; they come back with time.
type bucket struct {
	left float64
	at   time.Time
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, buckets: map[string]bucket{}}
}

// allow takes one try from each key and reports whether all had one.
func (l *limiter) allow(keys ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, ok := l.now(), true
	for _, key := range keys {
		left := l.left(key, now)
		if left < 1 {
			ok = false
			continue
		}
		l.put(key, bucket{left - 1, now})
	}
	return ok
}

// giveBack returns the try of each key: people who know their password, and share an address, do not lock one another out.
func (l *limiter) giveBack(keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, key := range keys {
		l.put(key, bucket{min(l.left(key, now)+1, tries), now})
	}
}

func (l *limiter) left(key string, now time.Time) float64 {
	b, known := l.buckets[key]
	if !known {
		return tries
	}
	return min(b.left+max(0, now.Sub(b.at).Seconds())/tryEvery.Seconds(), tries)
}

// put drops buckets that are full again, which are the same as none, when there are many. When none is, it starts over rather than
// grow without end.
func (l *limiter) put(key string, b bucket) {
	if _, known := l.buckets[key]; !known && len(l.buckets) >= maxBuckets {
		for k := range l.buckets {
			if l.left(k, b.at) >= tries {
				delete(l.buckets, k)
			}
		}
		if len(l.buckets) >= maxBuckets {
			clear(l.buckets)
		}
	}
	l.buckets[key] = b
}
