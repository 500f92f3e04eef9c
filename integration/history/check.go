package history

import (
	"fmt"
	"slices"
	"time"
)

// Invariant names one of the ten promises.
type Invariant string

// The invariants.
const (
	I1  Invariant = "I1"  // at most one Job for an attempt, and its process runs once
	I2  Invariant = "I2"  // each accepted trigger comes to exactly one end, which has a reason and never changes
	I3  Invariant = "I3"  // log bytes read are those written, in order and once, or a gap says how many are missing
	I4  Invariant = "I4"  // what was acknowledged survives
	I5  Invariant = "I5"  // who was superseded cannot write
	I6  Invariant = "I6"  // nothing of a cancelled execution runs on, and cancel or finish wins, not both
	I7  Invariant = "I7"  // nothing of one tenant is sent to another
	I8  Invariant = "I8"  // what is held in memory and on disk is bounded and comes back to where it was
	I9  Invariant = "I9"  // after the last fault everything comes to its end
	I10 Invariant = "I10" // nothing is left that should have been collected
)

// Violation is a promise that was broken.
type Violation struct {
	Invariant Invariant
	At        time.Time // of the event that shows it; zero when it is the absence of one
	What      string
}

// String says what was broken.
func (v Violation) String() string { return fmt.Sprintf("%s: %s", v.Invariant, v.What) }

// Limits are how long things may take. A zero value means no limit.
type Limits struct {
	Cancel  time.Duration // from an accepted cancellation, or the last fault, until nothing of it runs
	Recover time.Duration // from the last fault until everything has settled
}

// Check judges a history by all invariants. It returns nothing for one that keeps every promise.
func Check(events []Event, limits Limits) []Violation {
	h := gather(events, limits)
	var out []Violation
	for _, check := range []func(*facts) []Violation{once, ends, logs, durable, fenced, cancels, apart, bounded, alive, collected} {
		out = append(out, check(h)...)
	}
	return out
}

// facts are the events of a history by what they are about.
type facts struct {
	events  []Event
	limits  Limits
	of      map[Kind][]Event
	healed  time.Time // zero when faults go on
	settled time.Time
	last    time.Time
}

func gather(events []Event, limits Limits) *facts {
	h := &facts{events: events, limits: limits, of: map[Kind][]Event{}}
	for _, e := range events {
		h.of[e.Kind] = append(h.of[e.Kind], e)
		if e.At.After(h.last) {
			h.last = e.At
		}
		switch e.Kind { //nolint:exhaustive // the others have no time of their own
		case Healed:
			h.healed, h.settled = e.At, time.Time{}
		case Settled:
			h.settled = e.At
		}
	}
	return h
}

// by groups the events of a kind by a field, in the order of first appearance.
func (h *facts) by(kind Kind, key func(Event) string) (keys []string, groups map[string][]Event) {
	groups = map[string][]Event{}
	for _, e := range h.of[kind] {
		k := key(e)
		if _, known := groups[k]; !known {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], e)
	}
	return keys, groups
}

func attemptOf(e Event) string   { return e.Attempt }
func executionOf(e Event) string { return e.Execution }
func streamOf(e Event) string    { return e.Attempt + " " + e.Stream }

func broken(i Invariant, at time.Time, format string, args ...any) Violation {
	return Violation{Invariant: i, At: at, What: fmt.Sprintf(format, args...)}
}

// once is I1, but for a Job that nobody had heard of when somebody took it away. What ended as passed or failed has run; anything else may have.
func once(h *facts) (out []Violation) {
	for _, count := range []struct {
		kind Kind
		what string
	}{{Created, "Jobs were created for"}, {Began, "processes have begun for"}} {
		attempts, groups := h.by(count.kind, attemptOf)
		for _, id := range attempts {
			if g := groups[id]; len(g) > 2 || len(g) == 2 && !h.unheard(id) {
				out = append(out, broken(I1, g[1].At, "%d %s attempt %s", len(g), count.what, id))
			}
		}
	}
	if len(h.of[Began]) == 0 && len(h.of[Created]) == 0 {
		return out // this history does not tell of processes
	}
	_, begun := h.by(Began, attemptOf)
	for _, e := range h.lastSeen(func(e Event) bool { return e.Attempt != "" }, attemptOf) {
		if (e.Status == "passed" || e.Status == "failed") && len(begun[e.Attempt]) == 0 {
			out = append(out, broken(I1, e.At, "attempt %s ended as %s and no process of it has ever begun", e.Attempt, e.Status))
		}
	}
	return out
}

// unheard tells whether somebody took the first Job of an attempt away before the control plane had heard that there was one: its agent died
// between making the Job and saying so. Nobody is left who knows of that Job, and the start that was never answered is carried out.
func (h *facts) unheard(attempt string) bool {
	var created, taken bool
	for _, e := range h.events {
		switch {
		case e.Attempt != attempt:
		case e.Kind == Reported:
			return false
		case e.Kind == Taken && created:
			taken = true
		case e.Kind == Created && created:
			return taken
		case e.Kind == Created:
			created = true
		}
	}
	return false
}

