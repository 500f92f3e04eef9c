package insight

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/crowd"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/execution/compare"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
)

// Store is what the service needs of the database. Calls act for the viewer of the context; what is another organization's is
// fault.NotFound, or not there.
type Store interface {
	Comparing
	Failures
	Catalog
}

// Comparing is what the service needs of the database to compare executions.
type Comparing interface {
	// Execution returns an execution with runs and attempts.
	Execution(ctx context.Context, id execution.ID) (execution.Execution, error)
	// Cases returns what the reports of an execution say, in any order, without what lost attempts said: at most limit of them.
	Cases(ctx context.Context, id execution.ID, limit int) ([]compare.Case, error)
	// Messages returns the messages of results by their ids.
	Messages(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]string, error)
	// Past returns the executions of a workflow before another, newest first, with their runs but without attempts.
	Past(ctx context.Context, workflow string, before execution.ID, limit int) ([]execution.Execution, error)
	// TestRuns returns tests with their latest runs since a time, at most each of every one.
	TestRuns(ctx context.Context, keys []string, since time.Time, each int) ([]board.Known, error)
}

// heavyAtOnce is how many questions that read very much are answered at a time; the others wait for their turn.
const heavyAtOnce = 2

// Service answers questions. What it remembers it could read again.
type Service struct {
	store       Store
	placings    placings
	readings    readings
	comparisons comparisons
	counted     counted
	covering    crowd.InSight[int, Coverage]
	failing     crowd.InSight[failing, Failure]
	beside      crowd.InSight[string, map[string]int]

	heavy chan struct{}
	clock func() time.Time
}

// New returns a service. A nil clock is the time of day.
func New(store Store, clock func() time.Time) *Service {
	if clock == nil {
		clock = time.Now
	}
	return &Service{store: store, heavy: make(chan struct{}, heavyAtOnce), clock: clock}
}

// turn waits until another question that reads very much may be answered; done lets the next one go.
func (s *Service) turn(ctx context.Context) (done func(), err error) {
	select {
	case s.heavy <- struct{}{}:
		return func() { <-s.heavy }, nil
	case <-ctx.Done():
		return nil, ctx.Err() //nolint:wrapcheck // the end of the caller's own work
	}
}
