package execution

import (
	"errors"
	"slices"

	"github.com/seatrial/seatrial/controlplane/cluster"
)

// OnConflict is what happens to a run that finds its group full.
type OnConflict string

// What may happen to it.
const (
	QueueUp     OnConflict = "queue"  // it waits
	CancelOlder OnConflict = "cancel" // older runs are cancelled for it
	SkipNewer   OnConflict = "skip"   // it ends as skipped
)

// ReasonGroup is the machine-readable cause of a run that waits for its group, or that was skipped or cancelled because of it.
const ReasonGroup = "ConcurrencyGroup"

// Group keeps runs apart: those whose groups have one name, in an organization, count together.
type Group struct {
	Name       string // empty for none
	Limit      int    // how many runs may be active at once, for this one to begin
	OnConflict OnConflict
}

// Member is a live run of a group.
type Member struct {
	Execution ID
	Above     []ID // the executions whose steps have led to it
	Holds     bool // it has begun
	Ending    bool // it has begun and was asked to end
	Group     Group
}

// Fate is what becomes of a member.
type Fate int

// The fates.
const (
	Stay  Fate = iota // it goes on as it is: it runs, or waits
	Begin             // its turn has come
	Skip              // it ends, because others are there
	End               // it is cancelled for a newer one
)

// Decide says what becomes of the live members of one group, which come oldest first. Room is how many more runs the executions with
// a limit of their own (maxParallel) let begin.
//
//   - A free place goes to the oldest that waits. Nobody passes one that waits for a place, so that a low limit never starves behind
//     higher ones; only those whose own execution holds them back are passed, because they wait for no place.
//   - A run takes its place in the group and in its execution together or not at all: who waits holds nothing, so there is no
//     circle of runs that wait for each other.
//   - A run that cancels others ends the oldest, as many as have to go; those that are about to end count as gone. A run that is
//     skipped is so when it finds others before it. Runs of one execution do neither to each other: they take turns. Nor does a run
//     cancel the suite that it is a part of.
func Decide(members []Member, room map[ID]int) []Fate {
	fates := make([]Fate, len(members))
	back := heldBack(members, room)
	for i := len(members) - 1; i >= 0; i-- {
		if m := members[i]; !m.Holds && !back[i] && m.Group.OnConflict == CancelOlder && fates[i] == Stay {
			endOlder(members[:i], fates, m)
		}
	}
	places, queueing := 0, false // places taken; somebody waits for one
	for _, m := range members {
		if m.Holds {
			places++
		}
	}
	for i, m := range members {
		left, limited := room[m.Execution]
		if m.Holds || fates[i] != Stay || limited && left == 0 {
			continue
		}
		switch {
		case !queueing && places < m.Group.Limit:
			fates[i] = Begin
			places++
			if limited {
				room[m.Execution]--
			}
		case m.Group.OnConflict == SkipNewer && othersBefore(members, fates, i):
			fates[i] = Skip
		default:
			queueing = true
		}
	}
	return fates
}

// heldBack tells which members wait for a sibling rather than for the group: they cancel nobody, because they could not begin.
func heldBack(members []Member, room map[ID]int) []bool {
	back := make([]bool, len(members))
	taken := map[ID]int{}
	for i, m := range members {
		if left, limited := room[m.Execution]; limited && !m.Holds {
			back[i] = taken[m.Execution] >= left
			taken[m.Execution]++
		}
	}
	return back
}

// endOlder ends the oldest of other executions, until there is a place for m among those that are left.
func endOlder(older []Member, fates []Fate, m Member) {
	before := 0
	for i, o := range older {
		if !o.Ending && fates[i] != End {
			before++
		}
	}
	for i, o := range older {
		if before < m.Group.Limit {
			return
		}
		if !o.Ending && fates[i] != End && o.Execution != m.Execution && !slices.Contains(m.Above, o.Execution) {
			fates[i] = End
			before--
		}
	}
}

// othersBefore reports whether a run of another execution holds a place or waits for one before the member.
func othersBefore(members []Member, fates []Fate, at int) bool {
	for i, o := range members {
		if o.Execution != members[at].Execution && (o.Holds || fates[i] == Begin || i < at && fates[i] == Stay) {
			return true
		}
	}
	return false
}

// Effects are what a change of one execution does to others: whoever asked for the change tells them.
type Effects struct {
	Wake    []cluster.ID // whose agents have something to do
	Changed []ID         // executions that look different now
	Calls   bool         // steps may have calls to begin or to tell of
	Judge   bool         // releases have to be decided anew that this is evidence for
	// Undecided is why it is still open who may begin in a concurrency group. The change itself is stored, and the sweep decides later:
	// whoever asked for it logs this and does not answer with it.
	Undecided error
}

// Add takes over more effects, each once.
func (e *Effects) Add(more Effects) {
	for _, id := range more.Wake {
		if !slices.Contains(e.Wake, id) {
			e.Wake = append(e.Wake, id)
		}
	}
	for _, id := range more.Changed {
		if !slices.Contains(e.Changed, id) {
			e.Changed = append(e.Changed, id)
		}
	}
	e.Calls = e.Calls || more.Calls
	e.Judge = e.Judge || more.Judge
	e.Undecided = errors.Join(e.Undecided, more.Undecided)
}
