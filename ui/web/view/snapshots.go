package view

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/release"
)

// Snapshots shares releases with those who have no account.
type Snapshots interface {
	// Share keeps a release as it is now, and returns what was kept with the secret of its link, which nobody can show again. What is wrong
	// with the lifetime is fault.Invalid; zero is the usual one.
	Share(ctx context.Context, application, version string, lifetime time.Duration) (kept release.Snapshot, secret string, err error)
	// Snapshots lists those that can be read, newest first: of a release, or of all when both names are empty.
	Snapshots(ctx context.Context, application, version string) ([]release.Snapshot, error)
	// RevokeSnapshot makes a link useless.
	RevokeSnapshot(ctx context.Context, id uuid.UUID) error
	// OpenSnapshot needs no viewer: the secret is the credential. A link that leads nowhere, for whatever reason, is fault.NotFound.
	OpenSnapshot(ctx context.Context, secret string) (release.Snapshot, error)
}
