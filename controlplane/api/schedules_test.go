package api_test

import (
	"context"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/starter"
	language "github.com/seatrial/seatrial/controlplane/workflow/document"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// times is the schedules of a world, of which there is one.
type times struct{ w *world }

func (s times) get(ctx context.Context, name string) (schedule.Record, error) {
	if err := s.w.check(ctx); err != nil {
		return schedule.Record{}, err
	}
	if name != "nightly" {
		return schedule.Record{}, fault.New(fault.NotFound, "there is no schedule %q", name)
	}
	return schedule.Record{
		Name: "nightly", Team: "core", Source: "kind: Schedule", Missed: 2, NextDue: time.Unix(100, 0).UTC(), NextAt: time.Unix(130, 0).UTC(),
		Spec: language.ScheduleSpec{
			Schedule: language.Schedule{Cron: "H 2 * * *", Timezone: "Europe/Berlin"},
			Start:    language.Start{Workflows: []language.StartRef{{Name: "smoke"}, {Selector: map[string]string{"suite": "api"}}}},
		},
		Last: &schedule.Firing{Due: time.Unix(10, 0).UTC(), State: schedule.Missed, Reason: "late"},
	}, nil
}

func (s times) List(ctx context.Context, _ int, _ string) ([]schedule.Record, string, error) {
	r, err := s.get(ctx, "nightly")
	return []schedule.Record{r}, "", err
}

func (s times) Get(ctx context.Context, name string) (schedule.Record, error) {
	return s.get(ctx, name)
}

func (s times) Firings(ctx context.Context, _ schedule.Record, missed bool, _ int, _ string) ([]schedule.Firing, string, error) {
	list := []schedule.Firing{{Due: time.Unix(10, 0).UTC(), State: schedule.Missed, Reason: "late"}}
	if !missed {
		list = append(list, schedule.Firing{
			Due: time.Unix(5, 0).UTC(), State: schedule.Started, FiredAt: time.Unix(6, 0).UTC(),
			Starts: []starter.Started{{Workflow: "smoke", Execution: uuid.UUID{1}}, {Workflow: "gone", Problem: "there is none"}},
		})
	}
	return list, "", s.w.check(ctx)
}

func (s times) Preview(_ schedule.Record, n int) (out []time.Time, err error) {
	for i := range n {
		out = append(out, time.Unix(int64(100*(i+1)), 0).UTC())
	}
	return out, nil
}

func (s times) Suspend(ctx context.Context, name string, suspended bool) (schedule.Record, error) {
	r, err := s.get(ctx, name)
	if suspended {
		r.SuspendedBy = "ann"
	}
	return r, err
}

func (s times) Remove(ctx context.Context, name string) error {
	_, err := s.get(ctx, name)
	return err
}

func (s times) Run(ctx context.Context, name string) (schedule.Firing, error) {
	_, err := s.get(ctx, name)
	return schedule.Firing{Due: time.Unix(7, 0).UTC(), Actor: "ann", State: schedule.Started}, err
}

func scheduleCalls() map[string]call {
	const name = "nightly"
	return map[string]call{
		"ListSchedules": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.schedules.ListSchedules(ctx, &apiv1.ListSchedulesRequest{})
			return err
		}},
		"GetSchedule": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.schedules.GetSchedule(ctx, &apiv1.GetScheduleRequest{Name: name})
			return err
		}},
		"ListFirings": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.schedules.ListFirings(ctx, &apiv1.ListFiringsRequest{Name: name})
			return err
		}},
		"SuspendSchedule": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.schedules.SuspendSchedule(ctx, &apiv1.SuspendScheduleRequest{Name: name})
			return err
		}},
		"ResumeSchedule": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.schedules.ResumeSchedule(ctx, &apiv1.ResumeScheduleRequest{Name: name})
			return err
		}},
		"RemoveSchedule": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.schedules.RemoveSchedule(ctx, &apiv1.RemoveScheduleRequest{Name: name})
			return err
		}},
		"RunSchedule": {"run", func(ctx context.Context, b *bench) error {
			_, err := b.schedules.RunSchedule(ctx, &apiv1.RunScheduleRequest{Name: name})
			return err
		}},
	}
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	got, err := b.schedules.GetSchedule(t.Context(), &apiv1.GetScheduleRequest{Name: "nightly"})
	if err != nil {
		t.Fatal(err)
	}
	s := got.GetSchedule()
	if len(got.GetNext()) != 10 || s.GetTimezone() != "Europe/Berlin" || s.GetCatchUp() != "latest" || s.GetMissed() != 2 || s.GetNextStart().GetSeconds() != 130 ||
		len(s.GetStarts()) != 2 || s.GetStarts()[1] != "suite=api" || s.GetLast().GetState() != "missed" || s.GetSuspended() != "" {
		t.Errorf("%v", got)
	}
	ran := got.GetFirings()[1].GetStarted()
	if ran[0].GetExecutionId() != (uuid.UUID{1}).String() || ran[1].GetExecutionId() != "" || ran[1].GetProblem() != "there is none" {
		t.Errorf("started %v", ran)
	}
	if got, err := b.schedules.GetSchedule(t.Context(), &apiv1.GetScheduleRequest{Name: "nightly", Next: 3}); err != nil || len(got.GetNext()) != 3 {
		t.Errorf("the next 3: %v, %v", got, err)
	}
	if _, err := b.schedules.GetSchedule(t.Context(), &apiv1.GetScheduleRequest{Name: "nightly", Next: 101}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("too many: %v", err)
	}
	if list, err := b.schedules.ListSchedules(t.Context(), &apiv1.ListSchedulesRequest{}); err != nil || list.GetSchedules()[0].GetSource() != "" {
		t.Errorf("a list with sources: %v, %v", list, err)
	}
	if missed, err := b.schedules.ListFirings(t.Context(), &apiv1.ListFiringsRequest{Name: "nightly", Missed: true}); err != nil || len(missed.GetFirings()) != 1 {
		t.Errorf("missed: %v, %v", missed, err)
	}
	held, err := b.schedules.SuspendSchedule(t.Context(), &apiv1.SuspendScheduleRequest{Name: "nightly"})
	if err != nil || held.GetSchedule().GetSuspended() != "suspended by ann" {
		t.Errorf("suspended: %v, %v", held, err)
	}
	applied, err := b.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{
		Source: "apiVersion: seatrial.dev/v1\nkind: Schedule\nmetadata: {name: hourly}\nspec: {cron: \"@hourly\", workflows: [{name: smoke}]}\n",
	})
	if err != nil || applied.GetSchedule().GetName() != "hourly" || applied.GetOutcome() != apiv1.ApplyOutcome_APPLY_OUTCOME_CREATED {
		t.Errorf("applied: %v, %v", applied, err)
	}
}