// lastSeen returns for each key what was seen of it last.
func (h *facts) lastSeen(want func(Event) bool, key func(Event) string) []Event {
	keys, groups := h.by(Seen, func(e Event) string {
		if !want(e) {
			return ""
		}
		return key(e)
	})
	var out []Event
	for _, k := range keys {
		if k != "" {
			out = append(out, groups[k][len(groups[k])-1])
		}
	}
	return out
}

// ends is I2. An end other than a test's own result has a reason, and one for which the infrastructure is blamed a cause.
func ends(h *facts) (out []Violation) {
	keys, groups := h.by(Accepted, func(e Event) string { return e.Tenant + "/" + e.Key })
	for _, key := range keys {
		for _, e := range groups[key][1:] {
			if first := groups[key][0]; e.Key != "" && e.Execution != first.Execution {
				out = append(out, broken(I2, e.At, "the key %s started %s and %s", e.Key, first.Execution, e.Execution))
			}
		}
	}
	_, taken := h.by(Taken, attemptOf)
	ended := map[string]Event{}
	for _, e := range h.of[Seen] {
		id := cmpOr(e.Attempt, e.Execution)
		first, over := ended[id]
		switch {
		case over && e.Status != first.Status:
			out = append(out, broken(I2, e.At, "%s ended as %s and was seen as %s later", id, first.Status, e.Status))
		case !over && e.Terminal:
			ended[id] = e
			if e.Reason == "" && e.Status != "passed" && e.Status != "failed" && e.Status != "skipped" {
				out = append(out, broken(I2, e.At, "%s ended as %s without a reason", id, e.Status))
			}
			if e.Attempt != "" && e.Status == "errored" && len(taken[id]) == 0 {
				out = append(out, broken(I2, e.At, "attempt %s ended as errored (%s) although nobody took its Job or pod away", id, e.Reason))
			}
		}
	}
	if h.healed.IsZero() {
		return out // it may still come to its end
	}
	accepted, _ := h.by(Accepted, executionOf)
	for _, id := range accepted {
		if _, over := ended[id]; !over {
			out = append(out, broken(I2, time.Time{}, "execution %s was accepted and has not come to an end", id))
		}
	}
	return out
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// durable is I4.
func durable(h *facts) (out []Violation) {
	seen := map[string]Event{}
	for _, e := range h.of[Seen] {
		seen[cmpOr(e.Attempt, e.Execution)] = e
	}
	if len(h.of[Seen]) > 0 {
		accepted, _ := h.by(Accepted, executionOf)
		for _, id := range accepted {
			if _, there := seen[id]; !there {
				out = append(out, broken(I4, time.Time{}, "execution %s was accepted and nobody has ever seen it", id))
			}
		}
	}
	for _, e := range h.of[Reported] {
		if last, there := seen[e.Attempt]; e.Terminal && there && last.At.After(e.At) && !last.Terminal {
			out = append(out, broken(I4, last.At, "the end of attempt %s as %s was acknowledged, and later it was seen as %s", e.Attempt, e.Status, last.Status))
		}
	}
	lengths := map[string]int64{}
	for _, e := range h.of[Totals] {
		lengths[streamOf(e)] = e.Offset
	}
	streams, groups := h.by(Committed, streamOf)
	for _, stream := range streams {
		most := slices.MaxFunc(groups[stream], func(a, b Event) int { return int(a.Offset - b.Offset) })
		if length, read := lengths[stream]; read && length < most.Offset {
			out = append(out, broken(I4, most.At, "%d bytes of %s were acknowledged and %d are stored", most.Offset, stream, length))
		}
	}
	return out
}

// fenced is I5: nothing that a session began after a newer one had been opened has an effect.
func fenced(h *facts) (out []Violation) {
	type opening struct {
		epoch int64
		at    time.Time
	}
	newest := map[string][]opening{}
	for _, e := range h.of[Opened] {
		list := newest[e.Cluster]
		if len(list) > 0 && list[len(list)-1].epoch == e.Epoch {
			out = append(out, broken(I5, e.At, "two sessions of cluster %s have the epoch %d", e.Cluster, e.Epoch))
		}
		newest[e.Cluster] = append(list, opening{e.Epoch, e.At})
	}
	for _, e := range h.of[Acted] {
		for _, o := range newest[e.Cluster] {
			if o.epoch > e.Epoch && o.at.Before(e.Since) {
				out = append(out, broken(I5, e.At, "the session of cluster %s with epoch %d did %s after epoch %d had been opened",
					e.Cluster, e.Epoch, e.Name, o.epoch))
				break
			}
		}
	}
	return out
}
