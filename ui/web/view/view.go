// Package view says what the web pages need of the rest of the program: small interfaces that the application implements, and
// the values they exchange.
package view

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// Member is the person behind a session cookie and the organization the person works in.
type Member struct {
	Viewer       tenant.Viewer
	Organization string // name as it stands in addresses
	Renewed      Ticket // a new cookie, when the browser is to have one
}

// Ticket is what keeps a browser signed in. Cookie is the secret value of the cookie. When it is empty, a code is needed as well, which
// is sent together with Halfway.
type Ticket struct {
	Cookie    string
	ExpiresAt time.Time
	Halfway   string
}

// SessionCookie is the name of the cookie that holds the secret of a session.
const SessionCookie = "seatrial_session"

// Sessions signs people in and out. Viewer fails with fault.Unauthenticated for a cookie that is unknown, expired or revoked.
type Sessions interface {
	// SignIn fails with fault.Unauthenticated when e-mail and password do not belong together, or the code is wrong (field "code"), and
	// with fault.Exhausted after too many tries.
	SignIn(ctx context.Context, e tenant.Entry) (Ticket, error)
	SignOut(ctx context.Context, cookie string) error
	// Viewer renews the cookie from time to time. Remote is the network address that the request came from.
	Viewer(ctx context.Context, cookie, remote string) (Member, error)
}

// History reads executions for the viewer of the context. What is absent or foreign is fault.NotFound.
type History interface {
	Executions(ctx context.Context, q ExecutionQuery) (list []execution.Execution, next string, err error)
	Execution(ctx context.Context, id execution.ID) (execution.Execution, error)
	// LastExecutions returns the newest execution of each workflow that has run, by its name.
	LastExecutions(ctx context.Context, workflows []string) (map[string]execution.Execution, error)
	// Results lists worst first.
	Results(ctx context.Context, id execution.ID, size int, after string) (list []execution.TestResult, next string, err error)
	Files(ctx context.Context, id execution.ID) ([]execution.File, error)
	// OpenFile returns a file of the execution with its content; the caller closes it.
	OpenFile(ctx context.Context, id execution.ID, file uuid.UUID) (execution.File, io.ReadCloser, error)
	// Content returns what is in a file that Files has listed; the caller closes it.
	Content(ctx context.Context, f execution.File) (io.ReadCloser, error)
	// Archive writes all files of the execution as one zip archive.
	Archive(ctx context.Context, e execution.Execution, w io.Writer) error
}

// ExecutionQuery selects a page of executions, newest first. Workflow and Status may be empty.
type ExecutionQuery struct {
	Workflow string
	Status   execution.Status
	Size     int
	After    string
}

// Launcher starts, resumes and cancels executions for the viewer of the context.
type Launcher interface {
	Run(ctx context.Context, r execution.Request) (execution.ID, error)
	Cancel(ctx context.Context, id execution.ID, reason string) error
	// Rerun starts the runs of an execution that has ended again; fault.Conflict when there is nothing to run again, and fault.Invalid when
	// its workflow has no such runs any more.
	Rerun(ctx context.Context, id execution.ID, again execution.Again) (execution.ID, error)
	// Resume has the steps go on that wait for a person, and returns how many they are; fault.Conflict when none does.
	Resume(ctx context.Context, id execution.ID, which execution.Resume) (steps int, err error)
}

// Catalog reads workflows, templates and readiness policies for the viewer of the context.
type Catalog interface {
	Workflows(ctx context.Context, f workflow.Filter, size int, after string) (list []workflow.Record, next string, err error)
	Workflow(ctx context.Context, name string) (Workflow, error)
	Templates(ctx context.Context, size int, after string) (list []workflow.Record, next string, err error)
	Template(ctx context.Context, name string) (Template, error)
	// Policies returns the heads of all readiness policies by name.
	Policies(ctx context.Context) ([]workflow.Record, error)
	// ApplyPolicy stores the document of a readiness policy; team is the owner of a new one, empty for the viewer's. What is wrong with it is
	// fault.Invalid with its places.
	ApplyPolicy(ctx context.Context, source, team string) (Applied, error)
	// CheckPolicy says what applying it would do, and does not.
	CheckPolicy(ctx context.Context, source string) (Applied, error)
}

// Applied is what became of a document, or would. The record has no source.
type Applied struct {
	Record           workflow.Record
	Created, Changed bool // neither when it is stored already
}

// Template is a template with its source, the parameters it declares, and the names of the workflows that use it.
type Template struct {
	Record    workflow.Record
	Params    []Param
	Workflows []string
}

// Workflow is a workflow with its source and the parameters it declares.
type Workflow struct {
	Record workflow.Record
	Params []Param
	Places []string // environments that it names itself, or by its templates
}

// Param is a declared parameter.
type Param struct {
	Name        string
	Type        string // string, number, integer, boolean
	Default     string
	Required    bool
	Description string
	Enum        []string
}

// Fleet reads and enrolls clusters for the viewer of the context.
type Fleet interface {
	Clusters(ctx context.Context) ([]cluster.Cluster, error)
	Environments(ctx context.Context) ([]cluster.Environment, error)
	Enroll(ctx context.Context, e Enrollment) (Enrolled, error)
	// Revoke takes the right of a cluster's agent away until the cluster is enrolled again.
	Revoke(ctx context.Context, name, reason string) error
	// RotateKey asks a cluster's agent to take another key.
	RotateKey(ctx context.Context, name string) error
	// Drain lets nothing begin in a cluster any more.
	Drain(ctx context.Context, name, reason string) error
	// Undrain lets what waits for it begin again.
	Undrain(ctx context.Context, name string) error
	// Limit says how many runs may be under way there at once; 0 for as many as its agent takes.
	Limit(ctx context.Context, name string, runs int) error
}

// Enrollment asks for a new cluster. Namespace and Environment may be empty.
type Enrollment struct{ Name, Namespace, Environment string }

// Enrolled is how to install the agent. Command holds the single-use token and is shown once.
type Enrolled struct {
	Cluster   string
	Command   string
	ExpiresAt time.Time
}

// Logs reads the stored log of one step or service; stream is its name.
type Logs interface {
	// ReadLog returns decompressed bytes from offset, at most limit. A gap is a piece of its own. With nothing stored after
	// offset, Data is empty and Next equals offset.
	ReadLog(ctx context.Context, id execution.AttemptID, stream string, offset int64, limit int) (Piece, error)
	// SeekLine returns a place at or before the line (from 0): the offset of a line's first byte and that line's number.
	SeekLine(ctx context.Context, id execution.AttemptID, stream string, line int64) (offset, at int64, err error)
}

// Piece is a run of bytes of a log.
type Piece struct {
	Offset   int64
	Data     []byte
	Gap      int64 // bytes that were left out at Offset; Data is empty then
	Next     int64 // offset after the piece
	Complete bool  // nothing follows Next, now or later
}

// Events tells of changes; a hint that is lost costs latency only.
type Events interface {
	// Subscribe returns a channel with room for one signal, which gets one after each publication on one of the topics, so that
	// many changes may arrive as one. Cancel ends it.
	Subscribe(ctx context.Context, topics ...string) (wake <-chan struct{}, cancel func())
}
