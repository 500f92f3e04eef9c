// Package catalog applies documents: it checks a workflow with the templates that it uses, and a template with the workflows that use
// it, before either is stored.
//
// A workflow is stored as it was written; its templates are merged when an execution is triggered, with the revisions that are current
// then. So a change of a template reaches every workflow that uses it with its next execution, as people expect of a template, and no
// execution changes afterwards: it keeps the assignments of its runs, and the revisions of workflow and templates that they come
// from, which are immutable.
//
// A change of a template that would break a workflow that uses it is refused and names the workflow: whoever changes a template must
// not stop the tests of others in the night. Documents that are applied together are checked with each other, so that template and
// workflow can change at once.
package catalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// maxTries bounds how often a document is checked anew because another one was applied meanwhile.
const maxTries = 5

// Outcome is what applying a document does.
type Outcome int

// The outcomes.
const (
	Unchanged Outcome = iota
	Created
	Changed
)

// Store keeps documents for the viewer of the context.
type Store interface {
	// Workflow returns a workflow with its source, or fault.NotFound.
	Workflow(ctx context.Context, name string) (workflow.Record, error)
	// Template returns a template with its source, or fault.NotFound.
	Template(ctx context.Context, name string) (workflow.Record, error)
	// TemplatesNamed returns those templates that exist, with their sources.
	TemplatesNamed(ctx context.Context, names []string) ([]workflow.Record, error)
	// TemplateUsers returns the workflows and templates that use a template, directly or through others, with their sources.
	TemplateUsers(ctx context.Context, name string) ([]workflow.Record, error)
	// ApplyWorkflow creates the workflow or makes a new revision when the digest differs; team is the owner of a new one.
	// fault.Conflict when a template that it was checked with is another revision by now.
	ApplyWorkflow(ctx context.Context, w workflow.Record, team string) (rec workflow.Record, created, changed bool, err error)
	// ApplyTemplate does the same for a template; users are those that it was checked with. fault.Conflict when there are others
	// by now.
	ApplyTemplate(ctx context.Context, t workflow.Record, users []workflow.Ref, team string) (rec workflow.Record, created, changed bool, err error)
	Policies
	Places
	Surroundings
}

// Surroundings keeps what starts workflows and tells of them, for the viewer of the context.
type Surroundings interface {
	Schedules
	Triggers
	Webhooks
}

// Policies keeps readiness policies for the viewer of the context.
type Policies interface {
	// Policy returns a readiness policy with its source, or fault.NotFound.
	Policy(ctx context.Context, name string) (workflow.Record, error)
	// ApplyPolicy creates the readiness policy or makes a new revision when the digest differs.
	ApplyPolicy(ctx context.Context, p workflow.Record, team string) (rec workflow.Record, created, changed bool, err error)
}

// Places keeps environments for the viewer of the context.
type Places interface {
	Clusters(ctx context.Context) ([]cluster.Cluster, error)
	Environments(ctx context.Context) ([]cluster.Environment, error)
	// ApplyEnvironment creates the environment, or changes it when the digest differs.
	ApplyEnvironment(ctx context.Context, e cluster.Environment) (stored cluster.Environment, created, changed bool, err error)
}

// Catalog applies documents. It holds no state of its own.
type Catalog struct{ store Store }

// New returns a catalog upon a store.
func New(store Store) *Catalog { return &Catalog{store} }

// Request asks for a document to be applied.
type Request struct {
	File   string // for messages
	Source string
	Team   string // owner of what is new; empty for the viewer's
	DryRun bool
	// Along are documents that are applied in the same go. They count in the place of those that are stored, and are not stored.
	Along []string
}

// Applied is what became of it. The record has no source.
type Applied struct {
	Record  workflow.Record
	Place   *cluster.Environment // of an environment, which has no record
	Params  workflow.Params
	Outcome Outcome
	Missing string // what somebody has yet to do, for people
}

