package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/integration/history"
)

// Result is what became of the faults of a row.
type Result struct {
	Row                   Row
	Injected, Survived    int
	Runs                  int
	Duplicated, Stuck     int
	Written, Lost, Stated int64 // bytes of logs: in all, missing, and missing with a word
	Recoveries            []time.Duration
	Broken                []string
	phases                map[Phase]bool
}

// at notes that a fault was injected at a phase and survived.
func (r *Result) at(p Phase) {
	if r.phases == nil {
		r.phases = map[Phase]bool{}
	}
	r.phases[p] = true
}

// judge adds what the history of a bout says.
func (r *Result) judge(b *Bout) {
	events := b.book.Events()
	for _, v := range history.Check(events, history.Limits{Cancel: cancelFor, Recover: recoverFor}) {
		r.Broken = append(r.Broken, v.String())
	}
	b.mu.Lock()
	r.Broken = append(r.Broken, b.failures...)
	b.mu.Unlock()
	begun, keys, ended := map[string]int{}, map[string]map[string]bool{}, map[string]bool{}
	written, read := map[string]int64{}, map[string]int64{}
	for _, e := range events {
		switch e.Kind { //nolint:exhaustive // the others are counted by the checker
		case history.Created:
			begun["Job "+e.Attempt]++
		case history.Began:
			begun["process "+e.Attempt]++
		case history.Accepted:
			if keys[e.Key] == nil {
				keys[e.Key] = map[string]bool{}
			}
			keys[e.Key][e.Execution] = true
		case history.Seen:
			ended[e.Execution] = ended[e.Execution] || e.Terminal && e.Attempt == ""
		case history.Wrote:
			written[e.Attempt+e.Stream] = max(written[e.Attempt+e.Stream], e.Offset+e.Bytes)
		case history.Read:
			if e.Viewer == "later" {
				read[e.Attempt+e.Stream] += e.Bytes - e.Gap
				r.Stated += e.Gap
			}
		}
	}
	for _, n := range begun {
		r.Duplicated += max(0, n-1)
	}
	for _, executions := range keys {
		r.Duplicated += len(executions) - 1
		for id := range executions {
			r.Runs++
			if !ended[id] {
				r.Stuck++
			}
		}
	}
	lost := int64(0)
	for stream, n := range written {
		r.Written += n
		lost += n - read[stream]
	}
	r.Lost += lost
}

// percentile returns the p-th hundredth of durations.
func percentile(of []time.Duration, p int) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

// Table prints results, and which tests elsewhere inject the same faults.
func Table(results []Result) string {
	var out strings.Builder
	out.WriteString(Totals(results) + "\nProven by other tests, too:\n")
	for _, r := range Rows() {
		for i, p := range r.Proofs {
			head := ""
			if i == 0 {
				head = r.ID
			}
			fmt.Fprintf(&out, "%-4s %-34s %s of %s: %s\n", head, map[bool]string{true: r.Name}[i == 0], p.Test, p.Package, p.Shows)
		}
	}
	return out.String()
}

// Totals prints results.
func Totals(results []Result) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%-4s %-34s %8s %8s %6s %6s %10s %5s %10s %12s %9s %9s\n",
		"", "fault", "injected", "survived", "phases", "runs", "duplicated", "stuck", "bytes lost", "gaps stated", "p50", "p99")
	injected, survived, runs, duplicated, stuck, lost, stated := 0, 0, 0, 0, 0, int64(0), int64(0)
	var all []time.Duration
	for _, r := range results {
		if r.Injected == 0 {
			continue
		}
		if r.Row.ID == "F0" {
			r.Injected, r.Survived = 0, 0 // nothing was
		}
		fmt.Fprintf(&out, "%-4s %-34s %8d %8d %6s %6d %10d %5d %10d %12d %8.1fs %8.1fs\n", r.Row.ID, r.Row.Name, r.Injected, r.Survived,
			fmt.Sprintf("%d/%d", len(r.phases), len(Phases())), r.Runs, r.Duplicated, r.Stuck,
			r.Lost-r.Stated, r.Stated, percentile(r.Recoveries, 50).Seconds(), percentile(r.Recoveries, 99).Seconds())
		injected, survived, runs, duplicated, stuck = injected+r.Injected, survived+r.Survived, runs+r.Runs, duplicated+r.Duplicated, stuck+r.Stuck
		lost, stated, all = lost+r.Lost-r.Stated, stated+r.Stated, append(all, r.Recoveries...)
	}
	fmt.Fprintf(&out, "%-4s %-34s %8d %8d %6s %6d %10d %5d %10d %12d %8.1fs %8.1fs\n", "all", "", injected, survived, "", runs, duplicated, stuck, lost, stated,
		percentile(all, 50).Seconds(), percentile(all, 99).Seconds())
	return out.String()
}
