package api

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// ShareRelease implements ReleaseServiceHandler.
func (s *server) ShareRelease(ctx context.Context, r *apiv1.ShareReleaseRequest) (*apiv1.ShareReleaseResponse, error) {
	kept, secret, err := s.Sharer.Share(ctx, r.GetApplication(), r.GetVersion(), r.GetLifetime().AsDuration())
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what for
	}
	return &apiv1.ShareReleaseResponse{Snapshot: snapshotOf(kept), Url: s.PublicURL + release.SnapshotPath(secret)}, nil
}

// ListSnapshots implements ReleaseServiceHandler.
func (s *server) ListSnapshots(ctx context.Context, r *apiv1.ListSnapshotsRequest) (*apiv1.ListSnapshotsResponse, error) {
	if (r.GetApplication() == "") != (r.GetVersion() == "") {
		return nil, fault.New(fault.Invalid, "a release has an application and a version").WithField("version").WithHint("Give both, or none for all releases.")
	}
	list, err := s.Sharer.Snapshots(ctx, r.GetApplication(), r.GetVersion())
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what for
	}
	out := &apiv1.ListSnapshotsResponse{}
	for _, one := range list {
		out.Snapshots = append(out.Snapshots, snapshotOf(one))
	}
	return out, nil
}

// RevokeSnapshot implements ReleaseServiceHandler.
func (s *server) RevokeSnapshot(ctx context.Context, r *apiv1.RevokeSnapshotRequest) (*apiv1.RevokeSnapshotResponse, error) {
	id, err := uuid.Parse(r.GetId())
	if err != nil {
		return nil, fault.New(fault.NotFound, "there is no such snapshot, or it cannot be read any more").WithHint("List what there is with: seatrial release snapshots.")
	}
	if err := s.Sharer.RevokeSnapshot(ctx, id); err != nil {
		return nil, fmt.Errorf("revoke snapshot: %w", err)
	}
	return &apiv1.RevokeSnapshotResponse{}, nil
}

func snapshotOf(s release.Snapshot) *apiv1.Snapshot {
	return &apiv1.Snapshot{
		Id: s.ID.String(), Application: s.Application, Version: s.Version, State: stateOf(s.State), Maker: s.Maker, CreatedAt: timeOf(s.CreatedAt),
		ExpiresAt: timeOf(s.ExpiresAt), OpenedAt: timeOf(s.OpenedAt),
	}
}