// Apply checks a document and, unless it is a dry run, stores it. Errors are faults: Invalid with every fault in Places, Unsupported
// for what this version cannot execute.
func (c *Catalog) Apply(ctx context.Context, r Request) (Applied, error) {
	switch read := parse.Read([]byte(r.Source)); read.Kind {
	case document.ReadinessPolicyKind:
		return c.applyPolicy(ctx, r, read)
	case document.EnvironmentKind:
		return c.applyEnvironment(ctx, r, read)
	case document.ScheduleKind:
		return c.applySchedule(ctx, r, read)
	case document.TestExecutionKind:
		return Applied{}, fault.New(fault.Invalid, "a %s is an object of a cluster, which runs a workflow once, and no entry of the catalog", read.Kind).
			WithField("kind").WithHint("Create it in a cluster with kubectl, or run the workflow with seatrial run.")
	case document.TriggerKind:
		return c.applyTrigger(ctx, r, read)
	case document.WebhookKind:
		return c.applyWebhook(ctx, r, read)
	}
	doc, err := workflow.Load(r.File, []byte(r.Source))
	if err != nil {
		return Applied{}, err //nolint:wrapcheck // a fault that speaks for itself
	}
	if faults := trigger.Check(parse.Read([]byte(r.Source))); len(faults) > 0 {
		return Applied{}, parse.Error(r.File, fault.Invalid, faults) //nolint:wrapcheck // a fault that speaks for itself
	}
	if v, ok := tenant.FromContext(ctx); ok && !doc.IsTemplate() {
		if err := v.Workflow(doc.Metadata.Name); err != nil {
			return Applied{}, err //nolint:wrapcheck // a fault that speaks for itself
		}
	}
	a := application{store: c.store, request: r, doc: doc, along: map[key]*workflow.Loaded{}}
	for _, source := range r.Along {
		// One with faults is told so when its own turn comes.
		if other, err := workflow.Load("", []byte(source)); err == nil && keyOf(other) != keyOf(doc) {
			a.along[keyOf(other)] = other
		}
	}
	for range maxTries {
		var out Applied
		if out, err = a.apply(ctx); !fault.Is(err, fault.Conflict) {
			out.Record.Source, out.Params = "", doc.Spec.Params
			return out, err
		}
	}
	return Applied{}, err
}

type key struct{ kind, name string }

func keyOf(l *workflow.Loaded) key { return key{l.Kind, l.Metadata.Name} }

// application is one document on its way.
type application struct {
	store   Store
	request Request
	doc     *workflow.Loaded
	along   map[key]*workflow.Loaded
}

func (a *application) apply(ctx context.Context) (Applied, error) {
	record := workflow.Record{
		Kind: a.doc.Kind, Name: a.doc.Metadata.Name, Labels: a.doc.Metadata.Labels, Description: a.doc.Spec.Description,
		Digest: a.doc.Digest, Source: a.request.Source, Uses: a.doc.Uses(),
	}
	library := a.library(ctx, a.doc)
	whole, used, err := workflow.Resolve(a.doc, library)
	if err != nil {
		return Applied{}, err //nolint:wrapcheck // a fault that speaks for itself
	}
	if !a.doc.IsTemplate() {
		record.Triggers = whole.Spec.Triggers
	}
	for _, t := range used {
		if t.Revision > 0 { // not one that is only in the same go
			record.Checked = append(record.Checked, t.Ref())
		}
	}
	var users []workflow.Ref
	if a.doc.IsTemplate() {
		if users, err = a.checkUsers(ctx); err != nil {
			return Applied{}, err
		}
	}
	if a.request.DryRun {
		return a.would(ctx, record)
	}
	return a.keep(ctx, record, users)
}

func (a *application) keep(ctx context.Context, record workflow.Record, users []workflow.Ref) (Applied, error) {
	var created, changed bool
	var err error
	if a.doc.IsTemplate() {
		record, created, changed, err = a.store.ApplyTemplate(ctx, record, users, a.request.Team)
	} else {
		record, created, changed, err = a.store.ApplyWorkflow(ctx, record, a.request.Team)
	}
	if err != nil {
		return Applied{}, fmt.Errorf("apply %s: %w", a.doc.Metadata.Name, err)
	}
	return Applied{Record: record, Outcome: outcome(created, changed)}, nil
}

