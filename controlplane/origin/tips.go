package origin

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// MaxTips is of how many branches and tags of a repository it is known where they are; branches come first.
const MaxTips = 2000

// TipGrace is how long a forge has to tell of a push until it counts as missed.
const TipGrace = 2 * time.Minute

// Tips are where the branches and tags of a repository by their full names, such as refs/heads/main.
type Tips map[string]Tip

// Tip is what is known of one.
type Tip struct {
	Told string    `json:"told,omitempty"` // commit that everybody knows of; empty for a ref that is new
	Seen string    `json:"seen,omitempty"` // another one, that it is at; empty when it is the same
	At   time.Time `json:"at,omitzero"`    // when that was seen first
}

// Change is a branch or tag that is at another commit, and nobody may have told of it.
type Change struct {
	Ref    string
	Before string // empty for one that is new
	Commit string
	At     time.Time // when it was seen first
}

// Look compares what is known with what a repository has now. Whatever the forge has had time to tell of is returned as a change, in the order
// of the names, and comes again until Told. What is seen for the first time, when nothing is known yet, is no change.
func (r Tips) Look(has map[string]string, now time.Time) (next Tips, changes []Change) {
	next = Tips{}
	for _, name := range tracked(has) {
		commit := has[name]
		known, ok := r[name]
		switch {
		case r == nil:
			known = Tip{Told: commit}
		case ok && known.Told == commit:
			known = Tip{Told: commit}
		case known.Seen != commit:
			known.Seen, known.At = commit, now
		}
		next[name] = known
		if known.Seen != "" && now.Sub(known.At) >= TipGrace {
			changes = append(changes, Change{Ref: name, Before: known.Told, Commit: commit, At: known.At})
		}
	}
	return next, changes
}

// Told notes that everybody knows of changes.
func (r Tips) Told(changes []Change) {
	for _, c := range changes {
		r[c.Ref] = Tip{Told: c.Commit}
	}
}

// tracked returns the names of those that are followed, sorted: refs/heads comes before refs/tags.
func tracked(has map[string]string) []string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(has)), func(name string) bool {
		return !strings.HasPrefix(name, "refs/heads/") && !strings.HasPrefix(name, "refs/tags/") || len(name) > 255
	})
	return names[:min(len(names), MaxTips)]
}
