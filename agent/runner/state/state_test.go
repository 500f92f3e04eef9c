package state_test

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/agent/runner/state"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func open(t *testing.T) *state.Dir {
	t.Helper()
	d, err := state.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDir_ClaimOneWinner(t *testing.T) {
	t.Parallel()
	d := open(t)
	var wins atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if ok, err := d.Claim(3, "c"); err != nil {
				t.Error(err)
			} else if ok {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d winners", wins.Load())
	}
	if c, err := d.Claimed(3); c != "c" || err != nil {
		t.Errorf("claimed by %q, %v", c, err)
	}
}

func TestDir_Facts(t *testing.T) {
	t.Parallel()
	d := open(t)
	first := time.Now().Add(-time.Minute)
	for _, now := range []time.Time{first, time.Now()} {
		if at, err := d.Start(now); err != nil || !at.Equal(first) {
			t.Fatalf("start %v, %v: the first container's counts", at, err)
		}
	}
	if s, err := d.Step(0); s != nil || err != nil {
		t.Fatalf("a step before it was set: %v, %v", s, err)
	}
	for _, status := range []runnerv1.StepStatus{runnerv1.StepStatus_STEP_STATUS_RUNNING, runnerv1.StepStatus_STEP_STATUS_PASSED} {
		want := &runnerv1.StepState{Index: 0, Name: "x", Status: status}
		if err := d.SetStep(want); err != nil {
			t.Fatal(err)
		}
		if got, err := d.Step(0); err != nil || !proto.Equal(got, want) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	for _, reason := range []string{"first", "second"} {
		if err := d.Cancel(&runnerv1.Cancel{Reason: reason}); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := d.Cancelled(); err != nil || c.GetReason() != "first" {
		t.Errorf("cancelled by %v, %v", c, err)
	}
	for want := range map[bool]bool{true: true} {
		if got, err := d.Finish(&runnerv1.Finished{}); got != want || err != nil {
			t.Errorf("finish %v, %v", got, err)
		}
	}
	if again, err := d.Finish(&runnerv1.Finished{}); again || err != nil {
		t.Errorf("finished twice: %v, %v", again, err)
	}
}

func TestWatcher_Wait(t *testing.T) {
	t.Parallel()
	d := open(t)
	w, err := d.Watch()
	if err != nil {
		t.Fatal(err)
	}
	woken := make(chan error, 1)
	go func() {
		woken <- w.Wait(t.Context(), func() (bool, error) {
			c, err := d.Cancelled()
			return c != nil, err
		})
	}()
	if _, err := d.Claim(0, "c"); err != nil {
		t.Fatal(err)
	}
	if err := d.Cancel(&runnerv1.Cancel{}); err != nil {
		t.Fatal(err)
	}
	if err := <-woken; err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(t.Context(), func() (bool, error) { return false, nil }); err == nil {
		t.Error("waiting on a closed watcher must not hang")
	}
}
