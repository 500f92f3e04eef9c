package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/integration/history"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// Limits of the checker for this layer.
const (
	recoverFor = 150 * time.Second // until all that was accepted has ended: a cancelled run whose start was lost waits for an inventory
	cancelFor  = 45 * time.Second  // until nothing runs of what was cancelled
)

// Bout is a while of load with the faults of one row of the table, and what was seen of it.
type Bout struct {
	w     *World
	book  *history.Recorder
	ctx   context.Context //nolint:containedctx // ends with the bout: whoever works for it watches it
	stop  context.CancelFunc
	quiet context.CancelFunc // ends the load
	calls sync.WaitGroup
	tails sync.WaitGroup // those who follow logs
	load  sync.WaitGroup // those who ask for executions

	following atomic.Int32 // logs whose end nobody was told yet

	mu       sync.Mutex
	runs     map[string]*run
	failures []string
}

// begin starts a bout with so many new executions a second.
func (w *World) begin(rate float64) *Bout {
	ctx, stop := context.WithCancel(w.ctx)
	b := &Bout{w: w, book: &history.Recorder{}, ctx: ctx, stop: stop, runs: map[string]*run{}}
	w.bout.Store(b)
	w.mu.Lock()
	w.gaps, w.notes = 0, nil
	w.mu.Unlock()
	return b.drive(rate)
}

// drive asks for executions at a steady rate, whether or not those before have ended, until quiet is called.
func (b *Bout) drive(rate float64) *Bout {
	loading, quiet := context.WithCancel(b.ctx)
	stop := b.stop
	b.stop = func() { quiet(); stop() }
	b.quiet = quiet
	b.load.Go(func() {
		tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer tick.Stop()
		for {
			select {
			case <-loading.Done():
				return
			case <-tick.C:
				b.load.Go(b.one)
			}
		}
	})
	return b
}

// one is a client with one execution, which sometimes asks twice and sometimes changes its mind.
func (b *Bout) one() {
	s, key := b.w.sites[rand.IntN(len(b.w.sites))], uuid.NewString()
	r := b.start(b.ctx, s, key)
	if r == nil {
		return
	}
	if rand.IntN(4) == 0 {
		b.start(b.ctx, s, key)
	}
	if !b.w.decided && rand.IntN(8) == 0 && pass(b.ctx, rand.N(2*time.Second)) {
		b.cancel(b.ctx, r)
	}
}

// accepted remembers an execution; it tells whether it was known.
func (b *Bout) accepted(id string, s *site) (r *run, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r, known = b.runs[id]; known {
		return r, true
	}
	r = &run{id: id, site: s, done: make(chan struct{})}
	b.runs[id] = r
	return r, false
}

func (b *Bout) all() []*run {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []*run
	for _, r := range b.runs {
		out = append(out, r)
	}
	return out
}

// fail notes something that may not happen.
func (b *Bout) fail(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = append(b.failures, fmt.Sprintf(format, args...))
}

// recovered waits until everything has ended that was accepted before now, and until one more has. It returns how long that took.
func (b *Bout) recovered(since time.Time) (took time.Duration, ok bool) {
	ctx, cancel := context.WithDeadline(b.ctx, since.Add(recoverFor))
	defer cancel()
	for _, r := range b.all() {
		if !wait(ctx, r.done, recoverFor) {
			return time.Since(since), false
		}
	}
	var probes sync.WaitGroup
	var missing atomic.Int32
	for _, s := range b.w.sites {
		probes.Go(func() {
			if r := b.start(ctx, s, uuid.NewString()); r == nil || !wait(ctx, r.done, recoverFor) {
				missing.Add(1)
			}
		})
	}
	probes.Wait()
	return time.Since(since), missing.Load() == 0
}

// settle ends the load, waits for the end of everything and reads all of it once more.
func (b *Bout) settle() {
	b.book.Add(history.Event{Kind: history.Healed})
	b.quiet()
	b.load.Wait() // what was asked for last is accepted, or refused
	ctx, cancel := context.WithTimeout(b.ctx, recoverFor)
	defer cancel()
	settled := true
	for _, r := range b.all() {
		settled = wait(ctx, r.done, recoverFor) && settled
	}
	if settled {
		b.book.Add(history.Event{Kind: history.Settled})
		b.tailsEnd()
	}
	reading, cancelReading := context.WithTimeout(b.ctx, 2*recoverFor)
	defer cancelReading()
	b.reread(reading)
	b.stop()
	b.calls.Wait()
	b.tails.Wait()
}

// tailsEnd waits until everybody who follows a log was told that it has ended: nothing is written any more. Those who start to follow come
// from the watches of executions, which have all ended.
func (b *Bout) tailsEnd() {
	deadline := time.NewTimer(recoverFor)
	defer deadline.Stop()
	again := time.NewTicker(tryAgain)
	defer again.Stop()
	for b.following.Load() > 0 {
		select {
		case <-again.C:
		case <-deadline.C:
			b.fail("%d logs are followed %s after everything has ended: nobody said so", b.following.Load(), recoverFor)
			return
		case <-b.ctx.Done():
			return
		}
	}
}

// reread looks at everything once more, as somebody does who comes later.
func (b *Bout) reread(ctx context.Context) {
	const atOnce = 8
	turn := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for _, r := range b.all() {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			if err := b.later(ctx, r.id); err != nil {
				b.fail("%v", err)
			}
		})
	}
	all.Wait()
}

// name is how history calls a status.
func name(s apiv1.Status) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "STATUS_"))
}

// attempts returns the attempts whose process has begun.
func (b *Bout) attempts() []string {
	var out []string
	for _, e := range b.book.Events() {
		if e.Kind == history.Began {
			out = append(out, e.Attempt)
		}
	}
	return out
}
