package store

import (
	"context"
	"slices"

	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/cluster"
)

// sayAway tells of attempts that wait for an agent which is not connected. It is found out when somebody looks: an agent that
// falls silent writes nothing.
func (s *Store) sayAway(ctx context.Context, runs []*db.Run, byRun map[uuid.UUID][]execution.Attempt) error {
	var ids []uuid.UUID
	for _, r := range runs {
		if !execution.Status(r.Status).Terminal() && !slices.Contains(ids, r.ClusterID) {
			ids = append(ids, r.ClusterID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	clusters, err := s.clustersByID(ctx, ids)
	if err != nil {
		return err
	}
	for _, r := range runs {
		c, known := clusters[r.ClusterID]
		for i := range byRun[r.ID] {
			if a := &byRun[r.ID][i]; known && !c.Connected && !a.Status.Terminal() && a.Reason != execution.ReasonGroup {
				a.Reason, a.Message = record.ReasonAway, c.Away(a.Status == execution.Running || a.Status == execution.Paused)
			}
		}
	}
	return nil
}

func (s *Store) clustersByID(ctx context.Context, ids []record.ID) (map[record.ID]record.Cluster, error) {
	rows, err := s.db.Read().Cluster.Query().Where(cluster.IDIn(ids...)).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	clusters := make(map[record.ID]record.Cluster, len(rows))
	for _, row := range rows {
		clusters[row.ID] = s.clusterRecord(row)
	}
	return clusters, nil
}

// Loads returns how much clusters have to do.
func (s *Store) Loads(ctx context.Context, clusters []record.ID) (map[record.ID]record.Load, error) {
	known, err := s.clustersByID(ctx, clusters)
	if err != nil {
		return nil, err
	}
	loads := make(map[record.ID]record.Load, len(known))
	for id, c := range known {
		loads[id] = record.Load{Away: !c.Connected, Drained: c.Drained.On()}
	}
	var counts []struct {
		ClusterID uuid.UUID `json:"cluster_id"`
		Count     int       `json:"count"`
	}
	err = s.db.Read().Attempt.Query().Where(attempt.ClusterIDIn(clusters...), attempt.StatusIn(live()...)).
		GroupBy(attempt.FieldClusterID).Aggregate(db.Count()).Scan(ctx, &counts)
	if err != nil {
		return nil, database.Fault(err)
	}
	for _, c := range counts {
		load := loads[c.ClusterID]
		load.Active = c.Count
		loads[c.ClusterID] = load
	}
	return loads, nil
}
