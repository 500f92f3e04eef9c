// Package bus carries hints between the parts and replicas of the control plane: "something about this topic has changed, look
// at the store". A hint may be lost, doubled or early, never wrong: whoever waits reads the store after each one and sweeps it
// slowly besides. Nothing but topic names travels on the bus.
package bus

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Local carries hints within one process. The zero value is not usable; see NewLocal.
type Local struct {
	mu     sync.Mutex
	topics map[string]map[*subscription]struct{}
}

// subscription is one waiter; it may listen to several topics.
type subscription struct{ wake chan struct{} }

// signal leaves one signal for a waiter that has none yet: many hints before it looks are one look.
func (s *subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// NewLocal returns a bus within this process.
func NewLocal() *Local {
	return &Local{topics: map[string]map[*subscription]struct{}{}}
}

// admitted reports whether ctx may have to do with a topic. One that begins with an organization is of its viewers and of the control
// plane itself; any other is of the whole instance, and says nothing of anybody.
func admitted(ctx context.Context, topic string) bool {
	first, _, found := strings.Cut(topic, "/")
	organization, err := uuid.Parse(first)
	if !found || err != nil {
		return true
	}
	v, ok := tenant.FromContext(ctx)
	return ok && (v.Kind == tenant.KindSystem || v.Organization == organization)
}

// heard are the topics that ctx may hear of.
func heard(ctx context.Context, topics []string) []string {
	return slices.DeleteFunc(slices.Clone(topics), func(topic string) bool { return !admitted(ctx, topic) })
}

// Publish wakes everybody who waits for the topic. It never blocks. Topics of another organization than the viewer's are not published.
func (l *Local) Publish(ctx context.Context, topic string) {
	if admitted(ctx, topic) {
		l.wake(topic)
	}
}

// wake wakes the waiters of a topic, which somebody was admitted to.
func (l *Local) wake(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.topics[topic] {
		s.signal()
	}
}

// Subscribe returns a channel with room for one signal, which gets one after each publication; cancel ends it. The subscription
// is in force when Subscribe returns, so reading the store afterwards misses nothing. Of another organization's topics nothing is heard.
func (l *Local) Subscribe(ctx context.Context, topics ...string) (wake <-chan struct{}, cancel func()) {
	topics = heard(ctx, topics)
	s := &subscription{wake: make(chan struct{}, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, topic := range topics {
		l.add(topic, s)
	}
	return s.wake, sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, topic := range topics {
			l.drop(topic, s)
		}
	})
}

// Close is there so that a Local can stand where a Redis does; it has nothing to release.
func (l *Local) Close() error { return nil }

func (l *Local) add(topic string, s *subscription) (first bool) {
	waiters := l.topics[topic]
	if waiters == nil {
		waiters = map[*subscription]struct{}{}
		l.topics[topic] = waiters
	}
	waiters[s] = struct{}{}
	return len(waiters) == 1
}

func (l *Local) drop(topic string, s *subscription) (last bool) {
	waiters := l.topics[topic]
	if _, ok := waiters[s]; !ok {
		return false
	}
	delete(waiters, s)
	if len(waiters) > 0 {
		return false
	}
	delete(l.topics, topic)
	return true
}

// wakeAll tells every waiter to look at the store once, after hints may have been lost.
func (l *Local) wakeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, waiters := range l.topics {
		for s := range waiters {
			s.signal()
		}
	}
}

// sort tells which of the topics somebody waits for and which nobody does, by their names in Redis.
func (l *Local) sort(topics map[string]struct{}) (waited, idle []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for topic := range topics {
		if len(l.topics[topic]) > 0 {
			waited = append(waited, prefix+topic)
		} else {
			idle = append(idle, prefix+topic)
		}
	}
	return waited, idle
}

// all lists the topics that somebody waits for.
func (l *Local) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.topics))
}
