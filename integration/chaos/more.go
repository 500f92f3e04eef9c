package chaos

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/seatrial/seatrial/agent/workfake"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// tellRedis sends a command to Redis.
func (w *World) tellRedis(words ...any) {
	client := redis.NewClient(&redis.Options{Addr: w.redis.Address})
	defer client.Close()
	if err := client.Do(w.ctx, words...).Err(); err != nil {
		w.tb.Errorf("Redis: %v: %v", words, err)
	}
}

// tellPostgres carries out a statement as the superuser, who keeps connections of his own.
func (w *World) tellPostgres(statement string) {
	db, err := sql.Open("pgx", w.admin)
	if err != nil {
		w.tb.Error(err)
		return
	}
	defer db.Close()
	if _, err := db.ExecContext(w.ctx, statement); err != nil {
		w.tb.Errorf("PostgreSQL: %s: %v", statement, err)
	}
}

// viewers is F11: people who look at everything that was accepted so far.
func viewers() []Way {
	var came atomic.Int32
	crowd := func(each func(ctx context.Context, w *World, attempt string)) func(*World, *site) func() {
		return func(w *World, _ *site) func() {
			ctx, cancel := context.WithCancel(w.ctx)
			bout := w.bout.Load()
			attempts := bout.attempts()
			if len(attempts) == 0 {
				cancel()
				return nil
			}
			came.Store(0)
			var all sync.WaitGroup
			const many = 100
			for i := range many {
				all.Go(func() { each(ctx, w, attempts[i%len(attempts)]) })
			}
			return func() {
				cancel()
				all.Wait()
				if n := came.Load(); n < many {
					bout.fail("of %d viewers only %d came", many, n)
				}
			}
		}
	}
	open := func(ctx context.Context, w *World, attempt string) (receive func() bool, end func()) {
		stream, err := w.planes[0].API(w.token).StreamLog(ctx, &apiv1.StreamLogRequest{AttemptId: attempt, Follow: true})
		if err != nil {
			return func() bool { return false }, func() {}
		}
		came.Add(1)
		return stream.Receive, func() { _ = stream.Close() }
	}
	return []Way{
		{"read nothing", long, crowd(func(ctx context.Context, w *World, attempt string) {
			_, end := open(ctx, w, attempt)
			defer end()
			<-ctx.Done()
		})},
		{"come and go", long, crowd(func(ctx context.Context, w *World, attempt string) {
			for pass(ctx, tryAgain) {
				receive, end := open(ctx, w, attempt)
				receive()
				end()
			}
		})},
		{"all read", long, crowd(func(ctx context.Context, w *World, attempt string) {
			for pass(ctx, tryAgain) {
				receive, end := open(ctx, w, attempt)
				for receive() {
				}
				end()
			}
		})},
	}
}

// fullDisks is F12: the disk on which the pods of a site keep what is not delivered.
func fullDisks() []Way {
	return []Way{{"spools", long, func(w *World, s *site) func() {
		if !s.small {
			return nil
		}
		fill := filepath.Join(s.disk, "fill")
		if err := fillUp(fill); err != nil {
			w.tb.Error(err)
		}
		return func() {
			if err := os.Remove(fill); err != nil {
				w.tb.Error(err)
			}
		}
	}}}
}

// fillUp writes until the disk takes no more.
func fillUp(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			return err //nolint:wrapcheck // says what it is
		}
	}
	return nil
}

// apiServerFails is F14.
func apiServerFails() []Way {
	answers := func(err error) func(*World, *site) func() {
		return func(_ *World, s *site) func() {
			s.turnAway(func(workfake.Call) error { return err })
			return func() { s.turnAway(nil) }
		}
	}
	return []Way{
		{"503", long, answers(apierrors.NewServiceUnavailable("the API server starts"))},
		{"429", long, answers(apierrors.NewTooManyRequests("too many requests", 1))},
		{"creates fail", short, func(_ *World, s *site) func() {
			s.turnAway(func(c workfake.Call) error {
				if c.Verb == "create" && c.Resource == "jobs" {
					return apierrors.NewInternalError(errors.New("etcd has no leader"))
				}
				return nil
			})
			return func() { s.turnAway(nil) }
		}},
	}
}

// overload is F23: many times as many triggers as ever, all at once.
func overload() []Way {
	const burst = 60
	return []Way{
		{"a burst of triggers", 0, func(w *World, _ *site) func() {
			b := w.bout.Load()
			for i := range burst {
				b.load.Go(func() { b.start(b.ctx, w.sites[i%len(w.sites)], uuid.NewString()) })
			}
			return func() {}
		}},
		{"all agents at once", 0, func(w *World, _ *site) func() {
			for _, s := range w.sites {
				s.wire.cut()
			}
			return func() {
				for _, s := range w.sites {
					s.wire.mend(w.tb)
				}
			}
		}},
	}
}

// everythingDies is F26 as far as processes go: all of them are killed at once. PostgreSQL is the one that keeps what was acknowledged, and
// flushes it.
func everythingDies() []Way {
	return []Way{{"everything killed", short, func(w *World, _ *site) func() {
		w.postgres.Kill(w.tb)
		for _, p := range w.planes {
			p.End(w.tb, syscall.SIGKILL)
		}
		for _, s := range w.sites {
			for _, a := range s.living() {
				s.kill(w.tb, a)
			}
		}
		w.redis.Kill(w.tb)
		w.s3.Kill(w.tb)
		return func() {
			w.redis.Start(w.tb)
			w.s3.Start(w.tb)
			w.postgres.Start(w.tb)
			beginAll(w, w.planes)
			for _, s := range w.sites {
				s.startAgent(w.tb)
			}
		}
	}}}
}
