package api

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/catalog"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/search"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// Catalog reads workflows and templates for the viewer of the context.
type Catalog interface {
	Workflow(ctx context.Context, name string) (workflow.Record, error)
	// FindWorkflows lists those that match by name, without sources.
	FindWorkflows(ctx context.Context, f workflow.Filter, size int, after string) (list []workflow.Record, next string, err error)
	Template(ctx context.Context, name string) (workflow.Record, error)
	// Templates lists by name without sources.
	Templates(ctx context.Context, size int, after string) (list []workflow.Record, next string, err error)
	// TemplateUsers returns the workflows and templates that use a template, directly or through others.
	TemplateUsers(ctx context.Context, name string) ([]workflow.Record, error)
	// Policies returns all readiness policies with their sources, by name.
	Policies(ctx context.Context) ([]workflow.Record, error)
}

// Releases keeps releases for the viewer of the context. Implemented by assess.
type Releases interface {
	// Create returns the release that is there already, and true, when it has the same commit and images.
	Create(ctx context.Context, r release.Request) (created release.Release, existed bool, err error)
	// Get returns a release with a verdict that knows everything that has come in.
	Get(ctx context.Context, application, version string) (release.Release, error)
	List(ctx context.Context, application string, size int, after string) (list []release.Release, next string, err error)
	Waive(ctx context.Context, application, version string, a release.Ask) (verdict.Waiver, error)
	Approve(ctx context.Context, application, version, waiver string) error
	Revoke(ctx context.Context, application, version, waiver string) error
	// Try judges past releases by a policy that is not stored.
	Try(ctx context.Context, t release.TrialRequest) (release.Trials, error)
}

// Sharer keeps snapshots of releases. Implemented by share.
type Sharer interface {
	Share(ctx context.Context, application, version string, lifetime time.Duration) (kept release.Snapshot, secret string, err error)
	// Snapshots lists those that can be read; of all releases when both names are empty.
	Snapshots(ctx context.Context, application, version string) ([]release.Snapshot, error)
	RevokeSnapshot(ctx context.Context, id uuid.UUID) error
}

// Bundles signs for the viewer's organization. Implemented by sign.
type Bundles interface {
	// Bundle writes the signed bundle of a release on what is known now, and nothing at all when it cannot be made.
	Bundle(ctx context.Context, application, version string, w io.Writer) error
	// Rotate makes a new key that signs, and returns all public keys with it before the others.
	Rotate(ctx context.Context) (key.Ring, error)
	// RevokeKey takes trust from a key, and returns all public keys, the one that signs before the others.
	RevokeKey(ctx context.Context, id, reason string, compromised bool) (key.Ring, error)
}

// Applier checks documents and stores them for the viewer of the context. Implemented by catalog.
type Applier interface {
	Apply(ctx context.Context, r catalog.Request) (catalog.Applied, error)
}

