// Package starter starts what a schedule or a trigger names: it finds the workflows, fills in the params and asks for the executions, as
// the team that owns the schedule or trigger.
package starter

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

// MaxWorkflows is how many workflows one schedule or trigger starts at once at most.
const MaxWorkflows = 200

// Catalog finds workflows for the viewer of the context.
type Catalog interface {
	// WorkflowsLabelled returns the names of the workflows that have all of some labels, sorted.
	WorkflowsLabelled(ctx context.Context, labels map[string]string) ([]string, error)
	// AccessOf says whether an organization keeps its teams apart, whoever asks.
	AccessOf(ctx context.Context, org tenant.ID) (tenant.Access, error)
}

// Runner starts executions for the viewer of the context. Implemented by dispatch.
type Runner interface {
	Start(ctx context.Context, r execution.Request) (e execution.Execution, existed bool, err error)
}

// By is who starts something, and why.
type By struct {
	Organization tenant.ID
	Team         uuid.UUID // owns the schedule or trigger; it is the team that acts
	Actor        string    // for people, such as "schedule nightly"
	Key          string    // unlike that of any other occasion: with it nothing starts twice
	Trigger      workflow.Trigger
	Commit       string
	Params       map[string]string // values that are taken as they are, and win
}

// Started is a workflow that was started, or why it was not.
type Started struct {
	Workflow  string    `json:"workflow,omitempty"`
	Execution uuid.UUID `json:"execution,omitzero"`
	Problem   string    `json:"problem,omitempty"`
}

// Starter starts executions. It holds no state of its own.
type Starter struct {
	catalog Catalog
	runner  Runner
}

// New returns a Starter.
func New(catalog Catalog, runner Runner) *Starter { return &Starter{catalog, runner} }

// Viewer is on whose behalf the executions are started: the team, which sees nothing of others where the organization keeps its teams apart.
func (b By) Viewer(ctx context.Context, catalog Catalog) (tenant.Viewer, error) {
	access, err := catalog.AccessOf(ctx, b.Organization)
	if err != nil {
		return tenant.Viewer{}, fmt.Errorf("find out what teams may see: %w", err)
	}
	return tenant.Viewer{
		Kind: tenant.KindMember, Organization: b.Organization, Team: b.Team, Name: b.Actor, Role: tenant.RoleMaintainer,
		Confined: access.Visibility == tenant.VisibleTeams,
	}, nil
}

// remembering asks once for each organization whether it keeps its teams apart.
type remembering struct {
	Catalog
	mu    sync.Mutex
	known map[tenant.ID]tenant.Access
}

// Remembering returns a Catalog for one sweep, in which thousands may be started for the same organizations.
func Remembering(c Catalog) Catalog {
	return &remembering{Catalog: c, known: map[tenant.ID]tenant.Access{}}
}

// AccessOf implements Catalog.
func (r *remembering) AccessOf(ctx context.Context, org tenant.ID) (tenant.Access, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a, ok := r.known[org]; ok {
		return a, nil
	}
	a, err := r.Catalog.AccessOf(ctx, org)
	if err == nil {
		r.known[org] = a
	}
	return a, err //nolint:wrapcheck // transparent
}

