package bus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// prefix keeps hints apart from whatever else lives in the same Redis.
const prefix = "seatrial:"

// Limits of one hint's way to Redis: it is not worth waiting for.
const (
	dialTimeout    = 2 * time.Second
	publishTimeout = time.Second
	retryAfter     = time.Second
)

// Redis carries hints between replicas by publish and subscribe, and within this process directly. While Redis is away, hints
// reach this replica only; when it is back every waiter is woken once. Nothing here returns an error to the publisher.
type Redis struct {
	local  *Local
	client *redis.Client
	pubsub *redis.PubSub
	log    *slog.Logger

	mu   sync.Mutex // orders subscriptions on the connection with the local ones
	stop context.CancelFunc
	done chan struct{}
}

// NewRedis connects to the Redis at a URL (redis://[user:password@]host:port/db, or rediss://). It does not wait for Redis to
// answer; only a URL that makes no sense is an error. Close ends it.
func NewRedis(ctx context.Context, url string, log *slog.Logger) (*Redis, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w", err)
	}
	options.DialTimeout, options.MaxRetries = dialTimeout, -1
	options.WriteTimeout, options.ReadTimeout = publishTimeout, publishTimeout
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	client := redis.NewClient(options)
	r := &Redis{
		local: NewLocal(), client: client, pubsub: client.Subscribe(ctx), log: log.With("component", "bus"),
		stop: stop, done: make(chan struct{}),
	}
	go r.receive(ctx)
	return r, nil
}

// Publish wakes everybody who waits for the topic, on this replica at once and on the others by way of Redis.
func (r *Redis) Publish(ctx context.Context, topic string) {
	r.local.Publish(ctx, topic)
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := r.client.Publish(ctx, prefix+topic, "").Err(); err != nil {
		r.log.Warn("hint not sent to other replicas; they find the change by their sweep", "error", err)
	}
}

// Subscribe is as Local.Subscribe. Redis learns of the topics before it returns when it can be reached.
func (r *Redis) Subscribe(ctx context.Context, topics ...string) (wake <-chan struct{}, cancel func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wake, cancelLocal := r.local.Subscribe(ctx, topics...)
	if err := r.pubsub.Subscribe(ctx, prefixed(topics)...); err != nil {
		r.log.Warn("not subscribed yet; the connection will be made again", "error", err)
	}
	return wake, sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		cancelLocal()
		r.unsubscribe(context.WithoutCancel(ctx), topics) // whoever cancels may be ending
	})
}

// unsubscribe tells Redis of the topics that nobody here waits for any more.
func (r *Redis) unsubscribe(ctx context.Context, topics []string) {
	var idle []string
	r.local.mu.Lock()
	for _, topic := range topics {
		if len(r.local.topics[topic]) == 0 {
			idle = append(idle, topic)
		}
	}
	r.local.mu.Unlock()
	if len(idle) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := r.pubsub.Unsubscribe(ctx, prefixed(idle)...); err != nil {
		r.log.Debug("not unsubscribed; superfluous hints are dropped", "error", err)
	}
}

// Close ends the connection and waits for its reader.
func (r *Redis) Close() error {
	r.stop()
	err := r.pubsub.Close()
	<-r.done
	if closeErr := r.client.Close(); err == nil {
		err = closeErr
	}
	return err
}

// receive passes hints on. go-redis subscribes again by itself after a broken connection; the subscription message that follows
// is the sign that hints may have been lost.
func (r *Redis) receive(ctx context.Context) {
	defer close(r.done)
	lost := false
	for ctx.Err() == nil {
		message, err := r.pubsub.Receive(ctx)
		if err != nil {
			if !lost && ctx.Err() == nil {
				r.log.Warn("redis is away; changes made by other replicas show with the next sweep", "error", err)
			}
			lost = true
			pause(ctx, retryAfter)
			continue
		}
		if lost {
			lost = false
			r.log.Info("redis is back")
			r.local.wakeAll()
		}
		if m, ok := message.(*redis.Message); ok {
			r.local.Publish(ctx, m.Channel[len(prefix):])
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func prefixed(topics []string) []string {
	names := make([]string, len(topics))
	for i, topic := range topics {
		names[i] = prefix + topic
	}
	return names
}
