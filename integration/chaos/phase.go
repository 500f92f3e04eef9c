package chaos

import (
	"context"
	"sync"
	"testing"
	"time"
)

// Phase is how far a run has come.
type Phase string

// The phases, in their order.
const (
	Accepted   Phase = "accepted"      // the client knows its execution
	Dispatched Phase = "dispatched"    // the agent has asked for the Job, which is not made yet
	Created    Phase = "Job created"   // the Job is there, and the agent has not been told
	Pending    Phase = "pod pending"   // the pod is there
	Running    Phase = "running"       // its process has begun
	Streaming  Phase = "log streaming" // half of its log is written
	ResultSent Phase = "result sent"   // its result is on the way
	Finalizing Phase = "finalizing"    // the process has ended, and nobody has noted it yet
)

// Phases lists all of them.
func Phases() []Phase {
	return []Phase{Accepted, Dispatched, Created, Pending, Running, Streaming, ResultSent, Finalizing}
}

// patience bounds what is waited for; nothing relies on how long it takes.
const patience = 90 * time.Second

// gates hold the first run that comes to a phase for which a fault is prepared.
type gates struct {
	mu    sync.Mutex
	armed map[Phase]chan held
}

// held is a run that stands still until its release is closed.
type held struct {
	site    *site
	release chan struct{}
}

// arm returns where the next run comes by that reaches a phase.
func (g *gates) arm(p Phase) <-chan held {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.armed == nil {
		g.armed = map[Phase]chan held{}
	}
	g.armed[p] = make(chan held, 1)
	return g.armed[p]
}

// reach tells that a run of a site has come to a phase, and holds it when somebody waits for it.
func (g *gates) reach(ctx context.Context, p Phase, s *site) {
	g.mu.Lock()
	gate := g.armed[p]
	delete(g.armed, p)
	g.mu.Unlock()
	if gate == nil {
		return
	}
	h := held{s, make(chan struct{})}
	gate <- h
	wait(ctx, h.release, patience)
}

// wait waits for something, or for the context, or for so long, and tells whether it came.
func wait(ctx context.Context, what <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-what:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// pass lets time pass; it returns false when the context ends before.
func pass(ctx context.Context, d time.Duration) bool {
	wait(ctx, nil, d)
	return ctx.Err() == nil
}

// arrival waits for the run that an armed gate holds.
func arrival(tb testing.TB, gate <-chan held, p Phase) held {
	tb.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case h := <-gate:
		return h
	case <-timer.C:
		tb.Fatalf("no run has come to the phase %s", p)
		return held{}
	}
}
