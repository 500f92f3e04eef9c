package pages

import (
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/words"
)

// SchedulesProps are what the list of schedules shows.
type SchedulesProps struct {
	Frame parts.Frame
	List  []schedule.Record
	Next  string // address of the next page
	Paged bool   // it is not the first
}

// ScheduleProps are what the page of one schedule shows.
type ScheduleProps struct {
	Frame     parts.Frame
	Schedule  schedule.Record
	Coming    []time.Time // in its time zone
	Firings   []schedule.Firing
	Missed    bool // only those that started nothing are listed
	Next      string
	Paged     bool
	MayChange bool
	MayRun    bool
}

func schedulesPath(f parts.Frame) string { return home(f) + "/schedules" }

func schedulePath(f parts.Frame, name string) string {
	return schedulesPath(f) + "/" + url.PathEscape(name)
}

// firingKind is the glyph of a firing.
func firingKind(f schedule.Firing) string {
	switch f.State {
	case schedule.Started:
		return "passed"
	case schedule.Failed:
		return "failed"
	case schedule.Missed:
		return "errored"
	case schedule.Claimed:
	}
	return "queued"
}

func firingWord(f schedule.Firing) string {
	switch f.State {
	case schedule.Started:
		return "Started"
	case schedule.Failed:
		return "Started nothing"
	case schedule.Missed:
		return "Missed"
	case schedule.Claimed:
	}
	return "Starting"
}

// startsWords says what a schedule starts.
func startsWords(r schedule.Record) string { return words.Join(starter.Words(r.Spec.Start)) }

// onClock is a time on the clock of a schedule.
func onClock(t time.Time) string { return t.Format("Mon 2 Jan 2006 15:04:05 -07:00") }

// inZone puts a time on the clock of a schedule.
func inZone(r schedule.Record, t time.Time) time.Time {
	if in, err := time.LoadLocation(r.Timezone()); err == nil {
		return t.In(in)
	}
	return t
}

func hasExecution(s starter.Started) bool { return s.Execution != uuid.Nil }

func durationText(d document.Duration) string { return words.Took(time.Duration(d)) }
