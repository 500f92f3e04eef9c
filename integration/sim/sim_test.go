package sim_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/integration/history"
	"github.com/seatrial/seatrial/integration/sim"
)

var (
	seeds  = flag.Int("seeds", 0, "how many seeds TestSeeds runs; 0 for as many as take a minute or less")
	seed   = flag.Uint64("seed", 0, "the only seed that TestSeeds runs, with a log of everything; 0 for many")
	repeat = flag.Int("repeat", 1, "how often that seed is run at most, until it breaks something")
	first  = flag.Uint64("first", 1, "the first of the seeds")
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // each simulation leaves everything behind
	m.Run()
}

// replay is the command that runs a seed again.
func replay(seed uint64) string { return fmt.Sprintf("make sim SEED=%d", seed) }

// once runs a plan in a bubble of its own and returns what was broken. It has to be called by a test that runs nothing else meanwhile.
func once(t *testing.T, shared *sim.Shared, plan sim.Plan, o sim.Options) (r sim.Result, violations []history.Violation) {
	t.Helper()
	over := false
	defer func() {
		if !over { // it panicked: what failed there says nothing of the seed
			t.Logf("replay with: %s\n%s", replay(plan.Seed), plan)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		var err error
		if r, err = sim.Run(t.Context(), shared, plan, o); err != nil {
			t.Errorf("the simulation itself failed: %v\nreplay with: %s", err, replay(plan.Seed))
		}
	})
	over = true
	return r, history.Check(r.Events, sim.Limits())
}

// tell reports what was broken by a seed.
func tell(t *testing.T, plan sim.Plan, violations []history.Violation) {
	t.Helper()
	if len(violations) == 0 {
		return
	}
	var lines []string
	for _, v := range violations {
		lines = append(lines, v.String())
	}
	t.Errorf("%s\n  replay with: %s\n  %s", strings.Join(lines, "\n"), replay(plan.Seed), plan)
}

// tally is what many simulations have shown together.
type tally struct {
	mu      sync.Mutex
	seeds   int
	events  int
	took    time.Duration
	reached map[sim.Point]int
	acted   map[sim.Point]int
	faults  map[string]int
	begun   time.Time
}

func newTally() *tally {
	return &tally{reached: map[sim.Point]int{}, acted: map[sim.Point]int{}, faults: map[string]int{}, begun: time.Now()}
}

func (c *tally) add(r sim.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seeds++
	c.events += len(r.Events)
	c.took += r.Took
	for p, n := range r.Reached {
		c.reached[p] += n
	}
	for p, n := range r.Acted {
		c.acted[p] += n
	}
	for _, e := range r.Events {
		if e.Kind == history.Fault {
			c.faults[e.Name]++
		}
	}
}

// String says how much was simulated and how fast.
func (c *tally) String() string {
	faults := 0
	for _, n := range c.faults {
		faults += n
	}
	real := time.Since(c.begun)
	return fmt.Sprintf("%d seeds in %s, %.0f a minute; %d events, %d faults beside those of messages; %s simulated",
		c.seeds, real.Round(time.Millisecond), float64(c.seeds)/real.Minutes(), c.events, faults, c.took.Round(time.Minute))
}

// each runs f for each of some plans, on as many processors as there are. It is over when the subtests of t are: what comes after belongs
// into a Cleanup.
func each(t *testing.T, plans []sim.Plan, f func(t *testing.T, plan sim.Plan)) {
	t.Helper()
	var next atomic.Int64
	for n := range runtime.GOMAXPROCS(0) {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(plans) {
					return
				}
				f(t, plans[i])
			}
		})
	}
}

// TestSeeds runs one simulation after the other and judges each by all invariants.
func TestSeeds(t *testing.T) {
	t.Parallel()
	shared := sim.Share(t)
	if *seed != 0 {
		again(t, shared, sim.NewPlan(*seed))
		return
	}
	many := *seeds
	if many == 0 {
		many = share(300)
	}
	var plans []sim.Plan
	for n := range many {
		plans = append(plans, sim.NewPlan(*first+uint64(n)))
	}
	total := newTally()
	each(t, plans, func(t *testing.T, plan sim.Plan) {
		t.Helper()
		r, violations := once(t, shared, plan, sim.Options{})
		tell(t, plan, violations)
		total.add(r)
	})
	t.Cleanup(func() { t.Log(total) })
}

// again runs a plan until it breaks something, at most so often as is asked for, and shows everything of that run, or of the last.
func again(t *testing.T, shared *sim.Shared, plan sim.Plan) {
	t.Helper()
	t.Log(plan)
	for n := range *repeat {
		var log bytes.Buffer
		r, violations := once(t, shared, plan, sim.Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if len(violations) == 0 && n < *repeat-1 {
			continue
		}
		for _, e := range r.Events {
			if e.Kind != history.Sent && e.Kind != history.Canary {
				e.Data = nil
				text, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s %s", e.At.Format("15:04:05.000"), text)
			}
		}
		t.Logf("%s\nrun %d of %d", log.String(), n+1, *repeat)
		tell(t, plan, violations)
		return
	}
}

// share is how many of so many simulations there is time for: the race detector makes each take several times as long.
func share(n int) int {
	if raced || testing.Short() {
		return n / 6
	}
	return n
}

// kept returns the seeds that have once found a bug.
func kept(t *testing.T) []uint64 {
	t.Helper()
	b, err := os.ReadFile("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []uint64
	for line := range bytes.Lines(b) {
		text, _, _ := strings.Cut(string(line), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("testdata/seeds.txt: %v", err)
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
