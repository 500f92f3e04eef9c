package schedule_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

func at(t *testing.T, clock string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, "2026-03-02T"+clock+"Z")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRecord_Plan(t *testing.T) {
	t.Parallel()
	hourly := func(catchUp string, deadline time.Duration) document.Schedule {
		return document.Schedule{Cron: "0 * * * *", CatchUp: catchUp, StartDeadline: document.Duration(deadline)}
	}
	for name, tc := range map[string]struct {
		spec      document.Schedule
		next, now string
		want      []string // due time and state
		after     string   // next due
		reason    string
	}{
		"NotYet":       {hourly("", 0), "10:00:00", "09:59:59", nil, "10:00:00", "nothing is due"},
		"OnTime":       {hourly("none", 0), "10:00:00", "10:00:00", []string{"10:00 claimed"}, "11:00:00", "at once"},
		"Grace":        {hourly("none", 0), "10:00:00", "10:01:00", []string{"10:00 claimed"}, "11:00:00", "a minute is on time"},
		"None":         {hourly("none", 0), "10:00:00", "10:01:01", []string{"10:00 missed"}, "11:00:00", "nothing is made up for"},
		"NoneThenDue":  {hourly("none", 0), "08:00:00", "10:00:05", []string{"08:00 missed", "09:00 missed", "10:00 claimed"}, "11:00:00", "the one on time starts"},
		"Latest":       {hourly("latest", 0), "08:00:00", "10:30:00", []string{"08:00 missed", "09:00 missed", "10:00 claimed"}, "11:00:00", "one stands for all"},
		"Default":      {hourly("", 0), "08:00:00", "10:30:00", []string{"08:00 missed", "09:00 missed", "10:00 claimed"}, "11:00:00", "the default is latest"},
		"LatestAndDue": {hourly("latest", 0), "09:00:00", "10:00:05", []string{"09:00 missed", "10:00 claimed"}, "11:00:00", "the one on time is the latest"},
		"All":          {hourly("all", 0), "08:00:00", "10:30:00", []string{"08:00 claimed", "09:00 claimed", "10:00 claimed"}, "11:00:00", "each is made up for"},
		"AllDeadline":  {hourly("all", 2*time.Hour), "08:00:00", "10:30:00", []string{"08:00 missed", "09:00 claimed", "10:00 claimed"}, "11:00:00", "what is too late is missed"},
		"LateDeadline": {hourly("latest", 10*time.Minute), "08:00:00", "10:30:00", []string{"08:00 missed", "09:00 missed", "10:00 missed"}, "11:00:00", "all are too late"},
		"Short":        {hourly("latest", time.Second), "10:00:00", "10:00:02", []string{"10:00 missed"}, "11:00:00", "a deadline may be shorter than what counts as on time"},
		"EveryTwo":     {document.Schedule{Cron: "@every 2s"}, "10:00:00", "10:00:05", []string{"10:00 claimed", "10:00 claimed", "10:00 claimed"}, "10:00:06", "several on time all start"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := schedule.Record{ID: uuid.New(), Name: "s", Spec: document.ScheduleSpec{Schedule: tc.spec}, NextDue: at(t, tc.next)}
			plan, err := r.Plan(at(t, tc.now))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range plan.Firings {
				got = append(got, f.Due.Format("15:04")+" "+string(f.State))
				if (f.State == schedule.Missed) != (f.Reason != "") && f.State == schedule.Missed {
					t.Errorf("%s is missed and does not say why", f.Due)
				}
			}
			if !slices.Equal(got, tc.want) || !plan.NextDue.Equal(at(t, tc.after)) {
				t.Errorf("%v, next %s; want %v, next %s: %s", got, plan.NextDue, tc.want, tc.after, tc.reason)
			}
		})
	}
}

// TestRecord_Plan_Silence: however long nobody was there, a plan stays small and says how much is not in it.
func TestRecord_Plan_Silence(t *testing.T) {
	t.Parallel()
	now := at(t, "10:00:30")
	for name, tc := range map[string]struct {
		cron, since, says string
		claimed           int
	}{
		"Minutes": {"* * * * *", "48h", "1881 earlier due times were missed as well", 100},
		"Months":  {"0 * * * *", "2400h", "very many earlier due times were missed as well", 100},
		"Seconds": {"* * * * * *", "2400h", "very many earlier due times were missed as well", 59},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			silent, err := time.ParseDuration(tc.since)
			if err != nil {
				t.Fatal(err)
			}
			r := schedule.Record{Name: "s", NextDue: now.Add(-silent).Truncate(time.Minute), Spec: document.ScheduleSpec{Schedule: document.Schedule{Cron: tc.cron, CatchUp: "all"}}}
			plan, err := r.Plan(now)
			if err != nil {
				t.Fatal(err)
			}
			claimed := 0
			for _, f := range plan.Firings {
				if f.State == schedule.Claimed {
					claimed++
				}
			}
			first := plan.Firings[0]
			if len(plan.Firings) > 1000 || claimed < tc.claimed || claimed > 161 || first.State != schedule.Missed || first.Reason != tc.says {
				t.Errorf("%d firings, %d claimed, the first %s %q", len(plan.Firings), claimed, first.State, first.Reason)
			}
			if !plan.NextDue.After(now) {
				t.Errorf("next is %s", plan.NextDue)
			}
		})
	}
}

// TestRecord_Jitter: the delay is bounded, the same for every replica, and spreads.
func TestRecord_Jitter(t *testing.T) {
	t.Parallel()
	now, seen := at(t, "09:00:00"), map[time.Duration]bool{}
	for i := range 50 {
		r := schedule.Record{Name: fmt.Sprint(i), Spec: document.ScheduleSpec{Schedule: document.Schedule{Cron: "0 10 * * *", Jitter: document.Duration(10 * time.Minute)}}}
		due, planned, err := r.Begin(now)
		if err != nil || !due.Equal(at(t, "10:00:00")) {
			t.Fatal(due, err)
		}
		_, again, _ := r.Begin(now)
		late := planned.Sub(due)
		if late < 0 || late >= 10*time.Minute || !again.Equal(planned) {
			t.Errorf("put off by %s, then to %s", late, again)
		}
		seen[late.Round(time.Second)] = true
		r.NextDue = due
		if plan, err := r.Plan(planned.Add(-time.Millisecond)); err != nil || len(plan.Firings) > 0 || !plan.NextDue.Equal(due) {
			t.Errorf("before its time: %+v, %v", plan, err)
		}
		if plan, err := r.Plan(planned); err != nil || len(plan.Firings) != 1 || plan.Firings[0].State != schedule.Claimed {
			t.Errorf("at its time: %+v, %v", plan, err)
		}
	}
	if len(seen) < 30 {
		t.Errorf("50 schedules start at %d times", len(seen))
	}
}

func TestRecord_Begin_Suspended(t *testing.T) {
	t.Parallel()
	spec := document.ScheduleSpec{Schedule: document.Schedule{Cron: "@daily"}}
	spec.Suspend = true
	for _, r := range []schedule.Record{{Spec: spec}, {SuspendedBy: "a@example.test", Spec: document.ScheduleSpec{Schedule: spec.Schedule}}} {
		if due, planned, err := r.Begin(at(t, "10:00:00")); err != nil || !due.IsZero() || !planned.IsZero() {
			t.Errorf("due %s, %s, %v", due, planned, err)
		}
	}
}