func outcome(created, changed bool) Outcome {
	switch {
	case created:
		return Created
	case changed:
		return Changed
	}
	return Unchanged
}

// would says what applying would do.
func (a *application) would(ctx context.Context, record workflow.Record) (Applied, error) {
	if a.doc.IsTemplate() {
		return would(ctx, record, a.store.Template)
	}
	return would(ctx, record, a.store.Workflow)
}

func would(ctx context.Context, record workflow.Record, read func(context.Context, string) (workflow.Record, error)) (Applied, error) {
	known, err := read(ctx, record.Name)
	switch {
	case fault.Is(err, fault.NotFound):
		record.Revision = 1
		return Applied{Record: record, Outcome: Created}, nil
	case err != nil:
		return Applied{}, fmt.Errorf("read %s: %w", record.Name, err)
	case known.Digest == record.Digest:
		return Applied{Record: known}, nil
	}
	record.ID, record.Team, record.Revision = known.ID, known.Team, known.Revision+1
	return Applied{Record: record, Outcome: Changed}, nil
}

// library returns the templates as they are once everything is applied: first the document itself, then those in the same go, then
// those stored.
func (a *application) library(ctx context.Context, self *workflow.Loaded) workflow.Library {
	return func(names []string) ([]workflow.Record, error) {
		var out []workflow.Record
		var rest []string
		for _, name := range names {
			k := key{document.TemplateKind, name}
			switch {
			case self != nil && keyOf(self) == k:
				out = append(out, workflow.Record{Kind: k.kind, Name: name, Source: a.request.Source})
			case a.along[k] != nil:
				out = append(out, workflow.Record{Kind: k.kind, Name: name, Source: a.along[k].Text()})
			default:
				rest = append(rest, name)
			}
		}
		if len(rest) == 0 {
			return out, nil
		}
		stored, err := a.store.TemplatesNamed(ctx, rest)
		if err != nil {
			return nil, fmt.Errorf("read templates: %w", err)
		}
		return append(out, stored...), nil
	}
}

// checkUsers checks everything that uses the template with it, and returns what that was.
func (a *application) checkUsers(ctx context.Context) ([]workflow.Ref, error) {
	stored, err := a.store.TemplateUsers(ctx, a.doc.Metadata.Name)
	if err != nil {
		return nil, fmt.Errorf("read what uses the template: %w", err)
	}
	var broken []string
	var places []fault.Place
	refs := make([]workflow.Ref, 0, len(stored))
	for _, record := range stored {
		refs = append(refs, record.Ref())
		found, err := a.breaks(ctx, record)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			broken, places = append(broken, record.Name), append(places, found...)
		}
	}
	if len(broken) == 0 {
		return refs, nil
	}
	message := fmt.Sprintf("the template %s would break what uses it: %s", a.doc.Metadata.Name, strings.Join(broken, ", "))
	return nil, &fault.Error{
		Kind: fault.Invalid, Field: places[0].Field, Message: message, Places: places,
		Hint: fmt.Sprintf("Change %s in the same command, or let the template go on taking what they give it.", strings.Join(broken, ", ")),
	}
}

// breaks says what the template breaks in a document that uses it. A document that is broken already is not broken by it.
func (a *application) breaks(ctx context.Context, record workflow.Record) ([]fault.Place, error) {
	user := a.along[key{record.Kind, record.Name}]
	if user == nil {
		var err error
		if user, err = workflow.Load(record.Name, []byte(record.Source)); err != nil {
			return nil, nil //nolint:nilerr // this version cannot execute it anyway, and says so then
		}
	}
	places, err := workflow.Breaks(a.doc, user, a.library(ctx, a.doc))
	if err != nil || len(places) == 0 {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	before, err := workflow.Breaks(a.doc, user, a.library(ctx, nil))
	if err != nil || len(before) > 0 && a.along[key{record.Kind, record.Name}] == nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	return places, nil
}
