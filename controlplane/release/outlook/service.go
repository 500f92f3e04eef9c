package outlook

import (
	"context"
	"fmt"
	"time"
)

// Store is what the service needs of the database.
type Store interface {
	// Stories returns what became of the releases that were created since a time, for the viewer of the context: at most one more than
	// MaxReleases, newest first.
	Stories(ctx context.Context, since time.Time) ([]Story, error)
}

// Service answers questions. It holds no state of its own.
type Service struct {
	store Store
	clock func() time.Time
}

// New returns a service. A nil clock is the time of day.
func New(store Store, clock func() time.Time) *Service {
	if clock == nil {
		clock = time.Now
	}
	return &Service{store: store, clock: clock}
}

// Outlook returns that of the viewer's organization.
func (s *Service) Outlook(ctx context.Context) (Outlook, error) {
	now := s.clock()
	stories, err := s.store.Stories(ctx, Since(now))
	if err != nil {
		return Outlook{}, fmt.Errorf("read what became of the releases: %w", err)
	}
	return Of(stories, now), nil
}
