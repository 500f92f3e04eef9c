package outbox

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// hops are the moments of an attempt's way to its result, zero for those that were not seen.
type hops struct {
	received, made, placed, attached time.Time
}

// Timed returns a handler that notes when a start command arrived and when its Job existed.
func (o *Outbox) Timed(next work.Handler) work.Handler { return timed{o, next} }

type timed struct {
	o    *Outbox
	next work.Handler
}

// Handle implements work.Handler.
func (t timed) Handle(ctx context.Context, a work.Assignment) error {
	received := time.Now()
	err := t.next.Handle(ctx, a)
	if err == nil { // a duplicate has another's times
		t.o.made(a.GetAttemptId(), received)
	}
	return err //nolint:wrapcheck // transparent
}

func (o *Outbox) made(attemptID string, received time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.record(attemptID)
	r.hops.received, r.hops.made = received, time.Now()
}

// note keeps the first time that something was seen.
func note(at *time.Time) {
	if at.IsZero() {
		*at = time.Now()
	}
}

// report returns the parts of the way, nil unless all of it was seen. What is seen out of order, because an informer is slower than the
// answer of the API server, counts as no time.
func (h hops) report(ended time.Time) *agentv1.Hops {
	if h.received.IsZero() || h.made.IsZero() || h.placed.IsZero() || h.attached.IsZero() {
		return nil
	}
	last := h.received
	part := func(at time.Time) *durationpb.Duration {
		took := max(0, at.Sub(last))
		last = last.Add(took)
		return durationpb.New(took)
	}
	return &agentv1.Hops{Job: part(h.made), Schedule: part(h.placed), Container: part(h.attached), Run: part(ended)}
}
