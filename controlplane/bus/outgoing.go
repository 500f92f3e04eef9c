package bus

import (
	"context"
	"log/slog"
	"sync"

	"github.com/redis/go-redis/v9"
)

// maxWaiting bounds the topics that wait to be sent. Equal ones are one, so that it is reached only while Redis is away.
const maxWaiting = 4096

// outgoing sends hints to the other replicas. Whoever publishes is in the middle of something and never waits.
type outgoing struct {
	client *redis.Client
	log    *slog.Logger

	mu      sync.Mutex
	waiting []string // in order
	known   map[string]struct{}
	dropped int
	wake    chan struct{}
}

func newOutgoing(client *redis.Client, log *slog.Logger) *outgoing {
	return &outgoing{client: client, log: log, known: map[string]struct{}{}, wake: make(chan struct{}, 1)}
}

// add leaves a hint to be sent, unless the same one waits already. One too many is dropped: the others find the change by their
// sweep.
func (o *outgoing) add(topic string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, waits := o.known[topic]; waits {
		return
	}
	if len(o.waiting) >= maxWaiting {
		o.dropped++
		return
	}
	o.known[topic] = struct{}{}
	o.waiting = append(o.waiting, topic)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outgoing) take() (topics []string, dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	topics, dropped = o.waiting, o.dropped
	o.waiting, o.dropped = nil, 0
	clear(o.known)
	return topics, dropped
}

// run sends until ctx ends, and then what still waits.
func (o *outgoing) run(ctx context.Context) {
	away, lost := false, 0
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-o.wake:
		}
		topics, dropped := o.take()
		err := o.send(context.WithoutCancel(ctx), topics)
		if lost += dropped; err != nil {
			lost += len(topics)
		}
		switch {
		case err != nil && !away:
			away = true
			o.log.WarnContext(ctx, "hints are not sent to other replicas; they find changes by their sweep", "error", err)
		case err == nil && away && len(topics) > 0:
			o.log.InfoContext(ctx, "hints are sent to other replicas again", "lost", lost)
			away, lost = false, 0
		}
	}
}

func (o *outgoing) send(ctx context.Context, topics []string) error {
	if len(topics) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	_, err := o.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, topic := range topics {
			p.Publish(ctx, prefix+topic, "")
		}
		return nil
	})
	return err //nolint:wrapcheck // the caller logs it with what it means
}
