package view

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/release/outlook"
)

// Outlook says how the releases that the viewer of the context sees fare over time.
type Outlook interface {
	Outlook(ctx context.Context) (outlook.Outlook, error)
}
