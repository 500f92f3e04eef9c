// Package storetest is the contract of the store, the same for every database.
package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/auth"
	applying "github.com/seatrial/seatrial/controlplane/catalog"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/dispatch"
	"github.com/seatrial/seatrial/controlplane/examine"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/federate"
	"github.com/seatrial/seatrial/controlplane/gate"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/intake"
	"github.com/seatrial/seatrial/controlplane/mirror"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/people"
	"github.com/seatrial/seatrial/controlplane/release/assess"
	"github.com/seatrial/seatrial/controlplane/release/share"
	"github.com/seatrial/seatrial/controlplane/search"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// Store is everything that the stages want of a store.
type Store interface {
	dispatch.Store
	Linked
	intake.Store
	api.Catalog
	api.History
	api.Fleet
	Credentials
	Evidence
	Facts
	Mirrored
}

// Finding is how the catalog is looked through.
type Finding interface {
	Workflows(ctx context.Context, size int, after string) (list []workflow.Record, next string, err error)
	LastExecutions(ctx context.Context, workflows []string) (map[string]execution.Execution, error)
}

// Linked is what sessions of agents want, and whoever asks agents to look at themselves.
type Linked interface {
	agentlink.Store
	agentlink.Examinations
	examine.Store
}

// Mirrored is what documents want, those of clusters and repositories too.
type Mirrored interface {
	applying.Store
	mirror.Store
	Revisions
	Finding
	SetClusterCatalog(ctx context.Context, name string, kinds origin.Kinds, team string) error
}

// Revisions is how documents were before.
type Revisions interface {
	Revisions(ctx context.Context, kind, name string, size int, after string) (list []workflow.Revision, next string, err error)
	Revision(ctx context.Context, kind, name string, number int) (workflow.Revision, error)
}

// Facts is how results are kept, and what is known of schedules.
type Facts interface {
	Strips(ctx context.Context, workflow, environment string) ([]testcase.Strip, error)
	Schedules
	notify.Store
	gate.Store
	SweepResults(ctx context.Context, keep time.Duration) (testcase.Swept, error)
}

// Credentials is what auth wants.
type Credentials interface {
	auth.AccountStore
	people.Store
	SetQuota(ctx context.Context, org tenant.ID, q tenant.Quota) error
	auth.AgentStore
	auth.KeyStore
	federate.Store
	CreateOrganization(ctx context.Context, first tenant.First) error
	SetOrganizationState(ctx context.Context, name string, state tenant.State) (tenant.Organization, error)
}

// Evidence is what the stages want that say what the results of tests amount to.
type Evidence interface {
	assess.Store
	share.Store
	board.Store
	insight.Store
	search.Store
	Stories
	audit.Store
}

// Open makes an empty store whose time is told by the clock.
type Open func(t *testing.T, clock func() time.Time) Store

// Run checks a store.
func Run(t *testing.T, open Open) {
	t.Helper()
	groups := map[string]map[string]func(t *testing.T, f *fixture){
		"Accounts": accounts(), "Audit": auditing(), "Suspension": suspension(), "People": folk(), "Owners": owners(), "Doors": doors(), "Apart": apart(), "Webhooks": webhooks(), "Deployments": deployments(), "Events": events(), "Watches": watches(), "Schedules": schedules(), "Tokens": tokens(), "Factors": factors(), "Catalog": catalog(), "Claims": claims(), "Templates": templates(), "Finding": finding(), "Fleet": fleet(), "Dispatch": dispatching(),
		"Pauses": pauses(), "Commands": commands(), "Reports": reports(), "Retries": retries(), "Logs": logs(), "Files": files(),
		"Exits": exits(), "Runs": runs(), "Queues": queues(), "Places": places(), "Groups": groups(), "Calls": calls(), "Services": beside(), "Used": used(), "Releases": releases(), "Tests": cases(),
		"Facts": facts(), "Insights": insights(), "Failures": failures(), "Search": searching(), "Stories": stories(), "Covering": covering(), "Tenancy": tenancy(), "Race": races(),
	}
	for group, tests := range groups {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, newFixture(t, open))
				})
			}
		})
	}
}

