package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// KeepFirings is how long it is known what has become of due times.
const KeepFirings = 90 * 24 * time.Hour

const (
	claimAtOnce = 200 // schedules that one transaction claims
	// startAtOnce is how many executions one replica starts at the same time: few, so that a thousand schedules at midnight leave the
	// database to whoever waits for an answer.
	startAtOnce = 4
	lease       = 2 * time.Minute
	maxLooks    = 1000 // before others get a turn
	sweepAtOnce = 1000
)

// Starter starts what a schedule names. Implemented by starter.
type Starter interface {
	Start(ctx context.Context, by starter.By, what document.Start) ([]starter.Started, error)
}

// Service starts schedules, and answers about them. It holds no state of its own.
type Service struct {
	store Store
	start func() Starter
	log   *slog.Logger
	now   func() time.Time
}

// New returns a Service; clock may be nil. Of start it takes a Starter for each go, which may remember what it has read.
func New(store Store, start func() Starter, log *slog.Logger, clock func() time.Time) *Service {
	if clock == nil {
		clock = time.Now
	}
	return &Service{store: store, start: start, log: log.With("component", "schedule"), now: clock}
}

// Sweep starts everything whose time has come, and returns when the next schedule is to be started; zero when none is. Of replicas that
// sweep at once each takes other schedules.
func (s *Service) Sweep(ctx context.Context) (next time.Time, err error) {
	ctx = tenant.System(ctx)
	var faults error
	for range maxLooks {
		n, err := s.look(ctx)
		if faults = errors.Join(faults, err); n == 0 || err != nil {
			break // what fails for all, such as the database, is not tried a thousand times
		}
	}
	next, err = s.store.NextDue(ctx)
	if err != nil {
		return next, errors.Join(faults, fmt.Errorf("find out when the next is due: %w", err))
	}
	return next, faults
}

// look claims once and starts what it got. What is claimed is carried out also when the program is told to stop: another replica would take
// it over only after the lease.
func (s *Service) look(ctx context.Context) (claimed int, err error) {
	if ctx.Err() != nil {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease)
	defer cancel()
	due, err := s.store.ClaimDue(ctx, claimAtOnce, lease)
	if err != nil {
		return 0, fmt.Errorf("claim what is due: %w", err)
	}
	left, err := s.store.ClaimAbandoned(ctx, claimAtOnce, lease)
	if err != nil {
		err = fmt.Errorf("claim what another has left: %w", err) // what is due has been claimed, and is started all the same
	}
	todo := slices.Concat(due, left)
	if len(todo) == 0 {
		return 0, err
	}
	return len(todo), errors.Join(err, s.carryOut(ctx, todo))
}

// Forget removes what is known of due times long ago.
func (s *Service) Forget(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := s.store.SweepFirings(tenant.System(ctx), s.now().Add(-KeepFirings), sweepAtOnce)
		if err != nil {
			return fmt.Errorf("remove old firings: %w", err)
		}
		if n < sweepAtOnce {
			break
		}
	}
	return nil
}

// carryOut starts what was claimed, a few at a time.
func (s *Service) carryOut(ctx context.Context, claims []Claim) error {
	var (
		mu     sync.Mutex
		done   []Firing
		faults error
		work   sync.WaitGroup
		feed   = make(chan Claim)
	)
	start := s.start()
	for range startAtOnce {
		work.Go(func() {
			for c := range feed {
				f, err := s.fire(ctx, start, c.Record, c.Firing)
				mu.Lock()
				if err != nil {
					faults = errors.Join(faults, fmt.Errorf("schedule %s: %w", c.Record.Name, err))
				} else {
					done = append(done, f)
				}
				mu.Unlock()
			}
		})
	}
	for _, c := range claims {
		feed <- c
	}
	close(feed)
	work.Wait()
	if len(done) == 0 {
		return faults
	}
	// The time of the lease may be over: what has started is written down all the same.
	if err := s.store.FinishFirings(context.WithoutCancel(ctx), done); err != nil {
		return errors.Join(faults, fmt.Errorf("store what was started: %w", err))
	}
	return faults
}

