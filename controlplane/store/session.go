package store

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/cluster"
	"github.com/seatrial/seatrial/ent/db/predicate"
)

// OpenSession advances the session epoch. The newest session of an agent wins; the epoch fences the writes of older ones.
func (s *Store) OpenSession(ctx context.Context, hello record.Hello) (epoch int64, err error) {
	v, err := agent(ctx)
	if err != nil {
		return 0, err
	}
	now := s.now()
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		away := tx.Cluster.Update().Where(cluster.ID(v.Cluster), cluster.LastSeenAtLTE(now.Add(-record.OfflineAfter)))
		if err := away.SetReturnedAt(now).Exec(ctx); err != nil {
			return err
		}
		n, err := tx.Cluster.Update().Where(cluster.ID(v.Cluster), cluster.Revoked(false)).AddSessionEpoch(1).
			SetGateway(hello.Gateway).SetConnected(true).SetConnectedAt(now).SetLastSeenAt(now).
			SetAgentVersion(clean(hello.AgentVersion)).SetKubernetesVersion(clean(hello.KubernetesVersion)).
			SetRunnerDelivery(clean(hello.RunnerDelivery)).SetNamespaces(hello.Namespaces).SetRules(hello.Rules).Save(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Unauthenticated, "the agent was revoked or its cluster was removed").
				WithHint("Enroll the cluster again.")
		}
		row, err := tx.Cluster.Get(ctx, v.Cluster)
		if err != nil {
			return err
		}
		epoch = row.SessionEpoch
		return nil
	})
	return epoch, err
}

// CloseSession marks the cluster disconnected when epoch is still the newest.
func (s *Store) CloseSession(ctx context.Context, epoch int64) error {
	v, err := agent(ctx)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Cluster.Update().Where(cluster.ID(v.Cluster), cluster.SessionEpoch(epoch)).SetConnected(false).SetGateway("").Exec(ctx)
	})
}

// TouchSessions stores that the sessions were alive just now. A removed agent counts as revoked.
func (s *Store) TouchSessions(ctx context.Context, epochs map[record.ID]int64) (superseded, revoked []record.ID, err error) {
	if len(epochs) == 0 {
		return nil, nil, nil
	}
	ctx = tenant.System(ctx)
	ids := slices.SortedFunc(maps.Keys(epochs), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) // replicas lock rows in one order
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		superseded, revoked = nil, nil
		n, err := s.touch(ctx, tx, ids, epochs)
		if err != nil || n == len(epochs) {
			return err
		}
		rows := make([]*db.Cluster, 0, len(ids))
		for part := range slices.Chunk(ids, batch) {
			some, err := tx.Cluster.Query().Where(cluster.IDIn(part...)).
				Select(cluster.FieldID, cluster.FieldSessionEpoch, cluster.FieldRevoked).All(ctx)
			if err != nil {
				return err
			}
			rows = append(rows, some...)
		}
		superseded, revoked = stale(rows, epochs)
		return nil
	})
	return superseded, revoked, err
}

// touch returns how many of the sessions hold. SQLite nests the terms of a condition and takes a thousand at most.
func (s *Store) touch(ctx context.Context, tx *db.Tx, ids []uuid.UUID, epochs map[record.ID]int64) (held int, err error) {
	for part := range slices.Chunk(ids, batch) {
		mine := make([]predicate.Cluster, len(part))
		for i, id := range part {
			mine[i] = cluster.And(cluster.ID(id), cluster.SessionEpoch(epochs[id]))
		}
		n, err := tx.Cluster.Update().Where(cluster.Or(mine...), cluster.Revoked(false)).SetConnected(true).SetLastSeenAt(s.now()).Save(ctx)
		if err != nil {
			return 0, err
		}
		held += n
	}
	return held, nil
}

// stale tells the sessions that may not go on.
func stale(rows []*db.Cluster, epochs map[record.ID]int64) (superseded, revoked []record.ID) {
	found := make(map[record.ID]*db.Cluster, len(rows))
	for _, row := range rows {
		found[row.ID] = row
	}
	for id, epoch := range epochs {
		switch row := found[id]; {
		case row == nil || row.Revoked:
			revoked = append(revoked, id)
		case row.SessionEpoch != epoch:
			superseded = append(superseded, id)
		}
	}
	return superseded, revoked
}

// Clusters lists by name.
func (s *Store) Clusters(ctx context.Context) ([]record.Cluster, error) {
	rows, err := s.db.Read().Cluster.Query().Order(cluster.ByName()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]record.Cluster, len(rows))
	for i, row := range rows {
		out[i] = s.clusterRecord(row)
	}
	return out, s.count(ctx, out)
}

// clusterRecord counts a cluster as connected only while its agent is heard: a replica that died cannot close its sessions.
func (s *Store) clusterRecord(row *db.Cluster) record.Cluster {
	seen := timeOf(row.LastSeenAt)
	return record.Cluster{
		ID: row.ID, Organization: row.OrganizationID, Name: row.Name, UID: row.UID, Enrolled: row.EnrolledAt != nil,
		Connected:   row.Connected && !row.Revoked && s.clock().Sub(seen) < record.OfflineAfter,
		ConnectedAt: timeOf(row.ConnectedAt), LastSeenAt: seen, AgentVersion: row.AgentVersion,
		KubernetesVersion: row.KubernetesVersion, RunnerDelivery: row.RunnerDelivery, Namespaces: row.Namespaces, Rules: row.Rules,
		MaxRuns: row.MaxRuns, Drained: record.Drain{Since: timeOf(row.DrainedAt), By: row.DrainedBy, Reason: row.DrainedReason},
		KeySince: timeOf(row.KeySince), RotationAsked: row.RotationAsked, RevokedAt: timeOf(row.RevokedAt), RevokedReason: row.RevokedReason,
		CreatedAt: row.CreatedAt.UTC().Truncate(time.Microsecond),
	}
}
