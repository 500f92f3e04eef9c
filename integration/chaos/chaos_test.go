package chaos_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/chaos"
)

var (
	minutes = flag.Int("minutes", 0, "how long TestChaos goes on; 0 for a few faults of each row")
	faults  = flag.String("faults", "", "rows that TestChaos injects, such as F3,F5; none for all")
	seed    = flag.Uint64("seed", 1, "of the order of ways and phases")
	first   = flag.Int("first", 0, "the round of each row that TestChaos begins with")
	keep    = flag.String("keep", "", "folder for the histories of rows that failed")
)

// each is how many faults of a row are injected before its history is judged, and few how many when there is no time.
const (
	each = 8
	few  = 2
)

// TestChaos injects the faults of the matrix into real processes at each phase of a run, and prints what became of them.
func TestChaos(t *testing.T) { //nolint:paralleltest // it takes the whole machine
	if testing.Short() {
		t.Skip("starts many processes")
	}
	rows := selected(t)
	w := chaos.NewWorld(t, chaos.Options{Replicas: 2, Sites: 2})
	results := map[string]*chaos.Result{}
	until := time.Now().Add(time.Duration(*minutes) * time.Minute)
	// Each row has its turn before any has a second one, however short the time is.
	rounds := few
	if len(rows) == 1 && *minutes > 0 {
		rounds = each // as replayed
	}
	for from := *first; !t.Failed() && (from == *first || time.Now().Before(until)); from += rounds {
		if from > *first && *minutes > 0 {
			rounds = each
		}
		for _, row := range rows {
			r := results[row.ID]
			if r == nil {
				r = &chaos.Result{Row: row}
				results[row.ID] = r
			}
			if broken, path := w.Strike(r, *seed, from, rounds, *keep); len(broken) > 0 {
				t.Errorf("%s %s:\n  %s\n  replay with: make chaos FAULTS=%s SEED=%d FIRST=%d\n  history: %s",
					row.ID, row.Name, strings.Join(shortened(broken), "\n  "), row.ID, *seed, from, path)
			}
			if from > *first && time.Now().After(until) {
				break
			}
		}
	}
	var list []chaos.Result
	for _, row := range rows {
		r := results[row.ID]
		if r == nil || r.Injected == 0 {
			t.Errorf("%s %s was not injected", row.ID, row.Name)
			continue
		}
		list = append(list, *r)
	}
	t.Logf("seed %d, rounds from %d\n%s", *seed, *first, chaos.Table(list))
	injected, survived := 0, 0
	for _, r := range list {
		injected, survived = injected+r.Injected, survived+r.Survived
	}
	t.Logf("figures: chaos: %d faults injected into processes, %d survived", injected, survived)
}

// shortened returns the first of some lines.
func shortened(lines []string) []string {
	const most = 20
	if len(lines) <= most {
		return lines
	}
	return append(lines[:most:most], fmt.Sprintf("and %d more", len(lines)-most))
}

// selected returns the rows that are injected here and asked for.
func selected(t *testing.T) []chaos.Row {
	t.Helper()
	wanted := map[string]bool{}
	for id := range strings.SplitSeq(*faults, ",") {
		if id = strings.TrimSpace(id); id != "" {
			wanted[id] = true
		}
	}
	all := len(wanted) == 0
	var out []chaos.Row
	for _, row := range chaos.Rows() {
		if row.ID == "F0" && *minutes == 0 && !wanted["F0"] {
			continue // of interest to people only
		}
		if len(row.Ways) > 0 && (all || wanted[row.ID]) {
			out = append(out, row)
		}
		delete(wanted, row.ID)
	}
	for id := range wanted {
		t.Errorf("there is no fault %s", id)
	}
	return out
}
