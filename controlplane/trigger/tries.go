package trigger

import (
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Messages that are refused are counted by the network address they come from, by the receiver that they are for, and by both: whoever guesses
// secrets gets nowhere, and costs nothing but a look at the counts. Messages that are taken do not count, so that a forge is never told to wait
// for what it does right. A forge sends for everybody from a few addresses, so that an address alone has to wait only for receivers that there
// are not: nobody else's wrong secret keeps messages from a receiver. A receiver stands more refusals than an address at it, and one address
// adds to those no more than it may send itself: somebody who knows where a receiver is could otherwise shut it by sending rubbish.
const (
	ofBoth      = 30 // refusals at once
	ofBothEvery = 2 * time.Second
	ofOne       = 600
	ofOneEvery  = 100 * time.Millisecond
	maxCounts   = 20_000
	// lookupsOfAll is how many receivers a second are looked up for all addresses together that have asked for too many that there are not.
	lookupsOfAll = 10
)

// tries counts refusals. Each replica counts for itself.
type tries struct {
	mu      sync.Mutex
	counts  map[counted]*rate.Limiter
	known   map[uuid.UUID]struct{} // receivers that were found
	lookups *rate.Limiter          // for addresses that ask for many that there are not
}

func newTries() *tries {
	return &tries{counts: map[counted]*rate.Limiter{}, known: map[uuid.UUID]struct{}{}, lookups: rate.NewLimiter(lookupsOfAll, lookupsOfAll)}
}

// counted is what a message is counted by. An address that nobody knows is empty, and so is a receiver that there is not.
type counted struct {
	remote   string
	receiver uuid.UUID
}

// both reports whether it is a receiver that there is, from an address that is known.
func (c counted) both() bool { return c.remote != "" && c.receiver != uuid.Nil }

// wait says how long a message for a receiver has to wait until it is looked at; zero for not at all. It counts nothing.
func (t *tries) wait(now time.Time, of counted) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := t.left(now, counted{receiver: of.receiver})
	if of.both() {
		wait = max(wait, t.left(now, of))
	}
	return wait
}

// stranger says how long an address has to wait that asks for a receiver that there is not.
func (t *tries) stranger(now time.Time, remote string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.left(now, counted{remote: remote})
}

// unsought says how long a message has to wait until its receiver is looked up: one that was found before never has to, others only when they
// come from where many are asked for that there are not.
func (t *tries) unsought(now time.Time, of counted) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := t.left(now, counted{remote: of.remote})
	if _, found := t.known[of.receiver]; found || wait == 0 || t.lookups.AllowN(now, 1) {
		return 0
	}
	return wait
}

// found notes that there is a receiver.
func (t *tries) found(id uuid.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= maxCounts {
		clear(t.known)
	}
	t.known[id] = struct{}{}
}

func (t *tries) left(now time.Time, key counted) time.Duration {
	c := t.counts[key]
	if c == nil || key == (counted{}) {
		return 0
	}
	left := c.TokensAt(now)
	if left >= 1 {
		return 0
	}
	return time.Duration((1 - left) / float64(c.Limit()) * float64(time.Second))
}

// refused counts a refusal. No count goes below zero: many that come at once have nobody wait for longer than until the next one.
func (t *tries) refused(now time.Time, of counted) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if of.both() && !t.count(of, now).AllowN(now, 1) {
		return // who has sent too much adds nothing to what others at the receiver have to wait for
	}
	if of.receiver != uuid.Nil {
		of.remote = "" // an address is counted at receivers that there are not
	}
	if of != (counted{}) {
		t.count(of, now).AllowN(now, 1)
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
	if key.both() {
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

// LaterError is the error of a message that has to wait.
type LaterError struct {
	After time.Duration
	Err   error
}

// Error implements error.
func (e *LaterError) Error() string { return e.Err.Error() }

// Unwrap returns the fault.
func (e *LaterError) Unwrap() error { return e.Err }

func later(wait time.Duration) error {
	if wait == 0 {
		return nil
	}
	return &LaterError{wait, fault.New(fault.Exhausted, "too many messages were refused").WithHint("Check the secret, and send it again later.")}
}
