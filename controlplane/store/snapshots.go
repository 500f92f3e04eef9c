package store

import (
	"context"
	"fmt"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	record "github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/snapshot"
)

const (
	// maxSnapshots is how many are listed.
	maxSnapshots = 1000
	// maxShared is how many of a release can be read at a time: each has its own report.
	maxShared = 50
	// maxContent is how large the report of a snapshot may be.
	maxContent = 32 << 20
	// openedEvery is how often it goes on record again that a snapshot was opened.
	openedEvery = time.Hour
)

// SaveSnapshot stores a snapshot of a release of the viewer's team.
func (s *Store) SaveSnapshot(ctx context.Context, id record.ID, n record.Snapshot) (out record.Snapshot, err error) {
	if len(n.Content) > maxContent {
		return out, fault.New(fault.Exhausted, "the report has %d MiB, and one that is shared at most %d", len(n.Content)>>20, maxContent>>20).
			WithHint("Download it with: seatrial release report.")
	}
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return out, fmt.Errorf("compress snapshot: %w", err)
	}
	content := packer.EncodeAll(n.Content, nil)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		head, err := tx.Release.Query().Where(release.ID(id)).Only(ctx)
		if err != nil {
			return err
		}
		if err := mayChange(ctx, tx, head.TeamID, "release "+head.Application+" "+head.Version); err != nil {
			return err
		}
		there, err := tx.Snapshot.Query().Where(s.readable(), snapshot.HasReleaseWith(release.ID(head.ID))).Count(ctx)
		if err != nil {
			return err
		}
		if there >= maxShared {
			return fault.New(fault.Exhausted, "release %s %s is shared %d times already", head.Application, head.Version, there).
				WithHint("Revoke what nobody needs any more: seatrial release snapshots lists it.")
		}
		row, err := tx.Snapshot.Create().SetOrganizationID(head.OrganizationID).SetReleaseID(head.ID).SetState(string(n.State)).SetMaker(n.Maker).
			SetHash(n.Hash).SetContent(content).SetExpiresAt(n.ExpiresAt).Save(ctx)
		if err != nil {
			return err
		}
		row.Edges.Release = head
		out = snapshotRecord(row)
		audit.Of(ctx).Detail("expires", n.ExpiresAt.UTC().Format(time.RFC3339))
		return s.notedSnapshot(ctx, tx, row)
	})
	return out, err
}

// Snapshots lists those that can be read, newest first and without their content.
func (s *Store) Snapshots(ctx context.Context, application, version string) ([]record.Snapshot, error) {
	q := s.db.Read().Snapshot.Query().Where(s.readable())
	if application != "" || version != "" {
		q.Where(snapshot.HasReleaseWith(release.Application(application), release.Version(version)))
	}
	q.WithRelease(func(r *db.ReleaseQuery) { r.Select(release.FieldID, release.FieldApplication, release.FieldVersion) })
	q.Order(snapshot.ByID(entsql.OrderDesc())).Limit(maxSnapshots)
	rows, err := q.Select(snapshot.FieldID, snapshot.FieldOrganizationID, snapshot.FieldReleaseID, snapshot.FieldState, snapshot.FieldMaker, snapshot.FieldCreatedAt,
		snapshot.FieldExpiresAt, snapshot.FieldOpenedAt).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]record.Snapshot, len(rows))
	for i, row := range rows {
		out[i] = snapshotRecord(row)
	}
	return out, nil
}

// readable are the snapshots that can be read.
func (s *Store) readable() predicate.Snapshot {
	return snapshot.And(snapshot.RevokedAtIsNil(), snapshot.ExpiresAtGT(s.now()))
}

// RevokeSnapshot ends a snapshot of a release of the viewer's team.
func (s *Store) RevokeSnapshot(ctx context.Context, id uuid.UUID, by string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := tx.Snapshot.Query().Where(snapshot.ID(id), s.readable()).WithRelease().Only(ctx)
		if db.IsNotFound(err) {
			return fault.New(fault.NotFound, "there is no such snapshot, or it cannot be read any more").WithHint("List what there is with: seatrial release snapshots.")
		}
		if err != nil {
			return err
		}
		head := row.Edges.Release
		if err := mayChange(ctx, tx, head.TeamID, "release "+head.Application+" "+head.Version); err != nil {
			return err
		}
		if err := tx.Snapshot.UpdateOneID(id).SetRevokedAt(s.now()).SetRevokedBy(by).Exec(ctx); err != nil {
			return err
		}
		return s.notedSnapshot(ctx, tx, row)
	})
}

// OpenSnapshot finds the snapshot of a link, whoever asks, and puts on record that it was opened: once an hour, or whoever has the link could
// fill the record. One of an organization that is suspended is not found.
func (s *Store) OpenSnapshot(ctx context.Context, hash []byte) (out record.Snapshot, err error) {
	ctx = tenant.System(ctx)
	row, err := s.db.Read().Snapshot.Query().Where(snapshot.Hash(hash), s.readable(), snapshot.HasOrganizationWith(organization.State(string(tenant.Active)))).
		WithRelease().Only(ctx)
	if err != nil {
		return out, database.Fault(err)
	}
	out = snapshotRecord(row)
	unpacker, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxContent))
	if err != nil {
		return out, fmt.Errorf("open snapshot %s: %w", row.ID, err)
	}
	defer unpacker.Close()
	if out.Content, err = unpacker.DecodeAll(row.Content, nil); err != nil {
		return out, fmt.Errorf("open snapshot %s: %w", row.ID, err)
	}
	if row.OpenedAt != nil && s.now().Sub(*row.OpenedAt) < openedEvery {
		return out, nil
	}
	return out, s.db.Write(ctx, func(tx *db.Tx) error {
		// Of those who open it at the same time, one says so.
		n, err := tx.Snapshot.Update().Where(snapshot.ID(row.ID), snapshot.Or(snapshot.OpenedAtIsNil(), snapshot.OpenedAtLTE(s.now().Add(-openedEvery)))).
			SetOpenedAt(s.now()).Save(ctx)
		if err != nil || n == 0 {
			return err
		}
		audit.Of(ctx).By(tenant.Viewer{Kind: tenant.KindSystem, Organization: row.OrganizationID, Name: "whoever has the link"})
		return s.notedSnapshot(ctx, tx, row)
	})
}

// deleteSnapshots deletes what can be read no more: the record keeps who made, opened and revoked it.
func (s *Store) deleteSnapshots(ctx context.Context) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Snapshot.Delete().Where(snapshot.Not(s.readable())).Exec(ctx)
		return err
	})
}

// notedSnapshot notes that something was done to a snapshot.
func (s *Store) notedSnapshot(ctx context.Context, tx *db.Tx, row *db.Snapshot) error {
	head := row.Edges.Release
	return s.noted(ctx, tx, audit.Object{Kind: "snapshot", ID: row.ID.String(), Name: head.Application + " " + head.Version})
}

func snapshotRecord(row *db.Snapshot) record.Snapshot {
	out := record.Snapshot{
		ID: row.ID, Organization: row.OrganizationID, State: verdict.State(row.State), Maker: row.Maker, CreatedAt: row.CreatedAt.UTC(), ExpiresAt: row.ExpiresAt.UTC(),
		RevokedAt: timeOf(row.RevokedAt), RevokedBy: row.RevokedBy, OpenedAt: timeOf(row.OpenedAt),
	}
	if r := row.Edges.Release; r != nil {
		out.Application, out.Version = r.Application, r.Version
	}
	return out
}
