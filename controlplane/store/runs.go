package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/environment"
)

// What a run says that waits for its siblings, ended with them, or is tried anew.
const (
	reasonSiblings = "MaxParallel"
	reasonFailFast = "FailFast"
	reasonRetry    = "Retry"
)

// runsAtOnce bounds what one statement carries: an assignment may have hundreds of KiB.
const runsAtOnce = 100

// createRuns stores the runs of an execution. Those beyond its maxParallel get no start command yet, and those of a concurrency group
// get theirs from Admit.
func createRuns(ctx context.Context, tx *db.Tx, n record.New) error {
	places := map[uuid.UUID]*db.Environment{}
	turns := turns{of: n, last: map[uuid.UUID]int64{}}
	for from := 0; from < len(n.Runs); from += runsAtOnce {
		var runs []*db.RunCreate
		var attempts []*db.AttemptCreate
		var steps []*db.StepCreate
		var services []*db.ServiceCreate
		var starts []*db.AgentCommandCreate
		for i := from; i < min(from+runsAtOnce, len(n.Runs)); i++ {
			r := n.Runs[i]
			env, err := placeOf(ctx, tx, places, r.Environment.ID)
			if err != nil {
				return err
			}
			turn, err := turns.next(ctx, tx, env)
			if err != nil {
				return err
			}
			reason, message := waitingFor(n, i)
			waits := reason != ""
			runs = append(runs, newRun(tx, n, r, env, i).SetTurn(turn))
			attempts = append(attempts, newAttempt(tx, n, r, env).SetReason(reason).SetMessage(message))
			for _, step := range r.Steps {
				row, err := newStep(tx, env.OrganizationID, r.AttemptID, step)
				if err != nil {
					return err
				}
				steps = append(steps, row)
			}
			services = append(services, newServices(tx, env.OrganizationID, r)...)
			if !waits {
				starts = append(starts, startCommand(tx, env.OrganizationID, env.ClusterID, r.AttemptID, turn))
			}
		}
		if err := tx.Run.CreateBulk(runs...).Exec(ctx); err != nil {
			return err
		}
		if err := tx.Attempt.CreateBulk(attempts...).Exec(ctx); err != nil {
			return err
		}
		for part := range slices.Chunk(steps, batch) {
			if err := tx.Step.CreateBulk(part...).Exec(ctx); err != nil {
				return err
			}
		}
		for part := range slices.Chunk(services, batch) {
			if err := tx.Service.CreateBulk(part...).Exec(ctx); err != nil {
				return err
			}
		}
		if err := tx.AgentCommand.CreateBulk(starts...).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// placeOf reads an environment once.
func placeOf(ctx context.Context, tx *db.Tx, known map[uuid.UUID]*db.Environment, id uuid.UUID) (*db.Environment, error) {
	if env := known[id]; env != nil {
		return env, nil
	}
	env, err := tx.Environment.Query().Where(environment.ID(id)).WithCluster().Only(ctx)
	if err != nil {
		return nil, fmt.Errorf("environment of the execution: %w", err)
	}
	known[id] = env
	return env, nil
}

func newRun(tx *db.Tx, n record.New, r record.NewRun, env *db.Environment, ordinal int) *db.RunCreate {
	return tx.Run.Create().SetID(r.ID).SetOrganizationID(env.OrganizationID).SetExecutionID(n.Execution.ID).SetEnvironmentID(env.ID).
		SetClusterID(env.ClusterID).SetOrdinal(ordinal).SetName(r.Name).SetMatrix(r.Matrix).SetShard(r.Shard).SetShards(r.Shards).
		SetEnvironmentName(env.Name).SetClusterName(env.Edges.Cluster.Name).SetNamespace(env.Namespace).SetStatus(string(record.Queued)).
		SetWorkflow(n.Execution.Workflow).SetPriority(n.Execution.Priority).SetConcurrencyGroup(r.Group.Name).SetConcurrencyLimit(r.Group.Limit).SetOnConflict(string(r.Group.OnConflict)).
		SetRetries(r.Retries)
}

// waitingFor says why a run may not begin at once; the reason is empty when it may.
func waitingFor(n record.New, ordinal int) (reason, message string) {
	switch {
	case n.Runs[ordinal].Group.Name != "":
		return record.ReasonGroup, waitsForGroup(n.Runs[ordinal].Group.Name)
	case n.MaxParallel > 0 && ordinal >= n.MaxParallel:
		return reasonSiblings, fmt.Sprintf(
			"Waits for its turn: at most %d runs of the execution are under way at once (maxParallel).", n.MaxParallel)
	}
	return "", ""
}

func newStep(tx *db.Tx, org tenant.ID, id record.AttemptID, s record.Step) (*db.StepCreate, error) {
	row := tx.Step.Create().SetOrganizationID(org).SetAttemptID(id).SetIndex(s.Index).SetName(s.Name).SetStatus(string(record.Waiting))
	if s.Execute == nil {
		return row, nil
	}
	text, err := json.Marshal(s.Execute)
	if err != nil {
		return nil, fmt.Errorf("encode what step %s executes: %w", s.Name, err)
	}
	return row.SetExecute(text), nil
}

func newAttempt(tx *db.Tx, n record.New, r record.NewRun, env *db.Environment) *db.AttemptCreate {
	return tx.Attempt.Create().SetID(r.AttemptID).SetOrganizationID(env.OrganizationID).SetExecutionID(n.Execution.ID).SetRunID(r.ID).
		SetClusterID(env.ClusterID).SetNumber(1).SetStatus(string(record.Queued)).SetSpec(r.Spec).SetSpecDigest(r.SpecDigest)
}

// startCommand makes the command that starts an attempt. Its turn is that of the run: one that had to wait for others is as old as they
// are.
func startCommand(tx *db.Tx, org tenant.ID, c cluster.ID, id record.AttemptID, turn int64) *db.AgentCommandCreate {
	return tx.AgentCommand.Create().SetOrganizationID(org).SetClusterID(c).SetAttemptID(id).SetKind(string(cluster.Start)).SetTurn(turn)
}

// moveOn lets the end of a run have its consequences for its siblings: with failFast a bad end ends them, with maxParallel the next
// takes its place, unless its concurrency group decides that. It returns whose agents have something to do, and whether attempts have changed.
func (s *Store) moveOn(ctx context.Context, tx *db.Tx, head *db.Execution, runs []state, attempts []*db.Attempt, grouped bool) (wake []cluster.ID, changed bool, err error) {
	if head.FailFast {
		if i := slices.IndexFunc(runs, func(r state) bool { return bad(r.status) }); i >= 0 {
			return s.endSiblings(ctx, tx, runs[i], attempts)
		}
	}
	if head.MaxParallel == 0 || grouped {
		return nil, false, nil
	}
	waiting, err := s.waitForSiblings(ctx, tx, attempts)
	if err != nil {
		return nil, false, err
	}
	active := -len(waiting)
	for _, a := range attempts {
		if !record.Status(a.Status).Terminal() {
			active++
		}
	}
	next := waiting[:max(0, min(head.MaxParallel-active, len(waiting)))]
	if len(next) == 0 {
		return nil, false, nil
	}
	if err := tx.Attempt.Update().Where(attempt.IDIn(idsOf(next)...)).SetReason("").SetMessage("").Exec(ctx); err != nil {
		return nil, false, err
	}
	turns, err := turnsOf(ctx, tx, head, next)
	if err != nil {
		return nil, false, err
	}
	starts := make([]*db.AgentCommandCreate, len(next))
	for i, a := range next {
		starts[i] = startCommand(tx, a.OrganizationID, a.ClusterID, a.ID, turns[a.RunID])
		wake = union(wake, []cluster.ID{a.ClusterID})
	}
	return wake, true, tx.AgentCommand.CreateBulk(starts...).Exec(ctx)
}

func bad(status record.Status) bool {
	return status == record.Failed || status == record.Errored || status == record.TimedOut
}

// waitForSiblings returns the attempts that have no start command yet, in the order of their runs.
func (s *Store) waitForSiblings(ctx context.Context, tx *db.Tx, attempts []*db.Attempt) ([]*db.Attempt, error) {
	var ids []uuid.UUID
	for _, a := range attempts {
		if record.Status(a.Status) == record.Queued {
			ids = append(ids, a.ID)
		}
	}
	begun := map[uuid.UUID]bool{}
	for part := range slices.Chunk(ids, batch) {
		rows, err := tx.AgentCommand.Query().Where(agentcommand.AttemptIDIn(part...), agentcommand.Kind(string(cluster.Start))).
			Select(agentcommand.FieldAttemptID).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			begun[row.AttemptID] = true
		}
	}
	var waiting []*db.Attempt
	for _, a := range attempts {
		if record.Status(a.Status) == record.Queued && !begun[a.ID] {
			waiting = append(waiting, a)
		}
	}
	return waiting, nil
}

// endSiblings cancels what is still live after a run has ended badly.
func (s *Store) endSiblings(ctx context.Context, tx *db.Tx, because state, attempts []*db.Attempt) (wake []cluster.ID, ended bool, err error) {
	reason := fmt.Sprintf("Another run ended as %s, and the workflow says failFast.", because.status)
	if because.name != "" {
		reason = fmt.Sprintf("The run %s ended as %s, and the workflow says failFast.", because.name, because.status)
	}
	return s.cancelAttempts(ctx, tx, attempts, ending{status: record.Cancelled, reason: reasonFailFast, message: reason})
}

// union adds what is not there yet.
func union(a, b []cluster.ID) []cluster.ID {
	for _, id := range b {
		if !slices.Contains(a, id) {
			a = append(a, id)
		}
	}
	return a
}
