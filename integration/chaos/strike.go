package chaos

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/seatrial/seatrial/integration/history"
)

// rate is how many executions are asked for each second while faults are injected.
const rate = 3

// round is one fault at one phase.
type round struct {
	way   Way
	phase Phase
}

// rounds returns some of the pairs of a way and a phase, from a number on, in the order of a seed. Each way and each phase comes before
// one comes again, and each pair comes once before one comes twice.
func (r Row) rounds(seed uint64, first, n int) []round {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.ID)) // never fails
	c := rand.New(rand.NewPCG(seed, h.Sum64()))
	ways, phases := c.Perm(len(r.Ways)), c.Perm(len(Phases()))
	var out []round
	for i := first; i < first+n; i++ {
		out = append(out, round{r.Ways[ways[i%len(ways)]], Phases()[phases[(i/len(ways)+i%len(ways))%len(phases)]]})
	}
	return out
}

// Strike injects n faults of a row from the given round on, one after the other, waits for the recovery from each, and judges the history in the end. It returns
// what was broken and where the history is kept: in a folder that was asked for, or, if it was broken, in one of its own.
func (w *World) Strike(r *Result, seed uint64, first, n int, keep string) (broken []string, path string) {
	w.tb.Helper()
	b := w.begin(rate)
	before, survived := len(r.Broken), 0
	for _, one := range r.Row.rounds(seed, first, n) {
		took, ok, possible := w.inject(b, r.Row, one)
		if !possible {
			w.tb.Logf("%s %s cannot be injected on this machine", r.Row.ID, one.way.Name)
			continue
		}
		r.Injected++
		if !ok {
			r.Broken = append(r.Broken, one.way.Name+" at "+string(one.phase)+": not recovered after "+took.Round(time.Second).String())
			break
		}
		w.tb.Logf("%s %s at %s: recovered after %s", r.Row.ID, one.way.Name, one.phase, took.Round(time.Millisecond))
		survived++
		r.at(one.phase)
		r.Recoveries = append(r.Recoveries, took)
	}
	b.settle()
	r.judge(b)
	if broken = r.Broken[before:]; len(broken) == 0 {
		r.Survived += survived
		if keep == "" {
			return nil, ""
		}
	}
	return broken, w.keep(b, fmt.Sprintf("%s-%d-%d", r.Row.ID, seed, first), keep)
}

// inject injects one fault and waits for the recovery from it.
func (w *World) inject(b *Bout, row Row, one round) (took time.Duration, ok, possible bool) {
	w.tb.Helper()
	gate := w.gates.arm(one.phase)
	h := arrival(w.tb, gate, one.phase)
	b.book.Add(history.Event{Kind: history.Fault, Name: row.ID + " " + one.way.Name + " at " + string(one.phase)})
	end := one.way.Begin(w, h.site)
	close(h.release)
	if end == nil {
		took, ok = b.recovered(time.Now())
		return took, ok, false
	}
	pass(b.ctx, one.way.Hold)
	end()
	took, ok = b.recovered(time.Now())
	return took, ok, true
}

// keep writes a history to a file and returns its path.
func (w *World) keep(b *Bout, name, dir string) string {
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "seatrial-chaos")
	}
	path := filepath.Join(dir, name+".jsonl")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err.Error()
	}
	f, err := os.Create(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if err := history.Write(f, b.book.Events()); err != nil {
		return err.Error()
	}
	return path
}