// Start starts every workflow that is meant. What cannot be started for good is said with the workflow and keeps no other from starting;
// an error means that it is worth trying all of it again, with the same key.
func (s *Starter) Start(ctx context.Context, by By, what document.Start) ([]Started, error) {
	v, err := by.Viewer(ctx, s.catalog)
	if err != nil {
		return nil, err
	}
	ctx = tenant.WithViewer(ctx, v)
	params, err := values(what.Params, by.Trigger)
	if err != nil {
		return []Started{{Problem: fault.Sentence(err)}}, nil
	}
	if len(by.Params) > 0 {
		all := maps.Clone(by.Params)
		for name, text := range params {
			if _, given := all[name]; !given {
				all[name] = text
			}
		}
		params = all
	}
	out, err := s.workflows(ctx, what.Workflows)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if out[i].Problem != "" {
			continue
		}
		if err := s.one(ctx, by, what, params, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Starter) one(ctx context.Context, by By, what document.Start, params map[string]string, into *Started) error {
	request := execution.Request{
		Workflow: into.Workflow, Params: params, IdempotencyKey: by.Key + " " + into.Workflow, Trigger: by.Trigger.Kind, Actor: by.Actor,
		Cause:  execution.Cause{Name: by.Trigger.Name, Repository: by.Trigger.Repository, Branch: by.Trigger.Branch},
		Commit: by.Commit,
	}
	if e := what.Environments; e != nil {
		request.Environments, request.Select, request.Any = e.Names, e.Select, e.Mode == "any"
	}
	e, _, err := s.runner.Start(ctx, request)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Invalid, fault.Forbidden, fault.Conflict, fault.Exhausted, fault.Unsupported:
		into.Problem = fault.Sentence(err)
		return nil
	case fault.Unauthenticated, fault.Unavailable, fault.Internal:
		if err != nil {
			return fmt.Errorf("start %s: %w", into.Workflow, err)
		}
	}
	into.Execution = e.ID
	return nil
}

// workflows returns what is meant, each once, in the order in which it is written.
func (s *Starter) workflows(ctx context.Context, refs []document.StartRef) ([]Started, error) {
	var out []Started
	add := func(name string) {
		if !slices.ContainsFunc(out, func(o Started) bool { return o.Workflow == name }) {
			out = append(out, Started{Workflow: name})
		}
	}
	for _, ref := range refs {
		if ref.Name != "" {
			add(ref.Name)
			continue
		}
		names, err := s.catalog.WorkflowsLabelled(ctx, ref.Selector)
		if err != nil {
			return nil, fmt.Errorf("find workflows by their labels: %w", err)
		}
		if len(names) == 0 {
			out = append(out, Started{Problem: fmt.Sprintf("no workflow has the labels %s", words(ref.Selector))})
		}
		for _, name := range names {
			add(name)
		}
	}
	if len(out) > MaxWorkflows {
		problem := fmt.Sprintf("%d workflows are meant, and at most %d are started at once: narrow the selectors", len(out), MaxWorkflows)
		return []Started{{Problem: problem}}, nil
	}
	return out, nil
}

func words(labels map[string]string) string {
	text := ""
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if text != "" {
			text += ", "
		}
		text += key + "=" + labels[key]
	}
	return text
}

// values fills in the params.
func values(params map[string]string, t workflow.Trigger) (map[string]string, error) {
	if len(params) == 0 {
		return nil, nil //nolint:nilnil // there are none
	}
	known := map[string]any{
		"trigger.kind": t.Kind, "trigger.name": t.Name, "trigger.actor": t.Actor, "trigger.repository": t.Repository,
		"trigger.branch": t.Branch, "trigger.commit": t.Commit,
	}
	types := map[string]expr.Type{}
	for name := range known {
		types[name] = expr.String
	}
	out := map[string]string{}
	var compiler *expr.Compiler
	for _, name := range slices.Sorted(maps.Keys(params)) {
		text := params[name]
		if expr.IsPlain(text) {
			out[name] = text
			continue
		}
		var err error
		if compiler == nil {
			if compiler, err = expr.New(types); err != nil {
				return nil, err //nolint:wrapcheck // cannot fail
			}
		}
		template, err := compiler.Compile(text, expr.AtTrigger)
		if err == nil {
			out[name], err = template.Expand(known)
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, "params.%s: %v", name, err)
		}
	}
	return out, nil
}

// Words say what is started, one for each reference: names, and selectors as labels.
func Words(what document.Start) (out []string) {
	for _, ref := range what.Workflows {
		if ref.Name != "" {
			out = append(out, ref.Name)
		} else {
			out = append(out, words(ref.Selector))
		}
	}
	return out
}

// Failed reports whether nothing was started although something was meant.
func Failed(list []Started) bool {
	return !slices.ContainsFunc(list, func(s Started) bool { return s.Execution != uuid.Nil })
}
