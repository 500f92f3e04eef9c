package words

import (
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/ui/web/readiness"
)

// Readiness returns the words for a state of a release; none for that of before the first verdict.
func Readiness(s verdict.State) string {
	return strings.ToLower(strings.ReplaceAll(string(s), "_", " "))
}

// ReadinessClass returns the class of the style sheet for a state of a release.
func ReadinessClass(s verdict.State) string { return strings.ToLower(string(s)) }

// Release says in one sentence how a release stands.
func Release(r release.Release) string {
	return r.Application + " " + r.Version + " is " + Readiness(r.State) + "."
}

// Because says why the verdict is what it is: what is broken, what is missing, or that every rule holds.
func Because(r readiness.Report) string {
	var said []string
	if len(r.Broken) > 0 {
		said = append(said, broken(r))
	}
	if text := missing(r); text != "" {
		if len(said) > 0 {
			text = "Besides, " + text
		} else {
			text = "Nothing that is known speaks against it, but " + text
		}
		said = append(said, text)
	}
	if len(said) > 0 {
		return strings.Join(said, " ")
	}
	if len(r.Cells) == 0 {
		return "There is no verdict yet."
	}
	return holds(r)
}

// broken says how much of the evidence is bad, and where.
func broken(r readiness.Report) string {
	what := Count(int64(len(r.Broken)), "rule") + " " + isAre(len(r.Broken)) + " broken"
	n, places := atFault(r.Broken)
	if n == 0 {
		return what + " in " + somePlaces(places) + "."
	}
	return fmt.Sprintf("%s by %s in %s.", what, Count(int64(n), "test"), somePlaces(places))
}

// atFault counts the tests that break rules, each once in every cell, and names their environments.
func atFault(rules []readiness.Rule) (n int, environments []string) {
	seen, more, where := map[readiness.Fault]bool{}, map[readiness.Place]int{}, map[string]bool{}
	for _, rule := range rules {
		for _, c := range rule.Cells {
			if !where[c.Environment] {
				where[c.Environment] = true
				environments = append(environments, c.Environment)
			}
			for _, f := range c.Faults {
				seen[readiness.Fault{Place: f.Place, Test: f.Test}] = true
			}
			more[c.Place] = max(more[c.Place], c.More)
		}
	}
	n = len(seen)
	for _, unnamed := range more {
		n += unnamed
	}
	return n, environments
}

// missing says how much evidence is missing, as the rest of a sentence; nothing when none is.
func missing(r readiness.Report) string {
	lacking, never, running := 0, 0, 0
	for _, c := range r.Cells {
		if c.Lacking > 0 {
			lacking, never, running = lacking+c.Lacking, never+c.NeverRan, running+min(c.Running, c.Lacking)
		}
	}
	switch required := r.Required(); {
	case lacking > 0 && never == lacking:
		return fmt.Sprintf("%d of %s never ran.", lacking, Count(int64(required), "required test"))
	case lacking > 0:
		return fmt.Sprintf("evidence is missing for %d of %s", lacking, Count(int64(required), "required test")) + ofWhich(never, running) + "."
	case len(r.Missing) > 0:
		_, places := atFault(r.Missing)
		return "evidence is missing in " + somePlaces(places) + "."
	case len(r.Gaps) > 0:
		return "evidence is missing: " + lowered(r.Gaps[0])
	}
	return ""
}

// ofWhich tells apart, of what is missing, what nobody has begun and what is on its way.
func ofWhich(never, running int) string {
	var parts []string
	if never > 0 {
		parts = append(parts, fmt.Sprintf("%d never ran", never))
	}
	if running > 0 {
		parts = append(parts, fmt.Sprintf("%d %s running", running, isAre(running)))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", of which " + Join(parts)
}

// holds says that every rule does, and for how much.
func holds(r readiness.Report) string {
	text := fmt.Sprintf("%s in %s, and every rule holds", Count(int64(r.Required()), "required test"), somePlaces(r.Environments))
	used := 0
	for _, w := range r.Waivers {
		if w.Used {
			used++
		}
	}
	if used > 0 {
		return text + ", but only with " + Count(int64(used), "waiver") + "."
	}
	return text + " without a waiver."
}

// somePlaces names a few environments, and counts many.
func somePlaces(names []string) string {
	const few = 3
	if len(names) > few {
		return Count(int64(len(names)), "environment")
	}
	return Join(names)
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// lowered makes a sentence fit for the middle of another one.
func lowered(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// Standing returns the words for how a cell of a release stands.
func Standing(c readiness.Cell) string {
	switch c.State {
	case readiness.NeverRan:
		return "never ran"
	case readiness.Lacking:
		if c.Required == 0 {
			return "nothing known"
		}
		return fmt.Sprintf("%d of %d missing", c.Lacking, c.Required)
	case readiness.Broken:
		return "rule broken"
	case readiness.Failing, readiness.Flaky, readiness.Running, readiness.Waived, readiness.Ready:
	}
	return string(c.State)
}

// Link says why an execution is evidence for a release.
func Link(l release.Link) string {
	switch l {
	case release.Asked:
		return "asked: its trigger named the release"
	case release.Observed:
		return "observed: it ran against the release's images"
	}
	return string(l)
}

// Period returns how long something may last, in the largest unit that needs no fraction.
func Period(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return Count(int64(d/day), "day")
	case d >= time.Hour && d%time.Hour == 0:
		return Count(int64(d/time.Hour), "hour")
	}
	return Took(d)
}
