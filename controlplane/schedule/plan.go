package schedule

import (
	"fmt"
	"time"
)

const (
	// Grace is how late a start may be and still count as on time.
	Grace = time.Minute
	// maxBacklog is how many due times are looked at one by one when nobody was there for long; of older ones the number is on record.
	maxBacklog = 1000
	// maxCaughtUp is how many of them are made up for.
	maxCaughtUp = 100
	// maxCounted bounds the counting of older ones, maxSilence how far back it goes.
	maxCounted = 100_000
	maxSilence = 31 * 24 * time.Hour
)

// Plan is what is to be done for a schedule whose time has come.
type Plan struct {
	Firings []Firing // claimed or missed, oldest first
	NextDue time.Time
	NextAt  time.Time
}

// Plan decides about every due time whose start was planned by now: it is started when it is on time, and otherwise as the schedule says
// of what was missed.
func (r Record) Plan(now time.Time) (Plan, error) {
	times, err := r.times()
	if err != nil {
		return Plan{}, err
	}
	var out Plan
	due, dropped := r.NextDue, 0
	skipped := now.Sub(due) > maxSilence
	if skipped {
		due, _ = times.Next(now.Add(-maxSilence))
	}
	for !due.IsZero() && !r.planned(due).After(now) {
		out.Firings = append(out.Firings, Firing{Schedule: r.ID, Due: due.UTC(), Planned: r.planned(due).UTC()})
		if len(out.Firings) > maxBacklog {
			out.Firings = out.Firings[1:]
			dropped++
		}
		next, ok := times.Next(due)
		if dropped > maxCounted {
			next, ok = times.Next(now.Add(-Grace))
			dropped, skipped = 0, true
			out.Firings = nil
		}
		if due = next; !ok {
			due = time.Time{}
		}
	}
	if !due.IsZero() {
		out.NextDue, out.NextAt = due.UTC(), r.planned(due).UTC()
	}
	r.decide(out.Firings, now)
	if len(out.Firings) > 0 && (dropped > 0 || skipped) {
		more := fmt.Sprintf("%d earlier due times were missed as well", dropped)
		if skipped {
			more = "very many earlier due times were missed as well"
		}
		out.Firings[0].State, out.Firings[0].Reason = Missed, more
	}
	return out, nil
}

// decide says of each firing whether it is started.
func (r Record) decide(list []Firing, now time.Time) {
	deadline := time.Duration(r.Spec.StartDeadline)
	made := 0
	for i := len(list) - 1; i >= 0; i-- {
		f := &list[i]
		late := now.Sub(f.Planned)
		f.State = Missed
		switch {
		case deadline > 0 && late > deadline:
			f.Reason = fmt.Sprintf("it was %s late, and its start deadline is %s", round(late), deadline)
		case late <= Grace:
			f.State = Claimed
		case r.CatchUp() == "none":
			f.Reason = fmt.Sprintf("it was %s late, and catchUp is none", round(late))
		case r.CatchUp() == "all" && made < maxCaughtUp:
			f.State, f.Reason = Claimed, fmt.Sprintf("made up for, %s late", round(late))
		case r.CatchUp() == "all":
			f.Reason = fmt.Sprintf("at most the %d latest are made up for", maxCaughtUp)
		case i == len(list)-1:
			f.State, f.Reason = Claimed, fmt.Sprintf("made up for, %s late", round(late))
		default:
			f.Reason = "the latest was made up for instead"
		}
		if f.State == Claimed {
			made++
		}
	}
}

func round(d time.Duration) time.Duration {
	if d > time.Hour {
		return d.Round(time.Minute)
	}
	return d.Round(time.Second)
}
