package assess

import (
	"context"
	"time"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// Store is what releases need of the database. Calls act for the viewer of the context; what is another organization's is
// fault.NotFound.
type Store interface {
	Catalog
	Waivers
	// CreateRelease stores a release, which is stale then, and links executions since n.Since as LinkEvidence does. When the application
	// has this version already it stores nothing and returns that one and true.
	CreateRelease(ctx context.Context, n release.New) (r release.Release, existed bool, err error)
	// Release returns a release with everything, or fault.NotFound.
	Release(ctx context.Context, application, version string) (release.Release, error)
	// ReleaseByID does the same.
	ReleaseByID(ctx context.Context, id release.ID) (release.Release, error)
	// Releases lists newest first, only heads; application may be empty.
	Releases(ctx context.Context, application string, size int, after string) (list []release.Release, next string, err error)
	// Evidence returns the attempts of all executions that are linked to a release, and of those that they have started, with their
	// results. Attempts that were lost and tried anew are left out.
	Evidence(ctx context.Context, id release.ID) ([]release.Attempt, error)
	// LinkEvidence links what has run against the images of a release, or names its commit, since a time.
	LinkEvidence(ctx context.Context, id release.ID, since time.Time) error
	// SaveVerdict stores a decision, unless one is there that knows more, or as much at a later time. The release is no longer stale when nothing has come in that the
	// decision does not know. A change of the state is recorded with the cause; it returns whether there was one.
	SaveVerdict(ctx context.Context, id release.ID, d release.Decision) (changed bool, err error)
	// StaleReleases lists what is to be decided anew in all organizations: what is stale, and what was decided before a time, unless
	// it was created before another one. It runs as system.
	StaleReleases(ctx context.Context, decidedBefore, createdAfter time.Time, limit int) ([]release.Stale, error)
}

// Waivers are the exceptions that were asked for.
type Waivers interface {
	// SaveWaiver stores a waiver and marks its release as stale.
	SaveWaiver(ctx context.Context, id release.ID, w verdict.Waiver) error
	// ChangeWaiver changes approvals or revocation of a waiver in one transaction and marks its release as stale.
	ChangeWaiver(ctx context.Context, id release.ID, waiver, by string, change func(*verdict.Waiver) error) error
}

// Catalog is what can be required of a release.
type Catalog interface {
	// Policies returns all readiness policies with their sources, by name.
	Policies(ctx context.Context) ([]workflow.Record, error)
	// Suites returns all workflows by name.
	Suites(ctx context.Context) ([]policy.Workflow, error)
	// EnvironmentNames returns all environments by name.
	EnvironmentNames(ctx context.Context) ([]string, error)
	// KnownTests returns the tests that the last finished executions of a workflow listed in an environment, or in any when there were none
	// in that one. None when no execution has listed tests.
	KnownTests(ctx context.Context, workflow, environment string) ([]verdict.Test, error)
	// Approvers returns the names of the members of a group, "team:NAME", who may have to do with releases. No other group has any.
	Approvers(ctx context.Context, group string) ([]string, error)
	// Quarantines returns the quarantines of tests that are active now, of which somebody else's clock may tell the beginning.
	Quarantines(ctx context.Context, now time.Time) ([]testcase.Quarantine, error)
	// QuarantinesAt returns those that were active at a time of the past.
	QuarantinesAt(ctx context.Context, at time.Time) ([]testcase.Quarantine, error)
}

// Bus carries hints; losing one costs latency only.
type Bus interface {
	Publish(ctx context.Context, topic string)
}
