// Package crowd answers a question once for all who ask it at the same time.
//
// A page that many look at is asked for by many at once: when a release fails, or each morning. To find out the same thing for each of them
// makes all of them wait. Nobody gets an answer that is older than the question: whoever asks while it is being found out gets the next
// answer, which is found out for all who have asked meanwhile.
package crowd

import (
	"context"
	"sync"
)

// Crowd answers questions with keys. The zero value is ready for use.
type Crowd[K comparable, V any] struct {
	mu    sync.Mutex
	lines map[K]*line[V]
}

// line is what is being found out about a key, and what is found out after that.
type line[V any] struct{ now, next *answer[V] }

// answer is found out by the first who has asked for it. Its fields are set before done is closed.
type answer[V any] struct {
	done  chan struct{}
	given bool // else whoever wanted to find it out went away, and somebody else has to
	value V
	err   error
}

// Ask returns what find returns, which begins after Ask has been called, and which only one of those runs who have asked meanwhile: for the
// same key it has to do the same. Nobody may change the value. It ends early when ctx does; that of another one does it no harm.
func (c *Crowd[K, V]) Ask(ctx context.Context, key K, find func(context.Context) (V, error)) (V, error) {
	for {
		a, before, first := c.join(key)
		if first {
			return c.lead(ctx, key, a, before, find)
		}
		select {
		case <-a.done:
			if a.given {
				return a.value, a.err
			}
		case <-ctx.Done():
			var none V
			return none, ctx.Err() //nolint:wrapcheck // the end of the caller's own work
		}
	}
}

// join returns the answer that begins next, whether the caller is the first to want it and so has to find it out, and the one that has to be
// waited for then; nil for none.
func (c *Crowd[K, V]) join(key K) (a, before *answer[V], first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lines[key]
	switch {
	case l == nil:
		a = &answer[V]{done: make(chan struct{})}
		if c.lines == nil {
			c.lines = map[K]*line[V]{}
		}
		c.lines[key] = &line[V]{now: a}
		return a, nil, true
	case l.next == nil:
		l.next = &answer[V]{done: make(chan struct{})}
		return l.next, l.now, true
	}
	return l.next, nil, false
}

// lead finds an answer out when the one before has been.
func (c *Crowd[K, V]) lead(ctx context.Context, key K, a, before *answer[V], find func(context.Context) (V, error)) (V, error) {
	defer c.end(key, a)
	if before != nil {
		select {
		case <-before.done:
		case <-ctx.Done():
			return a.value, ctx.Err() //nolint:wrapcheck // the end of the caller's own work
		}
	}
	value, err := find(ctx)
	if err == nil || ctx.Err() == nil {
		a.value, a.err, a.given = value, err, true
	}
	return value, err
}

// end has the next answer begin, and tells those who have waited for this one, however it has ended.
func (c *Crowd[K, V]) end(key K, a *answer[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch l := c.lines[key]; {
	case l.next == a: // its turn has not come
		l.next = nil
	case l.next != nil:
		l.now, l.next = l.next, nil
	default:
		delete(c.lines, key)
	}
	close(a.done)
}
