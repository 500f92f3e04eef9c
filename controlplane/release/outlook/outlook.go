// Package outlook says how the releases of an organization fare over time: how many get ready, how long it takes until somebody answers a
// verdict that says no, and what such verdicts rest upon most often.
package outlook

import (
	"cmp"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

const (
	// Weeks is how far it is looked back.
	Weeks = 12
	// MaxReleases is how many releases are looked at, the newest.
	MaxReleases = 1000
	// MaxBlockers is how many reasons are listed.
	MaxBlockers = 10

	week = 7 * 24 * time.Hour
)

// Story is what became of a release.
type Story struct {
	Application string
	Version     string
	CreatedAt   time.Time
	State       verdict.State    // now
	Changes     []release.Change // of the verdict, oldest first
	Asked       []time.Time      // when waivers were asked for
}

// Week is the releases that were created in a week.
type Week struct {
	From     time.Time
	States   map[verdict.State]int // how they stand now
	Releases int
	ToReady  time.Duration // median from creation to the first verdict that they are ready
	Readied  int           // how many had one
	ToAnswer time.Duration // median from a verdict of not ready, of that week, to the first answer
	Answered int           // how many of those verdicts have been answered
	Open     int           // how many have not
}

// Blocker is a rule that kept releases from being ready, in a place.
type Blocker struct {
	release.Blocker

	Releases int       // how many
	Last     time.Time // when it did so last
}

// Outlook is what leadership wants to know.
type Outlook struct {
	Weeks    []Week // oldest first, those without releases too
	Releases int
	Ready    int // with waivers or without
	Waived   int // of them, with waivers
	Readied  int // had a verdict that they are ready at some time
	ToReady  time.Duration
	Answered int
	Open     int // verdicts of not ready that nobody has answered
	ToAnswer time.Duration
	Blockers []Blocker // most often first
	Cut      bool      // there are more releases than were looked at
}

// Since is the beginning of what is looked at: of a Monday, in UTC.
func Since(now time.Time) time.Time {
	day := now.UTC().Truncate(24 * time.Hour)
	monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	return monday.AddDate(0, 0, -7*(Weeks-1))
}

// Of makes the outlook of the stories of all releases that were created since Since(now).
func Of(stories []Story, now time.Time) Outlook {
	since := Since(now)
	out := Outlook{Weeks: make([]Week, Weeks), Cut: len(stories) > MaxReleases}
	stories = stories[:min(len(stories), MaxReleases)]
	ready, answers := make([][]time.Duration, Weeks), make([][]time.Duration, Weeks)
	blockers := map[release.Blocker]*Blocker{}
	for i := range out.Weeks {
		out.Weeks[i] = Week{From: since.Add(time.Duration(i) * week), States: map[verdict.State]int{}}
	}
	at := func(t time.Time) int { return int(t.Sub(since) / week) }
	for _, s := range stories {
		i := at(s.CreatedAt)
		if s.CreatedAt.Before(since) || i < 0 || i >= len(ready) {
			continue
		}
		out.Releases++
		out.Weeks[i].Releases++
		out.Weeks[i].States[s.State]++
		switch s.State {
		case verdict.Ready:
			out.Ready++
		case verdict.ReadyWithWaivers:
			out.Ready++
			out.Waived++
		case verdict.NotReady, verdict.Incomplete:
		}
		if t, ok := firstReady(s); ok {
			ready[i] = append(ready[i], t.Sub(s.CreatedAt))
		}
		for _, a := range s.answers() {
			switch j := min(max(at(a.from), 0), Weeks-1); {
			case a.open:
				out.Weeks[j].Open++
				out.Open++
			default:
				answers[j] = append(answers[j], a.to.Sub(a.from))
			}
		}
		s.block(blockers)
	}
	out.Readied, out.ToReady = len(slices.Concat(ready...)), median(slices.Concat(ready...))
	out.Answered, out.ToAnswer = len(slices.Concat(answers...)), median(slices.Concat(answers...))
	for i := range out.Weeks {
		w := &out.Weeks[i]
		w.Readied, w.ToReady, w.Answered, w.ToAnswer = len(ready[i]), median(ready[i]), len(answers[i]), median(answers[i])
	}
	out.Blockers = ranked(blockers)
	return out
}

func firstReady(s Story) (time.Time, bool) {
	for _, c := range s.Changes {
		if c.After == verdict.Ready || c.After == verdict.ReadyWithWaivers {
			return c.At, true
		}
	}
	return time.Time{}, false
}

// answer is the time between a verdict of not ready and what somebody did about it.
type answer struct {
	from, to time.Time
	open     bool
}

// answers lists them: a verdict is answered when a waiver is asked for, or when evidence comes in that changes it.
func (s Story) answers() []answer {
	var out []answer
	for i, c := range s.Changes {
		if c.After != verdict.NotReady {
			continue
		}
		a := answer{from: c.At, open: true}
		if i+1 < len(s.Changes) {
			a.to, a.open = s.Changes[i+1].At, false
		}
		for _, asked := range s.Asked {
			if !asked.Before(c.At) && (a.open || asked.Before(a.to)) {
				a.to, a.open = asked, false
			}
		}
		out = append(out, a)
	}
	return out
}

// block counts each reason of a release once.
func (s Story) block(into map[release.Blocker]*Blocker) {
	seen := map[release.Blocker]bool{}
	for _, c := range s.Changes {
		for _, b := range c.Blockers {
			known := into[b]
			if known == nil {
				known = &Blocker{Blocker: b}
				into[b] = known
			}
			if !seen[b] {
				known.Releases++
				seen[b] = true
			}
			if c.At.After(known.Last) {
				known.Last = c.At
			}
		}
	}
}

func ranked(all map[release.Blocker]*Blocker) []Blocker {
	out := make([]Blocker, 0, len(all))
	for _, b := range all {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Blocker) int {
		return cmp.Or(cmp.Compare(b.Releases, a.Releases), b.Last.Compare(a.Last), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Suite, b.Suite))
	})
	return out[:min(len(out), MaxBlockers)]
}

// median is zero for nothing.
func median(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	if n := len(list); n%2 == 0 {
		return (list[n/2-1] + list[n/2]) / 2
	}
	return list[len(list)/2]
}
