package viewfake

import (
	"context"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ui/web/view"
)

// Times is the schedules of a world, with what has become of them.
type Times struct {
	*World

	Records []schedule.Record
	Fired   map[string][]schedule.Firing
}

// Schedules returns those of the sample; a world without workflows has none.
func (w *World) Schedules() view.Schedules { return w.Times() }

// Times returns the schedules of the sample.
func (w *World) Times() *Times {
	if w.times == nil {
		w.times = sampleTimes(w)
	}
	return w.times
}

func sampleTimes(w *World) *Times {
	t := &Times{World: w, Fired: map[string][]schedule.Firing{}}
	if len(w.Workflows) == 0 {
		return t
	}
	last := w.Now().Truncate(24 * time.Hour).Add(time.Hour)
	nightly := schedule.Record{
		Name: "nightly", Team: "payments", Revision: 3, Missed: 1, NextDue: last.Add(24 * time.Hour), NextAt: last.Add(24 * time.Hour), UpdatedAt: w.Now().Add(-time.Hour),
		Source: "apiVersion: seatrial.dev/v1\nkind: Schedule\nmetadata: {name: nightly}\nspec:\n  cron: \"0 2 * * *\"\n  timezone: Europe/Berlin\n  workflows: [{name: checkout-api}, {selector: {suite: smoke}}]\n",
		Spec: document.ScheduleSpec{
			Schedule: document.Schedule{Cron: "0 2 * * *", Timezone: "Europe/Berlin", Jitter: document.Duration(5 * time.Minute), StartDeadline: document.Duration(2 * time.Hour)},
			Start:    document.Start{Workflows: []document.StartRef{{Name: "checkout-api"}, {Selector: map[string]string{"suite": "smoke"}}}},
		},
	}
	t.Fired["nightly"] = []schedule.Firing{
		{Due: last, State: schedule.Started, FiredAt: last.Add(time.Second), Starts: []starter.Started{
			{Workflow: "checkout-api", Execution: ExecutionID(Passed)}, {Workflow: "checkout-old", Problem: `there is no workflow "checkout-old"`},
		}},
		{Due: last.Add(-24 * time.Hour), State: schedule.Missed, Reason: "it was 3h12m0s late, and its start deadline is 2h0m0s"},
		{Due: last.Add(-30 * time.Hour), State: schedule.Started, Actor: "ada@acme.example", Starts: []starter.Started{{Workflow: "checkout-api", Execution: ExecutionID(Green)}}},
	}
	nightly.Last = &t.Fired["nightly"][0]
	held := schedule.Record{
		Name: "checkout-api.1", Workflow: "checkout-api", Team: "payments", Revision: 1, SuspendedBy: "ada@acme.example", SuspendedAt: w.Now().Add(-time.Hour),
		Spec: document.ScheduleSpec{Schedule: document.Schedule{Cron: "H * * * *"}, Start: document.Start{Workflows: []document.StartRef{{Name: "checkout-api"}}}},
	}
	t.Records = []schedule.Record{held, nightly}
	return t
}

// List implements view.Schedules.
func (t *Times) List(ctx context.Context, _ int, _ string) ([]schedule.Record, string, error) {
	return t.Records, "", t.allowed(ctx)
}

// Get implements view.Schedules.
func (t *Times) Get(ctx context.Context, name string) (schedule.Record, error) {
	for _, r := range t.Records {
		if r.Name == name {
			return r, t.allowed(ctx)
		}
	}
	return schedule.Record{}, fault.New(fault.NotFound, "there is no schedule %q", name)
}

// Firings implements view.Schedules.
func (t *Times) Firings(ctx context.Context, of schedule.Record, missed bool, _ int, _ string) (list []schedule.Firing, next string, err error) {
	for _, f := range t.Fired[of.Name] {
		if !missed || f.State == schedule.Missed || f.State == schedule.Failed {
			list = append(list, f)
		}
	}
	return list, "", t.allowed(ctx)
}

// Preview implements view.Schedules.
func (t *Times) Preview(r schedule.Record, n int) ([]time.Time, error) { return r.Next(t.Now(), n) }

// Suspend implements view.Schedules.
func (t *Times) Suspend(ctx context.Context, name string, suspended bool) (schedule.Record, error) {
	for i := range t.Records {
		if t.Records[i].Name == name {
			t.Records[i].SuspendedBy = ""
			if suspended {
				t.Records[i].SuspendedBy = t.Member.Viewer.Name
			}
			return t.Records[i], t.allowed(ctx)
		}
	}
	return schedule.Record{}, fault.New(fault.NotFound, "there is no schedule %q", name)
}

// Run implements view.Schedules.
func (t *Times) Run(ctx context.Context, name string) (schedule.Firing, error) {
	if _, err := t.Get(ctx, name); err != nil {
		return schedule.Firing{}, err
	}
	f := schedule.Firing{Due: t.Now(), Actor: t.Member.Viewer.Name, State: schedule.Started}
	t.Fired[name] = append([]schedule.Firing{f}, t.Fired[name]...)
	return f, nil
}