// fire starts the executions of one firing. An error means that nobody knows yet: it is tried again, and nothing starts twice.
func (s *Service) fire(ctx context.Context, start Starter, r Record, f Firing) (Firing, error) {
	by := starter.By{
		Organization: r.Organization, Team: r.TeamID, Actor: "schedule " + r.Name,
		Key:     "schedule " + r.ID.String() + " " + f.Due.UTC().Format(time.RFC3339Nano),
		Trigger: workflow.Trigger{Kind: "schedule", Name: r.Name, Actor: "schedule " + r.Name},
	}
	if f.Actor != "" {
		by.Actor, by.Trigger.Actor = f.Actor, f.Actor
	}
	started, err := start.Start(ctx, by, r.Spec.Start)
	if err != nil {
		return f, err //nolint:wrapcheck // the caller says of what
	}
	f.Starts, f.FiredAt, f.State = started, s.now().UTC(), Started
	if starter.Failed(started) {
		f.State = Failed
		if f.Reason == "" {
			f.Reason = "nothing could be started"
		}
	}
	s.log.InfoContext(ctx, "schedule fired", "schedule", r.Name, "organization", r.Organization, "due", f.Due, "state", f.State)
	return f, nil
}

// List returns schedules by name.
func (s *Service) List(ctx context.Context, size int, after string) ([]Record, string, error) {
	return s.store.Schedules(ctx, size, after) //nolint:wrapcheck // a fault that speaks for itself
}

// Get returns one schedule.
func (s *Service) Get(ctx context.Context, name string) (Record, error) {
	return s.store.Schedule(ctx, name) //nolint:wrapcheck // a fault that speaks for itself
}

// Firings returns what has become of the due times of a schedule, the newest first.
func (s *Service) Firings(ctx context.Context, of Record, missed bool, size int, after string) ([]Firing, string, error) {
	return s.store.Firings(ctx, of.ID, missed, size, after) //nolint:wrapcheck // a fault that speaks for itself
}

// MaxPreview is how many coming times one may ask for.
const MaxPreview = 100

// Preview returns the next times of a schedule, whether or not it is suspended, in its time zone.
func (s *Service) Preview(r Record, n int) ([]time.Time, error) {
	if n < 1 || n > MaxPreview {
		return nil, fault.New(fault.Invalid, "between 1 and %d times can be asked for", MaxPreview).WithField("count")
	}
	return r.Next(s.now(), n)
}

// Suspend keeps a schedule from starting anything, or lets it again.
func (s *Service) Suspend(ctx context.Context, name string, suspended bool) (Record, error) {
	if _, err := tenant.Require(ctx, tenant.ScopeCatalog); err != nil {
		return Record{}, err //nolint:wrapcheck // a fault that speaks for itself
	}
	return s.store.SuspendSchedule(ctx, name, suspended) //nolint:wrapcheck // a fault that speaks for itself
}

// Remove removes a schedule.
func (s *Service) Remove(ctx context.Context, name string) error {
	if _, err := tenant.Require(ctx, tenant.ScopeCatalog); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	return s.store.RemoveSchedule(ctx, name) //nolint:wrapcheck // a fault that speaks for itself
}

// Run starts a schedule now, due or not, suspended or not.
func (s *Service) Run(ctx context.Context, name string) (Firing, error) {
	viewer, err := tenant.Require(ctx, tenant.ScopeRun)
	if err != nil {
		return Firing{}, err //nolint:wrapcheck // a fault that speaks for itself
	}
	known, err := s.store.Schedule(ctx, name)
	if err != nil {
		return Firing{}, fmt.Errorf("run schedule %s: %w", name, err)
	}
	if err := starter.Allowed(ctx, known.Spec.Start); err != nil {
		return Firing{}, err //nolint:wrapcheck // a fault that speaks for itself
	}
	r, f, err := s.store.AddFiring(ctx, name, viewer.Name, lease)
	if err != nil {
		return Firing{}, fmt.Errorf("run schedule %s: %w", name, err)
	}
	done, err := s.fire(ctx, s.start(), r, f)
	if err != nil {
		return f, fmt.Errorf("run schedule %s: %w", name, err)
	}
	if err := s.store.FinishFirings(tenant.System(ctx), []Firing{done}); err != nil {
		return done, fmt.Errorf("store what was started: %w", err)
	}
	return done, nil
}
