package store

import (
	"context"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/cluster"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/run"
)

// A run has its place in a cluster, and in its organization, from the moment when its start command is sent to the agent until it ends.
// Whatever keeps runs from beginning (a limit, a quota, a drained cluster) keeps those back that have not been sent: an agent may have
// begun the others, and has to be asked until it answers.

// inQueue selects start commands that wait for a place.
func inQueue() predicate.AgentCommand {
	return agentcommand.And(agentcommand.State(queued), agentcommand.Kind(string(record.Start)))
}

// onTheWay selects start commands that were sent and whose runs do not count as under way yet. One whose answer was lost does not hold a
// place beside that of its run, and none once its run has ended.
func onTheWay() predicate.AgentCommand {
	return agentcommand.And(agentcommand.State(sent), agentcommand.Kind(string(record.Start)),
		agentcommand.HasAttemptWith(attempt.Status(string(execution.Queued))))
}

// room returns how many more runs may begin in a cluster, at most as many as its agent asks for: less when the cluster or the organization
// has a limit, none when the cluster is drained.
func (s *Store) room(ctx context.Context, tx *db.Tx, c *db.Cluster, limit int) (int, error) {
	limit, err := s.placesIn(ctx, tx, c, limit)
	if err != nil || limit == 0 {
		return 0, err
	}
	return s.places(ctx, tx, c.OrganizationID, limit)
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
	underway, err := tx.AgentCommand.Query().Where(agentcommand.ClusterID(c.ID), onTheWay()).Count(ctx)
	if err != nil {
		return 0, err
	}
	return max(0, min(limit, c.MaxRuns-taken-underway)), nil
}

// places returns how many more runs may begin in the organization of an agent, at most as many as it asks for. The organization's row
// is locked: two replicas must not hand out the same place.
func (s *Store) places(ctx context.Context, tx *db.Tx, org tenant.ID, limit int) (int, error) {
	ctx = insider(ctx, org) // an agent sees its own cluster only
	row, err := tx.Organization.Query().Where(organization.ID(org)).Only(ctx)
	if err != nil {
		return 0, err
	}
	most := s.quotaOf(row).Runs
	if most == 0 {
		return limit, nil
	}
	if _, err := locked(s, tx.Organization.Query().Where(organization.ID(org))).Only(ctx); err != nil {
		return 0, err
	}
	taken, err := tx.Run.Query().Where(run.OrganizationID(org), run.StatusIn(busy()...)).Count(ctx)
	if err != nil {
		return 0, err
	}
	clusters, err := tx.Cluster.Query().Where(cluster.OrganizationID(org)).IDs(ctx) // by which commands are found: there is a row for all that ever was
	if err != nil {
		return 0, err
	}
	underway, err := tx.AgentCommand.Query().Where(agentcommand.ClusterIDIn(clusters...), onTheWay()).Count(ctx)
	if err != nil {
		return 0, err
	}
	return int(max(0, min(int64(limit), most-int64(taken)-int64(underway)))), nil
}

// wanting returns the clusters where something waits for a place that a run in one of the given clusters may have held: these themselves
// when they have a limit, and any of the organization when that has one.
func (s *Store) wanting(ctx context.Context, org tenant.ID, freed []record.ID) ([]record.ID, error) {
	row, err := s.db.Read().Organization.Query().Where(organization.ID(org)).Only(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	q := s.db.Read().Cluster.Query().Where(cluster.OrganizationID(org), cluster.DrainedAtIsNil(), withCommand(inQueue()))
	if s.quotaOf(row).Runs == 0 {
		q = q.Where(cluster.IDIn(freed...), cluster.MaxRunsGT(0))
	}
	ids, err := q.IDs(ctx)
	return ids, database.Fault(err)
}

// withCommand selects clusters with at least one such command.
func withCommand(which ...predicate.AgentCommand) predicate.Cluster {
	return func(sel *entsql.Selector) {
		commands := entsql.Table(agentcommand.Table)
		one := entsql.Select(commands.C(agentcommand.FieldID)).From(commands)
		one.Where(entsql.ColumnsEQ(commands.C(agentcommand.FieldClusterID), sel.C(cluster.FieldID)))
		for _, p := range which {
			p(one)
		}
		sel.Where(entsql.Exists(one))
	}
}

// ended adds the clusters of runs that end with this change.
func ended(runs []*db.Run, states []state) (clusters []uuid.UUID) {
	for i, r := range runs {
		if states[i].status.Terminal() && !execution.Status(r.Status).Terminal() {
			clusters = union(clusters, []uuid.UUID{r.ClusterID})
		}
	}
	return clusters
}
