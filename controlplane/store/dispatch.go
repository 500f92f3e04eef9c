package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
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
	q := s.db.Read().Environment.Query().Where(environment.RemovedAtIsNil()).WithCluster().Order(environment.ByName()).Limit(namesInHint)
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
	if id, err := s.startedBefore(ctx, n); err != nil || id != uuid.Nil {
		return id, id != uuid.Nil, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if n.Execution.Parent != nil {
			if err := s.linkChild(ctx, tx, n); err != nil {
				return err
			}
		}
		if err := s.create(ctx, tx, n); err != nil {
			return err
		}
		audit.Of(ctx).Detail("workflow", n.Execution.Workflow)
		return s.noted(ctx, tx, audit.Object{Kind: "execution", ID: n.Execution.ID.String(), Name: n.Execution.Workflow})
	})
	if err == nil {
		return n.Execution.ID, false, nil
	}
	if database.Unique(err) && n.Idempotency != "" {
		// Another call with the key was faster: the unique index lets one of them through.
		if id, again := s.startedBefore(ctx, n); again != nil || id != uuid.Nil {
			return id, id != uuid.Nil, again
		}
	}
	return uuid.Nil, false, err
}

// startedBefore returns the execution that the key of n has started. One of another workflow is not what was asked for: fault.Conflict.
func (s *Store) startedBefore(ctx context.Context, n record.New) (uuid.UUID, error) {
	if n.Idempotency == "" {
		return uuid.Nil, nil
	}
	row, err := s.db.Read().Execution.Query().Where(execution.IdempotencyKey(n.Idempotency)).Select(execution.FieldID, execution.FieldWorkflow).Only(ctx)
	switch {
	case db.IsNotFound(err):
		return uuid.Nil, nil
	case err != nil:
		return uuid.Nil, database.Fault(err)
	case row.Workflow != n.Execution.Workflow:
		return uuid.Nil, fault.New(fault.Conflict, "the idempotency key was used to run %s", row.Workflow).WithField("idempotency_key").
			WithHint("Give each run that a pipeline asks for a key of its own, such as one with the name of the workflow in it.")
	}
	return row.ID, nil
}

func (s *Store) create(ctx context.Context, tx *db.Tx, n record.New) error {
	// Reading the revision and the environments for the viewer proves that they are of this organization: a foreign key alone
	// would take any.
	revision, err := tx.WorkflowRevision.Get(ctx, n.RevisionID)
	if err != nil {
		return fmt.Errorf("revision of the execution: %w", err)
	}
	e := n.Execution
	asked, err := askedRelease(ctx, tx, n)
	if err != nil {
		return err
	}
	row := tx.Execution.Create().SetID(e.ID).SetOrganizationID(revision.OrganizationID).SetRevisionID(revision.ID).
		SetWorkflow(e.Workflow).SetRevisionNumber(e.Revision).SetDigest(e.Digest).SetStatus(string(record.Queued)).
		SetParams(e.Params).SetTrigger(e.Trigger).SetActor(e.Actor).SetFailFast(n.FailFast).SetMaxParallel(n.MaxParallel).
		SetPriority(e.Priority).SetCalls(n.Calls()).SetCommit(e.Commit)
	if len(e.Templates) > 0 {
		templates, err := json.Marshal(e.Templates)
		if err != nil {
			return fmt.Errorf("encode templates: %w", err)
		}
		row.SetTemplates(templates)
	}
	if e.Parent != nil {
		parent, err := json.Marshal(e.Parent)
		if err != nil {
			return fmt.Errorf("encode the parent: %w", err)
		}
		row.SetParentID(e.Parent.Execution).SetRootID(e.Parent.Root()).SetParent(parent)
	}
	if !e.CreatedAt.IsZero() {
		row.SetCreatedAt(*nullable(e.CreatedAt))
	}
	if n.Idempotency != "" {
		row.SetIdempotencyKey(n.Idempotency)
	}
	if err := row.Exec(ctx); err != nil {
		return err
	}
	if err := s.linkStarted(ctx, tx, asked, e); err != nil {
		return err
	}
	return createRuns(ctx, tx, n)
}
