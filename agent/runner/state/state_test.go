package state_test

import (
	"errors"
	"path/filepath"
	"strconv"
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
	for name, watch := range map[string]func(*state.Dir) *state.Watcher{
		"Told":  (*state.Dir).Watch,
		"Looks": func(d *state.Dir) *state.Watcher { return d.Look(errors.New("no inotify left")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			w := watch(d)
			if (w.Blind() != nil) != (name == "Looks") {
				t.Errorf("blind: %v", w.Blind())
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
		})
	}
}

func TestDir_Attend(t *testing.T) {
	t.Parallel()
	d := open(t)
	if v, err := d.Attend("c1"); v != nil || err != nil {
		t.Fatalf("a container that never was: %v, %v", v, err)
	}
	p, err := d.Announce("c1")
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.Attend("c1")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-v.Gone():
		t.Error("gone while it is there")
	default:
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	<-v.Gone()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	late, err := d.Attend("c1")
	if err != nil {
		t.Fatal(err)
	}
	<-late.Gone() // at once
	if err := late.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := d.Announce("c1")
	if err != nil {
		t.Fatal(err)
	}
	v, err = d.Attend("c1")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil { // must not hang
		t.Fatal(err)
	}
	select {
	case <-v.Gone():
		t.Error("the end of a vigil is not that of the container")
	default:
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDir_Bury(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason string
		owner  string
		want   []bool // of two that try
	}{
		"Claimed":   {"one of the survivors ends the step that the dead one ran", "dead", []bool{true, false}},
		"Unclaimed": {"it died before its turn", "", []bool{true, false}},
		"Alive":     {"another has the step", "c9", []bool{false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			if tc.owner != "" {
				if _, err := d.Claim(0, tc.owner); err != nil {
					t.Fatal(err)
				}
			}
			for i, want := range tc.want {
				if got, err := d.Bury(0, "c"+strconv.Itoa(i), "dead"); err != nil || got != want {
					t.Errorf("%s: number %d gets %v, %v; want %v", tc.reason, i, got, err, want)
				}
			}
		})
	}
}
