package execution

import (
	"time"

	"github.com/google/uuid"
)

// ID identifies an execution, RunID a run and AttemptID an attempt; all are UUIDv7, so they sort by creation.
type (
	ID        = uuid.UUID
	RunID     = uuid.UUID
	AttemptID = uuid.UUID
)

// Request asks for an execution of a workflow's current revision.
type Request struct {
	Workflow       string // name
	Params         map[string]string
	Environments   []string          // names; none for those of the workflow, or the only one of the organization
	Select         map[string]string // labels of environments, instead of names
	Any            bool              // in whichever of the environments asked for has the least to do, not in each
	Only           []Cell            // these of the runs that the workflow has in them; none for all
	IdempotencyKey string            // the same key never starts twice; empty means always start
	Trigger        string            // "api", "web", "workflow", "schedule", or the kind of an event
	Cause          Cause             // what stands behind the trigger
	Actor          string            // name of the viewer, for people
	Parent         *Parent           // the step that asks for it; nil for a person or a pipeline
	Commit         string            // of the application, if the trigger knows it
	Application    string            // with Version: the release that it is evidence for; empty for none
	Version        string
}

// Cause is what a schedule or an event says of the execution that it starts; empty where it says nothing.
type Cause struct{ Name, Repository, Branch string }

// Execution is one trigger of one workflow revision.
type Execution struct {
	ID         ID
	Workflow   string
	Revision   int
	Digest     string // of the workflow revision
	Status     Status
	Reason     string
	Message    string
	Templates  []Template // that the workflow was merged with, by name
	Params     map[string]string
	Priority   int // of what waits for a cluster, the higher goes first
	Trigger    string
	Actor      string
	Commit     string // of the application, as the trigger says; empty when it does not
	CreatedAt  time.Time
	StartedAt  time.Time // zero until it starts
	FinishedAt time.Time // zero until it ends
	Tests      Counts
	Runs       []Run // nil in lists where only the head is wanted
	Parent     *Parent
}

// Template is a revision of a template.
type Template struct {
	Name     string `json:"name"`
	Revision int    `json:"revision"`
	Digest   string `json:"digest"`
}

// Counts are test results by outcome: one that timed out has failed, and what gives no evidence, such as a blocked one, was skipped.
type Counts struct{ Total, Passed, Failed, Errored, Skipped int }

// Run is one cell of an execution: an environment, a cell of the matrix and a shard.
type Run struct {
	ID          RunID
	Name        string            // what sets it apart from its siblings: "browser=firefox, shard 1/4"; empty for a run alone
	Matrix      map[string]string // values of its cell as people write them; nil without a matrix
	Shard       int               // from 1; 0 without shards
	Shards      int
	Environment string
	Cluster     string
	Namespace   string
	Group       string // name of its concurrency group; empty without one
	Retries     int    // how many new attempts a loss of the infrastructure allows
	Status      Status
	Attempts    []Attempt
}

// Late is how long the reports of an attempt are waited for after its end. Then it speaks with what is there.
const Late = 10 * time.Minute

// Attempt is one try of a run: one Job.
type Attempt struct {
	ID         AttemptID
	Number     int // from 1
	Status     Status
	Reason     string // machine-readable cause
	Message    string // what happened and what to do, for a person
	Node       string
	Pod        string
	StartedAt  time.Time
	FinishedAt time.Time
	Delivered  bool // logs complete or gaps stated, files stored
	Notes      []string
	Steps      []Step
	Services   []Service // in the order in which they start
	Start, End *Subject  // what was under test when it began and ended; nil when that was not observed
}

// Step is one command of an attempt.
type Step struct {
	Index      int
	Name       string
	Status     Status
	ExitCode   *int // nil until a process ended
	Reason     string
	Allowed    bool // it did not end as expected, and its workflow goes on in spite of that
	StartedAt  time.Time
	FinishedAt time.Time
	Log        Log
	Execute    *Execute            // nil for a step that runs a command or waits for a person; not filled when read
	Params     []map[string]string // in a report: what each callee is given, once the step asks for them; nil before
	Calls      []Call              // when read: the executions that it has asked for, in order
	Usage      *Usage              // nil until it has ended, and when it was not measured
}

// Usage is what a step has used in all.
type Usage struct {
	CPU        time.Duration `json:"cpu"`       // of all its processes
	Throttled  time.Duration `json:"throttled"` // how long they had to wait because of the CPU limit
	MemoryPeak int64         `json:"memoryPeak"`
	Read       int64         `json:"read"` // bytes from and to block devices
	Written    int64         `json:"written"`
	Note       string        `json:"note,omitempty"` // what could not be measured, for a person
}

// Failed reports whether an attempt with such a step has not passed.
func (s Step) Failed() bool {
	return !s.Allowed && (s.Status == Failed || s.Status == Errored || s.Status == TimedOut)
}

// Log is what is stored of a step's output.
type Log struct {
	Bytes      int64
	Lines      int64
	GapBytes   int64
	Complete   bool
	ViaKubeAPI bool
}

// Resume says which of the steps that wait for a person go on, and why.
type Resume struct {
	Run    RunID  // only those of this run; zero for all
	Step   string // only those of this name; empty for all
	Reason string // who has resumed them, a sentence that is kept with the steps
}
