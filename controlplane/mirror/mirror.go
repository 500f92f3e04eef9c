// Package mirror brings the documents of clusters and repositories into the catalog, and takes them out again when they are gone there.
//
// What an origin has is sent again until it is answered for, so everything here may come twice: a document that is as it was changes
// nothing, and an object that runs a workflow runs it once.
package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/catalog"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/mirror/git"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/controlplane/workflow/resource"
)

// MaxDocuments is how many documents one origin may have.
const MaxDocuments = 5000

// Store keeps claims for the viewer of the context.
type Store interface {
	// SeeClaim stores what an origin has, and returns the claim as it is then.
	SeeClaim(ctx context.Context, c origin.Claim) (origin.Claim, error)
	// SettleClaim stores reason, message, revision and execution of a claim.
	SettleClaim(ctx context.Context, c origin.Claim) error
	// Claims returns those of a cluster or a repository without their sources, by kind and name.
	Claims(ctx context.Context, of uuid.UUID) ([]origin.Claim, error)
	// DropClaim forgets a claim. When it owned its name, the document leaves the catalog unless keep is set, and the claim that has waited
	// longest for the name is returned with its source.
	DropClaim(ctx context.Context, id uuid.UUID, keep bool) (next *origin.Claim, err error)
	// DocumentStates returns what is known of the documents of a cluster and has changed after a time; zero for all.
	DocumentStates(ctx context.Context, of uuid.UUID, since time.Time) (origin.States, error)
	// CatalogOf returns what the documents are that a cluster's agent brings.
	CatalogOf(ctx context.Context, id cluster.ID) (cluster.Catalog, error)
	// Names returns the names of an organization and, unless its id is zero, of a team.
	Names(ctx context.Context, id tenant.ID, teamID uuid.UUID) (org, team string, err error)
	Repositories
}

// Repositories keeps the registered repositories for the viewer of the context.
type Repositories interface {
	Repository(ctx context.Context, id uuid.UUID) (origin.Repository, error)
	RepositoryNamed(ctx context.Context, name string) (origin.Repository, error)
	// AddRepository registers a repository with its credential, which may be empty.
	AddRepository(ctx context.Context, r origin.Repository, credential []byte) (origin.Repository, error)
	// Credential returns what is kept of the credential of a repository; nothing when it has none.
	Credential(ctx context.Context, r origin.Repository) ([]byte, error)
	RemoveRepository(ctx context.Context, r origin.Repository) error
	// LeaseRepository takes a repository for one reader; ok is false while another one has it.
	LeaseRepository(ctx context.Context, id uuid.UUID, lease time.Duration) (ok bool, err error)
	// RenewRepository keeps a repository for whoever reads it; fault.Conflict once the lease is over.
	RenewRepository(ctx context.Context, id uuid.UUID, lease time.Duration) error
	// DueRepositories takes repositories that are to be read, of all organizations, at most limit, and so that about each of an organization
	// are being read at once by all replicas; those of the organization that has waited longest first. It runs as system.
	DueRepositories(ctx context.Context, limit, each int, lease time.Duration) ([]origin.Repository, error)
	// RepositoriesPushed makes those due that a push to a branch of a repository of a forge concerns, and returns how many.
	RepositoriesPushed(ctx context.Context, path, branch string) (int, error)
	// SaveLook stores what came of reading a repository, which is due again after its interval.
	SaveLook(ctx context.Context, r origin.Repository, look origin.Look) error
}

// Git reads repositories. Implemented by git.
type Git interface {
	// Read returns the files of the newest commit of the repository's branch, none when that commit is known already.
	Read(ctx context.Context, r origin.Repository, c origin.Credential, known string) (git.Tree, error)
}

// Applier checks documents and stores them for the viewer of the context. Implemented by catalog.
type Applier interface {
	Apply(ctx context.Context, r catalog.Request) (catalog.Applied, error)
}

// Runner starts and cancels executions for the viewer of the context. Implemented by dispatch.
type Runner interface {
	Start(ctx context.Context, r execution.Request) (e execution.Execution, existed bool, err error)
	Cancel(ctx context.Context, id execution.ID, reason string) error
}

// Pushes hears of pushes that nobody may have told of. Implemented by trigger.
type Pushes interface {
	// Missed makes events of changes of a repository, but for those that a forge has told of; wanted is false when no trigger is for pushes to
	// it, so that nobody need follow its branches.
	Missed(ctx context.Context, r origin.Repository, changes []origin.Change) (wanted bool, err error)
}

// Mirror brings documents into the catalog. It holds no state of its own.
type Mirror struct {
	store  Store
	apply  Applier
	run    Runner
	record audit.Appender

	git     Git
	bus     Bus
	rules   outbound.Rules
	address string
	log     *slog.Logger
	limit   time.Duration // of reading one repository
	clock   func() time.Time
	// Pushes may be nil; it is set before anything is read.
	Pushes Pushes
}

// Bus carries hints; losing one costs latency only.
type Bus interface {
	Publish(ctx context.Context, topic string)
}

