package intake

import (
	"context"
	"io"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// Store is what intake needs of the database. Calls act for the agent in the context; rows of other clusters are
// fault.NotFound.
type Store interface {
	// SaveReport applies a snapshot with execution.Next in one transaction over attempt, steps, run and execution. When the attempt is
	// delivered it also queues the release command; when it has ended, runs that waited for it are started, and with failFast the
	// others are ended.
	SaveReport(ctx context.Context, r execution.Report) (execution.Saved, error)
	// AppendChunks commits chunks in order in one transaction and returns for each the state of its stream afterwards. A chunk
	// that does not start at the committed offset is not stored: the state tells where to go on. A second final is ignored.
	AppendChunks(ctx context.Context, chunks []execution.Chunk) ([]execution.StreamState, error)
	// Streams returns the state of every stream of an attempt.
	Streams(ctx context.Context, id execution.AttemptID) ([]execution.StreamState, error)
	// SaveFile stores a file's record and, for a report, its results and the execution's new counts in one transaction. It is
	// idempotent by attempt, kind, path and digest: existed is true and nothing is stored the second time.
	//
	// It and SaveReport judge the exit code of a step by results.JudgeExit whenever the code or a report becomes known, so that
	// the order in which they arrive makes no difference.
	SaveFile(ctx context.Context, f execution.File, results []execution.TestResult) (existed bool, err error)
	// StepWorkflow returns the name of the workflow that a step belongs to, or fault.NotFound unless the step is one of an attempt of
	// the agent.
	StepWorkflow(ctx context.Context, id execution.AttemptID, step int) (workflow string, err error)
}

// Blobs keeps bytes.
type Blobs interface {
	// Put stores the bytes of r under key, replacing what is there; size is -1 when unknown.
	Put(ctx context.Context, key string, r io.Reader, size int64, contentType string) error
	// Open returns the bytes under key, or fault.NotFound.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
}

// Bus carries hints; losing one costs latency only.
type Bus interface {
	Publish(ctx context.Context, topic string)
}
