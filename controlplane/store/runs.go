package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/environment"
)

// What a run says that waits for its siblings, or ended with them.
const (
	reasonSiblings = "MaxParallel"
	reasonFailFast = "FailFast"
)

// createRuns stores the runs of an execution. Those beyond its maxParallel get no start command yet.
func createRuns(ctx context.Context, tx *db.Tx, n record.New) error {
	places := map[uuid.UUID]*db.Environment{}
	for i, r := range n.Runs {
		env := places[r.Environment.ID]
		if env == nil {
			var err error
			if env, err = tx.Environment.Query().Where(environment.ID(r.Environment.ID)).WithCluster().Only(ctx); err != nil {
				return fmt.Errorf("environment of the execution: %w", err)
			}
			places[r.Environment.ID] = env
		}
		if err := tx.Run.Create().SetID(r.ID).SetOrganizationID(env.OrganizationID).SetExecutionID(n.Execution.ID).
			SetEnvironmentID(env.ID).SetClusterID(env.ClusterID).SetOrdinal(i).SetName(r.Name).SetMatrix(r.Matrix).SetShard(r.Shard).
			SetShards(r.Shards).SetEnvironmentName(env.Name).SetClusterName(env.Edges.Cluster.Name).SetNamespace(env.Namespace).
			SetStatus(string(record.Queued)).Exec(ctx); err != nil {
			return err
		}
		waits := n.MaxParallel > 0 && i >= n.MaxParallel
		if err := createAttempt(ctx, tx, n, r, env, waits); err != nil {
			return err
		}
	}
	return nil
}

func createAttempt(ctx context.Context, tx *db.Tx, n record.New, r record.NewRun, env *db.Environment, waits bool) error {
	row := tx.Attempt.Create().SetID(r.AttemptID).SetOrganizationID(env.OrganizationID).SetExecutionID(n.Execution.ID).
		SetRunID(r.ID).SetClusterID(env.ClusterID).SetNumber(1).SetStatus(string(record.Queued)).SetSpec(r.Spec).SetSpecDigest(r.SpecDigest)
	if waits {
		row.SetReason(reasonSiblings).SetMessage(fmt.Sprintf("Waits for its turn: at most %d runs of the execution are under way at once (maxParallel).", n.MaxParallel))
	}
	if err := row.Exec(ctx); err != nil {
		return err
	}
	steps := make([]*db.StepCreate, len(r.Steps))
	for i, step := range r.Steps {
		steps[i] = tx.Step.Create().SetOrganizationID(env.OrganizationID).SetAttemptID(r.AttemptID).SetIndex(step.Index).
			SetName(step.Name).SetStatus(string(record.Waiting))
	}
	if err := tx.Step.CreateBulk(steps...).Exec(ctx); err != nil || waits {
		return err
	}
	return tx.AgentCommand.Create().SetOrganizationID(env.OrganizationID).SetClusterID(env.ClusterID).SetAttemptID(r.AttemptID).
		SetKind(string(cluster.Start)).Exec(ctx)
}

// moveOn lets the end of a run have its consequences for its siblings: with failFast a bad end ends them, with maxParallel the next
// takes its place. It returns whose agents have something to do, and whether attempts were ended.
func (s *Store) moveOn(ctx context.Context, tx *db.Tx, head *db.Execution, runs []state, attempts []*db.Attempt) (wake []cluster.ID, ended bool, err error) {
	if head.FailFast {
		if i := slices.IndexFunc(runs, func(r state) bool { return bad(r.status) }); i >= 0 {
			return s.endSiblings(ctx, tx, runs[i], attempts)
		}
	}
	if head.MaxParallel == 0 {
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
	for _, a := range waiting[:max(0, min(head.MaxParallel-active, len(waiting)))] {
		if err := a.Update().SetReason("").SetMessage("").Exec(ctx); err != nil {
			return nil, false, err
		}
		if err := tx.AgentCommand.Create().SetOrganizationID(a.OrganizationID).SetClusterID(a.ClusterID).SetAttemptID(a.ID).
			SetKind(string(cluster.Start)).Exec(ctx); err != nil {
			return nil, false, err
		}
		wake = union(wake, []cluster.ID{a.ClusterID})
	}
	return wake, false, nil
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
	for _, a := range attempts {
		if record.Status(a.Status).Terminal() {
			continue
		}
		asked, err := s.cancelAttempt(ctx, tx, a, ending{status: record.Cancelled, reason: reasonFailFast, message: reason})
		if err != nil {
			return nil, false, err
		}
		if asked {
			wake = union(wake, []cluster.ID{a.ClusterID})
		}
		ended = ended || !asked
	}
	return wake, ended, nil
}

func union(a, b []cluster.ID) []cluster.ID {
	for _, id := range b {
		if !slices.Contains(a, id) {
			a = append(a, id)
		}
	}
	return a
}
