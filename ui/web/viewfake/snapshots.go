package viewfake

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/report"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/view"
)

// SharedLink is the secret of the link to the snapshot of the sample.
const SharedLink = "st_view_sample"

// Snapshots returns the snapshots as their interface.
func (w *World) Snapshots() view.Snapshots { return &snapshots{w} }

type snapshots struct{ *World }

// Share keeps a release; its secret is numbered.
func (s *snapshots) Share(ctx context.Context, application, version string, lifetime time.Duration) (release.Snapshot, string, error) {
	if lifetime > release.MaxShared {
		return release.Snapshot{}, "", fault.New(fault.Invalid, "a snapshot can be read for at most 90 days").WithField("lifetime")
	}
	if lifetime == 0 {
		lifetime = release.UsuallyShared
	}
	r, err := s.Releases().Get(ctx, application, version)
	if err != nil {
		return release.Snapshot{}, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	secret := "st_view_" + strconv.Itoa(len(s.shared))
	return s.keepShared(r, secret, s.Now(), lifetime), secret, nil
}

func (w *World) keepShared(r release.Release, secret string, at time.Time, lifetime time.Duration) release.Snapshot {
	var out verdict.Output
	_ = json.Unmarshal(r.Verdict, &out) // it was made here
	kept := release.Snapshot{
		ID: ID("snapshot " + secret), Application: r.Application, Version: r.Version, State: r.State, Maker: w.Member.Viewer.Name, CreatedAt: at, ExpiresAt: at.Add(lifetime),
		Hash: []byte(secret),
	}
	head := report.Release{
		Application: r.Application, Version: r.Version, Commit: r.Commit, Images: r.Images, Policy: r.Policy.Name, Revision: r.Policy.Revision, Actor: r.Actor,
		CreatedAt: r.CreatedAt, DecidedAt: r.Decided, Waivers: r.Waivers, Shared: &report.Shared{By: kept.Maker, At: at, Until: kept.ExpiresAt},
	}
	var b bytes.Buffer
	_ = report.Write(&b, report.JSON, head, out) // a buffer takes everything
	kept.Content = b.Bytes()
	w.shared = slices.Insert(w.shared, 0, kept)
	return kept
}

// Snapshots lists those that can be read.
func (s *snapshots) Snapshots(ctx context.Context, application, version string) (list []release.Snapshot, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.shared {
		if one.Open(s.Now()) && (application == "" || one.Application == application && one.Version == version) {
			list = append(list, one)
		}
	}
	return list, s.allowed(ctx)
}

// RevokeSnapshot ends one.
func (s *snapshots) RevokeSnapshot(ctx context.Context, id uuid.UUID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.shared {
		if s.shared[i].ID == id && s.shared[i].Open(s.Now()) {
			s.shared[i].RevokedAt = s.Now()
			return s.allowed(ctx)
		}
	}
	return fault.New(fault.NotFound, "there is no snapshot %s", id)
}

// OpenSnapshot finds one by the secret of its link.
func (s *snapshots) OpenSnapshot(_ context.Context, secret string) (release.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.shared {
		if string(one.Hash) == secret && one.Open(s.Now()) {
			return one, nil
		}
	}
	return release.Snapshot{}, fault.New(fault.NotFound, "this link leads nowhere")
}

// sampleShared shares a release of the sample.
func (w *World) sampleShared() {
	r, err := w.Releases().Get(tenant.WithViewer(context.Background(), w.Member.Viewer), Checkout, "1.41.0") //nolint:forbidigo // nobody waits for a sample
	if err == nil {
		w.keepShared(r, SharedLink, ago(3*time.Hour), release.UsuallyShared)
		w.shared[0].OpenedAt = ago(50 * time.Minute)
	}
}
