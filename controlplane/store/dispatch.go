package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/environment"
	"github.com/seatrial/seatrial/ent/db/execution"
)

// States of a command.
const (
	queued = "queued"
	sent   = "sent"
	done   = "done"
	dead   = "dead"
)

const namesInHint = 20

// Environment returns an environment by name; an empty name means the only one there is.
func (s *Store) Environment(ctx context.Context, name string) (cluster.Environment, error) {
	q := s.db.Read().Environment.Query().WithCluster().Order(environment.ByName()).Limit(namesInHint)
	if name != "" {
		q = q.Where(environment.Name(name))
	}
	rows, err := q.All(ctx)
	switch {
	case err != nil:
		return cluster.Environment{}, database.Fault(err)
	case len(rows) == 1:
		return environmentRecord(rows[0]), nil
	case name != "":
		return cluster.Environment{}, fault.New(fault.NotFound, "there is no environment %q", name).WithField("environment").
			WithHint("List what there is with: seatrial get environments.")
	case len(rows) == 0:
		return cluster.Environment{}, fault.New(fault.NotFound, "there is no environment yet").WithField("environment").
			WithHint("Enroll a cluster with: seatrial cluster enroll NAME.")
	}
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.Name
	}
	return cluster.Environment{}, fault.New(fault.Invalid, "there are several environments and none is named").
		WithField("environment").WithHint("Name one of: %s.", strings.Join(names, ", "))
}

// CreateExecution stores n and the start commands of the runs that may begin.
func (s *Store) CreateExecution(ctx context.Context, n record.New) (id record.ID, existed bool, err error) {
	if id, err := s.startedBefore(ctx, n.Idempotency); err != nil || id != uuid.Nil {
		return id, id != uuid.Nil, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error { return create(ctx, tx, n) })
	if err == nil {
		return n.Execution.ID, false, nil
	}
	if database.Unique(err) && n.Idempotency != "" {
		// Another call with the key was faster: the unique index lets one of them through.
		if id, again := s.startedBefore(ctx, n.Idempotency); again != nil || id != uuid.Nil {
			return id, id != uuid.Nil, again
		}
	}
	return uuid.Nil, false, err
}

func (s *Store) startedBefore(ctx context.Context, key string) (uuid.UUID, error) {
	if key == "" {
		return uuid.Nil, nil
	}
	id, err := s.db.Read().Execution.Query().Where(execution.IdempotencyKey(key)).OnlyID(ctx)
	if db.IsNotFound(err) {
		return uuid.Nil, nil
	}
	return id, database.Fault(err)
}

func create(ctx context.Context, tx *db.Tx, n record.New) error {
	// Reading the revision and the environments for the viewer proves that they are of this organization: a foreign key alone
	// would take any.
	revision, err := tx.WorkflowRevision.Get(ctx, n.RevisionID)
	if err != nil {
		return fmt.Errorf("revision of the execution: %w", err)
	}
	e := n.Execution
	row := tx.Execution.Create().SetID(e.ID).SetOrganizationID(revision.OrganizationID).SetRevisionID(revision.ID).
		SetWorkflow(e.Workflow).SetRevisionNumber(e.Revision).SetDigest(e.Digest).SetStatus(string(record.Queued)).
		SetParams(e.Params).SetTrigger(e.Trigger).SetActor(e.Actor).SetFailFast(n.FailFast).SetMaxParallel(n.MaxParallel)
	if !e.CreatedAt.IsZero() {
		row.SetCreatedAt(*nullable(e.CreatedAt))
	}
	if n.Idempotency != "" {
		row.SetIdempotencyKey(n.Idempotency)
	}
	if err := row.Exec(ctx); err != nil {
		return err
	}
	return createRuns(ctx, tx, n)
}

