package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// Catalog reads and writes workflows for the viewer of the context.
type Catalog interface {
	// ApplyWorkflow creates the workflow or makes a new revision when the digest differs; team is the owner of a new one.
	ApplyWorkflow(ctx context.Context, w workflow.Record, team string) (rec workflow.Record, created, changed bool, err error)
	Workflow(ctx context.Context, name string) (workflow.Record, error)
	// Workflows lists by name without sources.
	Workflows(ctx context.Context, size int, after string) (list []workflow.Record, next string, err error)
}

// History reads executions for the viewer of the context.
type History interface {
	Execution(ctx context.Context, id execution.ID) (execution.Execution, error)
	// Executions lists newest first, with runs but without attempts' steps; workflow and status may be empty.
	Executions(ctx context.Context, workflow string, status execution.Status, size int, after string) (list []execution.Execution, next string, err error)
	// Attempt returns one attempt with its steps, and the execution it belongs to.
	Attempt(ctx context.Context, id execution.AttemptID) (execution.Attempt, execution.ID, error)
	// Chunks returns stored chunks of a step's log that end after offset, in order, together at most limit raw bytes (at least
	// one when there is one), and the state of the stream.
	Chunks(ctx context.Context, id execution.AttemptID, step int, offset int64, limit int) ([]execution.Chunk, execution.StreamState, error)
	// Results lists worst first; outcomes may be empty for all.
	Results(ctx context.Context, id execution.ID, outcomes []string, size int, after string) (list []execution.TestResult, next string, err error)
	Files(ctx context.Context, id execution.ID) ([]execution.File, error)
	File(ctx context.Context, id uuid.UUID) (execution.File, error)
}

// Fleet reads and writes clusters for the viewer of the context.
type Fleet interface {
	Clusters(ctx context.Context) ([]cluster.Cluster, error)
	Environments(ctx context.Context) ([]cluster.Environment, error)
}
