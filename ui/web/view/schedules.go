package view

import (
	"context"
	"time"

	"github.com/seatrial/seatrial/controlplane/schedule"
)

// Schedules says when workflows are started, for the viewer of the context. What is absent or foreign is fault.NotFound.
type Schedules interface {
	List(ctx context.Context, size int, after string) (list []schedule.Record, next string, err error)
	Get(ctx context.Context, name string) (schedule.Record, error)
	Firings(ctx context.Context, of schedule.Record, missed bool, size int, after string) (list []schedule.Firing, next string, err error)
	// Preview returns the next due times of a schedule, in its time zone.
	Preview(r schedule.Record, n int) ([]time.Time, error)
	Suspend(ctx context.Context, name string, suspended bool) (schedule.Record, error)
	Run(ctx context.Context, name string) (schedule.Firing, error)
}
