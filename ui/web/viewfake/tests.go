package viewfake

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
	"github.com/seatrial/seatrial/ui/web/view"
)

// PutTest adds a test with its runs, or replaces the one with its key.
func (w *World) PutTest(c testcase.Case, runs []testcase.Run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = slices.DeleteFunc(w.known, func(k board.Known) bool { return k.Key == c.Key })
	w.known = append(w.known, board.Known{Case: c, Runs: runs})
}

// PutQuarantine adds a quarantine.
func (w *World) PutQuarantine(q testcase.Quarantine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.quarantines = append(w.quarantines, q)
}

// Quarantined returns all quarantines there ever were.
func (w *World) Quarantined() []testcase.Quarantine {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.quarantines)
}

// Board returns the board of the tests: the real one, over what is in memory.
func (w *World) Board() view.Tests {
	return board.New(cases{w}, silent{}, slog.New(slog.DiscardHandler), func() time.Time { return w.Now() })
}

// silent tells nobody: no page listens to what becomes of tests.
type silent struct{}

func (silent) Publish(context.Context, string) {}

type cases struct{ *World }

// UnreliableTests returns all keys: the board leaves out what can be relied on.
func (c cases) UnreliableTests(ctx context.Context, workflow string, _ time.Time, _ int) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var keys []string
	for _, k := range c.known {
		if workflow == "" || k.Workflow == workflow {
			keys = append(keys, k.Key)
		}
	}
	return keys, c.allowed(ctx)
}

// TestRuns returns tests with their runs.
func (c cases) TestRuns(ctx context.Context, keys []string, _ time.Time, _ int) ([]board.Known, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []board.Known
	for _, k := range c.known {
		if slices.Contains(keys, k.Key) {
			out = append(out, k)
		}
	}
	return out, c.allowed(ctx)
}

// LaterRuns returns tests with their runs since a time of each.
func (c cases) LaterRuns(ctx context.Context, asked []board.Later, _ int) ([]board.Known, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []board.Known
	for _, a := range asked {
		for _, k := range c.known {
			if k.Key == a.Key {
				k.Runs = slices.DeleteFunc(slices.Clone(k.Runs), func(r testcase.Run) bool { return r.At.Before(a.Since) })
				out = append(out, k)
			}
		}
	}
	return out, c.allowed(ctx)
}

// Strips makes strips of the runs.
func (c cases) Strips(ctx context.Context, workflow, _ string) ([]testcase.Strip, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []testcase.Strip
	for _, k := range c.known {
		at := map[string]*testcase.Strip{}
		for _, r := range slices.SortedStableFunc(slices.Values(k.Runs), func(a, b testcase.Run) int { return b.At.Compare(a.At) }) {
			if k.Workflow != workflow {
				continue
			}
			s := at[r.Environment]
			if s == nil {
				s = &testcase.Strip{Key: k.Key, Environment: r.Environment}
				at[r.Environment] = s
			}
			s.Letters += testcase.Letters([]byte{testcase.Letter(r.Outcome, len(r.Earlier) > 0)})
		}
		for _, environment := range slices.Sorted(maps.Keys(at)) {
			out = append(out, *at[environment])
		}
	}
	return out, c.allowed(ctx)
}

// Quarantines returns those that are active.
func (c cases) Quarantines(ctx context.Context, at time.Time) ([]testcase.Quarantine, error) {
	out := slices.DeleteFunc(c.Quarantined(), func(q testcase.Quarantine) bool { return !q.Active(at) })
	slices.Reverse(out)
	return out, c.allowed(ctx)
}

// SaveQuarantine adds one, and ends an earlier one of the test.
func (c cases) SaveQuarantine(ctx context.Context, q testcase.Quarantine) error {
	if c.QuarantineErr != nil {
		return c.QuarantineErr
	}
	if err := c.EndQuarantine(ctx, q.Test, q.Actor, q.CreatedAt); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	c.PutQuarantine(q)
	return nil
}

// EndQuarantine ends that of a test.
func (c cases) EndQuarantine(ctx context.Context, test, by string, at time.Time) error {
	if err := c.allowed(ctx); err != nil {
		return err
	}
	if c.QuarantineErr != nil {
		return c.QuarantineErr
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, q := range c.quarantines {
		if q.Test == test && q.Active(at) {
			c.quarantines[i].EndedBy, c.quarantines[i].EndedAt = by, at
			return nil
		}
	}
	return fault.New(fault.NotFound, "the test %q is in no quarantine", test)
}
