package release

import (
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// How long a snapshot can be read: as long as who shares it says, at most MaxShared.
const (
	UsuallyShared = 7 * 24 * time.Hour
	MaxShared     = 90 * 24 * time.Hour
)

// Snapshot is a release as it was when somebody shared it. Whoever has its link reads it, without an account.
type Snapshot struct {
	ID           uuid.UUID
	Organization tenant.ID
	Application  string
	Version      string
	State        verdict.State // what it shows
	Maker        string        // who shared it
	CreatedAt    time.Time
	ExpiresAt    time.Time
	RevokedAt    time.Time // zero unless somebody revoked it
	RevokedBy    string
	OpenedAt     time.Time // last, to the hour; zero before that
	Hash         []byte    // of the secret of its link
	Content      []byte    // the report in JSON; only of one that is opened
}

// Open reports whether it can be read at a time.
func (s Snapshot) Open(now time.Time) bool { return s.RevokedAt.IsZero() && now.Before(s.ExpiresAt) }

// SnapshotPath is the address of a snapshot on the control plane.
func SnapshotPath(secret string) string { return "/s/" + secret }
