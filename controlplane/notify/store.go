package notify

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// Store keeps webhooks and what is sent to them. Calls act for the viewer of their context but where they say that they run as system.
type Store interface {
	Work
	// Webhooks lists by name, with what was tried last.
	Webhooks(ctx context.Context) ([]Webhook, error)
	// Webhook returns one, or fault.NotFound.
	Webhook(ctx context.Context, name string) (Webhook, error)
	// SetWebhook makes a webhook for a team, the viewer's when that is empty, or changes that of the name: fault.Forbidden unless the viewer
	// acts for its team. While nobody else can change it, it asks change what is to be stored.
	SetWebhook(ctx context.Context, name, team string, change Amend) (rec Webhook, created bool, err error)
	// WebhookSecrets returns the secrets of a webhook that the viewer may change.
	WebhookSecrets(ctx context.Context, name string) (Secrets, error)
	// PauseWebhook pauses or resumes. What happens while it is paused is not told later; what was on its way goes on.
	PauseWebhook(ctx context.Context, name string, paused bool) (Webhook, error)
	// RemoveWebhook removes one with its deliveries.
	RemoveWebhook(ctx context.Context, name string) error
	// Deliveries lists those of a webhook, newest first; of one state only when it is not empty.
	Deliveries(ctx context.Context, webhook uuid.UUID, state State, size int, after string) (list []Delivery, next string, err error)
	// Redeliver has a delivery sent again from now on, with the same id and body.
	Redeliver(ctx context.Context, name string, delivery uuid.UUID) (Delivery, error)
	// AddTrial stores a delivery for the test of a webhook, which the caller has the lease of.
	AddTrial(ctx context.Context, name string, d Delivery, lease time.Duration) (Delivery, error)
}

// Amend makes of a webhook and its secrets what is to be stored. Of a new webhook all but its name is empty. It may be called more than once.
type Amend func(w *Webhook, s *Secrets) error

// Work is what the Sender needs. It runs as system but for what acts for one organization.
type Work interface {
	// ClaimNotices leases at most limit notices whose deliveries are to be made.
	ClaimNotices(ctx context.Context, limit int, lease time.Duration) ([]Notice, error)
	// ClaimDeliveries leases deliveries that are due, at most limit of them, and so that at most each of a webhook are leased at once, however
	// many replicas there are.
	ClaimDeliveries(ctx context.Context, limit, each int, lease time.Duration) ([]Claim, error)
	// Listening returns the webhooks of an organization, for which it acts, that are not paused and may be told of a notice: where teams are
	// kept apart, those of the team that has what it is about.
	Listening(ctx context.Context, n Notice) ([]Webhook, error)
	// Expand stores the deliveries of a notice, whose due time is over with that. It acts for the organization of the notice.
	Expand(ctx context.Context, n Notice, list []Delivery) error
	// Postpone has a notice expanded later.
	Postpone(ctx context.Context, n Notice, until time.Time) error
	// FinishDelivery stores what became of an attempt, and pauses the webhook when because is not empty.
	FinishDelivery(ctx context.Context, d Delivery, because string) error
	// EndedExecution returns an execution with what is told of it. It acts for its organization.
	EndedExecution(ctx context.Context, id execution.ID) (Ended, error)
	// NewlyFlaky returns tests, at most limit, that are flaky by an execution and were not before. It acts for its organization.
	NewlyFlaky(ctx context.Context, id execution.ID, limit int) ([]Unreliable, error)
	// SweepNotices removes notices and deliveries that were made before a time, at most limit, and returns how many.
	SweepNotices(ctx context.Context, before time.Time, limit int) (int, error)
}

// Claim is a delivery that has to be sent, with its webhook.
type Claim struct {
	Delivery Delivery
	Webhook  Webhook
	Secrets  Secrets
}