// CancelExecution ends attempts whose start command was never sent, and those whose agent has been away for long; it asks the agents
// of the others.
func (s *Store) CancelExecution(ctx context.Context, id record.ID, reason string) (wake []cluster.ID, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		wake = nil
		head, err := s.lockExecution(ctx, tx, id)
		if err != nil {
			return err
		}
		if record.Status(head.Status).Terminal() {
			return fault.New(fault.Conflict, "the execution has ended as %s", head.Status).
				WithHint("There is nothing left to cancel.")
		}
		attempts, err := tx.Attempt.Query().Where(attempt.ExecutionID(id)).Order(attempt.ByID()).
			Select(attempt.FieldID, attempt.FieldOrganizationID, attempt.FieldClusterID, attempt.FieldStatus).All(ctx) // not the assignments
		if err != nil {
			return err
		}
		for _, a := range attempts {
			if record.Status(a.Status).Terminal() {
				continue
			}
			asked, err := s.cancelAttempt(ctx, tx, a, ending{status: record.Cancelled, reason: "Cancelled", message: clean(reason)})
			if err != nil {
				return err
			}
			if asked {
				wake = union(wake, []cluster.ID{a.ClusterID})
			}
		}
		more, err := s.derive(ctx, tx, head)
		wake = union(wake, more)
		return err
	})
	return wake, err
}

// cancelAttempt reports whether the agent has to be asked.
func (s *Store) cancelAttempt(ctx context.Context, tx *db.Tx, a *db.Attempt, e ending) (asked bool, err error) {
	begun, err := tx.AgentCommand.Query().Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Start))).Exist(ctx)
	if err != nil {
		return false, err
	}
	if !begun { // it waits for its siblings
		return false, s.endAttempt(ctx, tx, a, e)
	}
	// The condition decides the race with the dispatch loop: either it takes the command, or this does.
	withdrawn, err := tx.AgentCommand.Update().
		Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Start)), agentcommand.State(queued), agentcommand.Tries(0)).
		SetState(dead).SetAnswer("cancelled").Save(ctx)
	if err != nil {
		return false, err
	}
	if withdrawn > 0 {
		return false, s.endAttempt(ctx, tx, a, e)
	}
	if err := askToCancel(ctx, tx, a, e.message); err != nil {
		return false, err
	}
	row, err := tx.Cluster.Get(ctx, a.ClusterID)
	if err != nil {
		return false, err
	}
	c := s.clusterRecord(row)
	if !c.Lost(s.clock()) {
		return true, nil
	}
	// The command stays: should the agent come back, it stops what still runs there.
	return false, s.endAttempt(ctx, tx, a, ending{status: record.Cancelled, reason: cluster.ReasonGivenUp, message: c.GaveUp(e.message)})
}

// askToCancel queues the command, once.
func askToCancel(ctx context.Context, tx *db.Tx, a *db.Attempt, reason string) error {
	exists, err := tx.AgentCommand.Query().Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Cancel))).Exist(ctx)
	if err != nil || exists {
		return err
	}
	return tx.AgentCommand.Create().SetOrganizationID(a.OrganizationID).SetClusterID(a.ClusterID).SetAttemptID(a.ID).
		SetKind(string(cluster.Cancel)).SetReason(reason).Exec(ctx)
}

// withdrawCancelled ends an attempt that is to be cancelled and whose agent has created nothing for it. It reports whether that was
// so. Should there be a Job after all, the next inventory shows it and Reconcile has it cancelled.
func (s *Store) withdrawCancelled(ctx context.Context, tx *db.Tx, a *db.Attempt, head *db.Execution) (bool, error) {
	asked, err := tx.AgentCommand.Query().Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Cancel))).Only(ctx)
	if db.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	withdrawn, err := tx.AgentCommand.Update().
		Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Start)), agentcommand.StateIn(queued, sent)).
		SetState(dead).SetAnswer("cancelled").Save(ctx)
	if err != nil || withdrawn == 0 || record.Status(a.Status).Terminal() {
		return withdrawn > 0, err
	}
	if err := s.endAttempt(ctx, tx, a, ending{status: record.Cancelled, reason: "Cancelled", message: asked.Reason}); err != nil {
		return false, err
	}
	_, err = s.derive(ctx, tx, head)
	return true, err
}
