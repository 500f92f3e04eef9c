package dispatch

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// Store is what dispatch needs of the database. Every call acts for the viewer of its context.
type Store interface {
	Calls
	Catalog
	Clusters
	Quotas
	History
	// CreateExecution stores n in one transaction, with the start commands of the runs that
	// may begin; those in a concurrency group wait for Admit. When the idempotency key was used before it stores
	// nothing and returns the id of the earlier execution and true, or fault.Conflict when that is of another workflow. One with a parent is linked with its call, or fault.Conflict or
	// fault.Exhausted when it must not be started.
	CreateExecution(ctx context.Context, n execution.New) (id execution.ID, existed bool, err error)
	// CancelExecution asks for cancellation in one transaction: attempts whose start command was never sent end as cancelled at
	// once, the others get a cancel command. When an agent has been away for cluster.GiveUpAfter its attempts end at once as well. It
	// returns what it does to others; cancelling what has ended changes nothing and returns fault.Conflict.
	CancelExecution(ctx context.Context, id execution.ID, reason string) (execution.Effects, error)
	// ResumeExecution has the steps go on that wait for a person and that are meant. It returns how many they are and the clusters to
	// wake, or fault.Conflict when none waits. Doing it twice changes nothing.
	ResumeExecution(ctx context.Context, id execution.ID, which execution.Resume) (steps int, wake []cluster.ID, err error)
	// Admit lets those runs begin whose turn has come in the concurrency groups of an execution, in transactions of its own.
	Admit(ctx context.Context, id execution.ID) (execution.Effects, error)
	// AdmitWaiting does so wherever somebody waits although there is a place. It runs as system.
	AdmitWaiting(ctx context.Context) (map[tenant.ID]execution.Effects, error)
}

// History is what was started before.
type History interface {
	// Execution returns an execution with runs, attempts and steps, or fault.NotFound.
	Execution(ctx context.Context, id execution.ID) (execution.Execution, error)
	// ReleaseOf returns application and version of the release that the trigger of an execution has named; none when it named none.
	ReleaseOf(ctx context.Context, id execution.ID) (application, version string, err error)
}

// Quotas are what the viewer's organization may use, and what it uses.
type Quotas interface {
	Quota(ctx context.Context) (tenant.Quota, error)
	Use(ctx context.Context) (tenant.Quota, error)
}

// Catalog is what is to be executed, where, and what is known of it.
type Catalog interface {
	// Workflow returns a workflow with its source, or fault.NotFound.
	Workflow(ctx context.Context, name string) (workflow.Record, error)
	// TemplatesNamed returns those templates that exist, with their sources.
	TemplatesNamed(ctx context.Context, names []string) ([]workflow.Record, error)
	// Environment returns an environment by name; an empty name means the only one there is. fault.NotFound, or fault.Invalid
	// with the names to choose from as hint.
	Environment(ctx context.Context, name string) (cluster.Environment, error)
	// Environments lists all by name.
	Environments(ctx context.Context) ([]cluster.Environment, error)
	// Loads returns how much clusters have to do.
	Loads(ctx context.Context, clusters []cluster.ID) (map[cluster.ID]cluster.Load, error)
	// TestDurations returns how long the tests of each file of a workflow usually took together, by the path that reports gave it.
	TestDurations(ctx context.Context, workflow string) (map[string]time.Duration, error)
}

// Calls are what Dispatcher.Calls needs of the database.
type Calls interface {
	// OpenCalls returns at most limit steps about whose calls there may be something to decide, of all organizations. It runs as system.
	OpenCalls(ctx context.Context, limit int) ([]execution.CallStep, error)
	// SettleCalls decides about the calls of a step and gives the caller execution.Lease to carry it out: which begin, and how the step ends once all are over, which it queues the command
	// for. Calls of a step or attempt that has ended are to be cancelled. It runs as system.
	SettleCalls(ctx context.Context, of execution.CallStep) (execution.Settled, error)
	// CallFailed stores why a call cannot begin, unless it has: CreateExecution links an execution with the call of its parent.
	CallFailed(ctx context.Context, id uuid.UUID, problem string) error
}

// Bus carries hints; losing one costs latency only.
type Bus interface {
	Publish(ctx context.Context, topic string)
}
