package view

import (
	"context"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/notify"
)

// Webhooks says who hears of what happens, for the viewer of the context. What is absent or foreign is fault.NotFound.
type Webhooks interface {
	// Formats are those that can be chosen.
	Formats() []notify.Format
	List(ctx context.Context) ([]notify.Webhook, error)
	Get(ctx context.Context, name string) (notify.Webhook, error)
	// Set makes a webhook or changes it; the secret is empty unless it was made just now.
	Set(ctx context.Context, in notify.Setting) (w notify.Webhook, secret string, created bool, err error)
	// Test sends a message now, and returns what became of it.
	Test(ctx context.Context, name string) (notify.Delivery, error)
	Pause(ctx context.Context, name string, paused bool) (notify.Webhook, error)
	// Rotate makes a new secret, which is shown once.
	Rotate(ctx context.Context, name string) (w notify.Webhook, secret string, err error)
	Remove(ctx context.Context, name string) error
	Deliveries(ctx context.Context, name string, state notify.State, size int, after string) (list []notify.Delivery, next string, err error)
	Redeliver(ctx context.Context, name string, id uuid.UUID) (notify.Delivery, error)
}
