// Package compare says what is different between two executions of a workflow. It is pure: two records with their results in, their
// differences out.
package compare

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/verdict"
)

// Case is what one report of an execution says of a test.
type Case struct {
	ID          uuid.UUID // of the result
	Attempt     execution.AttemptID
	Key         string // empty for what stands for no test, such as an exit code
	Title       string // suites and name
	Variant     string
	Outcome     results.Outcome
	Earlier     []string // outcomes of tries that the tool made before
	Fingerprint string
	Duration    time.Duration
}

// Side is an execution with its results.
type Side struct {
	Execution execution.Execution
	Cases     []Case
	Only      func(Place) bool // the places that count; nil for all
}

// Kind is how a test fared.
type Kind string

// The kinds. A test is of one kind, or it fared the same.
const (
	NewlyFailing Kind = "newly_failing" // it fails, and did not before, be it that it was not there
	StillFailing Kind = "still_failing"
	NewlyFlaky   Kind = "newly_flaky"   // it failed and passed in the same execution, and did not before
	NewlyPassing Kind = "newly_passing" // it passes, and was there without passing before
	NewlyAbsent  Kind = "newly_absent"  // it said something before, and says nothing now
	NewlyPresent Kind = "newly_present" // it was not there before, and does not fail
	Slower       Kind = "slower"        // it passes both times, and takes longer by the rule for durations
)

// Kinds lists them in the order in which people read them.
func Kinds() []Kind {
	return []Kind{NewlyFailing, NewlyFlaky, NewlyAbsent, StillFailing, NewlyPassing, NewlyPresent, Slower}
}

// Test is a test in one place.
type Test struct {
	Key         string
	Title       string
	Place       Place
	Variant     string
	Before      verdict.Verdict // empty when it was not there
	After       verdict.Verdict
	OtherCause  bool   // it still fails, with another fingerprint
	Fingerprint string // of what went wrong now; before, when it is absent now
	Was, Is     time.Duration
	Result      uuid.UUID // what says so now; before, when it is absent now
}

// Group is the tests of a kind.
type Group struct {
	Kind  Kind
	Count int    // of all
	Tests []Test // the first of them, by title
}

// Tests is how the tests of two executions differ.
type Tests struct {
	Before, After int // tests on either side, each once in every place
	Same          int // those that fared the same
	OtherCause    int // those that still fail, with another fingerprint
	Groups        []Group
	// Slow are tests that pass both times and took noticeably longer, the longest first: what the rule for durations is asked about.
	Slow []Test
}

// Group returns the tests of a kind.
func (t Tests) Group(k Kind) Group {
	for _, g := range t.Groups {
		if g.Kind == k {
			return g
		}
	}
	return Group{Kind: k}
}

// Bounds of what is listed. Counts are of all, whatever is listed.
const (
	MaxListed = 200 // tests of a kind
	MaxSlow   = 50
)

// What makes a test worth asking about: less is never called slower.
const (
	slowRatio = 1.20
	slowLeast = 100 * time.Millisecond
)

// identity is a test in one place.
type identity struct {
	place        Place
	key, variant string
}

// fared is all that an execution says of it.
type fared struct {
	title, fingerprint string
	key                string
	attempts           []verdict.Attempt
	result             uuid.UUID
	took               time.Duration
}

func (f *fared) verdict() verdict.Verdict {
	if f == nil {
		return ""
	}
	return verdict.Of(f.attempts, verdict.None).Verdict
}

