package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
)

const racers = 8

// together runs one function many times at once.
func together(run func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		wg.Go(func() {
			<-start
			run(i)
		})
	}
	close(start)
	wg.Wait()
}

func races() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"OneKeyStartsOnce": func(t *testing.T, f *fixture) {
			requests := make([]execution.New, racers)
			for i := range requests {
				requests[i] = f.request(t, "same")
			}
			var started atomic.Int32
			var ids sync.Map
			together(func(i int) {
				id, existed, err := f.CreateExecution(f.as(t), requests[i])
				if err != nil {
					t.Errorf("create: %v", err)
				}
				if !existed {
					started.Add(1)
				}
				ids.Store(id, true)
			})
			seen := 0
			ids.Range(func(any, any) bool { seen++; return true })
			if started.Load() != 1 || seen != 1 {
				t.Errorf("%d started, %d ids; want one of each", started.Load(), seen)
			}
		},
		"CommandIsTakenOnce": func(t *testing.T, f *fixture) {
			const n = 20
			for range n {
				f.queued(t)
			}
			ctx := f.agent(t, f.cluster)
			epoch, err := f.OpenSession(ctx, cluster.Hello{})
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			taken := map[uuid.UUID]int{}
			together(func(int) {
				list, err := f.TakeCommands(ctx, epoch, n, 15*time.Second, time.Minute)
				if err != nil {
					t.Errorf("take: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, c := range list {
					taken[c.ID]++
				}
			})
			for id, times := range taken {
				if times > 1 {
					t.Errorf("command %s was taken %d times", id, times)
				}
			}
			if rest, err := f.TakeCommands(ctx, epoch, n, 15*time.Second, time.Minute); err != nil || len(taken)+len(rest) != n {
				t.Errorf("%d taken, %d left of %d, %v", len(taken), len(rest), n, err)
			}
		},
		"ChunkIsStoredOnce": func(t *testing.T, f *fixture) {
			run := f.assigned(t)
			together(func(int) {
				if _, err := f.AppendChunks(f.agent(t, f.cluster), []execution.Chunk{chunk(run, 0, "one\n", 0, 1), chunk(run, 4, "two\n", 1, 1)}); err != nil {
					t.Errorf("append: %v", err)
				}
			})
			list, state, err := f.Chunks(f.as(t), run.AttemptID, execution.Stream(1), 0, 1<<20)
			if err != nil || len(list) != 2 || state.Committed != 8 {
				t.Errorf("%d chunks, committed %d, %v", len(list), state.Committed, err)
			}
		},
		"CancelAgainstFinish": func(t *testing.T, f *fixture) {
			run := f.assigned(t)
			var first atomic.Value
			together(func(i int) {
				status := execution.Passed
				if i%2 == 0 {
					status = execution.Cancelled
				}
				saved, err := f.SaveReport(f.agent(t, f.cluster), execution.Report{Attempt: run.AttemptID, Status: status})
				if err != nil {
					t.Errorf("report: %v", err)
				}
				if !first.CompareAndSwap(nil, saved.Status) && first.Load() != saved.Status {
					t.Errorf("two winners: %v and %v", first.Load(), saved.Status)
				}
			})
		},
	}
}
