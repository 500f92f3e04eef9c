package store

import (
	"context"
	"slices"

	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/run"
)

// turns gives the runs of a new execution their turns, by cluster.
type turns struct {
	of   record.New
	last map[uuid.UUID]int64 // that the workflow has in a cluster with this priority; 0 for none
}

// next returns the turn of the execution's next run in the cluster of an environment. Two executions of one workflow that are stored at
// the same moment do not see each other and get the same turns, which does no harm: the older goes first.
func (t *turns) next(ctx context.Context, tx *db.Tx, env *db.Environment) (int64, error) {
	last, known := t.last[env.ClusterID]
	if !known {
		row, err := tx.Run.Query().
			Where(run.OrganizationID(env.OrganizationID), run.ClusterID(env.ClusterID), run.Workflow(t.of.Execution.Workflow),
				run.Priority(t.of.Execution.Priority), run.Status(string(record.Queued))).
			Order(db.Desc(run.FieldTurn)).Select(run.FieldTurn).First(ctx)
		if err != nil && !db.IsNotFound(err) {
			return 0, err
		}
		if row != nil {
			last = row.Turn
		}
	}
	turn := record.TurnAfter(last, t.of.Execution.Priority, t.of.Execution.CreatedAt)
	t.last[env.ClusterID] = turn
	return turn, nil
}

// turnsOf returns the turns of the runs of attempts.
func turnsOf(ctx context.Context, tx *db.Tx, head *db.Execution, attempts []*db.Attempt) (map[uuid.UUID]int64, error) {
	ids := make([]uuid.UUID, len(attempts))
	for i, a := range attempts {
		ids[i] = a.RunID
	}
	out := make(map[uuid.UUID]int64, len(ids))
	for part := range slices.Chunk(ids, batch) {
		rows, err := tx.Run.Query().Where(run.IDIn(part...)).Select(run.FieldID, run.FieldTurn).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if out[r.ID] = r.Turn; r.Turn == 0 { // it was stored by a control plane that knew no turns
				out[r.ID] = record.Turn(head.Priority, head.CreatedAt)
			}
		}
	}
	return out, nil
}