// History reads executions for the viewer of the context.
type History interface {
	Execution(ctx context.Context, id execution.ID) (execution.Execution, error)
	// Executions lists newest first, with runs but without attempts' steps; workflow and status may be empty.
	Executions(ctx context.Context, workflow string, status execution.Status, size int, after string) (list []execution.Execution, next string, err error)
	// Attempt returns one attempt with its steps and services, and the execution it belongs to.
	Attempt(ctx context.Context, id execution.AttemptID) (execution.Attempt, execution.ID, error)
	// Chunks returns stored chunks of a log that end after offset, in order, together at most limit raw bytes (at least
	// one when there is one), and the state of the stream.
	Chunks(ctx context.Context, id execution.AttemptID, stream string, offset int64, limit int) ([]execution.Chunk, execution.StreamState, error)
	// SeekLine returns the start of a stored chunk before a line (from zero) of a log, and the number of the line that its
	// first byte is in: reading on from there passes the line, unless the log ends before it.
	SeekLine(ctx context.Context, id execution.AttemptID, stream string, line int64) (offset, at int64, err error)
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

// Enroller registers clusters, and says which of their agents may go on, for the viewer of the context.
type Enroller interface {
	// EnrollCluster makes the cluster with an environment, or a new bootstrap token for one that never connected; the token is
	// returned once. fault.Conflict when the name is taken by a connected cluster.
	EnrollCluster(ctx context.Context, name, environment, namespace string) (c cluster.Cluster, e cluster.Environment, token string, expires time.Time, err error)
	// RevokeCluster takes the right of a cluster's agent away until the cluster is enrolled again.
	RevokeCluster(ctx context.Context, name, reason string) (cluster.Cluster, error)
	// RotateClusterKey asks a cluster's agent to take another key.
	RotateClusterKey(ctx context.Context, name string) (cluster.Cluster, error)
}

// Queues says what begins in clusters, for the viewer of the context. Implemented by dispatch.
type Queues interface {
	// DrainCluster lets nothing begin in a cluster any more.
	DrainCluster(ctx context.Context, name, reason string) (cluster.Cluster, error)
	// UndrainCluster lets what waits for it begin again.
	UndrainCluster(ctx context.Context, name string) (cluster.Cluster, error)
	// LimitCluster says how many runs may be under way there at once; 0 for as many as its agent takes.
	LimitCluster(ctx context.Context, name string, runs int) (cluster.Cluster, error)
}

// Examiner has agents look at themselves, for the viewer of the context. Implemented by examine.
type Examiner interface {
	// ExamineCluster returns what the agent of a cluster finds now; fault.Conflict when it is not connected.
	ExamineCluster(ctx context.Context, name string) (cluster.Cluster, cluster.Examination, error)
}

// Runner starts and stops executions for the viewer of the context. Implemented by dispatch.
type Runner interface {
	Start(ctx context.Context, r execution.Request) (e execution.Execution, existed bool, err error)
	Cancel(ctx context.Context, id execution.ID, reason string) error
	// Rerun starts the runs of an execution that has ended again; fault.Conflict when there is nothing to run again.
	Rerun(ctx context.Context, id execution.ID, again execution.Again) (e execution.Execution, existed bool, err error)
	// Resume returns how many steps go on that waited for a person, or fault.Conflict when none did.
	Resume(ctx context.Context, id execution.ID, which execution.Resume) (steps int, err error)
}

// Tests says how tests behave, for the viewer of the context. Implemented by board.
type Tests interface {
	// Unreliable returns the tests that cannot be relied on; workflow may be empty.
	Unreliable(ctx context.Context, workflow string) ([]testcase.History, error)
	Test(ctx context.Context, key string) (testcase.History, error)
	Quarantine(ctx context.Context, a testcase.Ask) (testcase.Quarantine, error)
	// Release ends the quarantine of a test.
	Release(ctx context.Context, test string) error
}

// Searcher finds things by what people remember of them, for the viewer of the context.
type Searcher interface {
	Search(ctx context.Context, q search.Question) (search.Found, error)
}

// Insight says what many executions say together, for the viewer of the context.
type Insight interface {
	Compare(ctx context.Context, q insight.Question) (insight.Comparison, error)
	Failures(ctx context.Context, f insight.Filter) (insight.Clusters, error)
	Failure(ctx context.Context, fingerprint string, days int) (insight.Failure, error)
	Coverage(ctx context.Context, staleDays int) (insight.Coverage, error)
}

// Accounts checks credentials and makes tokens. Implemented by auth.
type Accounts interface {
	// Bearer returns the viewer of an API token or fault.Unauthenticated, which tells an expired token from an unknown one.
	Bearer(ctx context.Context, token string) (tenant.Viewer, error)
	// Cookie returns the viewer of a session cookie.
	Cookie(ctx context.Context, value string) (tenant.Viewer, error)
	// SignIn checks a password, and a code where there is a second factor; the time it takes does not tell whether the e-mail exists.
	SignIn(ctx context.Context, e tenant.Entry) (tenant.Viewer, error)
	// CreateToken makes an API token of a team; scopes must be the viewer's own.
	CreateToken(ctx context.Context, n tenant.NewToken) (secret string, made tenant.Token, err error)
	// Tokens lists those that the viewer may know of.
	Tokens(ctx context.Context) ([]tenant.Token, error)
	RevokeToken(ctx context.Context, id uuid.UUID) error
	// Describe returns the names of the viewer's organization and team.
	Describe(ctx context.Context) (organization, team string, err error)
}

// People keeps who belongs to the viewer's organization. Implemented by people.
type People interface {
	Teams
	Members
	Invitations
	Owners
}

// Owners keeps which team owns what, and how much the organization uses.
type Owners interface {
	SetOwner(ctx context.Context, of tenant.Thing, team string) error
	RestrictWorkflow(ctx context.Context, name string, restricted bool) error
	// Usage lists the quotas with their use.
	Usage(ctx context.Context) ([]tenant.Usage, error)
	// Call counts a call of the viewer's organization, or returns fault.Exhausted.
	Call(ctx context.Context) error
}

// Teams keeps teams.
type Teams interface {
	Teams(ctx context.Context) ([]tenant.Team, error)
	CreateTeam(ctx context.Context, name string) (tenant.Team, error)
	RenameTeam(ctx context.Context, name, to string) error
	DeleteTeam(ctx context.Context, name string) error
}

// Members keeps members.
type Members interface {
	Members(ctx context.Context) ([]tenant.Member, error)
	SetRole(ctx context.Context, email string, role tenant.Role) error
	JoinTeam(ctx context.Context, email, team string) error
	LeaveTeam(ctx context.Context, email, team string) error
	Remove(ctx context.Context, email string, tokens bool) (revoked int, err error)
}

// Invitations keeps invitations.
type Invitations interface {
	// Invite returns the secret of the link once.
	Invite(ctx context.Context, a tenant.NewInvitation) (i tenant.Invitation, secret string, err error)
	Invitations(ctx context.Context) ([]tenant.Invitation, error)
	Withdraw(ctx context.Context, id uuid.UUID) error
}

// Blobs reads bytes.
type Blobs interface {
	// Open returns the bytes under key, or fault.NotFound.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
}

// Bus is where changes are heard of; losing a hint costs latency only.
type Bus interface {
	// Subscribe returns a channel with room for one signal, which gets one after each publication; cancel ends it.
	Subscribe(ctx context.Context, topics ...string) (wake <-chan struct{}, cancel func())
}
