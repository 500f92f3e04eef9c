package cmd_test

import (
	"context"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// times is the schedules of a control plane.
type times struct {
	apiv1connect.UnimplementedScheduleServiceHandler
}

func nightly() *apiv1.Schedule {
	return &apiv1.Schedule{
		Name: "nightly", Team: "core", Cron: "30 2 * * *", Timezone: "Europe/Berlin", CatchUp: "latest", Starts: []string{"smoke", "suite=api"},
		NextDue: instant(0), Missed: 1, Last: &apiv1.Firing{Due: instant(0), State: "missed"},
	}
}

func (times) ListSchedules(_ context.Context, r *apiv1.ListSchedulesRequest) (*apiv1.ListSchedulesResponse, error) {
	if r.GetPageToken() == "" {
		return &apiv1.ListSchedulesResponse{NextPageToken: "2", Schedules: []*apiv1.Schedule{nightly()}}, nil
	}
	return &apiv1.ListSchedulesResponse{Schedules: []*apiv1.Schedule{
		{Name: "smoke.1", Team: "core", Workflow: "smoke", Cron: "@every 1h", Timezone: "UTC", Starts: []string{"smoke"}, Suspended: "suspended by ann\x1b[31m"},
	}}, nil
}

func (times) GetSchedule(_ context.Context, r *apiv1.GetScheduleRequest) (*apiv1.GetScheduleResponse, error) {
	if r.GetName() != "nightly" {
		return nil, connect.NewError(connect.CodeNotFound, textError("there is no schedule"))
	}
	out := &apiv1.GetScheduleResponse{Schedule: nightly(), Firings: []*apiv1.Firing{
		{Due: instant(0), State: "started", Reason: "made up for, 5m0s late", Started: []*apiv1.StartedWorkflow{
			{Workflow: "smoke", ExecutionId: "018f"}, {Workflow: "gone", Problem: "there is no workflow"},
		}},
	}}
	out.Firings = append(out.Firings, missed())
	for i := range max(int(r.GetNext()), 2) {
		out.Next = append(out.Next, timestamppb.New(time.Date(2026, 3, 28+i, 1, 30, 0, 0, time.UTC)))
	}
	return out, nil
}

func missed() *apiv1.Firing {
	return &apiv1.Firing{Due: instant(0), State: "missed", Reason: "it was 2h late, and catchUp is none"}
}

func (times) ListFirings(context.Context, *apiv1.ListFiringsRequest) (*apiv1.ListFiringsResponse, error) {
	return &apiv1.ListFiringsResponse{Firings: []*apiv1.Firing{missed()}}, nil
}

func (times) SuspendSchedule(context.Context, *apiv1.SuspendScheduleRequest) (*apiv1.SuspendScheduleResponse, error) {
	return &apiv1.SuspendScheduleResponse{Schedule: nightly()}, nil
}

func (times) ResumeSchedule(context.Context, *apiv1.ResumeScheduleRequest) (*apiv1.ResumeScheduleResponse, error) {
	return &apiv1.ResumeScheduleResponse{Schedule: nightly()}, nil
}

func (times) RunSchedule(_ context.Context, r *apiv1.RunScheduleRequest) (*apiv1.RunScheduleResponse, error) {
	if r.GetName() == "broken" {
		return &apiv1.RunScheduleResponse{Firing: &apiv1.Firing{State: "failed", Started: []*apiv1.StartedWorkflow{{Workflow: "gone", Problem: "there is no workflow"}}}}, nil
	}
	return &apiv1.RunScheduleResponse{Firing: &apiv1.Firing{State: "started", Started: []*apiv1.StartedWorkflow{{Workflow: "smoke", ExecutionId: "018f"}}}}, nil
}

func (times) RemoveSchedule(context.Context, *apiv1.RemoveScheduleRequest) (*apiv1.RemoveScheduleResponse, error) {
	return &apiv1.RemoveScheduleResponse{}, nil
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"schedule-list": {"list"}, "schedule-show": {"show", "nightly"}, "schedule-missed": {"show", "nightly", "--missed"},
		"schedule-next": {"next", "nightly", "-n", "3"}, "schedule-suspend": {"suspend", "nightly"}, "schedule-resume": {"resume", "nightly"},
		"schedule-run": {"run", "nightly"}, "schedule-run-broken": {"run", "broken"}, "schedule-remove": {"remove", "nightly"},
		"schedule-none": {"show", "none"}, "schedule-list-json": {"list", "-o", "json"}, "schedule-next-many": {"next", "nightly", "-n", "101"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, setup(t).run(t, append([]string{"schedule"}, args...)...))
		})
	}
}
