package execution

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/results"
)

// New is everything stored in one transaction when an execution is accepted: the execution, its runs with their first attempts and
// steps, and the start commands for the agents.
type New struct {
	Execution   Execution // ID, Params, Trigger, Actor, CreatedAt set; Status Queued; no runs
	RevisionID  uuid.UUID
	Runs        []NewRun // in order; at least one
	FailFast    bool     // the first run that does not pass ends the others
	MaxParallel int      // runs under way at a time; 0 for no limit
	Idempotency string   // key; empty for none
	Application string   // with Version: the release that it is evidence for; empty for none
	Version     string
}

// Calls reports whether a step of it executes other workflows.
func (n New) Calls() bool {
	return slices.ContainsFunc(n.Runs, func(r NewRun) bool {
		return slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Execute != nil })
	})
}

// NewRun is a run with its first attempt.
type NewRun struct {
	ID          RunID
	Name        string
	Matrix      map[string]string
	Shard       int
	Shards      int
	Environment cluster.Environment
	Group       Group // the zero value without one
	Retries     int   // new attempts that a loss of the infrastructure allows
	AttemptID   AttemptID
	Steps       []Step    // index and name
	Services    []Service // name, and whether the log is withheld
	Spec        []byte    // encoded agent.v1.Assignment
	SpecDigest  string    // hex SHA-256 of Spec
}

// Saved is what became of a report.
type Saved struct {
	Status  Status // of the attempt
	Way     *Way   // of the attempt, nil unless this report has ended it and knows its hops
	Effects        // on its own execution, on runs that waited for this one, or are to end with it
}

// Reconciled is what an agent has to do about its inventory, and what else came of it.
type Reconciled struct {
	Cancel  []AttemptID // they must not go on
	Unknown []AttemptID // not of this control plane
	Release []AttemptID // all of them is stored: their Jobs may go
	Open    []AttemptID // their end is not known here
	Partial []AttemptID // ended, and not all of them is stored yet
	Effects
}

// Report is a snapshot of an attempt as its agent knows it.
type Report struct {
	Attempt    AttemptID
	Status     Status
	Reason     string
	Message    string
	Node       string
	Pod        string
	StartedAt  time.Time
	FinishedAt time.Time
	Delivered  bool
	Notes      []string
	Steps      []Step
	Services   []Service
	// What was under test when the attempt was first seen running, and when its result was known; nil while that has not come.
	SubjectStart *Subject
	SubjectEnd   *Subject
	ObservedAt   time.Time
	FromRunner   bool // the runner said so itself; otherwise derived from the pod
	Hops         *Hops
}

// Hops are the parts of the way from a start command to the result, by the agent's clock.
type Hops struct {
	Job       time.Duration // until the Job existed
	Schedule  time.Duration // until its pod had a node
	Container time.Duration // until a runner in it had attached
	Run       time.Duration // until the runner's result had arrived
}

// Way is the time from the creation of an attempt to its stored result, by the clock of the control plane. What of it is neither the
// queue nor the agent's hops was spent between the two.
type Way struct {
	Queue time.Duration // until the start command was sent, for the last time
	Total time.Duration
}

// Chunk is a run of bytes of one log stream, as received.
type Chunk struct {
	Attempt    AttemptID
	Stream     string
	Start      int64 // offset of the first byte
	RawLen     int   // bytes once decompressed
	Lines      int   // newlines among them
	FirstLine  int64
	FirstTime  time.Time
	LastTime   time.Time
	Data       []byte // Zstandard frame; empty for a gap
	CRC        uint32 // CRC-32C of the decompressed bytes
	Gap        int64  // bytes left out at Start; the chunk then spans them
	Final      *Totals
	ViaKubeAPI bool
}

// End returns the offset after the chunk.
func (c Chunk) End() int64 { return c.Start + int64(c.RawLen) + c.Gap }

// Totals are what the writer of a stream counted.
type Totals struct {
	Bytes    int64
	Lines    int64
	GapBytes int64
	CRC      uint32
}

// StreamState is how far a stream is committed.
type StreamState struct {
	Stream    string
	Committed int64
	Final     bool
	Refused   string // answers to a chunk only: why it can never be stored
	Cursor    Cursor // of services, when all streams of an attempt are asked for
}

// Cursor is where the agent goes on in the log of a service, which it reads from the cluster.
type Cursor struct {
	LastTime time.Time // when the last committed line was written; zero for none
	Lines    int64
	GapBytes int64
}

// FileKind is what a stored file is.
type FileKind string

// The kinds of file.
const (
	FileReport   FileKind = "report"
	FileArtifact FileKind = "artifact"
	FileMetrics  FileKind = "metrics" // what a step has used over time, see package usage
)

// Zstandard is how the stored bytes of a file may be compressed.
const Zstandard = "zstd"

// File is a report or artifact of an attempt. Blob is its key in the blob store.
type File struct {
	ID          uuid.UUID
	Attempt     AttemptID
	Environment string // filled when read
	Step        int
	Kind        FileKind
	Path        string // relative to the workspace, slash-separated
	Size        int64  // of the file itself, however it is stored
	SHA256      string // of the file itself, hex
	ContentType string
	Encoding    string // of the stored bytes: Zstandard, or empty when they are the file; the next two are empty then
	StoredSize  int64
	StoredSum   string // SHA-256, hex
	Format      string // reports: as the workflow names it; "auto" only while no content has told it
	Grade       string // reports: consistent, lossy, contradictory, unreadable; saved without, read with what the exit code of the step says
	GradeReason string
	Bad         int64 // reports, not filled when read: failures it accounts for, listed or stood for by a synthetic case
	Blob        string
	CreatedAt   time.Time
}

// Stored returns how many bytes the store has of the file, and their digest.
func (f File) Stored() (size int64, digest string) {
	if f.Encoding == "" {
		return f.Size, f.SHA256
	}
	return f.StoredSize, f.StoredSum
}

// TestResult is the outcome of one test case in one attempt.
type TestResult struct {
	ID          uuid.UUID
	Attempt     AttemptID
	Environment string // filled when read
	Step        int
	Suite       string
	Name        string
	File        string
	Key         string   // identity of the test over time, 32 hexadecimal digits
	Variant     string   // what it ran on, such as a browser; no part of its identity
	Fingerprint string   // of what went wrong; empty unless it failed
	Earlier     []string // outcomes of earlier tries that the tool listed beside the result
	Flags       Flag     // what else is known of it
	Outcome     string   // passed, failed, errored, timed_out, skipped, blocked, infra_error, cancelled
	Duration    time.Duration
	Message     string // first line of the failure, or why it did not run
	Detail      string // the rest, at most 64 KiB
	Superseded  bool   // of an attempt that was lost and tried anew: kept as evidence, counted nowhere; filled when read
}

// Title is what people call a test: its suites and its name.
func (r TestResult) Title() string {
	if r.Suite == "" {
		return r.Name
	}
	return r.Suite + results.Separator + r.Name
}

// Flag is what is known of a test result beside its outcome. Flags are added up.
type Flag int

// The flags.
const (
	ExpectedFail   Flag = 1 << iota // it passed by failing as its author said it would
	UnexpectedPass                  // it passed although its author said it would fail
	Synthetic                       // it stands for what a report does not list as a case
	DuplicateName                   // another test of the report has the same name: the key tells them apart by their order
)

// Has reports whether a flag is among those of f.
func (f Flag) Has(one Flag) bool { return f&one != 0 }
