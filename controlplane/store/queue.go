package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	record "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/cluster"
	"github.com/seatrial/seatrial/ent/db/run"
)

// DrainCluster lets nothing begin in a cluster any more. Draining again changes the reason only.
func (s *Store) DrainCluster(ctx context.Context, name, reason string) (record.Cluster, error) {
	return s.changeCluster(ctx, name, func(tx *db.Tx, row *db.Cluster) (*db.Cluster, error) {
		v, _ := tenant.FromContext(ctx)
		up := row.Update().SetDrainedReason(clean(reason)).SetDrainedBy(clean(v.Name))
		if row.DrainedAt == nil {
			up.SetDrainedAt(s.now())
		}
		audit.Of(ctx).Detail("reason", reason)
		return s.saveCluster(ctx, tx, up)
	})
}

// UndrainCluster lets what waits for a cluster begin again.
func (s *Store) UndrainCluster(ctx context.Context, name string) (record.Cluster, error) {
	return s.changeCluster(ctx, name, func(tx *db.Tx, row *db.Cluster) (*db.Cluster, error) {
		return s.saveCluster(ctx, tx, row.Update().ClearDrainedAt().SetDrainedReason("").SetDrainedBy(""))
	})
}

// LimitCluster says how many runs may be under way in a cluster at once; 0 for as many as its agent takes.
func (s *Store) LimitCluster(ctx context.Context, name string, runs int) (record.Cluster, error) {
	if runs < 0 || runs > record.MaxRunsLimit {
		return record.Cluster{}, fault.New(fault.Invalid, "a cluster cannot have %d runs under way at once", runs).WithField("max_runs").
			WithHint("Give a number from 1 to %d, or 0 for as many as its agent takes.", record.MaxRunsLimit)
	}
	return s.changeCluster(ctx, name, func(tx *db.Tx, row *db.Cluster) (*db.Cluster, error) {
		audit.Of(ctx).Detail("max_runs", fmt.Sprint(runs))
		return s.saveCluster(ctx, tx, row.Update().SetMaxRuns(runs))
	})
}

func (s *Store) saveCluster(ctx context.Context, tx *db.Tx, up *db.ClusterUpdateOne) (*db.Cluster, error) {
	row, err := up.Save(ctx)
	if err != nil {
		return nil, err
	}
	return row, s.noted(ctx, tx, audit.Object{Kind: "cluster", ID: row.ID.String(), Name: row.Name})
}

// placesIn returns how many more runs may begin in a cluster, at most as many as its agent asks for. The row of a cluster with a limit is
// locked: two sessions of its agent must not hand out the same place.
func (s *Store) placesIn(ctx context.Context, tx *db.Tx, c *db.Cluster, limit int) (int, error) {
	switch {
	case c.DrainedAt != nil:
		return 0, nil
	case c.MaxRuns == 0 || limit == 0:
		return limit, nil
	}
	if _, err := locked(s, tx.Cluster.Query().Where(cluster.ID(c.ID))).Only(ctx); err != nil {
		return 0, err
	}
	taken, err := tx.Run.Query().Where(run.ClusterID(c.ID), run.StatusIn(busy()...)).Count(ctx)
	if err != nil {
		return 0, err
	}
	// Those on the way: sent, and not yet answered.
	underway, err := tx.AgentCommand.Query().Where(agentcommand.ClusterID(c.ID), agentcommand.Kind(string(record.Start)), agentcommand.State(sent)).Count(ctx)
	if err != nil {
		return 0, err
	}
	return max(0, min(limit, c.MaxRuns-taken-underway)), nil
}

// count adds to clusters how many runs have a place there and how many wait for one.
func (s *Store) count(ctx context.Context, clusters []record.Cluster) error {
	ids := make([]uuid.UUID, len(clusters))
	at := make(map[uuid.UUID]*record.Cluster, len(clusters))
	for i := range clusters {
		ids[i], at[clusters[i].ID] = clusters[i].ID, &clusters[i]
	}
	for part := range slices.Chunk(ids, batch) {
		var counts []struct {
			ClusterID uuid.UUID `json:"cluster_id"`
			Status    string    `json:"status"`
			Count     int       `json:"count"`
		}
		err := s.db.Read().Run.Query().Where(run.ClusterIDIn(part...), run.StatusIn(live()...)).
			GroupBy(run.FieldClusterID, run.FieldStatus).Aggregate(db.Count()).Scan(ctx, &counts)
		if err != nil {
			return database.Fault(err)
		}
		for _, n := range counts {
			if n.Status == string(execution.Queued) {
				at[n.ClusterID].Queued += n.Count
			} else {
				at[n.ClusterID].Busy += n.Count
			}
		}
	}
	return nil
}

