package bus

import (
	"context"
	"errors"
	"net"

	"github.com/redis/go-redis/v9"
)

// errSilent means that Redis did not answer within the time that it has.
var errSilent = errors.New("no answer: the connection is half open")

func (r *Redis) current() *redis.PubSub {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pubsub
}

// changed notes that somebody has begun or ceased to wait for the topics; the channel is closed when Redis was told.
func (r *Redis) changed(topics []string) <-chan struct{} {
	told := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, topic := range topics {
		r.dirty[topic] = struct{}{}
	}
	r.told = append(r.told, told)
	select {
	case r.turn <- struct{}{}:
	default:
	}
	return told
}

// tell brings Redis to what is waited for here. It alone does so, in the order of the changes; a failure is made up for by the
// subscriptions that a new connection begins with.
func (r *Redis) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.turn:
		}
		r.mu.Lock()
		pubsub, dirty, told := r.pubsub, r.dirty, r.told
		r.dirty, r.told = map[string]struct{}{}, nil
		r.mu.Unlock()
		begin, end := r.local.sort(dirty)
		if len(begin) > 0 {
			if err := pubsub.Subscribe(ctx, begin...); err != nil {
				r.log.DebugContext(ctx, "not subscribed yet; the connection will be made again", "error", err)
			}
		}
		if len(end) > 0 {
			if err := pubsub.Unsubscribe(ctx, end...); err != nil {
				r.log.DebugContext(ctx, "not unsubscribed; superfluous hints are dropped", "error", err)
			}
		}
		for _, c := range told {
			close(c)
		}
	}
}

// receive passes hints on. go-redis subscribes again by itself after a broken connection; that something comes after an error is
// the sign that hints may have been lost.
func (r *Redis) receive(ctx context.Context) {
	asked := false // whether a silent Redis was asked if it is there
	for ctx.Err() == nil {
		message, err := r.next(ctx, &asked)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			if !r.away.Swap(true) {
				r.log.WarnContext(ctx, "redis is away; changes made by other replicas show with the next sweep", "error", err)
			}
			pause(ctx, retryAfter)
		case message != nil:
			if r.away.Swap(false) {
				r.log.InfoContext(ctx, "redis is back")
				r.local.wakeAll()
			}
			if m, ok := message.(*redis.Message); ok {
				r.local.wake(m.Channel[len(prefix):])
			}
		}
	}
}

// next returns the next message, nil when none came for a while. A connection whose other end has vanished never breaks by itself:
// after a while of silence Redis is asked for a sign of life, and after another the connection is given up.
func (r *Redis) next(ctx context.Context, asked *bool) (any, error) {
	pubsub := r.current()
	message, err := pubsub.ReceiveTimeout(ctx, r.quiet)
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		*asked = false
		return message, err //nolint:wrapcheck // the caller logs it with what it means
	}
	if *asked {
		*asked = false
		r.renew(ctx, pubsub)
		return nil, errSilent
	}
	*asked = true
	return nil, pubsub.Ping(ctx) //nolint:wrapcheck // the caller logs it with what it means
}

// renew begins a new connection and has Redis told of everything that is waited for.
func (r *Redis) renew(ctx context.Context, old *redis.PubSub) {
	if err := old.Close(); err != nil {
		r.log.DebugContext(ctx, "half-open connection not closed", "error", err)
	}
	r.mu.Lock()
	if ctx.Err() == nil { // Close may have closed the old one already, and waits for this
		r.pubsub = r.client.Subscribe(ctx)
	}
	r.mu.Unlock()
	r.changed(r.local.all())
}
