package admit_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/agent/admit"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

func assignment(id string) work.Assignment {
	return work.Assignment{Assignment: &agentv1.Assignment{AttemptId: id}}
}

// launcher is a next stage whose calls last until they are let go or their context ends.
type launcher struct {
	mu      sync.Mutex
	order   []string
	running int
	most    int
	gate    chan error
}

func (l *launcher) Handle(ctx context.Context, a work.Assignment) error {
	l.mu.Lock()
	l.order = append(l.order, a.GetAttemptId())
	l.running++
	l.most = max(l.most, l.running)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.running--
		l.mu.Unlock()
	}()
	select {
	case err := <-l.gate:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *launcher) started() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.order)
}

func TestAdmitter_JoinsDuplicates(t *testing.T) {
	t.Parallel()
	rejected := &work.RejectedError{Message: "no"}
	for name, c := range map[string]struct {
		reason        string
		first, second error
	}{
		"created":  {"the second start of an attempt finds the first one's Job", nil, work.ErrDuplicate},
		"rejected": {"what can never be is told to both", rejected, rejected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				next := &launcher{gate: make(chan error)}
				a := admit.New(next, 4)
				results := make(chan error, 2)
				go func() { results <- a.Handle(t.Context(), assignment("x")) }()
				synctest.Wait()
				second := make(chan error, 1)
				go func() { second <- a.Handle(t.Context(), assignment("x")) }()
				synctest.Wait()
				next.gate <- c.first
				if got := <-results; !errors.Is(got, c.first) {
					t.Errorf("the first was answered %v", got)
				}
				if got := <-second; !errors.Is(got, c.second) {
					t.Errorf("%s: the second was answered %v, want %v", c.reason, got, c.second)
				}
				if n := len(next.started()); n != 1 {
					t.Errorf("the next stage was called %d times", n)
				}
			})
		})
	}
}

func TestAdmitter_BoundsAndOrders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next := &launcher{gate: make(chan error)}
		a := admit.New(next, 2)
		var running sync.WaitGroup
		start := func(id string, life time.Duration) {
			running.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), life)
				defer cancel()
				if err := a.Handle(ctx, assignment(id)); err != nil {
					t.Errorf("%s: %v", id, err)
				}
			})
			synctest.Wait()
		}
		start("a", time.Minute)
		start("b", time.Minute)
		start("late", 50*time.Second)
		start("soon", 10*time.Second)
		start("same", 10*time.Second)
		for range 5 {
			next.gate <- nil
			synctest.Wait()
		}
		running.Wait()
		if got := next.started(); !slices.Equal(got, []string{"a", "b", "soon", "same", "late"}) {
			t.Errorf("started in the order %v: what expires first must go first", got)
		}
		if next.most != 2 {
			t.Errorf("%d were under way at once, allowed are 2", next.most)
		}
	})
}

func TestAdmitter_Expires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next := &launcher{gate: make(chan error)}
		a := admit.New(next, 1)
		busy := make(chan error, 1)
		go func() { busy <- a.Handle(t.Context(), assignment("busy")) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Handle(ctx, assignment("waiting")); !errors.Is(err, work.ErrStale) {
			t.Errorf("a start that expired in the queue was answered %v", err)
		}
		if err := a.Handle(ctx, assignment("late")); !errors.Is(err, work.ErrStale) {
			t.Errorf("a start that came expired was answered %v", err)
		}
		next.gate <- nil
		if err := <-busy; err != nil {
			t.Errorf("the other was answered %v", err)
		}
		// The place of those who gave up must be free again.
		go func() { next.gate <- nil }()
		if err := a.Handle(t.Context(), assignment("next")); err != nil {
			t.Errorf("the next was answered %v", err)
		}
		if got := next.started(); !slices.Equal(got, []string{"busy", "next"}) {
			t.Errorf("started %v", got)
		}
	})
}

func TestAdmitter_ExpiresWhileCreating(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := admit.New(&launcher{gate: make(chan error)}, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Handle(ctx, assignment("x")); !errors.Is(err, work.ErrStale) {
			t.Errorf("answered %v: the control plane must learn that the time was over", err)
		}
	})
}