// placed is how many of the attempts that somebody looks at are told their place: to count what stands before one that stands far back takes
// a while, and the others stand behind it.
const placed = 10

// sayQueue tells of attempts that wait for nothing but their turn, where they stand and why they wait. It is found out when somebody
// looks: storing it would change all that wait whenever one begins.
func (s *Store) sayQueue(ctx context.Context, runs []*db.Run, byRun map[uuid.UUID][]execution.Attempt) error {
	var waiting []*execution.Attempt
	var where []uuid.UUID
	clusterOf := map[uuid.UUID]record.ID{}
	for _, r := range runs {
		for i := range byRun[r.ID] {
			if a := &byRun[r.ID][i]; a.Status == execution.Queued && (a.Reason == "" || a.Reason == reasonRetry) {
				waiting, clusterOf[a.ID] = append(waiting, a), r.ClusterID
				if !slices.Contains(where, r.ClusterID) {
					where = append(where, r.ClusterID)
				}
			}
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	places, err := s.placesOf(ctx, waiting[:min(placed, len(waiting))])
	if err != nil {
		return err
	}
	clusters, err := s.crowded(ctx, where)
	if err != nil {
		return err
	}
	for i, a := range waiting {
		p, stands := places[a.ID]
		c, known := clusters[clusterOf[a.ID]]
		if !known || i < placed && !stands {
			continue // it was sent to its agent, and waits no more
		}
		switch words := c.Waits(p); {
		case words == "":
		case a.Reason == reasonRetry:
			a.Message += " " + words
		default:
			a.Reason, a.Message = record.ReasonQueue, words
		}
	}
	return nil
}

// crowded returns clusters with what they are busy with.
func (s *Store) crowded(ctx context.Context, ids []record.ID) (map[record.ID]record.Cluster, error) {
	known, err := s.clustersByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	list := slices.Collect(maps.Values(known))
	if err := s.count(ctx, list); err != nil {
		return nil, err
	}
	for _, c := range list {
		known[c.ID] = c
	}
	return known, nil
}

// placesOf returns where those of the attempts stand that wait in the queues of clusters.
func (s *Store) placesOf(ctx context.Context, attempts []*execution.Attempt) (map[execution.AttemptID]record.Place, error) {
	ids := make([]uuid.UUID, len(attempts))
	for i, a := range attempts {
		ids[i] = a.ID
	}
	var rows []struct {
		AttemptID uuid.UUID `json:"attempt_id"`
		ClusterID uuid.UUID `json:"cluster_id"`
		Turn      int64     `json:"turn"`
		ID        uuid.UUID `json:"id"`
		Number    int       `json:"number"`
		Waiting   int       `json:"waiting"`
	}
	err := s.db.Read().AgentCommand.Query().Where(agentcommand.AttemptIDIn(ids...), agentcommand.Kind(string(record.Start)), agentcommand.State(queued)).
		GroupBy(agentcommand.FieldAttemptID, agentcommand.FieldClusterID, agentcommand.FieldTurn, agentcommand.FieldID).
		Aggregate(func(sel *entsql.Selector) string {
			turn, id := sel.C(agentcommand.FieldTurn), sel.C(agentcommand.FieldID)
			return countWaiting(sel, fmt.Sprintf(" AND o.turn <= %[1]s AND (o.turn < %[1]s OR o.id <= %[2]s)", turn, id), "number")
		}, func(sel *entsql.Selector) string { return countWaiting(sel, "", "waiting") }).Scan(ctx, &rows)
	if err != nil {
		return nil, database.Fault(err)
	}
	quota, err := s.Quota(ctx)
	if err != nil {
		return nil, err
	}
	var taken int
	if quota.Runs > 0 && len(rows) > 0 {
		if taken, err = s.db.Read().Run.Query().Where(run.StatusIn(busy()...)).Count(ctx); err != nil {
			return nil, database.Fault(err)
		}
	}
	out := make(map[execution.AttemptID]record.Place, len(rows))
	for _, row := range rows {
		out[row.AttemptID] = record.Place{Number: row.Number, Of: row.Waiting, Taken: int64(taken), Quota: quota.Runs}
	}
	return out, nil
}

// countWaiting writes SQL that counts the start commands which wait for the same cluster.
func countWaiting(sel *entsql.Selector, also, name string) string {
	return entsql.As(fmt.Sprintf("(SELECT COUNT(*) FROM %s AS o WHERE o.cluster_id = %s AND o.state = '%s' AND o.kind = '%s'%s)",
		agentcommand.Table, sel.C(agentcommand.FieldClusterID), queued, record.Start, also), name)
}
