package crowd_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/controlplane/crowd"
)

const lasts = time.Second // that it takes to find an answer out

// world changes with time, and counts how often it was looked at.
type world struct {
	mu     sync.Mutex
	begun  time.Time
	looked int
}

// look returns when it began to look.
func (w *world) look(ctx context.Context) (time.Duration, error) {
	w.mu.Lock()
	w.looked++
	at := time.Since(w.begun)
	w.mu.Unlock()
	select {
	case <-time.After(lasts):
		return at, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// TestCrowd_Ask proves that those who ask at once share an answer, and that nobody gets one that is older than the question.
func TestCrowd_Ask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c crowd.Crowd[string, time.Duration]
		w := world{begun: time.Now()}
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				asked := time.Duration(i) * lasts / 50
				<-time.After(asked)
				got, err := c.Ask(t.Context(), "k", w.look)
				if took := time.Since(w.begun) - asked; err != nil || got < asked || took > 2*lasts {
					t.Errorf("asked at %s: an answer of %s after %s, %v", asked, got, took, err)
				}
			})
		}
		all.Wait()
		if w.looked != 3 {
			t.Errorf("looked %d times: want once for the first, and for all who asked while an answer was found out once more", w.looked)
		}
	})
}

// TestCrowd_Ask_Keys proves that another question has another answer, and waits for none.
func TestCrowd_Ask_Keys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c crowd.Crowd[string, string]
		var all sync.WaitGroup
		begun := time.Now()
		for _, key := range []string{"a", "b"} {
			all.Go(func() {
				got, err := c.Ask(t.Context(), key, func(context.Context) (string, error) {
					<-time.After(lasts)
					return key, nil
				})
				if got != key || err != nil {
					t.Errorf("%q for %q, %v", got, key, err)
				}
			})
		}
		all.Wait()
		if time.Since(begun) != lasts {
			t.Errorf("both took %s", time.Since(begun))
		}
	})
}

// TestCrowd_Ask_Gone proves that whoever goes away while finding something out, or before, takes nobody's answer away.
func TestCrowd_Ask_Gone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c crowd.Crowd[string, time.Duration]
		w := world{begun: time.Now()}
		var all sync.WaitGroup
		ask := func(patience time.Duration, want error) {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if _, err := c.Ask(ctx, "k", w.look); !errors.Is(err, want) {
					t.Errorf("patient for %s: %v, want %v", patience, err, want)
				}
			})
			synctest.Wait()
		}
		ask(lasts/2, context.DeadlineExceeded) // finds it out
		ask(lasts/4, context.DeadlineExceeded) // would be the next
		ask(lasts/8, context.DeadlineExceeded) // waits for the next
		ask(time.Hour, nil)
		ask(time.Hour, nil)
		all.Wait()
		ask(time.Hour, nil) // and nothing is left behind
		all.Wait()
	})
}

// TestCrowd_Ask_Fault proves that a fault is everybody's, and that the next one asks anew.
func TestCrowd_Ask_Fault(t *testing.T) {
	t.Parallel()
	var c crowd.Crowd[int, int]
	away := errors.New("away")
	if _, err := c.Ask(t.Context(), 1, func(context.Context) (int, error) { return 0, away }); !errors.Is(err, away) {
		t.Errorf("%v", err)
	}
	if got, err := c.Ask(t.Context(), 1, func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

// TestCrowd_Ask_Panic proves that nobody waits for ever for somebody who will not answer.
func TestCrowd_Ask_Panic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c crowd.Crowd[int, int]
		var all sync.WaitGroup
		all.Go(func() {
			defer func() { _ = recover() }()
			_, _ = c.Ask(t.Context(), 1, func(context.Context) (int, error) {
				<-time.After(lasts)
				panic("out of order") //nolint:forbidigo // what is tested
			})
		})
		synctest.Wait()
		all.Go(func() {
			if got, err := c.Ask(t.Context(), 1, func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
				t.Errorf("%d, %v", got, err)
			}
		})
		all.Wait()
	})
}
