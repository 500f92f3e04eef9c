package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	sendTimeout = 30 * time.Second
	maxBackoff  = 15 * time.Second
)

// touch marks a record as changed and has it sent; the caller holds the lock.
func (o *Outbox) touch(r *record) {
	r.version++
	r.report.ObservedAt = timestamppb.Now()
	if r.sending {
		return // whoever sends looks again
	}
	r.sending = true
	o.later(func(ctx context.Context) { o.send(ctx, r) })
}

// send delivers the newest snapshot until there is no newer one. Only one send of an attempt runs at a time, so snapshots arrive
// in order; what changes meanwhile goes with the next.
func (o *Outbox) send(ctx context.Context, r *record) {
	for try := 0; ; try++ {
		select {
		case <-ctx.Done():
			return
		case o.senders <- struct{}{}:
		}
		o.mu.Lock()
		report, version := proto.CloneOf(r.report), r.version
		o.mu.Unlock()
		err := o.report(ctx, func(ctx context.Context) error { return o.o.Reporter.Report(ctx, report) })
		<-o.senders
		if errors.Is(err, work.ErrRefused) {
			// Sending it again would change nothing, and the runner shall not wait for it.
			o.o.Log.WarnContext(ctx, "report refused", "attempt", report.GetAttemptId(), "error", err)
			report, err = nil, nil
		}
		if err == nil {
			if o.accept(r, version, report) {
				return
			}
			try = -1
			continue
		}
		if ctx.Err() != nil {
			return
		}
		o.o.Log.DebugContext(ctx, "report not taken, trying again", "attempt", report.GetAttemptId(), "error", err)
		timer := time.NewTimer(rand.N(min(maxBackoff, 250*time.Millisecond<<min(try, 6)))) //nolint:gosec // spreads load
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (o *Outbox) report(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return f(ctx)
}

// accept notes that a snapshot was taken, or refused for good when there is no report, and tells whether it was the newest.
func (o *Outbox) accept(r *record, version uint64, report *agentv1.AttemptReport) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	r.taken(report)
	r.accepted = version
	close(r.changed)
	r.changed = make(chan struct{})
	if r.version > version {
		return false
	}
	r.sending = false
	o.forget(r)
	return true
}
