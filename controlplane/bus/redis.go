package bus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
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
	subscribeLimit = 250 * time.Millisecond // that a subscriber waits until Redis was told
	quietLimit     = 10 * time.Second       // without a word from Redis before it is asked whether it is there
)

// Redis carries hints between replicas by publish and subscribe, and within this process directly. While Redis is away, hints
// reach this replica only; when it is back every waiter is woken once. Nothing here returns an error to the publisher, and nobody
// waits for a Redis that is away: one goroutine sends, one subscribes, one receives, all until Close.
type Redis struct {
	local  *Local
	client *redis.Client
	log    *slog.Logger
	quiet  time.Duration
	out    *outgoing
	away   atomic.Bool // as the receiver sees it

	mu     sync.Mutex
	pubsub *redis.PubSub       // replaced when the connection is half open
	dirty  map[string]struct{} // topics that Redis may have to be told of
	told   []chan struct{}     // closed when it was
	turn   chan struct{}       // wakes the goroutine that tells

	stop context.CancelFunc
	done sync.WaitGroup
}

// Option changes a Redis.
type Option func(*Redis)

// WithQuiet sets how long Redis may say nothing before it is asked whether it is there; after twice that it counts as away.
func WithQuiet(d time.Duration) Option { return func(r *Redis) { r.quiet = d } }

// NewRedis connects to the Redis at a URL (redis://[user:password@]host:port/db, or rediss://). It does not wait for Redis to
// answer; only a URL that makes no sense is an error. Close ends it.
func NewRedis(ctx context.Context, url string, log *slog.Logger, options ...Option) (*Redis, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w", err)
	}
	o.DialTimeout, o.MaxRetries = dialTimeout, -1
	o.WriteTimeout, o.ReadTimeout = publishTimeout, publishTimeout
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	client := redis.NewClient(o)
	log = log.With("component", "bus")
	r := &Redis{
		local: NewLocal(), client: client, pubsub: client.Subscribe(ctx), log: log, quiet: quietLimit, out: newOutgoing(client, log),
		dirty: map[string]struct{}{}, turn: make(chan struct{}, 1), stop: stop,
	}
	for _, option := range options {
		option(r)
	}
	r.done.Go(func() { r.out.run(ctx) })
	r.done.Go(func() { r.tell(ctx) })
	r.done.Go(func() { r.receive(ctx) })
	return r, nil
}

// Publish wakes everybody who waits for the topic, on this replica at once and on the others by way of Redis. It never blocks.
func (r *Redis) Publish(ctx context.Context, topic string) {
	if !admitted(ctx, topic) {
		return
	}
	r.local.wake(topic)
	r.out.add(topic)
}

// Subscribe is as Local.Subscribe. Redis learns of the topics before it returns when it can be reached.
func (r *Redis) Subscribe(ctx context.Context, topics ...string) (wake <-chan struct{}, cancel func()) {
	topics = heard(ctx, topics)
	wake, cancelLocal := r.local.Subscribe(ctx, topics...)
	told := r.changed(topics)
	if !r.away.Load() {
		limit := time.NewTimer(subscribeLimit)
		defer limit.Stop()
		select {
		case <-told:
		case <-limit.C:
		case <-ctx.Done():
		}
	}
	return wake, sync.OnceFunc(func() {
		cancelLocal()
		r.changed(topics)
	})
}

// Close sends what waits, ends the connections and returns when nothing runs any more.
func (r *Redis) Close() error {
	r.stop()
	err := r.current().Close()
	r.done.Wait()
	if closeErr := r.client.Close(); err == nil {
		err = closeErr
	}
	return err
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
