// Package share lets people without an account read a release: as it was when it was shared, behind a link that expires and can be revoked.
package share

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/report"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Prefix begins the secret of every link.
const Prefix = "st_view_"

// Store keeps snapshots for the viewer of the context.
type Store interface {
	// SaveSnapshot stores a snapshot of a release. Who does not act for its team gets fault.Forbidden.
	SaveSnapshot(ctx context.Context, id release.ID, s release.Snapshot) (release.Snapshot, error)
	// Snapshots lists those of a release that can be read, newest first; of all releases when both names are empty.
	Snapshots(ctx context.Context, application, version string) ([]release.Snapshot, error)
	// RevokeSnapshot ends one. Who does not act for the team of its release gets fault.Forbidden.
	RevokeSnapshot(ctx context.Context, id uuid.UUID, by string) error
	// OpenSnapshot finds one of any organization by the hash of its secret, with its content, and puts on record that it was opened. One that
	// cannot be read any more is fault.NotFound.
	OpenSnapshot(ctx context.Context, hash []byte) (release.Snapshot, error)
}

// Releases reads releases for the viewer of the context. Implemented by assess.
type Releases interface {
	Get(ctx context.Context, application, version string) (release.Release, error)
}

// Secrets makes and hashes the secrets of links.
type Secrets interface {
	NewSecret(prefix string) (secret string, hash []byte, err error)
	HashSecret(secret string) []byte
}

// Config is what a service is made of; Clock may be nil.
type Config struct {
	Store    Store
	Releases Releases
	Secrets  Secrets
	Clock    func() time.Time
	Log      *slog.Logger
}

// Service shares releases. It holds no state of its own.
type Service struct{ Config }

// New returns a service.
func New(c Config) *Service {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Log = c.Log.With("component", "share")
	return &Service{c}
}

// Share keeps a release as it is now, and returns what was kept with the secret of its link, which nobody can show again. A lifetime of zero
// is the usual one.
func (s *Service) Share(ctx context.Context, application, version string, lifetime time.Duration) (kept release.Snapshot, secret string, err error) {
	v, err := sharer(ctx)
	if err != nil {
		return kept, "", err
	}
	switch {
	case lifetime == 0:
		lifetime = release.UsuallyShared
	case lifetime < time.Minute:
		return kept, "", fault.New(fault.Invalid, "a snapshot can be read for a minute at least").WithField("lifetime")
	case lifetime > release.MaxShared:
		return kept, "", fault.New(fault.Invalid, "a snapshot can be read for at most %d days", int(release.MaxShared.Hours()/24)).WithField("lifetime").
			WithHint("Share it again when it has expired.")
	}
	r, err := s.Releases.Get(ctx, application, version)
	if err != nil {
		return kept, "", fmt.Errorf("share release: %w", err)
	}
	now := s.Clock().UTC().Truncate(time.Second)
	kept = release.Snapshot{Application: r.Application, Version: r.Version, State: r.State, Maker: v.Name, ExpiresAt: now.Add(lifetime)}
	if kept.Content, err = content(r, report.Shared{By: v.Name, At: now, Until: kept.ExpiresAt}); err != nil {
		return kept, "", err
	}
	if secret, kept.Hash, err = s.Secrets.NewSecret(Prefix); err != nil {
		return kept, "", fmt.Errorf("make a secret: %w", err)
	}
	if kept, err = s.Store.SaveSnapshot(ctx, r.ID, kept); err != nil {
		return kept, "", fmt.Errorf("share release: %w", err)
	}
	s.Log.InfoContext(ctx, "release shared", "release", r.ID, "snapshot", kept.ID, "until", kept.ExpiresAt, "actor", v.Name)
	return kept, secret, nil
}

// content is a report on a release that leads nowhere else.
func content(r release.Release, shared report.Shared) ([]byte, error) {
	var out verdict.Output
	if len(r.Verdict) > 0 {
		if err := json.Unmarshal(r.Verdict, &out); err != nil {
			return nil, fmt.Errorf("read the verdict on release %s: %w", r.ID, err)
		}
	}
	head := report.Release{
		Application: r.Application, Version: r.Version, Commit: r.Commit, Images: r.Images, Targets: r.Targets, Policy: r.Policy.Name, Revision: r.Policy.Revision,
		Actor: r.Actor, CreatedAt: r.CreatedAt, DecidedAt: r.Decided, Waivers: r.Waivers, Shared: &shared,
	}
	var b bytes.Buffer
	if err := report.Write(&b, report.JSON, head, out); err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	return b.Bytes(), nil
}

// Snapshots lists what can be read, newest first: of one release, or of all when both names are empty.
func (s *Service) Snapshots(ctx context.Context, application, version string) ([]release.Snapshot, error) {
	list, err := s.Store.Snapshots(ctx, application, version)
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return list, nil
}

// RevokeSnapshot makes the link of a snapshot useless.
func (s *Service) RevokeSnapshot(ctx context.Context, id uuid.UUID) error {
	v, err := sharer(ctx)
	if err != nil {
		return err
	}
	if err := s.Store.RevokeSnapshot(ctx, id, v.Name); err != nil {
		return fmt.Errorf("revoke snapshot: %w", err)
	}
	s.Log.InfoContext(ctx, "snapshot revoked", "snapshot", id, "actor", v.Name)
	return nil
}

// OpenSnapshot returns the snapshot of a link, with its content. It needs no viewer: the link is the credential. Whether there never was such
// a link, or it has expired or was revoked, is told to nobody.
func (s *Service) OpenSnapshot(ctx context.Context, secret string) (release.Snapshot, error) {
	gone := fault.New(fault.NotFound, "this link leads nowhere").WithHint("It may have expired or been revoked: ask whoever gave it to you for a new one.")
	if !strings.HasPrefix(secret, Prefix) {
		return release.Snapshot{}, gone
	}
	found, err := s.Store.OpenSnapshot(ctx, s.Secrets.HashSecret(secret))
	if fault.Is(err, fault.NotFound) {
		return found, gone
	}
	if err != nil {
		return found, fmt.Errorf("open snapshot: %w", err)
	}
	return found, nil
}

// sharer is the viewer, who must be allowed to change what is known of releases.
func sharer(ctx context.Context) (tenant.Viewer, error) {
	v, ok := tenant.FromContext(ctx)
	if !ok || !v.Allows(tenant.ScopeRelease) {
		return v, fault.New(fault.Forbidden, "your role or token does not allow you to share releases").WithHint("Ask a maintainer of the release's team.")
	}
	return v, nil
}
