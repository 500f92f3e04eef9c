// Package schedule starts workflows at their times. A schedule is in the store with the next time that it is due. Whichever replica sees
// that the time has come makes a firing of it, of which there is one for each due time, and starts what the schedule names; another takes
// over when that one dies on the way. So each due time starts once, over any number of replicas and restarts, and one that nobody was
// there for is made up for or on record as missed, as the schedule says.
package schedule

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/cron"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// Record is a schedule as it is stored.
type Record struct {
	ID           uuid.UUID
	Organization tenant.ID
	Team         string
	TeamID       uuid.UUID
	Name         string
	Workflow     string // that says so itself; empty for a document of its own
	Labels       map[string]string
	Revision     int
	Digest       string
	Source       string // of a document of its own
	Spec         document.ScheduleSpec
	SuspendedBy  string // a person; empty when none has
	SuspendedAt  time.Time
	NextDue      time.Time // zero while nothing is to be started
	NextAt       time.Time // NextDue, put off by jitter
	UpdatedAt    time.Time
	Last         *Firing // in lists: the newest; nil when there is none
	Missed       int     // in lists: due times of the last week that started nothing
}

// State is what has become of a firing.
type State string

// The states.
const (
	Claimed State = "claimed" // a replica is about to start it
	Started State = "started"
	Failed  State = "failed" // nothing could be started
	Missed  State = "missed"
)

// Firing is what has become of one due time.
type Firing struct {
	ID       uuid.UUID
	Schedule uuid.UUID
	Due      time.Time
	Planned  time.Time // Due, put off by jitter
	Actor    string    // who started it by hand; empty for one that was due
	State    State
	Reason   string
	Starts   []starter.Started
	FiredAt  time.Time // zero until it is
}

// Suspended reports whether nothing is started, and says why.
func (r Record) Suspended() (why string, suspended bool) {
	switch {
	case r.SuspendedBy != "":
		return "suspended by " + r.SuspendedBy, true
	case r.Spec.Suspend:
		return "suspended by its document", true
	}
	return "", false
}

// Timezone is the name of the time zone in which cron is read.
func (r Record) Timezone() string {
	if r.Spec.Timezone == "" {
		return "UTC"
	}
	return r.Spec.Timezone
}

// CatchUp is what happens to times that were missed.
func (r Record) CatchUp() string {
	if r.Spec.CatchUp == "" {
		return "latest"
	}
	return r.Spec.CatchUp
}

// times returns when the schedule is due. Hashed values hang on the organization and the name, so they outlive whatever else changes.
func (r Record) times() (cron.Schedule, error) {
	in, err := time.LoadLocation(r.Timezone())
	if err != nil {
		return cron.Schedule{}, fmt.Errorf("time zone of schedule %s: %w", r.Name, err)
	}
	s, err := cron.Parse(r.Spec.Cron, r.key(), in)
	if err != nil {
		return s, fmt.Errorf("schedule %s: %w", r.Name, err)
	}
	return s, nil
}

func (r Record) key() string { return r.Organization.String() + "/" + r.Name }

// planned is when a due time is started: put off by jitter, which is the same on every replica.
func (r Record) planned(due time.Time) time.Time {
	most := time.Duration(r.Spec.Jitter)
	if most <= 0 {
		return due
	}
	off := time.Duration(cron.Hash(r.key(), due.UTC().Format(time.RFC3339)) % uint64(most)) //nolint:gosec // less than a day
	return due.Add(off.Truncate(time.Millisecond))
}

// Begin says when the schedule is due for the first time after a moment; zero times while it is suspended.
func (r Record) Begin(now time.Time) (due, at time.Time, err error) {
	if _, suspended := r.Suspended(); suspended {
		return due, at, nil
	}
	times, err := r.times()
	if err != nil {
		return due, at, err
	}
	due, ok := times.Next(now)
	if !ok {
		return time.Time{}, time.Time{}, nil
	}
	due = due.UTC()
	return due, r.planned(due), nil
}

// Next returns the next times, at most n. They are in the schedule's time zone.
func (r Record) Next(after time.Time, n int) ([]time.Time, error) {
	times, err := r.times()
	if err != nil {
		return nil, err
	}
	var out []time.Time
	for range n {
		due, ok := times.Next(after)
		if !ok {
			break
		}
		out, after = append(out, due), due
	}
	return out, nil
}
