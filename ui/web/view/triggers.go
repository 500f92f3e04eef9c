package view

import (
	"context"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/trigger"
)

// Triggers says what happens and what is started by it, for the viewer of the context.
type Triggers interface {
	List(ctx context.Context, size int, after string) (list []trigger.Record, next string, err error)
	Events(ctx context.Context, f trigger.Filter) (list []trigger.Event, next string, err error)
	// Watched says of triggers for what happens in clusters how it stands with them there.
	Watched(ctx context.Context, records []trigger.Record) (map[uuid.UUID][]trigger.Watched, error)
	Receivers(ctx context.Context) ([]trigger.Receiver, error)
}
