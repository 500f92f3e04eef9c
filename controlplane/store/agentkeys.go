package store

import (
	"context"
	"slices"
	"time"

	record "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/bootstraptoken"
	"github.com/seatrial/seatrial/ent/db/cluster"
)

// RevokeAgent takes the right of a cluster's agent away until the cluster is enrolled again; bootstrap tokens that wait are void. What
// runs in the cluster is not touched. Revoking again changes the reason only.
func (s *Store) RevokeAgent(ctx context.Context, name, reason string) (record.Cluster, error) {
	return s.changeCluster(ctx, name, func(tx *db.Tx, row *db.Cluster) (*db.Cluster, error) {
		if row.Revoked && row.RevokedAt != nil {
			return row.Update().SetRevokedReason(clean(reason)).Save(ctx)
		}
		if err := tx.BootstrapToken.Update().Where(bootstraptoken.ClusterID(row.ID), bootstraptoken.UsedAtIsNil()).
			SetExpiresAt(s.now()).Exec(ctx); err != nil {
			return nil, err
		}
		return row.Update().SetRevoked(true).SetRevokedAt(s.now()).SetRevokedReason(clean(reason)).SetRotationAsked(false).
			AddSessionEpoch(1).SetConnected(false).SetGateway("").Save(ctx)
	})
}

// RevokedAgents returns the agents whose right was taken away within the last time and not given back.
func (s *Store) RevokedAgents(ctx context.Context, within time.Duration) ([]record.ID, error) {
	ids, err := s.db.Read().Cluster.Query().Where(cluster.Revoked(true), cluster.RevokedAtGTE(s.now().Add(-within))).IDs(tenant.System(ctx))
	if err != nil {
		return nil, database.Fault(err)
	}
	return ids, nil
}

// AskRotation notes that a cluster's agent is to take another key.
func (s *Store) AskRotation(ctx context.Context, name string) (record.Cluster, error) {
	return s.changeCluster(ctx, name, func(_ *db.Tx, row *db.Cluster) (*db.Cluster, error) {
		if len(row.PublicKey) == 0 || row.Revoked {
			return nil, fault.New(fault.Conflict, "cluster %q has no agent that could take another key", name).
				WithHint("Enroll the cluster with: seatrial cluster enroll %s.", name)
		}
		return row.Update().SetRotationAsked(true).Save(ctx)
	})
}

// changeCluster changes a cluster of the viewer's organization.
func (s *Store) changeCluster(
	ctx context.Context, name string, change func(*db.Tx, *db.Cluster) (*db.Cluster, error),
) (changed record.Cluster, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.Cluster.Query().Where(cluster.Name(name))).Only(ctx)
		if db.IsNotFound(err) {
			return fault.New(fault.NotFound, "there is no cluster %q", name).WithField("name").WithHint("See `seatrial cluster list`.")
		}
		if err != nil {
			return err
		}
		if row, err = change(tx, row); err != nil {
			return err
		}
		changed = s.clusterRecord(row)
		return nil
	})
	return changed, err
}

// AddKey registers a second key of an agent. One that was never used gives way to it.
func (s *Store) AddKey(ctx context.Context, id record.ID, key []byte) error {
	ctx = tenant.System(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Cluster.Update().Where(cluster.ID(id), cluster.Revoked(false)).SetNextKey(slices.Clone(key)).Save(ctx)
		if err == nil && n == 0 {
			return fault.New(fault.Unauthenticated, "the agent was revoked or its cluster was removed")
		}
		return err
	})
}

// PromoteKey lets the second key of an agent take the first one's place, which is worth nothing any more. When somebody was quicker it
// changes nothing.
func (s *Store) PromoteKey(ctx context.Context, id record.ID, key []byte) error {
	ctx = tenant.System(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Cluster.Update().Where(cluster.ID(id), cluster.NextKey(key), cluster.Revoked(false)).SetPublicKey(slices.Clone(key)).
			ClearNextKey().SetKeySince(s.now()).SetRotationAsked(false).Exec(ctx)
	})
}