// Config is what a Mirror is made of. Address is that of the pages for people, without a slash at its end; it may be empty.
type Config struct {
	Store   Store
	Apply   Applier
	Run     Runner
	Record  audit.Appender
	Git     Git
	Bus     Bus
	Rules   outbound.Rules // early word on addresses of repositories
	Address string
	Log     *slog.Logger
	ReadFor time.Duration    // how long one repository may take to be read; zero for ten minutes
	Clock   func() time.Time // time.Now when nil
}

// New returns a mirror.
func New(c Config) *Mirror {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Mirror{
		clock: c.Clock, store: c.Store, apply: c.Apply, run: c.Run, record: c.Record, git: c.Git, bus: c.Bus, rules: c.Rules, address: c.Address,
		log: c.Log.With("component", "mirror"), limit: cmp.Or(c.ReadFor, readFor),
	}
}

// rights are what the documents of an origin may do.
type rights struct {
	kinds   origin.Kinds
	team    uuid.UUID
	cluster string // name of the only cluster whose environments it may describe; empty for any
	hint    string // how to give it more
}

// rightsOf returns the rights of an origin.
func (m *Mirror) rightsOf(ctx context.Context, o origin.Origin) (rights, error) {
	if o.Repository != uuid.Nil {
		r, err := m.store.Repository(ctx, o.Repository)
		if err != nil {
			return rights{}, fmt.Errorf("read repository: %w", err)
		}
		return rights{kinds: r.Kinds, team: r.TeamID, hint: "Let an administrator register the repository with --kinds all."}, nil
	}
	c, err := m.store.CatalogOf(ctx, o.Cluster)
	if err != nil {
		return rights{}, fmt.Errorf("read cluster: %w", err)
	}
	return rights{
		kinds: origin.Kinds(c.Kinds), team: c.Team, cluster: c.Cluster,
		hint: fmt.Sprintf("Let an administrator allow it with: seatrial cluster catalog %s --kinds all.", c.Cluster),
	}, nil
}

// grave reports whether documents of a kind decide what evidence is worth.
func grave(kind string) bool {
	return kind == document.EnvironmentKind || kind == document.ReadinessPolicyKind
}

// check returns fault.Forbidden for a document that the origin may not bring.
func (r rights) check(c origin.Claim) error {
	switch {
	case r.kinds == origin.KindsNone:
		return fault.New(fault.Forbidden, "documents of the %s are not taken", c.Origin).WithHint("%s", r.hint)
	case grave(c.Kind) && r.kinds != origin.KindsAll:
		return fault.New(fault.Forbidden, "documents of kind %s are not taken from the %s", c.Kind, c.Origin).WithHint("%s", r.hint)
	case r.team == uuid.Nil:
		return fault.New(fault.Forbidden, "nobody has said which team owns the documents of the %s", c.Origin).
			WithHint("Say it with: seatrial cluster catalog %s --team TEAM.", c.Origin.Place)
	}
	return nil
}

// viewer returns on whose behalf the documents of an origin are applied.
func (r rights) viewer(ctx context.Context, c origin.Claim) tenant.Viewer {
	v, _ := tenant.FromContext(ctx)
	out := tenant.Viewer{
		Kind: tenant.KindOrigin, Organization: v.Organization, Team: r.team, Subject: cmp.Or(c.Origin.Repository, c.Origin.Cluster),
		Name: c.Origin.String(), Scopes: []tenant.Scope{tenant.ScopeRead, tenant.ScopeRun, tenant.ScopeCatalog},
	}
	if grave(c.Kind) {
		out.Scopes = append(out.Scopes, tenant.ScopeAdmin)
	}
	return out
}

// neutral returns a context that reads and writes claims of the viewer's organization: an agent sees of other clusters nothing.
func neutral(ctx context.Context) context.Context {
	v, _ := tenant.FromContext(ctx)
	return tenant.WithViewer(ctx, tenant.Viewer{Kind: tenant.KindOrigin, Organization: v.Organization, Subject: v.Subject, Name: v.Name, Scopes: []tenant.Scope{tenant.ScopeRead}})
}

// order is the place of a kind among those that are applied together: what others build upon comes first.
func order(kind string) int {
	return slices.IndexFunc(resource.Kinds(), func(k resource.Kind) bool { return k.Name == kind })
}

// take applies documents of an origin, what others build upon first. The error is that of the store: what is wrong with a document is
// stored with its claim.
func (m *Mirror) take(ctx context.Context, seen []origin.Claim, report func(origin.Claim, error)) error {
	ctx = neutral(ctx)
	slices.SortStableFunc(seen, func(a, b origin.Claim) int {
		return cmp.Or(cmp.Compare(order(a.Kind), order(b.Kind)), strings.Compare(a.Name, b.Name))
	})
	var along []string
	for _, c := range seen {
		if c.Kind == document.Workflow || c.Kind == document.TemplateKind {
			along = append(along, c.Source)
		}
	}
	for _, c := range seen {
		claim, err := m.store.SeeClaim(ctx, c)
		if err != nil {
			return fmt.Errorf("store what the %s has: %w", c.Origin, err)
		}
		if err := m.settle(ctx, claim, along, report); err != nil {
			return err
		}
	}
	return nil
}

