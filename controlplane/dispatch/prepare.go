package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expand"
)

// maxSpecs is how many bytes the assignments of an execution have together at most, unless the configuration says otherwise: they are
// stored in one transaction.
const maxSpecs = 64 << 20

// prepare resolves a request to what is stored.
func (d *Dispatcher) prepare(ctx context.Context, viewer tenant.Viewer, req execution.Request) (n execution.New, err error) {
	record, err := d.store.Workflow(ctx, req.Workflow)
	if err != nil {
		return n, fmt.Errorf("load workflow %q: %w", req.Workflow, err)
	}
	if err := mayRun(viewer, record); err != nil {
		return n, err
	}
	doc, templates, err := d.document(ctx, record)
	if err != nil {
		return n, fmt.Errorf("revision %d of workflow %s cannot be run: %w", record.Revision, record.Name, err)
	}
	values, err := doc.Spec.Params.Resolve(req.Params)
	if err != nil {
		return n, err //nolint:wrapcheck // a fault that speaks for itself
	}
	places, err := d.places(ctx, doc, req)
	if err != nil {
		return n, err
	}
	for _, place := range places {
		if err := viewer.Environment(place.Name); err != nil {
			return n, err //nolint:wrapcheck // a fault that speaks for itself
		}
	}
	id, err := d.id()
	if err != nil {
		return n, err
	}
	n = execution.New{
		Execution: execution.Execution{
			ID: id, Workflow: record.Name, Revision: record.Revision, Digest: record.Digest, Status: execution.Queued,
			Templates: templates, Priority: priority(doc), Params: values.Strings(), Trigger: or(req.Trigger, "api"), Actor: or(req.Actor, viewer.Name), CreatedAt: d.now().UTC(),
			Parent: req.Parent, Commit: req.Commit,
		},
		RevisionID: record.RevisionID, Idempotency: req.IdempotencyKey, Application: req.Application, Version: req.Version,
		FailFast: doc.Spec.FailFast != nil && *doc.Spec.FailFast, MaxParallel: int(doc.Spec.MaxParallel),
	}
	took, err := d.took(ctx, doc, record.Name)
	if err != nil {
		return n, err
	}
	deal, err := d.deal(ctx, doc, req, places)
	if err != nil {
		return n, err
	}
	n.Runs, err = d.runs(doc, n.Execution, deal, req.Only, workflow.Inputs{
		Params: values, ExecutionID: id.String(), Took: took, Release: workflow.Release{Application: req.Application, Version: req.Version},
		Trigger: workflow.Trigger{
			Kind: n.Execution.Trigger, Name: or(caller(req.Parent), req.Cause.Name), Actor: n.Execution.Actor,
			Repository: req.Cause.Repository, Branch: req.Cause.Branch, Commit: req.Commit,
		},
	})
	return n, err
}

// mayRun returns fault.Forbidden for a workflow that the viewer's token is not for, or that its team keeps to itself. Any other may be
// run by every team of the organization: the catalog is shared.
func mayRun(v tenant.Viewer, record workflow.Record) error {
	if !record.RemovedAt.IsZero() {
		return fault.New(fault.NotFound, "the workflow %s was removed from the catalog on %s", record.Name, record.RemovedAt.Format(time.DateTime+" UTC")).
			WithField("workflow").WithHint("Apply it again to run it. What it has run stays.")
	}
	if err := v.Workflow(record.Name); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	if record.Restricted && !v.Acts(record.TeamID) {
		return fault.New(fault.Forbidden, "the team %s keeps the workflow %s to itself", record.Team, record.Name).
			WithHint("Ask the team %s to run it, or to share it.", record.Team)
	}
	return nil
}

// took returns how long the tests of each file usually take, where shards are made by that.
func (d *Dispatcher) took(ctx context.Context, doc *workflow.Document, name string) (map[string]time.Duration, error) {
	if doc.Spec.Shards == nil || doc.Spec.Shards.Balance != "duration" {
		return nil, nil //nolint:nilnil // nobody asks
	}
	took, err := d.store.TestDurations(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("load durations: %w", err)
	}
	return took, nil
}

// document reads a workflow and merges it with the templates that it uses as they are now.
func (d *Dispatcher) document(ctx context.Context, record workflow.Record) (*workflow.Document, []execution.Template, error) {
	loaded, err := d.loaded.load(record)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // the caller says what for
	}
	doc, used, err := workflow.Resolve(loaded, func(names []string) ([]workflow.Record, error) {
		found, err := d.store.TemplatesNamed(ctx, names)
		if err != nil {
			return nil, fmt.Errorf("load templates: %w", err)
		}
		return found, nil
	})
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // the caller says what for
	}
	var templates []execution.Template
	for _, t := range used {
		templates = append(templates, execution.Template{Name: t.Name, Revision: t.Revision, Digest: t.Digest})
	}
	return doc, templates, nil
}

// places returns the environments to run in: those asked for, else those that the workflow names or selects, else the only one there is.
func (d *Dispatcher) places(ctx context.Context, doc *workflow.Document, req execution.Request) ([]cluster.Environment, error) {
	names := req.Environments
	if len(names) == 0 && len(req.Select) > 0 {
		return d.selected(ctx, req.Select)
	}
	if e := doc.Spec.Environments; len(names) == 0 && e != nil && len(e.Select) > 0 {
		return d.selected(ctx, e.Select)
	}
	if len(names) == 0 && doc.Spec.Environments != nil {
		names = doc.Spec.Environments.Names
	}
	if len(names) == 0 {
		names = []string{""}
	}
	places := make([]cluster.Environment, 0, len(names))
	for _, name := range names {
		if slices.ContainsFunc(places, func(e cluster.Environment) bool { return e.Name == name }) {
			continue
		}
		env, err := d.store.Environment(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("load environment: %w", err)
		}
		places = append(places, env)
	}
	return places, nil
}