// fixture is a store with one organization that has a cluster, an environment and a workflow.
type fixture struct {
	Store
	now      time.Time
	member   tenant.Viewer
	cluster  cluster.Cluster
	env      cluster.Environment
	workflow workflow.Record
}

// Attempts returns an empty store, contexts of an agent and of a member, and what makes one more attempt of two steps for the agent.
func Attempts(t *testing.T, open Open) (s Store, agent, member context.Context, next func() (execution.ID, execution.AttemptID)) {
	t.Helper()
	f := newFixture(t, open)
	return f.Store, f.agent(t, f.cluster), f.as(t), func() (execution.ID, execution.AttemptID) {
		n := f.assigned(t)
		return n.Execution.ID, n.AttemptID
	}
}

const password = "argon2id-hash"

func hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

func newFixture(t *testing.T, open Open) *fixture {
	t.Helper()
	f := &fixture{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	f.Store = open(t, func() time.Time { return f.now })
	created, err := f.Bootstrap(t.Context(), tenant.First{
		Organization: "default", Team: "default",
		Admin: tenant.Member{Email: "admin@example.test", PasswordHash: password, Role: tenant.RoleOwner},
		Token: tenant.Token{Name: "first", Hash: hash("st_first"), Scopes: []tenant.Scope{tenant.ScopeAdmin}, ExpiresAt: f.now.Add(time.Hour)},
	})
	if err != nil || !created {
		t.Fatalf("bootstrap: %t, %v", created, err)
	}
	members, err := f.MembersByEmail(t.Context(), "admin@example.test")
	if err != nil || len(members) != 1 {
		t.Fatalf("members: %v, %v", members, err)
	}
	m := members[0]
	f.member = tenant.Viewer{Kind: tenant.KindMember, Organization: m.Organization, Team: m.Team, Subject: m.ID, Name: m.Email, Role: m.Role}
	f.cluster, f.env = f.enroll(t, "harbour", "staging")
	rec, _, _, err := f.ApplyWorkflow(f.as(t), workflow.Record{Name: "smoke", Digest: "d1", Source: "kind: TestWorkflow", Labels: map[string]string{"suite": "smoke"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	f.workflow = rec
	return f
}

// tenant makes another organization, and has the fixture act for its owner from now on.
func (f *fixture) tenant(t *testing.T, name string) {
	t.Helper()
	if err := f.CreateOrganization(tenant.System(t.Context()), tenant.First{
		Organization: name, Team: name, Admin: tenant.Member{Email: name + "@example.test", PasswordHash: password, Role: tenant.RoleOwner},
		Token: tenant.Token{Name: "first", Hash: hash("st_" + name), Scopes: []tenant.Scope{tenant.ScopeAdmin}, ExpiresAt: f.now.Add(time.Hour)},
	}); err != nil {
		t.Fatal(err)
	}
	members, err := f.MembersByEmail(t.Context(), name+"@example.test")
	if err != nil || len(members) != 1 {
		t.Fatalf("members: %v, %v", members, err)
	}
	m := members[0]
	f.member = tenant.Viewer{Kind: tenant.KindMember, Organization: m.Organization, Team: m.Team, Subject: m.ID, Name: m.Email, Role: m.Role}
}

// as returns a context of the organization's owner.
func (f *fixture) as(t *testing.T) context.Context {
	t.Helper()
	return tenant.WithViewer(t.Context(), f.member)
}

// agent returns a context of a cluster's agent.
func (f *fixture) agent(t *testing.T, c cluster.Cluster) context.Context {
	t.Helper()
	return tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindAgent, Organization: c.Organization, Cluster: c.ID, Subject: c.ID, Name: c.Name})
}

// foreigner returns a context of an organization that has nothing to do with the fixture's.
func foreigner(t *testing.T) context.Context {
	t.Helper()
	return tenant.WithViewer(t.Context(), tenant.Viewer{
		Kind: tenant.KindMember, Organization: uuid.New(), Team: uuid.New(), Subject: uuid.New(), Name: "eve", Role: tenant.RoleOwner,
	})
}

func (f *fixture) enroll(t *testing.T, name, environment string) (cluster.Cluster, cluster.Environment) {
	t.Helper()
	c, e, err := f.EnrollCluster(f.as(t), cluster.Enrolment{
		Name: name, Environment: environment, Namespace: "tests", TokenHash: hash("st_boot_" + name), ExpiresAt: f.now.Add(time.Hour),
	})
	if err != nil {
		t.Fatalf("enroll %s: %v", name, err)
	}
	if _, err := f.SpendBootstrap(t.Context(), cluster.Arrival{TokenHash: hash("st_boot_" + name), PublicKey: make([]byte, 32), ClusterUID: "uid-" + name}); err != nil {
		t.Fatalf("spend bootstrap token of %s: %v", name, err)
	}
	return c, e
}

func id(t *testing.T) uuid.UUID {
	t.Helper()
	v, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// request returns a new execution with two steps.
func (f *fixture) request(t *testing.T, key string) execution.New {
	t.Helper()
	spec := []byte("assignment")
	sum := sha256.Sum256(spec)
	return execution.New{
		Execution: execution.Execution{
			ID: id(t), Workflow: f.workflow.Name, Revision: f.workflow.Revision, Digest: f.workflow.Digest, Status: execution.Queued,
			Params: map[string]string{"users": "10"}, Priority: execution.DefaultPriority, Trigger: "api", Actor: "admin@example.test", CreatedAt: f.now,
		},
		RevisionID: f.workflow.RevisionID, Idempotency: key, Runs: []execution.NewRun{{
			ID: id(t), Environment: f.env, AttemptID: id(t), Steps: []execution.Step{{Index: 0, Name: "install"}, {Index: 1, Name: "test"}},
			Spec: spec, SpecDigest: hex.EncodeToString(sum[:]),
		}},
	}
}

// accepted is a stored execution with its only run.
type accepted struct {
	execution.New
	execution.NewRun
}

// queued stores an execution.
func (f *fixture) queued(t *testing.T) accepted {
	t.Helper()
	n := f.request(t, "")
	if _, existed, err := f.CreateExecution(f.as(t), n); err != nil || existed {
		t.Fatalf("create: existed %t, %v", existed, err)
	}
	return accepted{n, n.Runs[0]}
}

// assigned stores an execution whose Job exists.
func (f *fixture) assigned(t *testing.T) accepted {
	t.Helper()
	n := f.queued(t)
	for _, c := range f.take(t) {
		if _, err := f.AckCommand(f.agent(t, f.cluster), c.ID, cluster.Done, ""); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (f *fixture) take(t *testing.T) []cluster.Command {
	t.Helper()
	ctx := f.agent(t, f.cluster)
	epoch, err := f.OpenSession(ctx, cluster.Hello{Gateway: "g1"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.TakeCommands(ctx, epoch, 100, 15*time.Second, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func (f *fixture) report(t *testing.T, r execution.Report) execution.Status {
	t.Helper()
	saved, err := f.SaveReport(f.agent(t, f.cluster), r)
	if err != nil {
		t.Fatalf("report %s: %v", r.Status, err)
	}
	return saved.Status
}

func (f *fixture) execution(t *testing.T, id execution.ID) execution.Execution {
	t.Helper()
	e, err := f.Execution(f.as(t), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func attemptOf(t *testing.T, e execution.Execution) execution.Attempt {
	t.Helper()
	if len(e.Runs) != 1 || len(e.Runs[0].Attempts) != 1 {
		t.Fatalf("execution has %d runs", len(e.Runs))
	}
	return e.Runs[0].Attempts[0]
}