// Of compares what the tests of an earlier execution say with those of a later one.
func Of(before, after Side) Tests {
	old, now := before.gather(), after.gather()
	out := Tests{Before: len(old), After: len(now)}
	lists := map[Kind][]Test{}
	add := func(id identity, was, is *fared) {
		t := testOf(id, was, is)
		kind := kindOf(t)
		switch {
		case kind == "":
			out.Same++
			if t.slow() {
				out.Slow = append(out.Slow, t)
			}
			return
		case kind == StillFailing && t.OtherCause:
			out.OtherCause++
		}
		lists[kind] = append(lists[kind], t)
	}
	for id, is := range now {
		add(id, old[id], is)
	}
	for id, was := range old {
		if now[id] == nil {
			add(id, was, nil)
		}
	}
	for _, kind := range Kinds() {
		list := lists[kind]
		slices.SortFunc(list, byCause)
		out.Groups = append(out.Groups, Group{Kind: kind, Count: len(list), Tests: slices.Clone(list[:min(len(list), MaxListed)])})
	}
	slices.SortFunc(out.Slow, func(a, b Test) int { return cmp.Or(cmp.Compare(b.Is-b.Was, a.Is-a.Was), byCause(a, b)) })
	out.Slow = slices.Clone(out.Slow[:min(len(out.Slow), MaxSlow)])
	return out
}

// Slower puts tests into the group of those that became slower.
func (t *Tests) Slower(list []Test) {
	for i, g := range t.Groups {
		if g.Kind == Slower {
			t.Groups[i].Count, t.Groups[i].Tests = len(list), list
		}
	}
}

// byCause puts what fails for another cause first, then goes by title.
func byCause(a, b Test) int {
	if a.OtherCause != b.OtherCause {
		if a.OtherCause {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Title, b.Title), cmp.Compare(a.Place.Environment, b.Place.Environment), cmp.Compare(a.Place.Cell, b.Place.Cell),
		cmp.Compare(a.Variant, b.Variant), cmp.Compare(a.Key, b.Key))
}

// gather puts together what several attempts and reports say of the same test.
func (s Side) gather() map[identity]*fared {
	places := placesOf(s.Execution)
	all := make(map[identity]*fared, len(s.Cases))
	for _, c := range s.Cases {
		place := places[c.Attempt]
		if s.Only != nil && !s.Only(place) {
			continue
		}
		id := identity{place, cmp.Or(c.Key, c.Title), c.Variant}
		f := all[id]
		if f == nil {
			f = &fared{title: c.Title, key: c.Key}
			all[id] = f
		}
		for _, earlier := range c.Earlier {
			f.attempts = append(f.attempts, verdict.Attempt{Outcome: results.Outcome(earlier)})
		}
		f.attempts = append(f.attempts, verdict.Attempt{Outcome: c.Outcome})
		if bad := c.Outcome.Bad(); bad || f.fingerprint == "" {
			f.fingerprint, f.result, f.took = c.Fingerprint, c.ID, c.Duration
		}
	}
	return all
}

func testOf(id identity, was, is *fared) Test {
	t := Test{Place: id.place, Variant: id.variant, Before: was.verdict(), After: is.verdict()}
	if was != nil {
		t.Key, t.Title, t.Fingerprint, t.Was, t.Result = was.key, was.title, was.fingerprint, was.took, was.result
	}
	if is != nil {
		t.Key, t.Title, t.Fingerprint, t.Is, t.Result = is.key, is.title, is.fingerprint, is.took, is.result
	}
	t.OtherCause = t.Before == verdict.Failed && t.After == verdict.Failed && was.fingerprint != is.fingerprint
	return t
}

// kindOf returns nothing for a test that fared the same.
func kindOf(t Test) Kind {
	switch {
	case t.After == verdict.Failed && t.Before == verdict.Failed:
		return StillFailing
	case t.After == verdict.Failed:
		return NewlyFailing
	case t.After == t.Before:
		return ""
	case t.After == verdict.Flaky:
		return NewlyFlaky
	case t.Before == "":
		return NewlyPresent
	case t.After == verdict.Passed:
		return NewlyPassing
	case t.After == "" || speaks(t.Before) && !speaks(t.After):
		return NewlyAbsent
	}
	return ""
}

// speaks reports whether a verdict is evidence for or against the subject.
func speaks(v verdict.Verdict) bool {
	return v == verdict.Passed || v == verdict.Failed || v == verdict.Flaky
}

func (t Test) slow() bool {
	return t.Key != "" && t.After == verdict.Passed && t.Is-t.Was >= slowLeast && float64(t.Is) >= slowRatio*float64(t.Was)
}
