package sim

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// Point is a place between two side effects, where a party may be stopped. Each side effect has two: before and after it.
type Point string

// Action is what happens at a point.
type Action string

// The actions.
const (
	Crash Action = "crash" // the party is killed there, and started again
	Stall Action = "stall" // it stands still there for a while
	Fail  Action = "fail"  // the side effect is reported as failed, also where it has happened
)

// Actions lists all actions.
func Actions() []Action { return []Action{Crash, Stall, Fail} }

// Rule stops a party at a point when it comes there for the nth time, from 1.
type Rule struct {
	Point  Point
	Nth    int
	Action Action
}

// effects are the side effects of a run from the trigger to the garbage collection, in that order.
func effects() []string {
	return []string{
		"store.create-execution", "store.open-session", "store.take-commands", "wire.start", "kube.create-job", "wire.ack",
		"store.ack-command", "wire.inventory", "store.reconcile", "wire.append-logs", "store.append-chunks", "wire.report",
		"store.save-report", "store.cancel-execution", "wire.cancel", "kube.stop-job", "wire.release", "kube.delete-job", "store.touch-sessions",
		"store.close-session",
	}
}

// Points lists all points.
func Points() []Point {
	var out []Point
	for _, e := range effects() {
		out = append(out, before(e), after(e))
	}
	return out
}

func before(effect string) Point { return Point(effect + ".before") }
func after(effect string) Point  { return Point(effect + ".after") }

// stallFor is how long a party stands still at a point.
const stallFor = 10 * time.Second

var (
	errDead   = errors.New("whoever asks was killed by the simulation")
	errFailed = errors.New("failed by the simulation")
)

// owner is a party that may be killed.
type owner interface {
	host() string
	gone() bool
	kill()
}

// points counts how often each point was reached and does what the rules say.
type points struct {
	mu      sync.Mutex
	rules   []Rule
	reached map[Point]int
	acted   map[Point]int
}

func newPoints(rules []Rule) *points {
	return &points{rules: rules, reached: map[Point]int{}, acted: map[Point]int{}}
}

// at is called by a party at a point. An error means that it may not go on.
func (w *World) at(who owner, p Point) error {
	if who.gone() {
		return errDead
	}
	w.points.mu.Lock()
	w.points.reached[p]++
	n := w.points.reached[p]
	i := slices.IndexFunc(w.points.rules, func(r Rule) bool { return r.Point == p && r.Nth == n })
	if i < 0 {
		w.points.mu.Unlock()
		return nil
	}
	w.points.acted[p]++
	action := w.points.rules[i].Action
	w.points.mu.Unlock()
	w.fault(string(action) + " at " + string(p))
	switch action {
	case Crash:
		who.kill()
		return errDead
	case Fail:
		return errFailed
	case Stall:
		w.sleep(stallFor)
		if who.gone() {
			return errDead
		}
	}
	return nil
}

// around does a side effect between its two points. The caller hears of a failure after it as if it had not happened.
func (w *World) around(who owner, effect string, do func() error) error {
	if err := w.at(who, before(effect)); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return w.at(who, after(effect))
}
