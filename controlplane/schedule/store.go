package schedule

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Store keeps schedules. Calls act for the viewer of their context but where they say that they run as system.
type Store interface {
	Work
	// Schedules lists by name, with the last firing of each.
	Schedules(ctx context.Context, size int, after string) (list []Record, next string, err error)
	// Schedule returns one, or fault.NotFound.
	Schedule(ctx context.Context, name string) (Record, error)
	// Firings lists those of a schedule, the newest due time first; only those that started nothing when missed is true.
	Firings(ctx context.Context, schedule uuid.UUID, missed bool, size int, after string) (list []Firing, next string, err error)
	// SuspendSchedule suspends or resumes on behalf of the viewer. What is due while it is suspended is not missed.
	SuspendSchedule(ctx context.Context, name string, suspended bool) (Record, error)
	// RemoveSchedule removes one that has a document of its own; what it has started stays on record.
	RemoveSchedule(ctx context.Context, name string) error
	// AddFiring stores a firing by hand, which the caller has the lease of: fault.Forbidden unless the viewer acts for its team.
	AddFiring(ctx context.Context, name, actor string, lease time.Duration) (Record, Firing, error)
}

// Work is what a sweep needs. It runs as system.
type Work interface {
	// ClaimDue makes firings of at most limit schedules whose time has come, as their plans say, and returns those that the caller has to
	// start within the lease. Schedules that another replica has in hand are left to it.
	ClaimDue(ctx context.Context, limit int, lease time.Duration) ([]Claim, error)
	// ClaimAbandoned returns at most limit firings whose lease has run out before anything was started, with a new lease.
	ClaimAbandoned(ctx context.Context, limit int, lease time.Duration) ([]Claim, error)
	// FinishFirings stores what has become of claimed firings.
	FinishFirings(ctx context.Context, list []Firing) error
	// NextDue returns when the next schedule is to be started, zero when none is.
	NextDue(ctx context.Context) (time.Time, error)
	// SweepFirings removes firings that were made before a moment, at most limit of them, and returns how many.
	SweepFirings(ctx context.Context, before time.Time, limit int) (int, error)
}

// Claim is a firing that has to be started, with its schedule.
type Claim struct {
	Record Record
	Firing Firing
}
