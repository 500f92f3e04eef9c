package api

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/starter"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// Schedules says when workflows are started, for the viewer of the context. Implemented by schedule.
type Schedules interface {
	List(ctx context.Context, size int, after string) (list []schedule.Record, next string, err error)
	Get(ctx context.Context, name string) (schedule.Record, error)
	Firings(ctx context.Context, of schedule.Record, missed bool, size int, after string) (list []schedule.Firing, next string, err error)
	// Preview returns the next due times of a schedule.
	Preview(r schedule.Record, n int) ([]time.Time, error)
	Suspend(ctx context.Context, name string, suspended bool) (schedule.Record, error)
	Remove(ctx context.Context, name string) error
	// Run starts a schedule at once.
	Run(ctx context.Context, name string) (schedule.Firing, error)
}

// preview is how many next times and last firings are shown when nobody says how many.
const preview = 10

// ListSchedules implements ScheduleServiceHandler.
func (s *server) ListSchedules(ctx context.Context, r *apiv1.ListSchedulesRequest) (*apiv1.ListSchedulesResponse, error) {
	list, next, err := s.Schedules.List(ctx, int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	out := &apiv1.ListSchedulesResponse{NextPageToken: next}
	for _, record := range list {
		record.Source = ""
		out.Schedules = append(out.Schedules, scheduleOf(record))
	}
	return out, nil
}

// GetSchedule implements ScheduleServiceHandler.
func (s *server) GetSchedule(ctx context.Context, r *apiv1.GetScheduleRequest) (*apiv1.GetScheduleResponse, error) {
	record, err := s.Schedules.Get(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("get schedule: %w", err)
	}
	n := int(r.GetNext())
	if n == 0 {
		n = preview
	}
	next, err := s.Schedules.Preview(record, n)
	if err != nil {
		return nil, fmt.Errorf("preview schedule: %w", err)
	}
	firings, _, err := s.Schedules.Firings(ctx, record, false, preview, "")
	if err != nil {
		return nil, fmt.Errorf("list firings: %w", err)
	}
	out := &apiv1.GetScheduleResponse{Schedule: scheduleOf(record), Firings: firingsOf(firings)}
	for _, at := range next {
		out.Next = append(out.Next, timeOf(at))
	}
	return out, nil
}

// ListFirings implements ScheduleServiceHandler.
func (s *server) ListFirings(ctx context.Context, r *apiv1.ListFiringsRequest) (*apiv1.ListFiringsResponse, error) {
	record, err := s.Schedules.Get(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("get schedule: %w", err)
	}
	list, next, err := s.Schedules.Firings(ctx, record, r.GetMissed(), int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list firings: %w", err)
	}
	return &apiv1.ListFiringsResponse{Firings: firingsOf(list), NextPageToken: next}, nil
}

// SuspendSchedule implements ScheduleServiceHandler.
func (s *server) SuspendSchedule(ctx context.Context, r *apiv1.SuspendScheduleRequest) (*apiv1.SuspendScheduleResponse, error) {
	record, err := s.Schedules.Suspend(ctx, r.GetName(), true)
	if err != nil {
		return nil, fmt.Errorf("suspend schedule: %w", err)
	}
	return &apiv1.SuspendScheduleResponse{Schedule: scheduleOf(record)}, nil
}

// ResumeSchedule implements ScheduleServiceHandler.
func (s *server) ResumeSchedule(ctx context.Context, r *apiv1.ResumeScheduleRequest) (*apiv1.ResumeScheduleResponse, error) {
	record, err := s.Schedules.Suspend(ctx, r.GetName(), false)
	if err != nil {
		return nil, fmt.Errorf("resume schedule: %w", err)
	}
	return &apiv1.ResumeScheduleResponse{Schedule: scheduleOf(record)}, nil
}

// RunSchedule implements ScheduleServiceHandler.
func (s *server) RunSchedule(ctx context.Context, r *apiv1.RunScheduleRequest) (*apiv1.RunScheduleResponse, error) {
	firing, err := s.Schedules.Run(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("run schedule: %w", err)
	}
	return &apiv1.RunScheduleResponse{Firing: firingOf(firing)}, nil
}

// RemoveSchedule implements ScheduleServiceHandler.
func (s *server) RemoveSchedule(ctx context.Context, r *apiv1.RemoveScheduleRequest) (*apiv1.RemoveScheduleResponse, error) {
	if err := s.Schedules.Remove(ctx, r.GetName()); err != nil {
		return nil, fmt.Errorf("remove schedule: %w", err)
	}
	return &apiv1.RemoveScheduleResponse{}, nil
}

func scheduleOf(r schedule.Record) *apiv1.Schedule {
	suspended, _ := r.Suspended()
	out := &apiv1.Schedule{
		Name: r.Name, Team: r.Team, Workflow: r.Workflow, Labels: r.Labels, Revision: int32Of(r.Revision), Digest: r.Digest, Source: r.Source,
		Cron: r.Spec.Cron, Timezone: r.Timezone(), CatchUp: r.CatchUp(), Suspended: suspended, SuspendedAt: timeOf(r.SuspendedAt),
		NextDue: timeOf(r.NextDue), NextStart: timeOf(r.NextAt), Missed: int32Of(r.Missed), UpdatedAt: timeOf(r.UpdatedAt),
		Starts: starter.Words(r.Spec.Start),
	}
	if r.Last != nil {
		out.Last = firingOf(*r.Last)
	}
	return out
}

func firingsOf(list []schedule.Firing) (out []*apiv1.Firing) {
	for _, f := range list {
		out = append(out, firingOf(f))
	}
	return out
}

func firingOf(f schedule.Firing) *apiv1.Firing {
	return &apiv1.Firing{
		Due: timeOf(f.Due), Planned: timeOf(f.Planned), State: string(f.State), Reason: f.Reason, Actor: f.Actor, FiredAt: timeOf(f.FiredAt),
		Started: startedOf(f.Starts),
	}
}

func startedOf(list []starter.Started) (out []*apiv1.StartedWorkflow) {
	for _, s := range list {
		wire := &apiv1.StartedWorkflow{Workflow: s.Workflow, Problem: s.Problem}
		if s.Execution != uuid.Nil {
			wire.ExecutionId = s.Execution.String()
		}
		out = append(out, wire)
	}
	return out
}
