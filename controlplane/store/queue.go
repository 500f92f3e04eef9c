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
	"github.com/seatrial/seatrial/ent/db/predicate"
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
		if err := s.countOnTheWay(ctx, part, at); err != nil {
			return err
		}
	}
	return nil
}

// countOnTheWay counts what was sent to an agent as under way: it may have begun, and has its place.
func (s *Store) countOnTheWay(ctx context.Context, ids []uuid.UUID, at map[uuid.UUID]*record.Cluster) error {
	var counts []struct {
		ClusterID uuid.UUID `json:"cluster_id"`
		Count     int       `json:"count"`
	}
	err := s.db.Read().AgentCommand.Query().Where(agentcommand.ClusterIDIn(ids...), onTheWay()).
		GroupBy(agentcommand.FieldClusterID).Aggregate(db.Count()).Scan(ctx, &counts)
	for _, n := range counts {
		at[n.ClusterID].Busy += n.Count
		at[n.ClusterID].Queued = max(0, at[n.ClusterID].Queued-n.Count) // the two are not counted at one moment
	}
	return database.Fault(err)
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
	places, err := s.placesOf(ctx, waiting)
	if err != nil {
		return err
	}
	clusters, err := s.crowded(ctx, where)
	if err != nil {
		return err
	}
	for _, a := range waiting {
		p, stands := places[a.ID]
		c, known := clusters[clusterOf[a.ID]]
		if !known || !stands {
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

// placesOf returns where those of the attempts stand that wait in the queues of clusters: the first of them with their numbers.
func (s *Store) placesOf(ctx context.Context, attempts []*execution.Attempt) (map[execution.AttemptID]record.Place, error) {
	stands := map[uuid.UUID]*db.AgentCommand{}
	for part := range slices.Chunk(attempts, batch) {
		ids := make([]uuid.UUID, len(part))
		for i, a := range part {
			ids[i] = a.ID
		}
		rows, err := s.db.Read().AgentCommand.Query().Where(agentcommand.AttemptIDIn(ids...), inQueue()).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		for _, row := range rows {
			stands[row.AttemptID] = row
		}
	}
	if len(stands) == 0 {
		return nil, nil
	}
	// Runs of other teams stand in the same queue: what is counted is shown as a number alone.
	ctx = ofAllTeams(ctx)
	most, taken, err := s.placesTaken(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[execution.AttemptID]record.Place, len(stands))
	var numbered []*db.AgentCommand
	for _, a := range attempts {
		row := stands[a.ID]
		if row == nil {
			continue
		}
		if out[a.ID] = (record.Place{Taken: taken, Quota: most}); len(numbered) < placed {
			numbered = append(numbered, row)
		}
	}
	return out, s.number(ctx, numbered, out)
}

// ofAllTeams has the viewer count what all teams have.
func ofAllTeams(ctx context.Context) context.Context {
	v, ok := tenant.FromContext(ctx)
	if !ok || !v.Confined {
		return ctx
	}
	v.Confined = false
	return tenant.WithViewer(ctx, v)
}

// placesTaken returns how many runs may be under way in the viewer's organization, and how many are; nothing when there is no bound.
func (s *Store) placesTaken(ctx context.Context) (most, taken int64, err error) {
	quota, err := s.Quota(ctx)
	if err != nil || quota.Runs == 0 {
		return 0, 0, err
	}
	busy, err := s.db.Read().Run.Query().Where(run.StatusIn(busy()...)).Count(ctx)
	if err != nil {
		return 0, 0, database.Fault(err)
	}
	sent, err := s.db.Read().AgentCommand.Query().Where(onTheWay()).Count(ctx)
	return quota.Runs, int64(busy + sent), database.Fault(err)
}

// number says where the commands stand, and how many wait with them. The queues of their clusters are gone through once, whatever stands in
// them; one that was sent meanwhile stands nowhere.
func (s *Store) number(ctx context.Context, commands []*db.AgentCommand, into map[execution.AttemptID]record.Place) error {
	attempts := make(map[uuid.UUID]execution.AttemptID, len(commands))
	clusters := map[uuid.UUID]bool{}
	for _, c := range commands {
		attempts[c.ID], clusters[c.ClusterID] = c.AttemptID, true
	}
	var rows []struct {
		ID    uuid.UUID `json:"id"`
		Place int       `json:"place"`
		Size  int       `json:"size"`
	}
	err := s.db.Read().AgentCommand.Query().Where(agentcommand.IDIn(slices.Collect(maps.Keys(attempts))...), queuesOf(slices.Collect(maps.Keys(clusters)))).
		Select(agentcommand.FieldID).Aggregate(column("place"), column("size")).Scan(ctx, &rows)
	if err != nil {
		return database.Fault(err)
	}
	for _, row := range rows {
		id := attempts[row.ID]
		p := into[id]
		p.Number, p.Of = row.Place, row.Size
		into[id] = p
		delete(attempts, row.ID)
	}
	for _, id := range attempts {
		delete(into, id)
	}
	return nil
}

// queuesOf has commands selected from the queues of clusters, with their place in it and its size.
func queuesOf(clusters []uuid.UUID) predicate.AgentCommand {
	return func(sel *entsql.Selector) {
		commands := entsql.Dialect(sel.Dialect()).Table(agentcommand.Table)
		queue := entsql.Dialect(sel.Dialect()).Select(commands.C(agentcommand.FieldID), commands.C(agentcommand.FieldOrganizationID)).From(commands)
		by := "(PARTITION BY " + commands.C(agentcommand.FieldClusterID)
		queue.AppendSelectExprAs(entsql.Raw("ROW_NUMBER() OVER "+by+" ORDER BY "+commands.C(agentcommand.FieldTurn)+", "+commands.C(agentcommand.FieldID)+")"), "place")
		queue.AppendSelectExprAs(entsql.Raw("COUNT(*) OVER "+by+")"), "size")
		agentcommand.ClusterIDIn(clusters...)(queue)
		inQueue()(queue)
		sel.From(queue.As(agentcommand.Table))
	}
}

// column selects a column that is no field.
func column(name string) db.AggregateFunc {
	return func(sel *entsql.Selector) string { return sel.C(name) }
}
