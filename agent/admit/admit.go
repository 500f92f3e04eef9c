// Package admit stands before the launcher: it joins duplicates of a start to the one under way, bounds how many are under way,
// and lets the one whose command expires first go first.
package admit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seatrial/seatrial/agent/work"
)

// Admitter implements work.Handler. The deadline of the context that it is called with is the command's expiry.
type Admitter struct {
	next  work.Handler
	limit int

	mu      sync.Mutex
	running int
	waiting []*turn
	calls   map[string]*call
}

type turn struct {
	expires time.Time
	ready   chan struct{}
}

type call struct {
	done chan struct{}
	err  error
}

// New returns an Admitter that has at most limit calls of next under way.
func New(next work.Handler, limit int) *Admitter {
	return &Admitter{next: next, limit: limit, calls: map[string]*call{}}
}

// Handle passes an assignment on when its turn has come. A second one of the same attempt waits for the first and reports it as a
// duplicate. work.ErrStale says that the command expired before the Job was there.
func (a *Admitter) Handle(ctx context.Context, as work.Assignment) error {
	if ctx.Err() != nil {
		return expired(ctx)
	}
	a.mu.Lock()
	if first, ok := a.calls[as.GetAttemptId()]; ok {
		a.mu.Unlock()
		if err := join(ctx, first); !errors.Is(err, work.ErrStale) || ctx.Err() != nil {
			return err
		}
		return a.Handle(ctx, as) // the first has expired, this one has time yet
	}
	c := &call{done: make(chan struct{})}
	a.calls[as.GetAttemptId()] = c
	t := a.enqueue(ctx)
	a.mu.Unlock()

	c.err = a.handle(ctx, as, t)

	a.mu.Lock()
	delete(a.calls, as.GetAttemptId())
	a.mu.Unlock()
	close(c.done)
	return c.err
}

func join(ctx context.Context, first *call) error {
	select {
	case <-ctx.Done():
		return expired(ctx)
	case <-first.done:
		if first.err == nil {
			return work.ErrDuplicate
		}
		return first.err
	}
}

func (a *Admitter) handle(ctx context.Context, as work.Assignment, t *turn) error {
	select {
	case <-t.ready:
	case <-ctx.Done():
		a.leave(t)
		return expired(ctx)
	}
	defer a.release()
	err := a.next.Handle(ctx, as)
	if err != nil && ctx.Err() != nil && !errors.Is(err, work.ErrDuplicate) {
		return errors.Join(expired(ctx), err)
	}
	return err
}

// enqueue takes a free place or a turn in the queue; the caller holds the lock.
func (a *Admitter) enqueue(ctx context.Context) *turn {
	t := &turn{ready: make(chan struct{})}
	if d, ok := ctx.Deadline(); ok {
		t.expires = d
	}
	if a.running < a.limit {
		a.running++
		close(t.ready)
		return t
	}
	at, _ := slices.BinarySearchFunc(a.waiting, t, func(w, t *turn) int {
		if w.expires.After(t.expires) {
			return 1
		}
		return -1
	})
	a.waiting = slices.Insert(a.waiting, at, t)
	return t
}

// leave gives up a turn; when it came at the same moment it is passed on.
func (a *Admitter) leave(t *turn) {
	a.mu.Lock()
	i := slices.Index(a.waiting, t)
	if i >= 0 {
		a.waiting = slices.Delete(a.waiting, i, i+1)
	}
	a.mu.Unlock()
	if i < 0 {
		a.release()
	}
}

func (a *Admitter) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) == 0 {
		a.running--
		return
	}
	next := a.waiting[0]
	a.waiting = a.waiting[1:]
	close(next.ready)
}

func expired(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return work.ErrStale
	}
	return fmt.Errorf("start given up: %w", ctx.Err())
}