// maxNames is how many environments a message lists.
const maxNames = 10

// selected returns the environments with all of some labels.
func (d *Dispatcher) selected(ctx context.Context, labels map[string]string) ([]cluster.Environment, error) {
	all, err := d.store.Environments(ctx)
	if err != nil {
		return nil, fmt.Errorf("load environments: %w", err)
	}
	if found := cluster.Selected(all, labels); len(found) > 0 {
		return found, nil
	}
	none := fault.New(fault.NotFound, "no environment has the labels %s", cluster.Words(labels)).WithField("spec.environments.select")
	if len(all) == 0 {
		return nil, none.WithHint("Enroll a cluster with: seatrial cluster enroll NAME.")
	}
	parts := make([]string, 0, maxNames+1)
	for _, e := range all[:min(len(all), maxNames)] {
		parts = append(parts, fmt.Sprintf("%s (%s)", e.Name, or(cluster.Words(e.Selectable()), "no labels")))
	}
	if len(all) > maxNames {
		parts = append(parts, fmt.Sprintf("and %d more", len(all)-maxNames))
	}
	return nil, none.WithHint("There are: %s. Give one of them the labels with a document of kind Environment, or name where to run.", strings.Join(parts, ", "))
}

// runs expands the workflow and compiles each of its runs, or those alone that are asked for.
func (d *Dispatcher) runs(
	doc *workflow.Document, e execution.Execution, deal *dealing, asked []execution.Cell, in workflow.Inputs,
) ([]execution.NewRun, error) {
	cells, err := expand.Runs(doc, expand.Input{Values: in.AtTrigger(doc), Environments: deal.names()})
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	if cells, err = only(cells, asked); err != nil {
		return nil, err
	}
	runs, size, signature := make([]execution.NewRun, len(cells)), 0, signatureOf(doc)
	for i, cell := range cells {
		if runs[i], err = d.run(doc, e, deal.place(cell.Environment), cell, in, signature); err != nil {
			return nil, err
		}
		if size += len(runs[i].Spec); size > d.maxSpecs {
			return nil, fault.New(fault.Invalid, "the %d runs of the execution have more than %d MiB together", len(cells), d.maxSpecs>>20).
				WithField("spec").WithHint("%s", signature.hint(size))
		}
	}
	return runs, nil
}

func (d *Dispatcher) run(
	doc *workflow.Document, e execution.Execution, env cluster.Environment, cell expand.Run, in workflow.Inputs, signature *signed,
) (r execution.NewRun, err error) {
	in.Environment, in.Namespace, in.Cluster = env.Name, env.Namespace, env.ClusterName
	in.Matrix, in.Shard = cell.Matrix, workflow.Shard{Index: cell.Shard, Count: cell.Shards}
	plan, err := workflow.Compile(doc, in)
	if err != nil {
		return r, err //nolint:wrapcheck // a fault that speaks for itself
	}
	ids := ids{execution: e.ID}
	if ids.run, err = d.id(); err != nil {
		return r, err
	}
	if ids.attempt, err = d.id(); err != nil {
		return r, err
	}
	a := assignment(ids, e.Workflow, env, plan)
	a.RunSpecification = signature.of(cell)
	spec, digest, err := encode(a)
	return execution.NewRun{
		ID: ids.run, Name: cell.Name, Matrix: texts(cell.Matrix), Shard: int(cell.Shard), Shards: int(cell.Shards),
		Environment: env, Group: group(plan), Retries: retries(doc), AttemptID: ids.attempt, Steps: steps(plan), Services: services(plan),
		Spec: spec, SpecDigest: digest,
	}, err
}

func group(plan *workflow.Plan) execution.Group {
	if plan.Concurrency == nil {
		return execution.Group{}
	}
	return execution.Group{Name: plan.Concurrency.Name, Limit: plan.Concurrency.Limit, OnConflict: execution.OnConflict(plan.Concurrency.OnConflict)}
}

func priority(doc *workflow.Document) int {
	if doc.Spec.Priority == nil {
		return execution.DefaultPriority
	}
	return int(*doc.Spec.Priority)
}

func retries(doc *workflow.Document) int {
	if doc.Spec.Retry == nil {
		return 0
	}
	return int(doc.Spec.Retry.Infrastructure)
}

func texts(cell document.Cell) map[string]string {
	if cell == nil {
		return nil
	}
	out := make(map[string]string, len(cell))
	for name, v := range cell {
		out[name] = document.Text(v)
	}
	return out
}

type ids struct{ execution, run, attempt uuid.UUID }

func (d *Dispatcher) id() (uuid.UUID, error) {
	id, err := d.newID()
	if err != nil {
		return id, fmt.Errorf("make an id: %w", err)
	}
	return id, nil
}

// caller is the workflow whose step has started an execution; empty for one that a person or a pipeline has.
func caller(p *execution.Parent) string {
	if p == nil {
		return ""
	}
	return p.Workflow
}