// settle applies the document of a claim and stores what became of it. Report is told, and may be nil.
func (m *Mirror) settle(ctx context.Context, c origin.Claim, along []string, report func(origin.Claim, error)) error {
	r, err := m.rightsOf(ctx, c.Origin)
	if err != nil {
		return err
	}
	c.Message = ""
	if err = r.check(c); err == nil {
		err = m.act(tenant.WithViewer(ctx, r.viewer(ctx, c)), r, &c, along)
	}
	if ctx.Err() != nil {
		return ctx.Err() //nolint:wrapcheck // it was not decided
	}
	c.Reason = origin.ReasonOf(err)
	if err != nil {
		c.Message = said(c, err)
	}
	if c.Reason == origin.Waiting {
		m.log.ErrorContext(ctx, "document not applied", "kind", c.Kind, "name", c.Name, "origin", c.Origin.String(), "error", err)
		c.Message = "The control plane could not apply it just now, and tries again."
	}
	if report != nil {
		report(c, err)
	}
	if err := m.store.SettleClaim(ctx, c); err != nil {
		return fmt.Errorf("store what became of %s %s: %w", c.Kind, c.Name, err)
	}
	return nil
}

// act applies a document, or runs what it says.
func (m *Mirror) act(ctx context.Context, r rights, c *origin.Claim, along []string) error {
	action := "ApplyWorkflow"
	if c.Kind == document.TestExecutionKind {
		action = "RunWorkflow"
	}
	noted, note := audit.Begin(ctx, action, "")
	v, _ := tenant.FromContext(ctx)
	note.By(v)
	var changed bool
	var err error
	if c.Kind == document.TestExecutionKind {
		changed, err = m.start(noted, c)
	} else {
		changed, err = m.change(noted, r, c, along)
	}
	if !changed { // it comes again and again, and goes on record when something becomes of it
		return err
	}
	return audit.Finish(ctx, note, m.record, m.log, err)
}

func (m *Mirror) change(ctx context.Context, r rights, c *origin.Claim, along []string) (changed bool, err error) {
	if c.Kind == document.EnvironmentKind && r.cluster != "" {
		if err := ownPlace(c, r.cluster); err != nil {
			return false, err
		}
	}
	ctx = origin.With(ctx, origin.Applying{Claim: c.ID, Adopt: c.Adopt})
	applied, err := m.apply.Apply(ctx, catalog.Request{File: c.Path, Source: readable(c), Along: along})
	if err != nil {
		return false, err //nolint:wrapcheck // a fault that speaks for itself
	}
	c.Revision, c.Message = applied.Record.Revision, applied.Missing
	return applied.Outcome != catalog.Unchanged, nil
}

// readable returns the document as people write it: an API server keeps neither the order of fields nor lines.
func readable(c *origin.Claim) string {
	if c.Origin.Cluster == uuid.Nil {
		return c.Source
	}
	read := parse.Read([]byte(c.Source))
	if len(read.Faults) > 0 {
		return c.Source
	}
	out, err := document.YAML(read.Value)
	if err != nil {
		return c.Source
	}
	return string(out)
}

// said is a sentence about an error for whoever reads the object, with every fault of the document and its place.
func said(c origin.Claim, err error) string {
	if err == nil {
		return ""
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		return "The control plane has failed."
	}
	out := sentence(f.Message)
	if len(f.Places) > 0 {
		out = places(c, f.Places)
	}
	if !strings.HasSuffix(out, ".") && out != "" {
		out += "."
	}
	if f.Hint != "" {
		out += " " + f.Hint
	}
	return out
}

// maxPlaces is how many faults of a document a status names.
const maxPlaces = 10

// places names the faults of a document. Lines mean something in a repository alone: the API server does not keep the lines of an object.
func places(c origin.Claim, all []fault.Place) string {
	var parts []string
	for i, p := range all {
		if i == maxPlaces {
			parts = append(parts, fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		part := strings.TrimSpace(p.Field + " " + p.Message)
		if c.Origin.Repository != uuid.Nil && p.Line > 0 {
			part = fmt.Sprintf("%s:%d: %s", c.Path, c.Line+p.Line, part)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

// drop forgets a claim. What waited for its name takes it over.
func (m *Mirror) drop(ctx context.Context, c origin.Claim, keep bool) error {
	ctx = neutral(ctx)
	noted, note := audit.Begin(ctx, "RemoveDocument", "")
	v, _ := tenant.FromContext(ctx)
	v.Name = c.Origin.String()
	note.By(v)
	next, err := m.store.DropClaim(noted, c.ID, keep)
	if err != nil {
		return fmt.Errorf("forget %s %s of the %s: %w", c.Kind, c.Name, c.Origin, err)
	}
	if c.Execution != uuid.Nil && !keep {
		if err := m.cancel(ctx, c); err != nil {
			return err
		}
	}
	if next == nil {
		return nil
	}
	if err := m.settle(ctx, *next, nil, nil); err != nil {
		return err
	}
	m.bus.Publish(ctx, execution.ChangesTopic(v.Organization)) // the agent that brought it has not asked
	return nil
}
